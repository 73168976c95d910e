// SPDX-License-Identifier: GPL-2.0
/*
 * The waits that threads are stopped in, as a driver's thread would wait.
 */
#include <linux/array_size.h>
#include <linux/firmware.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include "bench.h"

/* Longer than anybody measures. */
#define LONG_SECONDS 3600

int idle(void *data)
{
	struct job *job = data;

	complete(&job->ready);
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

/* A periodic thread's sleep is the same: until a point in time. */
static int sleeping(void *data)
{
	struct job *job = data;
	ktime_t end = ktime_add(ktime_get(), ktime_set(LONG_SECONDS, 0));

	complete(&job->ready);
	while (!kthread_should_stop() && ktime_before(ktime_get(), end)) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule_hrtimeout_range(&end, current->timer_slack_ns,
						 HRTIMER_MODE_ABS);
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

static int completion(void *data)
{
	struct job *job = data;

	complete(&job->ready);
	while (!kthread_should_stop())
		if (!wait_for_completion_interruptible(&job->session->never))
			break;
	return 0;
}

static int timeout(void *data)
{
	struct job *job = data;

	complete(&job->ready);
	while (!kthread_should_stop())
		if (wait_for_completion_interruptible_timeout(&job->session->never,
				secs_to_jiffies(LONG_SECONDS)) >= 0)
			break;
	return 0;
}

/* What feeds a queue wakes its reader in the same way. */
static int condition(void *data)
{
	struct job *job = data;
	struct session *s = job->session;

	complete(&job->ready);
	wait_event_interruptible(s->changed, READ_ONCE(s->flag) || kthread_should_stop());
	return 0;
}

/* Nothing stops a work item but what it waits for: its stopper completes this. */
void work_item(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	job->worker = task_pid_nr(current);
	complete(&job->ready);
	wait_for_completion(&job->ended);
}

/* kthread_stop() does not break this wait: its stopper sends SIGKILL too. */
static int firmware(void *data)
{
	struct job *job = data;
	const struct firmware *fw;

	allow_kernel_signal(SIGKILL);
	complete(&job->ready);
	if (!kthread_should_stop() &&
	    !request_firmware(&fw, "kthread_bench-none", &job->session->device->dev))
		release_firmware(fw);
	return 0;
}

static const struct wait waits[] = {
	{ "idle", idle },
	{ "sleep", sleeping },
	{ "completion", completion },
	{ "timeout", timeout },
	{ "tick", sleeping },
	{ "condition", condition },
	{ "channel", condition },
	{ "work", .is_work = true },
	{ "firmware", firmware, .killable = true },
};

const struct wait *find_wait(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(waits); i++)
		if (!strcmp(waits[i].name, name))
			return &waits[i];
	return NULL;
}
