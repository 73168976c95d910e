// SPDX-License-Identifier: GPL-2.0
/*
 * A name from elsewhere is passed where the kernel wants a format.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>

/* ANCHOR: bug */
static char *name = "modem";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "Name of the thread");

static struct task_struct *worker;

static int work(void *data)
{
	while (!kthread_should_stop())
		msleep_interruptible(1000);
	return 0;
}

static int __init bug_init(void)
{
	worker = kthread_run(work, NULL, name);
	return PTR_ERR_OR_ZERO(worker);
}
/* ANCHOR_END: bug */

static void __exit bug_exit(void)
{
	kthread_stop(worker);
}

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a name that is taken for a format");
MODULE_LICENSE("GPL");
