// SPDX-License-Identifier: GPL-2.0
/*
 * The device: takes commands, and keeps what the last one measured.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "bench.h"

#define COMMAND_MAX 64

/* Room for as many values, none of them measured yet. */
static int make_room(struct session *s, size_t count)
{
	kvfree(s->values);
	s->count = 0;
	s->values = kvcalloc(count, sizeof(*s->values), GFP_KERNEL);
	if (!s->values)
		return -ENOMEM;
	s->count = count;
	return 0;
}

static int queue_work_item(struct session *s, const struct wait *wait, struct job *job)
{
	INIT_DELAYED_WORK(&job->work, wait->work);
	queue_delayed_work(system_dfl_wq, &job->work, 0);
	wait_for_completion(&job->ready);
	s->waiting_job = job;
	s->wait = wait;
	s->values[0] = job->worker;
	return 0;
}

static int start_waiting(struct session *s, const char *name)
{
	const struct wait *wait = find_wait(name);
	struct task_struct *task;
	struct job *job;

	if (!wait || s->waiting_job)
		return -EINVAL;
	s->bare = false;
	job = new_job(s);
	if (!job)
		return -ENOMEM;
	if (wait->work)
		return queue_work_item(s, wait, job);
	task = begin_thread(job, wait->body);
	if (IS_ERR(task)) {
		free_job(job);
		return PTR_ERR(task);
	}
	wait_for_completion(&job->ready);
	s->waiting = task;
	s->waiting_job = job;
	s->wait = wait;
	s->values[0] = task_pid_nr(task);
	return 0;
}

static void stop_waiting(struct session *s)
{
	if (s->wait->work) {
		complete(&s->waiting_job->ended);
		cancel_delayed_work_sync(&s->waiting_job->work);
		return;
	}
	if (s->wait->killable)
		send_sig(SIGKILL, s->waiting, 1);
	kthread_stop_put(s->waiting);
}

static int measure_stop(struct session *s)
{
	ktime_t begin;

	if (!s->waiting_job)
		return -EINVAL;
	begin = ktime_get();
	stop_waiting(s);
	s->values[0] = ktime_to_ns(ktime_sub(ktime_get(), begin));
	free_job(s->waiting_job);
	s->waiting_job = NULL;
	return 0;
}

static int perform(struct session *s, const char *command)
{
	char name[24];
	size_t count;

	if (sscanf(command, "life %23s %zu", name, &count) == 2)
		return make_room(s, count) ?: measure_life(s, name);
	if (sscanf(command, "start %23s", name) == 1)
		return make_room(s, 1) ?: start_waiting(s, name);
	if (sscanf(command, "tick %lld %zu", &s->period, &s->ticks) == 2)
		return make_room(s, s->ticks + 1) ?: measure_ticks(s);
	if (!strcmp(command, "stop"))
		return make_room(s, 1) ?: measure_stop(s);
	return -EINVAL;
}

static ssize_t bench_write(struct file *file, const char __user *from, size_t length, loff_t *pos)
{
	struct session *s = file->private_data;
	char command[COMMAND_MAX + 1] = "";
	int error;

	if (length > COMMAND_MAX)
		return -EINVAL;
	if (copy_from_user(command, from, length))
		return -EFAULT;
	mutex_lock(&s->lock);
	error = perform(s, strim(command));
	if (error)
		s->count = 0;
	mutex_unlock(&s->lock);
	/* What is read next begins with the first number. */
	*pos = 0;
	return error ?: length;
}

static ssize_t bench_read(struct file *file, char __user *to, size_t length, loff_t *pos)
{
	struct session *s = file->private_data;
	ssize_t read;

	mutex_lock(&s->lock);
	read = simple_read_from_buffer(to, length, pos, s->values, s->count * sizeof(*s->values));
	mutex_unlock(&s->lock);
	return read;
}

/* Everything but the session's memory and its device. */
static int set_up(struct session *s)
{
	mutex_init(&s->lock);
	init_completion(&s->never);
	init_waitqueue_head(&s->changed);
	rt_mutex_init(&s->held);
	s->other_job.session = s;
	init_completion(&s->other_job.ready);
	init_completion(&s->other_job.ended);
	s->other = begin_thread(&s->other_job, hold_lock);
	if (IS_ERR(s->other))
		return PTR_ERR(s->other);
	wait_for_completion(&s->other_job.ready);
	return 0;
}

static int bench_open(struct inode *inode, struct file *file)
{
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int error;

	if (!s)
		return -ENOMEM;
	s->device = faux_device_create("kthread_bench_c", NULL, NULL);
	if (!s->device) {
		kfree(s);
		return -ENODEV;
	}
	error = set_up(s);
	if (error) {
		faux_device_destroy(s->device);
		kfree(s);
		return error;
	}
	file->private_data = s;
	return 0;
}

static int bench_release(struct inode *inode, struct file *file)
{
	struct session *s = file->private_data;

	if (s->waiting_job) {
		stop_waiting(s);
		free_job(s->waiting_job);
	}
	kthread_stop_put(s->other);
	faux_device_destroy(s->device);
	kvfree(s->values);
	kfree(s);
	return 0;
}

static const struct file_operations bench_operations = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.read = bench_read,
	.write = bench_write,
};

static struct miscdevice bench_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kthread_bench_c",
	.fops = &bench_operations,
};

static int __init bench_init(void)
{
	int error = register_transfers();

	if (error)
		return error;
	error = misc_register(&bench_device);
	if (error)
		deregister_transfers();
	return error;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	misc_deregister(&bench_device);
	deregister_transfers();
}
module_exit(bench_exit);

MODULE_AUTHOR("Threadline developers");
MODULE_DESCRIPTION("Measures kernel threads in C, beside kthread_bench");
MODULE_LICENSE("GPL");
