insmod wait_without_stop_bug.ko
sleep 1
rmmod wait_without_stop_bug
