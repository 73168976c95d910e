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

int idle(void *session)
{
	struct session *s = session;

	complete(&s->ready);
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

/* A periodic thread's sleep is the same: until a point in time. */
static int sleeping(void *session)
{
	struct session *s = session;
	ktime_t end = ktime_add(ktime_get(), ktime_set(LONG_SECONDS, 0));

	complete(&s->ready);
	while (!kthread_should_stop() && ktime_before(ktime_get(), end)) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule_hrtimeout_range(&end, current->timer_slack_ns,
						 HRTIMER_MODE_ABS);
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

static int completion(void *session)
{
	struct session *s = session;

	complete(&s->ready);
	while (!kthread_should_stop())
		if (!wait_for_completion_interruptible(&s->never))
			break;
	return 0;
}

static int timeout(void *session)
{
	struct session *s = session;

	complete(&s->ready);
	while (!kthread_should_stop())
		if (wait_for_completion_interruptible_timeout(&s->never,
				secs_to_jiffies(LONG_SECONDS)) >= 0)
			break;
	return 0;
}

/* kthread_stop() does not break this wait: its stopper sends SIGKILL too. */
static int firmware(void *session)
{
	struct session *s = session;
	const struct firmware *fw;

	allow_kernel_signal(SIGKILL);
	complete(&s->ready);
	if (!kthread_should_stop() &&
	    !request_firmware(&fw, "kthread_bench-none", &s->device->dev))
		release_firmware(fw);
	return 0;
}

static const struct wait waits[] = {
	{ "idle", idle },
	{ "sleep", sleeping },
	{ "completion", completion },
	{ "timeout", timeout },
	{ "tick", sleeping },
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
