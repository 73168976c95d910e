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
#include <linux/types.h>

struct wait;

/* An open file. As a driver's private data would, it holds all that a thread needs. */
struct session {
	struct mutex lock;
	struct faux_device *device;

	/* The thread that was started and not stopped, and the wait it is in. */
	struct task_struct *waiting;
	const struct wait *wait;

	/* What the threads share with those who start them. */
	struct completion ready;
	struct completion ended;
	struct completion never;

	/* What the last command measured. */
	s64 *values;
	size_t count;

	/* What the ticking thread is to do, and how far it is. */
	s64 period;
	size_t ticks;
	s64 last_tick;
};

/* A kind of wait: the thread function, and whether it waits killably. */
struct wait {
	const char *name;
	int (*body)(void *session);
	bool killable;
};

const struct wait *find_wait(const char *name);
int idle(void *session);

/* Starts a thread, and takes a reference on it. */
struct task_struct *begin_thread(struct session *s, int (*body)(void *session));

int measure_life(struct session *s, const char *kind);
int measure_ticks(struct session *s);

#endif
