insmod stops_itself_bug.ko
