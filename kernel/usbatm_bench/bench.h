/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a driver for USB ADSL modems costs the processor, ours or the C one.
 *
 * While this module is loaded, the transfers with one modem's cells don't get as
 * far as its host controller: host.c keeps them, and moves them when it is told
 * to, in no time and by a plain copy. Everything else goes to the modem, which
 * has to be there before the module is loaded; the driver is loaded after it.
 */
#ifndef USBATM_BENCH_H
#define USBATM_BENCH_H

#include <linux/atmdev.h>
#include <linux/net.h>
#include <linux/skbuff.h>
#include <linux/usb.h>

/* host.c: the host controller's place. */

int host_take(void);
void host_give_back(void);
/* Held, no transfer ends by itself; else what is sent comes back at once. */
void host_hold(bool hold);
/* Whether transfers end in a bottom half from now on, not with interrupts off. */
void host_end_in_softirq(bool softirq);
/* Ends the oldest transfer to the modem. Returns its length, or 0 if there is none. */
size_t host_finish_out(void *copy_to, size_t room);
/* Ends the oldest transfer from the modem with these bytes. Returns false if there is none. */
bool host_finish_in(const void *bytes, size_t length);
/* What as many transfers as that cost without a driver, in nanoseconds. */
s64 host_floor(bool in, unsigned int transfers, const void *bytes, size_t length);

/* measure.c: a connection that is the kernel's own, and what is sent on it. */

struct measured {
	/* Nanoseconds; with --accel icount, instructions. */
	s64 took;
	/* Of these, what transfers and packets cost without a driver. */
	s64 floor;
	s64 cells;
	s64 transfers;
};

struct run {
	int device;
	size_t length;
	unsigned int packets;
	/* How many are sent before the first transfer ends. */
	unsigned int batch;
};

int measure_send(const struct run *run, struct measured *measured);
int measure_receive(const struct run *run, struct measured *measured);

#endif
