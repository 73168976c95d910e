// SPDX-License-Identifier: GPL-2.0
/*
 * Whole lives of threads, from start to end.
 */
#include <linux/err.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "bench.h"

struct job *new_job(struct session *s)
{
	struct job *job = &s->own_job;

	if (!s->bare)
		job = kmalloc(sizeof(*job), GFP_KERNEL);
	if (job) {
		job->session = s;
		init_completion(&job->ready);
		init_completion(&job->ended);
	}
	return job;
}

void free_job(struct job *job)
{
	if (job != &job->session->own_job)
		kfree(job);
}

struct task_struct *begin_thread(struct job *job, int (*body)(void *job))
{
	struct task_struct *task = kthread_create(body, job, "bench");

	if (!IS_ERR(task)) {
		/* Before it runs: it may end at any time after that. */
		get_task_struct(task);
		wake_up_process(task);
	}
	return task;
}

static s64 since(ktime_t begin)
{
	return ktime_to_ns(ktime_sub(ktime_get(), begin));
}

static int end_at_once(void *data)
{
	struct job *job = data;

	complete(&job->ended);
	return 0;
}

/* How much of a life is measured. */
enum part { START, START_STOP, START_RUN_STOP, START_END };

static s64 live(struct session *s, enum part part)
{
	ktime_t begin = ktime_get();
	struct job *job = new_job(s);
	struct task_struct *task;
	s64 took = 0;

	if (!job)
		return -ENOMEM;
	task = begin_thread(job, part == START_END ? end_at_once : idle);
	if (IS_ERR(task)) {
		free_job(job);
		return PTR_ERR(task);
	}
	if (part == START)
		took = since(begin);
	if (part == START_RUN_STOP)
		wait_for_completion(&job->ready);
	if (part == START_END)
		wait_for_completion(&job->ended);
	/* Also where it has ended: only this makes sure that it has left the module's code. */
	kthread_stop_put(task);
	free_job(job);
	return part == START ? took : since(begin);
}

static const struct life {
	const char *name;
	enum part part;
	bool bare;
} lives[] = {
	{ "start", START },
	{ "start_stop", START_STOP },
	{ "start_run_stop", START_RUN_STOP },
	{ "start_end", START_END },
	{ "start_stop_bare", START_STOP, .bare = true },
	{ "start_run_stop_bare", START_RUN_STOP, .bare = true },
};

/* Measures s->count lives. */
int measure_life(struct session *s, const char *kind)
{
	const struct life *life = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lives); i++)
		if (!strcmp(lives[i].name, kind))
			life = &lives[i];
	if (!life)
		return -EINVAL;

	s->bare = life->bare;
	for (i = 0; i < s->count; i++) {
		s->values[i] = live(s, life->part);
		if (s->values[i] < 0)
			return s->values[i];
	}
	return 0;
}
