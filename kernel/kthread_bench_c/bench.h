/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kthread_bench_c: what kernel threads cost in C, as the peer of kthread_bench,
 * where the commands are described. Its threads may end by themselves and may
 * be stopped too, so a reference is held on each until it is stopped.
 */
#ifndef KTHREAD_BENCH_C_H
#define KTHREAD_BENCH_C_H

#include <linux/completion.h>
#include <linux/device/faux.h>
#include <linux/ktime.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/rtmutex.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct wait;

/*
 * What one thread and its owner share: its arguments and its start-up, as it is
 * passed to kthread_create(). The closure and the events of a thread in Rust are
 * the same thing.
 */
struct job {
	struct session *session;
	struct completion ready;
	struct completion ended;
	struct delayed_work work;
	pid_t worker;
};

/* An open file. */
struct session {
	struct mutex lock;
	struct faux_device *device;

	/*
	 * A driver with one thread of a kind has the job in its private data: it
	 * costs no allocation then. One with several allocates it for each.
	 */
	struct job own_job;
	bool bare;

	/* The thread that was started and not stopped, and the wait it is in. */
	struct task_struct *waiting;
	struct job *waiting_job;
	const struct wait *wait;

	/* What the waits wait for. */
	struct completion never;
	struct wait_queue_head changed;
	bool flag;

	/* A thread that holds the lock as long as the file is open. */
	struct task_struct *other;
	struct job other_job;
	struct rt_mutex held;

	/* What the last command measured. */
	s64 *values;
	size_t count;

	/* What the ticking thread is to do, and how far it is. */
	s64 period;
	size_t ticks;
	s64 last_tick;
};

/* A kind of wait: the thread function, and whether it waits killably; or the work function. */
struct wait {
	const char *name;
	int (*body)(void *job);
	bool killable;
	work_func_t work;
};

const struct wait *find_wait(const char *name);
int idle(void *job);
int hold_lock(void *job);

struct job *new_job(struct session *s);
void free_job(struct job *job);

/* Starts a thread, and takes a reference on it. */
struct task_struct *begin_thread(struct job *job, int (*body)(void *job));

int measure_life(struct session *s, const char *kind);
int measure_ticks(struct session *s);

/* The driver of a device that never answers. */
int register_transfers(void);
void deregister_transfers(void);

#endif
