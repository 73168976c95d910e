// SPDX-License-Identifier: GPL-2.0
/*
 * The thread runs before what it works on is there.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>

/* ANCHOR: bug */
struct modem {
	struct task_struct *thread;
	char *buffer;
};

static struct modem modem;

static int poll_line(void *data)
{
	struct modem *modem = data;

	do {
		modem->buffer[0] = 0;
	} while (!msleep_interruptible(1000) && !kthread_should_stop());
	return 0;
}

static int __init bug_init(void)
{
	modem.thread = kthread_run(poll_line, &modem, "poll_line");
	if (IS_ERR(modem.thread))
		return PTR_ERR(modem.thread);
	msleep(500); /* The rest of probe talks to the modem. */
	modem.buffer = kzalloc(64, GFP_KERNEL);
	return 0;
}
/* ANCHOR_END: bug */

static void __exit bug_exit(void)
{
	kthread_stop(modem.thread);
	kfree(modem.buffer);
}

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a thread that runs before its data is there");
MODULE_LICENSE("GPL");
