! insmod error_path_cure.ko
! pidof irq_poll
dmesg | grep 'the poller was up'
