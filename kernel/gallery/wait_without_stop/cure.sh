insmod wait_without_stop_cure.ko
rmmod wait_without_stop_cure
dmesg | grep 'the handler: Stopped'
