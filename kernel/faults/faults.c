// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on purpose: each is one that a checker of the debug kernel has to
 * notice. The lab's tests load this module with commit=NAME and look for the
 * report; a checker that said nothing here would prove nothing elsewhere.
 */

#include <linux/completion.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>

#define SIZE 48

static char *commit = "";
module_param(commit, charp, 0444);
MODULE_PARM_DESC(commit, "Name of the fault to commit");

/* What the compiler can't see through is really done. */
static volatile char sink;

static void use_after_free(void)
{
	char *memory = kzalloc(SIZE, GFP_KERNEL);

	if (!memory)
		return;
	OPTIMIZER_HIDE_VAR(memory);
	kfree(memory);
	sink = memory[SIZE / 2];
}

static void out_of_bounds(void)
{
	char *memory = kzalloc(SIZE, GFP_KERNEL);

	if (!memory)
		return;
	OPTIMIZER_HIDE_VAR(memory);
	memory[SIZE] = sink;
	kfree(memory);
}

/* Many, since a pointer that is left over somewhere by chance hides what it points to. */
static void leak(void)
{
	int i;

	for (i = 0; i < 32; i++) {
		char *memory = kzalloc(SIZE, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(memory);
	}
}

static DEFINE_SPINLOCK(spinlock);
static DEFINE_MUTEX(mutex);
static DEFINE_MUTEX(other_mutex);

static void sleep_in_atomic(void)
{
	spin_lock(&spinlock);
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	spin_unlock(&spinlock);
}

/* One task takes them both ways, so nothing hangs; two tasks would. */
static void lock_inversion(void)
{
	mutex_lock(&mutex);
	mutex_lock(&other_mutex);
	mutex_unlock(&other_mutex);
	mutex_unlock(&mutex);

	mutex_lock(&other_mutex);
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	mutex_unlock(&other_mutex);
}

static void never(struct timer_list *timer)
{
}

static void free_active_timer(void)
{
	struct timer_list *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, never, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
}

static void hang(void)
{
	DECLARE_COMPLETION_ONSTACK(nobody_completes);

	wait_for_completion(&nobody_completes);
}

static const struct {
	const char *name;
	void (*run)(void);
} faults[] = {
	{ "use_after_free", use_after_free },
	{ "out_of_bounds", out_of_bounds },
	{ "leak", leak },
	{ "sleep_in_atomic", sleep_in_atomic },
	{ "lock_inversion", lock_inversion },
	{ "free_active_timer", free_active_timer },
	{ "hang", hang },
};

static int __init faults_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(commit, faults[i].name) == 0) {
			faults[i].run();
			return 0;
		}
	}
	pr_err("faults: no fault '%s'\n", commit);
	return -EINVAL;
}

static void __exit faults_exit(void)
{
}

module_init(faults_init);
module_exit(faults_exit);
MODULE_AUTHOR("Threadline developers");
MODULE_DESCRIPTION("Faults that a debug kernel has to notice");
MODULE_LICENSE("GPL");
