// SPDX-License-Identifier: GPL-2.0
/*
 * What the thread works on is freed before the thread is stopped.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>

/* ANCHOR: bug */
struct modem {
	const struct modem_ops {
		void (*poll)(struct modem *modem);
	} *ops;
};

static struct kmem_cache *modems;
static struct modem *modem;
static struct task_struct *poller;

static int poll_line(void *data)
{
	struct modem *modem = data;

	while (!kthread_should_stop()) {
		modem->ops->poll(modem);
		msleep_interruptible(100);
	}
	return 0;
}

static void __exit bug_exit(void)
{
	kmem_cache_free(modems, modem);
	msleep(500); /* The rest of the way out, in the wrong order. */
	kthread_stop(poller);
	kmem_cache_destroy(modems);
}
/* ANCHOR_END: bug */

static void poll(struct modem *modem)
{
}

static const struct modem_ops ops = { .poll = poll };

static int __init bug_init(void)
{
	/* Poisoned when freed, so that it shows at once. */
	modems = kmem_cache_create("modems", sizeof(*modem), 0, SLAB_POISON, NULL);
	if (!modems)
		return -ENOMEM;
	modem = kmem_cache_alloc(modems, GFP_KERNEL);
	if (!modem)
		goto destroy;
	modem->ops = &ops;
	poller = kthread_run(poll_line, modem, "poll_line");
	if (!IS_ERR(poller))
		return 0;
	kmem_cache_free(modems, modem);
destroy:
	kmem_cache_destroy(modems);
	return -ENOMEM;
}

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: data that is freed under a thread");
MODULE_LICENSE("GPL");
