# Until the signal is there before the thread is.
while true; do
    insmod error_pointer_bug.ko || true
    rmmod error_pointer_bug
done
