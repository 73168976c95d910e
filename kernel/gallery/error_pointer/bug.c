// SPDX-License-Identifier: GPL-2.0
/*
 * Nobody asks whether the thread could be started.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/signal.h>

/* ANCHOR: bug */
static struct task_struct *worker;

static int work(void *data)
{
	while (!kthread_should_stop())
		msleep_interruptible(1000);
	return 0;
}

static int __init bug_init(void)
{
	/* Whoever loads the module is killed meanwhile: no thread then. */
	send_sig(SIGKILL, current, 1);
	worker = kthread_run(work, NULL, "worker");
	return 0;
}

static void __exit bug_exit(void)
{
	if (worker) /* It is -EINTR. */
		kthread_stop(worker);
}
/* ANCHOR_END: bug */

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: an error that is taken for a thread");
MODULE_LICENSE("GPL");
