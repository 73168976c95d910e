// SPDX-License-Identifier: GPL-2.0
/*
 * The thread frees its argument, but it is stopped before it runs.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>

/* ANCHOR: bug */
struct request {
	char firmware[64];
};

static struct kmem_cache *requests;

static int serve(void *data)
{
	kmem_cache_free(requests, data);
	return 0;
}

static int __init bug_init(void)
{
	struct task_struct *server;
	struct request *request;

	requests = kmem_cache_create("requests", sizeof(*request), 0, SLAB_NO_MERGE, NULL);
	if (!requests)
		return -ENOMEM;
	request = kmem_cache_alloc(requests, GFP_KERNEL);
	if (!request)
		goto destroy;
	server = kthread_create(serve, request, "server");
	if (IS_ERR(server))
		goto free;
	kthread_stop(server); /* serve() is never called. */
	return 0;
free:
	kmem_cache_free(requests, request);
destroy:
	kmem_cache_destroy(requests);
	return -ENOMEM;
}
/* ANCHOR_END: bug */

static void __exit bug_exit(void)
{
	kmem_cache_destroy(requests);
}

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a thread that owns its argument and never runs");
MODULE_LICENSE("GPL");
