// SPDX-License-Identifier: GPL-2.0
/*
 * Stops of threads that wait for a USB transfer, as the peer of
 * kthread_bench/transfers.rs. Nothing breaks the waits of usb_bulk_msg() and
 * its like: a thread that is to be stopped has an URB of its own, and kills it.
 */
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/usb.h>
#include "bench.h"

/* An emulated modem, of another product than that of the peer. */
#define VENDOR 0x06b9
#define PRODUCT 0x7e59
#define BULK_IN 0x85
#define INTERRUPT_IN 0x81
#define DATA_INTERFACE 1

#define LENGTH 64
#define LONG_SECONDS 3600

/* What the driver keeps for an interface. */
struct transfers {
	struct usb_device *device;
	struct mutex lock;
	struct transfer *waiting;
	s64 measured;
};

enum kind { BULK, INTERRUPT, CONTROL };

static const char * const kinds[] = { "bulk", "interrupt", "control" };

/* A thread that makes a transfer. */
struct transfer {
	struct job job;
	struct usb_device *device;
	struct task_struct *task;
	enum kind kind;
};

static void ended(struct urb *urb)
{
	complete(urb->context);
}

static int fill_control(struct urb *urb, struct usb_device *device, struct completion *done)
{
	struct usb_ctrlrequest *setup = kzalloc(sizeof(*setup), GFP_KERNEL);

	if (!setup)
		return -ENOMEM;
	setup->bRequestType = USB_RECIP_INTERFACE;
	setup->bRequest = USB_REQ_SET_INTERFACE;
	setup->wValue = cpu_to_le16(1);
	setup->wIndex = cpu_to_le16(DATA_INTERFACE);
	usb_fill_control_urb(urb, device, usb_sndctrlpipe(device, 0), (void *)setup,
			     NULL, 0, ended, done);
	return 0;
}

static int fill_data(struct urb *urb, struct transfer *t, struct completion *done)
{
	void *buffer = kzalloc(LENGTH, GFP_KERNEL);

	if (!buffer)
		return -ENOMEM;
	if (t->kind == BULK)
		usb_fill_bulk_urb(urb, t->device, usb_rcvbulkpipe(t->device, BULK_IN),
				  buffer, LENGTH, ended, done);
	else
		usb_fill_int_urb(urb, t->device, usb_rcvintpipe(t->device, INTERRUPT_IN),
				 buffer, LENGTH, ended, done, 1);
	urb->transfer_flags |= URB_FREE_BUFFER;
	return 0;
}

static void await(struct urb *urb, struct completion *done)
{
	if (usb_submit_urb(urb, GFP_KERNEL))
		return;
	while (!kthread_should_stop())
		if (wait_for_completion_interruptible_timeout(done,
				secs_to_jiffies(LONG_SECONDS)) >= 0)
			break;
	usb_kill_urb(urb);
}

static int make_transfer(void *data)
{
	struct transfer *t = container_of(data, struct transfer, job);
	DECLARE_COMPLETION_ONSTACK(done);
	struct urb *urb = usb_alloc_urb(0, GFP_KERNEL);
	int error = -ENOMEM;

	complete(&t->job.ready);
	if (urb)
		error = t->kind == CONTROL ? fill_control(urb, t->device, &done) :
					     fill_data(urb, t, &done);
	if (!error)
		await(urb, &done);
	if (urb)
		kfree(urb->setup_packet);
	usb_free_urb(urb);
	return error;
}

static ssize_t start_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	struct transfers *all = dev_get_drvdata(dev);
	int kind = sysfs_match_string(kinds, buf);
	struct transfer *t;

	if (kind < 0)
		return kind;
	guard(mutex)(&all->lock);
	if (all->waiting)
		return -EINVAL;
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	t->device = all->device;
	t->kind = kind;
	init_completion(&t->job.ready);
	t->task = begin_thread(&t->job, make_transfer);
	if (IS_ERR(t->task)) {
		int error = PTR_ERR(t->task);

		kfree(t);
		return error;
	}
	wait_for_completion(&t->job.ready);
	all->waiting = t;
	all->measured = task_pid_nr(t->task);
	return count;
}
static DEVICE_ATTR_WO(start);

static void stop_waiting(struct transfers *all)
{
	ktime_t begin = ktime_get();

	kthread_stop_put(all->waiting->task);
	all->measured = ktime_to_ns(ktime_sub(ktime_get(), begin));
	kfree(all->waiting);
	all->waiting = NULL;
}

static ssize_t stop_store(struct device *dev, struct device_attribute *attr,
			  const char *buf, size_t count)
{
	struct transfers *all = dev_get_drvdata(dev);

	guard(mutex)(&all->lock);
	if (!all->waiting)
		return -EINVAL;
	stop_waiting(all);
	return count;
}
static DEVICE_ATTR_WO(stop);

static ssize_t measured_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct transfers *all = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%lld\n", all->measured);
}
static DEVICE_ATTR_RO(measured);

static struct attribute *transfers_attrs[] = {
	&dev_attr_start.attr,
	&dev_attr_stop.attr,
	&dev_attr_measured.attr,
	NULL
};
ATTRIBUTE_GROUPS(transfers);

static int transfers_probe(struct usb_interface *intf, const struct usb_device_id *id)
{
	struct transfers *all = kzalloc(sizeof(*all), GFP_KERNEL);

	if (!all)
		return -ENOMEM;
	mutex_init(&all->lock);
	all->device = interface_to_usbdev(intf);
	usb_set_intfdata(intf, all);
	return 0;
}

/* The files have gone before this. */
static void transfers_disconnect(struct usb_interface *intf)
{
	struct transfers *all = usb_get_intfdata(intf);

	if (all->waiting)
		stop_waiting(all);
	kfree(all);
}

static const struct usb_device_id transfers_ids[] = {
	{ USB_DEVICE(VENDOR, PRODUCT) },
	{ }
};
MODULE_DEVICE_TABLE(usb, transfers_ids);

static struct usb_driver transfers_driver = {
	.name = KBUILD_MODNAME,
	.probe = transfers_probe,
	.disconnect = transfers_disconnect,
	.id_table = transfers_ids,
	.dev_groups = transfers_groups,
};

int register_transfers(void)
{
	return usb_register(&transfers_driver);
}

void deregister_transfers(void)
{
	usb_deregister(&transfers_driver);
}
