// SPDX-License-Identifier: GPL-2.0
/*
 * The owner holds a lock while it waits for a thread that wants the lock.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>

/* ANCHOR: bug */
static DEFINE_MUTEX(modems_lock);
static struct task_struct *poller;

static int poll_modems(void *data)
{
	while (!kthread_should_stop()) {
		mutex_lock(&modems_lock);
		mutex_unlock(&modems_lock);
		msleep_interruptible(100);
	}
	return 0;
}

static int __init bug_init(void)
{
	poller = kthread_run(poll_modems, NULL, "poller");
	return PTR_ERR_OR_ZERO(poller);
}

static void __exit bug_exit(void)
{
	mutex_lock(&modems_lock);
	msleep(500); /* Takes a modem off the list. */
	kthread_stop(poller);
	mutex_unlock(&modems_lock);
}
/* ANCHOR_END: bug */

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: kthread_stop() under a lock that the thread takes");
MODULE_LICENSE("GPL");
