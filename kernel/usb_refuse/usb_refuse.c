// SPDX-License-Identifier: GPL-2.0
/*
 * Refuses the transfers that bring a modem's cells while it is loaded, as a host controller does
 * that has no time left on its bus, or no memory; or those that take its cells, or those that ask
 * it something.
 *
 * Or takes those that bring it firmware, and keeps who submits one until it has ended, as may
 * happen to anyone who loses the processor there.
 *
 * The controller's table of operations is copied, and one of them is replaced in the copy.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/usb.h>
#include <linux/usb/hcd.h>

#define VENDOR 0x06b9
#define PRODUCT 0x4061
/* Where its cells go, and its firmware. */
#define DATA 7
#define FIRMWARE_OUT 5

static int error = ENOMEM;
module_param(error, int, 0444);
MODULE_PARM_DESC(error, "what whoever submits a transfer is told");

static bool isochronous;
module_param(isochronous, bool, 0444);
MODULE_PARM_DESC(isochronous, "whether isochronous transfers are refused, and not those in bulk");

static bool sent;
module_param(sent, bool, 0444);
MODULE_PARM_DESC(sent, "whether transfers of cells to the modem are refused, and not from it");

static bool questions;
module_param(questions, bool, 0444);
MODULE_PARM_DESC(questions, "whether questions of its driver are refused, and nothing else");

static bool late;
module_param(late, bool, 0444);
MODULE_PARM_DESC(late, "whether none is refused, and those with firmware are returned from late");

static struct usb_device *modem;
static const struct hc_driver *real;
static struct hc_driver ours;

static bool has_cells(const struct urb *urb)
{
	return !usb_pipein(urb->pipe) == sent && usb_pipeendpoint(urb->pipe) == DATA &&
	       (isochronous ? usb_pipeisoc(urb->pipe) : usb_pipebulk(urb->pipe));
}

static bool is_question(const struct urb *urb)
{
	const struct usb_ctrlrequest *request = (const void *)urb->setup_packet;

	return usb_pipecontrol(urb->pipe) && usb_pipein(urb->pipe) &&
	       (request->bRequestType & USB_TYPE_MASK) == USB_TYPE_VENDOR;
}

static bool is_refused(const struct urb *urb)
{
	if (late || urb->dev != modem)
		return false;
	return questions ? is_question(urb) : has_cells(urb);
}

static bool is_kept(const struct urb *urb)
{
	return late && urb->dev == modem && usb_pipeout(urb->pipe) &&
	       usb_pipeendpoint(urb->pipe) == FIRMWARE_OUT && usb_pipebulk(urb->pipe);
}

static int enqueue_and_wait(struct usb_hcd *hcd, struct urb *urb, gfp_t flags)
{
	int err;

	/* So that it can be looked at when its owner may have freed it. */
	usb_get_urb(urb);
	err = real->urb_enqueue(hcd, urb, flags);
	while (!err && atomic_read(&urb->use_count))
		msleep(1);
	usb_put_urb(urb);
	return err;
}

static int enqueue(struct usb_hcd *hcd, struct urb *urb, gfp_t flags)
{
	if (is_refused(urb))
		return -error;
	if (is_kept(urb))
		return enqueue_and_wait(hcd, urb, flags);
	return real->urb_enqueue(hcd, urb, flags);
}

static int is_modem(struct usb_device *device, void *unused)
{
	if (le16_to_cpu(device->descriptor.idVendor) != VENDOR ||
	    le16_to_cpu(device->descriptor.idProduct) != PRODUCT)
		return 0;
	modem = usb_get_dev(device);
	return 1;
}

static int __init usb_refuse_init(void)
{
	struct usb_hcd *hcd;

	usb_for_each_dev(NULL, is_modem);
	if (!modem)
		return -ENODEV;
	hcd = bus_to_hcd(modem->bus);
	real = hcd->driver;
	ours = *real;
	ours.urb_enqueue = enqueue;
	smp_store_release(&hcd->driver, &ours);
	return 0;
}
module_init(usb_refuse_init);

static void __exit usb_refuse_exit(void)
{
	smp_store_release(&bus_to_hcd(modem->bus)->driver, real);
	/* Whoever is in our operation has left it after that. */
	synchronize_rcu_tasks();
	usb_put_dev(modem);
}
module_exit(usb_refuse_exit);

MODULE_DESCRIPTION("Refuses transfers of a modem, or keeps who submits them");
MODULE_AUTHOR("Threadline developers");
MODULE_LICENSE("GPL");
