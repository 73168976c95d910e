insmod stops_itself_cure.ko
rmmod stops_itself_cure
dmesg | grep 'stopped by itself: Itself'
