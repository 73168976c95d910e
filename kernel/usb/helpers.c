// SPDX-License-Identifier: GPL-2.0
/*
 * What linux/usb.h has only as macros and inline functions.
 */
#include <linux/rtmutex.h>
#include <linux/usb.h>
#include <linux/usb/quirks.h>

/* Who resets a device has this (reset.rs). Static, as a library has no init call. */
struct rt_mutex *threadline_usb_reset_turn(void);
struct rt_mutex *threadline_usb_reset_turn(void)
{
	static DEFINE_RT_MUTEX(threadline_turn);

	return &threadline_turn;
}

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

/*
 * Releases an interface. The USB core selects its first setting then, and waits
 * up to five seconds for the device, with the device lock held. So the device is
 * asked here first, for no longer than @msecs, and where it does not answer, the
 * USB core is made to leave it as it is: it asks again before the next probe.
 */
void threadline_usb_release(struct usb_driver *driver, struct usb_interface *intf, int msecs);
void threadline_usb_release(struct usb_driver *driver, struct usb_interface *intf, int msecs)
{
	struct usb_device *dev = interface_to_usbdev(intf);
	u32 quirks = dev->quirks;

	if (intf->cur_altsetting->desc.bAlternateSetting != 0 &&
	    usb_control_msg(dev, usb_sndctrlpipe(dev, 0), USB_REQ_SET_INTERFACE,
			    USB_RECIP_INTERFACE, 0, intf->altsetting->desc.bInterfaceNumber,
			    NULL, 0, msecs) == -ETIMEDOUT)
		dev->quirks |= USB_QUIRK_NO_SET_INTF;
	usb_driver_release_interface(driver, intf);
	dev->quirks = quirks;
}
