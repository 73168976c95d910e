// SPDX-License-Identifier: GPL-2.0
/*
 * What linux/usb.h has only as macros and inline functions.
 */
#include <linux/usb.h>

/* A pipe: the transfer type (PIPE_*), the device's number, and an endpoint. */
unsigned int threadline_usb_pipe(struct usb_device *dev, unsigned int type, u8 address);
unsigned int threadline_usb_pipe(struct usb_device *dev, unsigned int type, u8 address)
{
	return (type << 30) | __create_pipe(dev, address & USB_ENDPOINT_NUMBER_MASK) |
	       (address & USB_DIR_IN);
}

bool threadline_usb_trylock_device(struct usb_device *dev);
bool threadline_usb_trylock_device(struct usb_device *dev)
{
	return usb_trylock_device(dev);
}

void threadline_usb_unlock_device(struct usb_device *dev);
void threadline_usb_unlock_device(struct usb_device *dev)
{
	usb_unlock_device(dev);
}
