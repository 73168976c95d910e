// SPDX-License-Identifier: GPL-2.0
/*
 * Stands in for the host controller, for the transfers that bring and take a modem's cells.
 *
 * The controller's table of operations is copied, and two of them are replaced
 * in the copy, so that all that the USB core does for a transfer is done as ever.
 */
#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/usb.h>
#include <linux/usb/hcd.h>
#include "bench.h"

#define VENDOR 0x06b9
#define PRODUCT 0x4061
/* Where its cells go, both ways. */
#define ENDPOINT 7

static struct {
	struct usb_device *modem;
	struct usb_hcd *hcd;
	const struct hc_driver *real;
	struct hc_driver ours;
	/* Where the transfers wait, in the order in which they were submitted. */
	struct usb_host_endpoint *in, *out;
	spinlock_t lock;
	bool held;
	/* Whether somebody lets what was sent come back: one after the other, on one processor. */
	bool looping;
	/* Whether transfers end with interrupts on, in a bottom half. */
	bool in_softirq;
	struct irq_work loop;
} host = {
	.lock = __SPIN_LOCK_UNLOCKED(host.lock),
};

static bool is_kept(const struct urb *urb)
{
	return urb->dev == host.modem && usb_pipebulk(urb->pipe) &&
	       usb_pipeendpoint(urb->pipe) == ENDPOINT;
}

/* Takes out the first transfer, which ends. */
static struct urb *first(struct usb_host_endpoint *endpoint)
{
	struct urb *urb = NULL;

	lockdep_assert_held(&host.lock);
	if (endpoint)
		urb = list_first_entry_or_null(&endpoint->urb_list, struct urb, urb_list);
	if (urb)
		usb_hcd_unlink_urb_from_ep(host.hcd, urb);
	return urb;
}

static void end(struct urb *urb, size_t length)
{
	urb->actual_length = length;
	usb_hcd_giveback_urb(host.hcd, urb, 0);
}

static bool has_both(void)
{
	return host.in && !list_empty(&host.in->urb_list) &&
	       host.out && !list_empty(&host.out->urb_list);
}

/* What was sent comes back. Interrupts are off, as in a real host controller's handler. */
static void loop_back(struct irq_work *work)
{
	spin_lock(&host.lock);
	if (host.looping) {
		/* Whoever it is looks once more before he lets go of the lock. */
		spin_unlock(&host.lock);
		return;
	}
	host.looping = true;
	while (!host.held && has_both()) {
		struct urb *out = first(host.out), *in = first(host.in);
		u32 length = min(out->transfer_buffer_length, in->transfer_buffer_length);

		spin_unlock(&host.lock);
		memcpy(in->transfer_buffer, out->transfer_buffer, length);
		end(out, out->transfer_buffer_length);
		end(in, length);
		spin_lock(&host.lock);
	}
	host.looping = false;
	spin_unlock(&host.lock);
}

static int enqueue(struct usb_hcd *hcd, struct urb *urb, gfp_t flags)
{
	unsigned long irq;
	int error;

	if (!is_kept(urb))
		return host.real->urb_enqueue(hcd, urb, flags);
	spin_lock_irqsave(&host.lock, irq);
	error = usb_hcd_link_urb_to_ep(hcd, urb);
	if (!error) {
		*(usb_urb_dir_in(urb) ? &host.in : &host.out) = urb->ep;
		if (!host.held)
			irq_work_queue(&host.loop);
	}
	spin_unlock_irqrestore(&host.lock, irq);
	return error;
}

static int dequeue(struct usb_hcd *hcd, struct urb *urb, int status)
{
	unsigned long irq;
	int error;

	if (!is_kept(urb))
		return host.real->urb_dequeue(hcd, urb, status);
	spin_lock_irqsave(&host.lock, irq);
	error = usb_hcd_check_unlink_urb(hcd, urb, status);
	if (!error)
		usb_hcd_unlink_urb_from_ep(hcd, urb);
	spin_unlock_irqrestore(&host.lock, irq);
	if (!error)
		usb_hcd_giveback_urb(hcd, urb, status);
	return error;
}

void host_hold(bool hold)
{
	unsigned long irq;

	spin_lock_irqsave(&host.lock, irq);
	host.held = hold;
	spin_unlock_irqrestore(&host.lock, irq);
	if (!hold)
		irq_work_queue(&host.loop);
}

void host_end_in_softirq(bool softirq)
{
	host.in_softirq = softirq;
}

/*
 * Ends a transfer as a host controller's driver does: those of UHCI and OHCI with interrupts off,
 * and bottom halves soon after; those of EHCI and xHCI in a bottom half.
 */
static void end_in_context(struct urb *urb, size_t length)
{
	local_bh_disable();
	if (!host.in_softirq)
		local_irq_disable();
	end(urb, length);
	if (!host.in_softirq)
		local_irq_enable();
	local_bh_enable();
}

static struct urb *first_locked(struct usb_host_endpoint *endpoint)
{
	unsigned long irq;
	struct urb *urb;

	spin_lock_irqsave(&host.lock, irq);
	urb = first(endpoint);
	spin_unlock_irqrestore(&host.lock, irq);
	return urb;
}

size_t host_finish_out(void *copy_to, size_t room)
{
	struct urb *urb = first_locked(host.out);
	size_t length;

	if (!urb)
		return 0;
	length = urb->transfer_buffer_length;
	if (copy_to)
		memcpy(copy_to, urb->transfer_buffer, min(length, room));
	end_in_context(urb, length);
	return length;
}

bool host_finish_in(const void *bytes, size_t length)
{
	struct urb *urb = first_locked(host.in);

	if (!urb)
		return false;
	length = min_t(size_t, length, urb->transfer_buffer_length);
	memcpy(urb->transfer_buffer, bytes, length);
	end_in_context(urb, length);
	return true;
}

static void ignore(struct urb *urb)
{
}

s64 host_floor(bool in, unsigned int transfers, const void *bytes, size_t length)
{
	struct usb_host_endpoint *endpoint = in ? host.in : host.out;
	struct urb *urb = usb_alloc_urb(0, GFP_KERNEL);
	void *buffer = kzalloc(length, GFP_KERNEL);
	ktime_t begin;
	s64 took = -ENOMEM;
	u8 number;

	if (!urb || !buffer)
		goto out;
	number = endpoint->desc.bEndpointAddress;
	usb_fill_bulk_urb(urb, host.modem,
			  in ? usb_rcvbulkpipe(host.modem, number) :
			       usb_sndbulkpipe(host.modem, number),
			  buffer, length, ignore, NULL);
	begin = ktime_get();
	while (transfers--) {
		/* The oldest is not ours where the driver waits for data; the cost is the same. */
		if (usb_submit_urb(urb, GFP_ATOMIC))
			break;
		spin_lock_irq(&host.lock);
		usb_hcd_unlink_urb_from_ep(host.hcd, urb);
		spin_unlock_irq(&host.lock);
		if (in)
			memcpy(buffer, bytes, length);
		end_in_context(urb, length);
	}
	took = ktime_to_ns(ktime_sub(ktime_get(), begin));
out:
	kfree(buffer);
	usb_free_urb(urb);
	return took;
}

static int is_modem(struct usb_device *device, void *found)
{
	if (le16_to_cpu(device->descriptor.idVendor) != VENDOR ||
	    le16_to_cpu(device->descriptor.idProduct) != PRODUCT)
		return 0;
	*(struct usb_device **)found = usb_get_dev(device);
	return 1;
}

int host_take(void)
{
	usb_for_each_dev(&host.modem, is_modem);
	if (!host.modem)
		return -ENODEV;
	init_irq_work(&host.loop, loop_back);
	host.hcd = bus_to_hcd(host.modem->bus);
	host.real = host.hcd->driver;
	host.ours = *host.real;
	host.ours.urb_enqueue = enqueue;
	host.ours.urb_dequeue = dequeue;
	smp_store_release(&host.hcd->driver, &host.ours);
	return 0;
}

/* The modem's driver is gone, and its transfers with it. */
void host_give_back(void)
{
	smp_store_release(&host.hcd->driver, host.real);
	/* Whoever is in our operations has left them after that. */
	synchronize_rcu_tasks();
	irq_work_sync(&host.loop);
	usb_put_dev(host.modem);
}
