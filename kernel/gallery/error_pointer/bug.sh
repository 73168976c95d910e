insmod error_pointer_bug.ko || true
rmmod error_pointer_bug
