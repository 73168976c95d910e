insmod killable_wait_bug.ko
until [ -e /sys/class/firmware/modem.bin ]; do sleep 0.1; done
rmmod killable_wait_bug
