// SPDX-License-Identifier: GPL-2.0
/*
 * The thread says itself that it has ended, and then goes on for a little.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>

/* ANCHOR: bug */
static DECLARE_COMPLETION(ended);
static bool stop;

static int work(void *data)
{
	while (!READ_ONCE(stop))
		msleep(10);
	complete(&ended);
	msleep(500); /* A moment is enough: even the way out of here is code. */
	return 0;
}

static int __init bug_init(void)
{
	return PTR_ERR_OR_ZERO(kthread_run(work, NULL, "worker"));
}

static void __exit bug_exit(void)
{
	WRITE_ONCE(stop, true);
	wait_for_completion(&ended);
}
/* ANCHOR_END: bug */

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a completion that claims that its thread has ended");
MODULE_LICENSE("GPL");
