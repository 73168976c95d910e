// SPDX-License-Identifier: GPL-2.0
/*
 * Whole lives of threads, from start to end.
 */
#include <linux/err.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include "bench.h"

struct task_struct *begin_thread(struct session *s, int (*body)(void *session))
{
	struct task_struct *task = kthread_create(body, s, "bench");

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

static s64 start(struct session *s)
{
	ktime_t begin = ktime_get();
	struct task_struct *task = begin_thread(s, idle);
	s64 took = since(begin);

	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_stop_put(task);
	return took;
}

static s64 start_stop(struct session *s)
{
	ktime_t begin = ktime_get();
	struct task_struct *task = begin_thread(s, idle);

	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_stop_put(task);
	return since(begin);
}

static s64 start_run_stop(struct session *s)
{
	ktime_t begin = ktime_get();
	struct task_struct *task;

	init_completion(&s->ready);
	task = begin_thread(s, idle);
	if (IS_ERR(task))
		return PTR_ERR(task);
	wait_for_completion(&s->ready);
	kthread_stop_put(task);
	return since(begin);
}

static int end_at_once(void *session)
{
	struct session *s = session;

	complete(&s->ended);
	return 0;
}

static s64 start_end(struct session *s)
{
	ktime_t begin = ktime_get();
	struct task_struct *task;

	init_completion(&s->ended);
	task = begin_thread(s, end_at_once);
	if (IS_ERR(task))
		return PTR_ERR(task);
	wait_for_completion(&s->ended);
	/* Only this makes sure that it has left the module's code. */
	kthread_stop_put(task);
	return since(begin);
}

static const struct life {
	const char *name;
	s64 (*once)(struct session *s);
} lives[] = {
	{ "start", start },
	{ "start_stop", start_stop },
	{ "start_run_stop", start_run_stop },
	{ "start_end", start_end },
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

	for (i = 0; i < s->count; i++) {
		s->values[i] = life->once(s);
		if (s->values[i] < 0)
			return s->values[i];
	}
	return 0;
}
