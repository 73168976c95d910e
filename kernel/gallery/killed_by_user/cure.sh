insmod killed_by_user_cure.ko
kill -TERM "$(pidof watchdog_dpc)"
kill -KILL "$(pidof watchdog_dpc)"
sleep 1
pidof watchdog_dpc
rmmod killed_by_user_cure
dmesg | grep 'the watchdog: Stopped'
