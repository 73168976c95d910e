// SPDX-License-Identifier: GPL-2.0
/*
 * Two places stop the thread: one for a device that is unplugged, one for the
 * module that is removed.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/task.h>

/* ANCHOR: bug */
static struct task_struct *worker;

static int work(void *data)
{
	while (!kthread_should_stop())
		msleep_interruptible(1000);
	return 0;
}

static void disconnect(void)
{
	kthread_stop(worker);
	/* And `worker` still points to it. */
}

static int __init bug_init(void)
{
	worker = kthread_run(work, NULL, "worker");
	if (IS_ERR(worker))
		return PTR_ERR(worker);
	get_task_struct(worker); /* A reference does not help here. */
	disconnect();
	return 0;
}

static void __exit bug_exit(void)
{
	kthread_stop(worker); /* Waits for an end that was taken already. */
	put_task_struct(worker);
}
/* ANCHOR_END: bug */

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a second kthread_stop()");
MODULE_LICENSE("GPL");
