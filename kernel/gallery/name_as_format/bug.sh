insmod name_as_format_bug.ko name='50%near'
