insmod own_completion_bug.ko
sleep 1
rmmod own_completion_bug
