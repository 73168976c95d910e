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

/* It is until a point in time in any case, and a periodic thread's sleep is the same. */
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

static int await(struct job *job, struct completion *done)
{
	complete(&job->ready);
	while (!kthread_should_stop())
		if (!wait_for_completion_interruptible(done))
			break;
	return 0;
}

static int completion(void *data)
{
	struct job *job = data;

	return await(job, &job->session->never);
}

/* Nothing of kthread.h waits for a thread to end by itself: it completes this then. */
static int join(void *data)
{
	struct job *job = data;

	return await(job, &job->session->other_job.ended);
}

/* The other thread: what the next one waits for, and what is joined. */
int hold_lock(void *data)
{
	struct job *job = data;

	rt_mutex_lock(&job->session->held);
	idle(job);
	rt_mutex_unlock(&job->session->held);
	complete(&job->ended);
	return 0;
}

static int locking(void *data)
{
	struct job *job = data;
	struct rt_mutex *held = &job->session->held;

	complete(&job->ready);
	while (!kthread_should_stop()) {
		if (!rt_mutex_lock_interruptible(held)) {
			rt_mutex_unlock(held);
			break;
		}
	}
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

/* What feeds a queue wakes its reader in the same way, and what empties it its writer. */
static int condition(void *data)
{
	struct job *job = data;
	struct session *s = job->session;

	complete(&job->ready);
	wait_event_interruptible(s->changed, READ_ONCE(s->flag) || kthread_should_stop());
	return 0;
}

/* The signal would end the wait as well. None comes. */
static int signals(void *data)
{
	struct job *job = data;

	allow_signal(SIGHUP);
	complete(&job->ready);
	wait_event_interruptible(job->session->changed, kthread_should_stop());
	return 0;
}

/* Nothing stops a work item but what it waits for: its stopper completes this. */
static void work_item(struct work_struct *work)
{
	struct job *job = container_of(to_delayed_work(work), struct job, work);

	job->worker = task_pid_nr(current);
	complete(&job->ready);
	wait_for_completion(&job->ended);
}

static void come_up_again(struct work_struct *work)
{
	struct job *job = container_of(to_delayed_work(work), struct job, work);

	job->worker = task_pid_nr(current);
	queue_delayed_work(system_dfl_wq, &job->work, secs_to_jiffies(LONG_SECONDS));
	complete(&job->ready);
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
	{ "deadline", sleeping },
	{ "completion", completion },
	{ "timeout", timeout },
	{ "tick", sleeping },
	{ "condition", condition },
	{ "channel", condition },
	{ "full_channel", condition },
	{ "lock", locking },
	{ "signals", signals },
	{ "join", join },
	{ "work", .work = work_item },
	{ "chore", .work = come_up_again },
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
