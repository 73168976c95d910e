insmod work_without_end_bug.ko
until [ -e /sys/class/firmware/dsp.bin ]; do sleep 0.1; done
rmmod work_without_end_bug
