// SPDX-License-Identifier: GPL-2.0
/*
 * Sends the USB devices that have a driver named here to sleep while it is
 * loaded, and wakes them, as the USB core does with a device that is idle.
 *
 * Or resets them, more than once, and lets nobody else have them in between.
 *
 * Devices at the virtual host controller have no part in the sleep of the whole
 * machine. The driver is asked in the same way.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <linux/sched/signal.h>
#include <linux/usb.h>

static char *driver = "speedtch";
module_param(driver, charp, 0444);
MODULE_PARM_DESC(driver, "whose devices are to sleep");

static bool die;
module_param(die, bool, 0444);
MODULE_PARM_DESC(die, "whether who loads this is killed before they wake up");

static int resets;
module_param(resets, int, 0444);
MODULE_PARM_DESC(resets, "how often they are reset, and not sent to sleep");

static bool is_meant(struct usb_interface *intf)
{
	return intf->dev.driver && !strcmp(intf->dev.driver->name, driver);
}

/* Lets the interfaces sleep, which their driver does not allow, or ends that. */
static void allow(struct usb_device *udev, bool allowed)
{
	int i;

	for (i = 0; i < udev->actconfig->desc.bNumInterfaces; i++) {
		struct device *dev = &udev->actconfig->interface[i]->dev;

		if (allowed) {
			pm_runtime_enable(dev);
			pm_runtime_suspend(dev);
		} else {
			pm_runtime_resume(dev);
			pm_runtime_disable(dev);
		}
	}
	if (allowed)
		usb_enable_autosuspend(udev);
	else
		usb_disable_autosuspend(udev);
}

static int reset(struct usb_device *udev)
{
	int i, err = 0;

	usb_lock_device(udev);
	for (i = 0; i < resets && !err; i++) {
		err = usb_reset_device(udev);
		/* Its driver gets as far as it can without the lock. */
		msleep(500);
	}
	usb_unlock_device(udev);
	return err;
}

static int sleep_and_wake(struct usb_device *udev, void *unused)
{
	int err;

	if (!udev->actconfig || !is_meant(udev->actconfig->interface[0]))
		return 0;
	if (resets)
		return reset(udev);
	allow(udev, true);
	err = pm_runtime_suspend(&udev->dev);
	dev_info(&udev->dev, "sent to sleep: %d, state %d\n", err, udev->state);
	if (!err && udev->state != USB_STATE_SUSPENDED)
		err = -EIO;
	if (die)
		send_sig(SIGKILL, current, 1);
	pm_runtime_resume(&udev->dev);
	allow(udev, false);
	return err < 0 ? err : 0;
}

static int __init usb_sleep_init(void)
{
	return usb_for_each_dev(NULL, sleep_and_wake);
}
module_init(usb_sleep_init);

static void __exit usb_sleep_exit(void)
{
}
module_exit(usb_sleep_exit);

MODULE_DESCRIPTION("Sends USB devices to sleep and wakes them");
MODULE_AUTHOR("Threadline developers");
MODULE_LICENSE("GPL");
