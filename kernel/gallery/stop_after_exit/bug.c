// SPDX-License-Identifier: GPL-2.0
/*
 * The thread may end by itself, and its owner stops it all the same.
 */
#include <linux/kthread.h>
#include <linux/module.h>

/* ANCHOR: bug */
static struct task_struct *upload;

static int upload_firmware(void *data)
{
	return 0; /* The modem has its firmware already. */
}

static int __init bug_init(void)
{
	upload = kthread_run(upload_firmware, NULL, "upload");
	return PTR_ERR_OR_ZERO(upload);
}

static void __exit bug_exit(void)
{
	kthread_stop(upload); /* The task is gone, and its memory with it. */
}
/* ANCHOR_END: bug */

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: kthread_stop() on a thread that has ended");
MODULE_LICENSE("GPL");
