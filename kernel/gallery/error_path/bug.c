// SPDX-License-Identifier: GPL-2.0
/*
 * A later step of the start fails, and the way back forgets the thread.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>

/* ANCHOR: bug */
static struct task_struct *irq_thread;

static int poll_interrupts(void *data)
{
	while (!kthread_should_stop())
		msleep(100);
	return 0;
}

static int register_device(void)
{
	return -EBUSY;
}

static int __init bug_init(void)
{
	int ret;

	irq_thread = kthread_run(poll_interrupts, NULL, "irq_poll");
	if (IS_ERR(irq_thread))
		return PTR_ERR(irq_thread);
	msleep(50);
	ret = register_device();
	if (ret)
		return ret;
	return 0;
}

static void __exit bug_exit(void)
{
	kthread_stop(irq_thread);
}
/* ANCHOR_END: bug */

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: an error path that leaks a thread");
MODULE_LICENSE("GPL");
