// SPDX-License-Identifier: GPL-2.0
/*
 * The thread waits for work, and for nothing else.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/wait.h>

/* ANCHOR: bug */
static DECLARE_WAIT_QUEUE_HEAD(events);
static atomic_t pending = ATOMIC_INIT(0);
static struct task_struct *handler;

static int handle_events(void *data)
{
	while (!kthread_should_stop()) {
		/* A stop wakes it up, finds no event, and it sleeps again. */
		wait_event(events, atomic_read(&pending));
		atomic_dec(&pending);
	}
	return 0;
}

static int __init bug_init(void)
{
	handler = kthread_run(handle_events, NULL, "events");
	return PTR_ERR_OR_ZERO(handler);
}

static void __exit bug_exit(void)
{
	kthread_stop(handler);
	handler = NULL;
}
/* ANCHOR_END: bug */

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a wait that does not look for a stop");
MODULE_LICENSE("GPL");
