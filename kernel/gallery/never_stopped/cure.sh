insmod never_stopped_cure.ko
rmmod never_stopped_cure
! pidof poll_line
