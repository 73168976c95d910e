insmod freed_early_bug.ko
sleep 1
rmmod freed_early_bug
