// SPDX-License-Identifier: GPL-2.0
/*
 * The clean-up stops the thread, and the thread does the clean-up.
 */
#include <linux/kthread.h>
#include <linux/module.h>

/* ANCHOR: bug */
static struct task_struct *worker;

static void clean_up(void)
{
	kthread_stop(worker);
	worker = NULL;
}

static int work(void *data)
{
	clean_up(); /* The device is gone: nothing left to do. */
	return 0;
}

static int __init bug_init(void)
{
	worker = kthread_create(work, NULL, "worker");
	if (IS_ERR(worker))
		return PTR_ERR(worker);
	wake_up_process(worker);
	return 0;
}
/* ANCHOR_END: bug */

static void __exit bug_exit(void)
{
}

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a thread that waits for its own end");
MODULE_LICENSE("GPL");
