// SPDX-License-Identifier: GPL-2.0
/*
 * The module goes, and its thread does not.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>

/* ANCHOR: bug */
static int poll_line(void *data)
{
	for (;;)
		msleep(100);
	return 0;
}

static int __init bug_init(void)
{
	return PTR_ERR_OR_ZERO(kthread_run(poll_line, NULL, "poll_line"));
}

static void __exit bug_exit(void)
{
	/* Whose was the thread? */
}
/* ANCHOR_END: bug */

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a thread that is never stopped");
MODULE_LICENSE("GPL");
