// SPDX-License-Identifier: GPL-2.0
/*
 * What the kthread library needs from C and can't get from the kernel crate's
 * bindings: inline functions, macros and a lock that is ready without code.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/rtmutex.h>
#include <linux/sched/signal.h>
#include <linux/swait.h>
#include <linux/timer.h>
#include <linux/topology.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

/* Guards the list of nets (nets.rs). Static, as a library has no init call. */
struct mutex *threadline_nets_lock(void);
struct mutex *threadline_nets_lock(void)
{
	static DEFINE_MUTEX(threadline_nets);

	return &threadline_nets;
}

bool threadline_within_module(const struct module *mod, const void *addr);
bool threadline_within_module(const struct module *mod, const void *addr)
{
	return within_module_core((unsigned long)addr, mod);
}

/*
 * Takes a reference to @mod if that keeps it: one whose init has not returned
 * goes in spite of it, should that fail.
 */
bool threadline_pin_module(struct module *mod);
bool threadline_pin_module(struct module *mod)
{
	return !mod || (READ_ONCE(mod->state) == MODULE_STATE_LIVE &&
			try_module_get(mod));
}

/*
 * The function of all threads of a module, by which they know each other. Its
 * address is its own, as that of a Rust function need not be.
 */
int threadline_enter(void *thread);
int threadline_thread(void *thread);
int threadline_thread(void *thread)
{
	return threadline_enter(thread);
}

/* SIGKILL is let in when the kernel sends it; user space's stays ignored. */
void threadline_allow_kill(void);
void threadline_allow_kill(void)
{
	allow_kernel_signal(SIGKILL);
}

/*
 * Makes TIF_SIGPENDING say what is pending. While the machine freezes
 * recalc_sigpending() leaves it set for the sake of processes, and a wait that
 * it breaks again and again never sleeps, so that its thread is never frozen.
 */
static void threadline_settle_signals(void)
{
	spin_lock_irq(&current->sighand->siglock);
	clear_thread_flag(TIF_SIGPENDING);
	recalc_sigpending();
	spin_unlock_irq(&current->sighand->siglock);
}

/* Takes all signals that can break a wait: the blocked ones are left. */
void threadline_discard_signals(void);
void threadline_discard_signals(void)
{
	clear_notify_signal();
	while (kernel_dequeue_signal())
		;
	threadline_settle_signals();
}

/*
 * Breaks an interruptible wait of @task, but no other, and kills nobody. What
 * sleeps uninterruptibly until a time has passed may do so once, and look at
 * nothing: so it must not be woken up. wake_up_state() is not exported; this is
 * how a queue does the same.
 */
void threadline_nudge(struct task_struct *task);
void threadline_nudge(struct task_struct *task)
{
	struct wait_queue_entry entry = { .private = task };

	set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL);
	default_wake_function(&entry, TASK_INTERRUPTIBLE, 0, NULL);
}

/* Lets in a signal from anybody, blocked, so that it waits until it is taken. */
void threadline_listen(int sig);
void threadline_listen(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
	allow_signal(sig);
}

/* Takes the blocked signals that are there: bit N - 1 stands for signal N. */
u64 threadline_take_signals(void);
u64 threadline_take_signals(void)
{
	sigset_t others = current->blocked;
	kernel_siginfo_t info;
	enum pid_type type;
	u64 taken = 0;
	int sig;

	signotset(&others);
	spin_lock_irq(&current->sighand->siglock);
	while ((sig = dequeue_signal(&others, &info, &type)))
		taken |= BIT_ULL(sig - 1);
	spin_unlock_irq(&current->sighand->siglock);
	return taken;
}

/*
 * How a body waits: a signal breaks it, and the freezer may stop it there, if
 * its thread is freezable.
 */
#define THREADLINE_WAITS (TASK_INTERRUPTIBLE | TASK_FREEZABLE)

/* Sleeps until CLOCK_MONOTONIC shows @ns; false if woken before that. */
bool threadline_sleep_until(s64 ns);
bool threadline_sleep_until(s64 ns)
{
	ktime_t expires = ns_to_ktime(ns);

	set_current_state(THREADLINE_WAITS);
	return !schedule_hrtimeout_range(&expires, current->timer_slack_ns,
					 HRTIMER_MODE_ABS);
}

/* The same, but signals that are blocked otherwise wake the sleeper too. */
void threadline_sleep_unblocked_until(s64 ns);
void threadline_sleep_unblocked_until(s64 ns)
{
	sigset_t blocked = current->blocked;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	threadline_sleep_until(ns);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	threadline_settle_signals();
}

/* @comm has room for TASK_COMM_LEN bytes. */
void threadline_comm(struct task_struct *task, char *comm);
void threadline_comm(struct task_struct *task, char *comm)
{
	strscpy_pad(comm, task->comm, TASK_COMM_LEN);
}

/* reinit_completion() that may run beside complete() and waiters. */
void threadline_reinit_completion(struct completion *x);
void threadline_reinit_completion(struct completion *x)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&x->wait.lock, flags);
	x->done = 0;
	raw_spin_unlock_irqrestore(&x->wait.lock, flags);
}

/*
 * The milestones of events.rs: @reached only grows, and @number is reached when
 * it is not less.
 */
void threadline_init_queue(struct wait_queue_head *queue);
void threadline_init_queue(struct wait_queue_head *queue)
{
	init_waitqueue_head(queue);
}

/* Pairs with the barrier of prepare_to_wait_event(), before the condition. */
void threadline_wake_queue(struct wait_queue_head *queue);
void threadline_wake_queue(struct wait_queue_head *queue)
{
	if (wq_has_sleeper(queue))
		wake_up_all(queue);
}

static bool threadline_reached(const int *reached, int number)
{
	return smp_load_acquire(reached) >= number;
}

void threadline_wait_reached(struct wait_queue_head *queue, const int *reached,
			     int number);
void threadline_wait_reached(struct wait_queue_head *queue, const int *reached,
			     int number)
{
	wait_event_idle(*queue, threadline_reached(reached, number));
}

/*
 * Whether it was reached, and not the caller killed. Nobody kills a worker:
 * there it is an interruptible wait, which a stop of the body breaks.
 */
bool threadline_wait_reached_killable(struct wait_queue_head *queue,
				      const int *reached, int number);
bool threadline_wait_reached_killable(struct wait_queue_head *queue,
				      const int *reached, int number)
{
	if (current->flags & PF_WQ_WORKER)
		return !wait_event_interruptible(*queue,
						 threadline_reached(reached, number));
	return !wait_event_killable(*queue, threadline_reached(reached, number));
}

/* The same until @over(@what). */
bool threadline_wait_killable_for(struct wait_queue_head *queue,
				  bool (*over)(const void *), const void *what);
bool threadline_wait_killable_for(struct wait_queue_head *queue,
				  bool (*over)(const void *), const void *what)
{
	if (current->flags & PF_WQ_WORKER)
		return !wait_event_interruptible(*queue, over(what));
	return !wait_event_killable(*queue, over(what));
}

/* Sleeps as a body does until @over(@what), or a signal comes. */
void threadline_sleep_for(struct wait_queue_head *queue,
			  bool (*over)(const void *), const void *what);
void threadline_sleep_for(struct wait_queue_head *queue,
			  bool (*over)(const void *), const void *what)
{
	might_sleep();
	(void)___wait_event(*queue, over(what), THREADLINE_WAITS, 0, 0, schedule());
}

/* Whether it was reached before CLOCK_MONOTONIC showed @ns. */
bool threadline_wait_reached_until(struct wait_queue_head *queue,
				   const int *reached, int number, s64 ns);
bool threadline_wait_reached_until(struct wait_queue_head *queue,
				   const int *reached, int number, s64 ns)
{
	while (!threadline_reached(reached, number)) {
		s64 left = ns - ktime_get();

		if (left <= 0)
			return false;
		/* Counted from the last timer tick: early by a part of one. */
		wait_event_idle_timeout(*queue,
					threadline_reached(reached, number),
					nsecs_to_jiffies(left) + 1);
	}
	return true;
}

/* The timer ticks until CLOCK_MONOTONIC shows @ns, or a little longer. */
static long threadline_ticks_until(s64 ns)
{
	s64 now;

	if (ns == KTIME_MAX)
		return MAX_SCHEDULE_TIMEOUT;
	now = ktime_get();
	return ns > now ? nsecs_to_jiffies(ns - now) + 1 : 0;
}

/* The same as a body waits: a signal breaks it. */
bool threadline_wait_reached_breakable(struct wait_queue_head *queue,
				       const int *reached, int number, s64 ns);
bool threadline_wait_reached_breakable(struct wait_queue_head *queue,
				       const int *reached, int number, s64 ns)
{
	might_sleep();
	return ___wait_event(*queue,
			     ___wait_cond_timeout(threadline_reached(reached, number)),
			     THREADLINE_WAITS, 0, threadline_ticks_until(ns),
			     __ret = schedule_timeout(__ret)) > 0;
}

/*
 * Waits for a complete() or complete_all() until CLOCK_MONOTONIC shows @ns, or
 * a signal comes; whether there was one. The kernel's own waits with a limit
 * are not freezable.
 */
bool threadline_wait_until(struct completion *x, s64 ns);
bool threadline_wait_until(struct completion *x, s64 ns)
{
	unsigned long flags;
	bool reached;

	might_sleep();
	reached = ___swait_event(x->wait,
				 ___wait_cond_timeout(try_wait_for_completion(x)),
				 THREADLINE_WAITS, threadline_ticks_until(ns),
				 __ret = schedule_timeout(__ret)) > 0;

	/*
	 * The kernel's own waits hold the lock from the last look at the count
	 * until they are out of the queue. This one does not: a complete() may
	 * have woken it in between, which was meant for another.
	 */
	raw_spin_lock_irqsave(&x->wait.lock, flags);
	if (x->done)
		swake_up_locked(&x->wait, 0);
	raw_spin_unlock_irqrestore(&x->wait.lock, flags);
	return reached;
}

/*
 * A waiter of condition.rs. That it was woken is noted in @entry, not only in
 * the state of its task, which may be woken for other reasons too. It would be
 * wait_woken(), if that did not come back at once, and again and again, in a
 * thread that is to stop but shields what it does.
 */
void threadline_wait_begin(struct wait_queue_head *head,
			   struct wait_queue_entry *entry);
void threadline_wait_begin(struct wait_queue_head *head,
			   struct wait_queue_entry *entry)
{
	init_wait_func(entry, woken_wake_function);
	add_wait_queue_exclusive(head, entry);
}

/* Sleeps until @entry was woken, CLOCK_MONOTONIC shows @ns or a signal comes. */
bool threadline_wait_woken(struct wait_queue_entry *entry, s64 ns);
bool threadline_wait_woken(struct wait_queue_entry *entry, s64 ns)
{
	ktime_t expires = ns_to_ktime(ns);

	/* Pairs with the barrier of try_to_wake_up(), after the flag was set. */
	set_current_state(THREADLINE_WAITS);
	if (!(READ_ONCE(entry->flags) & WQ_FLAG_WOKEN))
		schedule_hrtimeout_range(ns == KTIME_MAX ? NULL : &expires,
					 current->timer_slack_ns,
					 HRTIMER_MODE_ABS);
	__set_current_state(TASK_RUNNING);
	return READ_ONCE(entry->flags) & WQ_FLAG_WOKEN;
}

/* Whether @entry was woken at all. */
bool threadline_wait_end(struct wait_queue_head *head,
			 struct wait_queue_entry *entry);
bool threadline_wait_end(struct wait_queue_head *head,
			 struct wait_queue_entry *entry)
{
	remove_wait_queue(head, entry);
	return entry->flags & WQ_FLAG_WOKEN;
}

unsigned long threadline_jiffies(void);
unsigned long threadline_jiffies(void)
{
	return jiffies;
}

void threadline_init_timer(struct timer_list *timer,
			   void (*expired)(struct timer_list *));
void threadline_init_timer(struct timer_list *timer,
			   void (*expired)(struct timer_list *))
{
	timer_setup(timer, expired, 0);
}

/* Expires in @ticks jiffies, unless it is set to expire earlier. */
void threadline_timer_within(struct timer_list *timer, unsigned long ticks);
void threadline_timer_within(struct timer_list *timer, unsigned long ticks)
{
	unsigned long expires = jiffies + ticks;

	/* As a rule it is, for another thread: what timer_reduce() sees too. */
	if (timer_pending(timer) &&
	    time_before_eq(READ_ONCE(timer->expires), expires))
		return;
	timer_reduce(timer, expires);
}

void threadline_init_work(struct work_struct *work, work_func_t function);
void threadline_init_work(struct work_struct *work, work_func_t function)
{
	INIT_WORK(work, function);
}

void threadline_queue_work(struct work_struct *work);
void threadline_queue_work(struct work_struct *work)
{
	queue_work(system_dfl_wq, work);
}

/* The half of a delayed work that queues the other. */
void threadline_init_delay(struct timer_list *timer);
void threadline_init_delay(struct timer_list *timer)
{
	timer_setup(timer, delayed_work_timer_fn, TIMER_IRQSAFE);
}

/* A macro where lockdep is on. */
void threadline_rt_mutex_lock(struct rt_mutex *lock);
void threadline_rt_mutex_lock(struct rt_mutex *lock)
{
	rt_mutex_lock(lock);
}

struct threadline_alarm {
	struct hrtimer timer;
	struct task_struct *task;
};

static enum hrtimer_restart threadline_ring(struct hrtimer *timer)
{
	struct threadline_alarm *alarm =
		container_of(timer, struct threadline_alarm, timer);

	threadline_nudge(alarm->task);
	return HRTIMER_NORESTART;
}

static bool threadline_rt_mutex_is_own(struct rt_mutex *lock)
{
	/* Its lowest bit says whether somebody waits. */
	return ((unsigned long)READ_ONCE(lock->rtmutex.owner) & ~1UL) ==
	       (unsigned long)current;
}

/*
 * Locks @lock, unless a signal comes or CLOCK_MONOTONIC shows @ns; whether it
 * did. An rt_mutex has no wait with a limit, so a limit comes as a signal too,
 * which is left to the caller to discard.
 *
 * Who holds it already waits for that, too: the kernel's own function would warn
 * and keep it for ever, whatever comes.
 */
bool threadline_rt_mutex_lock_until(struct rt_mutex *lock, s64 ns);
bool threadline_rt_mutex_lock_until(struct rt_mutex *lock, s64 ns)
{
	struct threadline_alarm alarm = { .task = current };
	bool locked;

	if (threadline_rt_mutex_is_own(lock)) {
		pr_warn_ratelimited("kthread: %s/%d waits for a lock that it holds itself\n",
				    current->comm, task_pid_nr(current));
		threadline_sleep_until(ns);
		return false;
	}
	if (ns == KTIME_MAX)
		return !rt_mutex_lock_interruptible(lock);

	hrtimer_setup_on_stack(&alarm.timer, threadline_ring, CLOCK_MONOTONIC,
			       HRTIMER_MODE_ABS);
	hrtimer_start(&alarm.timer, ns_to_ktime(ns), HRTIMER_MODE_ABS);
	locked = !rt_mutex_lock_interruptible(lock);
	hrtimer_cancel(&alarm.timer);
	destroy_hrtimer_on_stack(&alarm.timer);
	return locked;
}

void threadline_rt_mutex_assert_held(struct rt_mutex *lock);
void threadline_rt_mutex_assert_held(struct rt_mutex *lock)
{
	lockdep_assert_held(lock);
}

bool threadline_cpu_online(unsigned int cpu);
bool threadline_cpu_online(unsigned int cpu)
{
	return cpu < nr_cpu_ids && cpu_online(cpu);
}

bool threadline_any_online(const struct cpumask *mask);
bool threadline_any_online(const struct cpumask *mask)
{
	return cpumask_intersects(mask, cpu_online_mask);
}

bool threadline_node_online(unsigned int node);
bool threadline_node_online(unsigned int node)
{
	return node < MAX_NUMNODES && node_online(node);
}

/* @cpu is a possible one. */
int threadline_cpu_node(unsigned int cpu);
int threadline_cpu_node(unsigned int cpu)
{
	return cpu_to_node(cpu);
}

/*
 * The worker that runs a body (item.rs). @worker is NULL while none does, and
 * changes under this lock only: an interrupt reaches the body or nobody, and
 * is forgotten before the worker turns to something else.
 */
static DEFINE_RAW_SPINLOCK(threadline_workers);

void threadline_worker_enter(struct task_struct **worker);
void threadline_worker_enter(struct task_struct **worker)
{
	guard(raw_spinlock_irqsave)(&threadline_workers);
	WRITE_ONCE(*worker, current);
}

void threadline_worker_leave(struct task_struct **worker);
void threadline_worker_leave(struct task_struct **worker)
{
	guard(raw_spinlock_irqsave)(&threadline_workers);
	WRITE_ONCE(*worker, NULL);
	clear_notify_signal();
}

/* Breaks interruptible waits, as kthread_stop() does. */
void threadline_worker_interrupt(struct task_struct **worker);
void threadline_worker_interrupt(struct task_struct **worker)
{
	guard(raw_spinlock_irqsave)(&threadline_workers);
	if (*worker)
		threadline_nudge(*worker);
}

void threadline_worker_forget(void);
void threadline_worker_forget(void)
{
	clear_notify_signal();
}

bool threadline_worker_is_current(struct task_struct **worker);
bool threadline_worker_is_current(struct task_struct **worker)
{
	return READ_ONCE(*worker) == current;
}
