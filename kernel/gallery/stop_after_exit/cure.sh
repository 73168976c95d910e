insmod stop_after_exit_cure.ko
sleep 1
rmmod stop_after_exit_cure
dmesg | grep 'the upload: Ended'
