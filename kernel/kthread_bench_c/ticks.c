// SPDX-License-Identifier: GPL-2.0
/*
 * How exact a period is.
 */
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/sched/task.h>
#include "bench.h"

/* Sleeps until @due, whatever wakes the thread before that; false for a stop. */
static bool sleep_until(ktime_t due)
{
	while (ktime_before(ktime_get(), due)) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule_hrtimeout_range(&due, 0, HRTIMER_MODE_ABS);
		__set_current_state(TASK_RUNNING);
		if (kthread_should_stop())
			return false;
	}
	return true;
}

static int tick(void *data)
{
	struct job *job = data;
	struct session *s = job->session;
	ktime_t start = ktime_get();
	s64 number = 0;
	size_t i;

	for (i = 0; i < s->ticks; i++) {
		/* The next that is not over: those before it were missed. */
		s64 gone = div64_s64(ktime_to_ns(ktime_sub(ktime_get(), start)), s->period);
		ktime_t due;

		number = max(number, gone) + 1;
		due = ktime_add_ns(start, number * s->period);
		if (!sleep_until(due))
			break;
		s->values[i] = ktime_to_ns(ktime_sub(ktime_get(), due));
	}
	s->last_tick = number;
	complete(&job->ended);
	return 0;
}

/* Has a real-time thread tick s->ticks times; the last value is the last tick's number. */
int measure_ticks(struct session *s)
{
	struct task_struct *task;
	struct job *job;

	if (s->period <= 0)
		return -EINVAL;
	job = new_job(s);
	if (!job)
		return -ENOMEM;
	task = kthread_create(tick, job, "bench");
	if (IS_ERR(task)) {
		free_job(job);
		return PTR_ERR(task);
	}
	get_task_struct(task);
	sched_set_fifo(task);
	wake_up_process(task);
	wait_for_completion(&job->ended);
	kthread_stop_put(task);
	free_job(job);
	s->values[s->ticks] = s->last_tick;
	return 0;
}
