// SPDX-License-Identifier: GPL-2.0
/*
 * The driver ends its thread by a signal. So does anybody else.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/signal.h>

/* ANCHOR: bug */
static struct task_struct *watchdog;

static int watch(void *data)
{
	allow_signal(SIGTERM);
	while (!kthread_should_stop()) {
		if (signal_pending(current))
			break;
		msleep_interruptible(1000);
	}
	return 0;
}

static int __init bug_init(void)
{
	watchdog = kthread_run(watch, NULL, "watchdog_dpc");
	return PTR_ERR_OR_ZERO(watchdog);
}

static void __exit bug_exit(void)
{
	send_sig(SIGTERM, watchdog, 1);
	kthread_stop(watchdog);
}
/* ANCHOR_END: bug */

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a signal from user space that ends a thread");
MODULE_LICENSE("GPL");
