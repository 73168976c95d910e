insmod lost_wakeup_cure.ko
rmmod lost_wakeup_cure
dmesg | grep 'the cleaner: Stopped'
