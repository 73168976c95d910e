insmod stop_twice_cure.ko
rmmod stop_twice_cure
dmesg | grep 'unplugged: Stopped'
dmesg | grep 'removed: Taken'
