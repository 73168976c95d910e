insmod stop_after_exit_bug.ko
sleep 1
rmmod stop_after_exit_bug
