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

static int start_waiting(struct session *s, const char *name)
{
	const struct wait *wait = find_wait(name);
	struct task_struct *task;

	if (!wait || s->waiting)
		return -EINVAL;
	init_completion(&s->ready);
	task = begin_thread(s, wait->body);
	if (IS_ERR(task))
		return PTR_ERR(task);
	wait_for_completion(&s->ready);
	s->waiting = task;
	s->wait = wait;
	s->values[0] = task_pid_nr(task);
	return 0;
}

static void stop_waiting(struct session *s)
{
	if (s->wait->killable)
		send_sig(SIGKILL, s->waiting, 1);
	kthread_stop_put(s->waiting);
	s->waiting = NULL;
}

static int measure_stop(struct session *s)
{
	ktime_t begin;

	if (!s->waiting)
		return -EINVAL;
	begin = ktime_get();
	stop_waiting(s);
	s->values[0] = ktime_to_ns(ktime_sub(ktime_get(), begin));
	return 0;
}

static int perform(struct session *s, const char *command)
{
	char name[16];
	size_t count;

	if (sscanf(command, "life %15s %zu", name, &count) == 2)
		return make_room(s, count) ?: measure_life(s, name);
	if (sscanf(command, "start %15s", name) == 1)
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

static int bench_open(struct inode *inode, struct file *file)
{
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	s->device = faux_device_create("kthread_bench_c", NULL, NULL);
	if (!s->device) {
		kfree(s);
		return -ENODEV;
	}
	mutex_init(&s->lock);
	init_completion(&s->ready);
	init_completion(&s->never);
	file->private_data = s;
	return 0;
}

static int bench_release(struct inode *inode, struct file *file)
{
	struct session *s = file->private_data;

	if (s->waiting)
		stop_waiting(s);
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
module_misc_device(bench_device);

MODULE_AUTHOR("Threadline developers");
MODULE_DESCRIPTION("Measures kernel threads in C, beside kthread_bench");
MODULE_LICENSE("GPL");
