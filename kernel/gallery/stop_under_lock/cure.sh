insmod stop_under_lock_cure.ko
rmmod stop_under_lock_cure
dmesg | grep 'the poller: Stopped'
