insmod stop_twice_bug.ko
rmmod stop_twice_bug
