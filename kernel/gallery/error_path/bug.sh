insmod error_path_bug.ko
