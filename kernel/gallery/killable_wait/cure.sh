insmod killable_wait_cure.ko
until [ -e /sys/class/firmware/modem.bin ]; do sleep 0.1; done
rmmod killable_wait_cure
dmesg | grep 'the upload: Stopped'
