insmod lost_wakeup_bug.ko
