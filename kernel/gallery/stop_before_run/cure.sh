insmod stop_before_run_cure.ko
rmmod stop_before_run_cure
dmesg | grep 'some were never served, and all were freed'
