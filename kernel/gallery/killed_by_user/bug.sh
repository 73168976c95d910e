insmod killed_by_user_bug.ko
sleep 1
kill -TERM "$(pidof watchdog_dpc)"
sleep 1
rmmod killed_by_user_bug
