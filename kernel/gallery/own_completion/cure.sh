insmod own_completion_cure.ko
rmmod own_completion_cure
! pidof worker
