// SPDX-License-Identifier: GPL-2.0
/*
 * The thread looks for a stop first, and then goes to sleep.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>

/* ANCHOR: bug */
static struct task_struct *cleaner;

static int clean(void *data)
{
	while (!kthread_should_stop()) {
		msleep(500); /* A round of work. A stop that comes here is lost: */
		set_current_state(TASK_IDLE);
		schedule();
	}
	return 0;
}

static int __init bug_init(void)
{
	cleaner = kthread_run(clean, NULL, "cleaner");
	if (IS_ERR(cleaner))
		return PTR_ERR(cleaner);
	msleep(100);
	kthread_stop(cleaner);
	return 0;
}
/* ANCHOR_END: bug */

static void __exit bug_exit(void)
{
}

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a condition that is looked at before the task state is set");
MODULE_LICENSE("GPL");
