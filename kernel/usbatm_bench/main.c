// SPDX-License-Identifier: GPL-2.0
/*
 * The device: takes commands, and keeps what the last one measured.
 *
 *   hold, loop                         what becomes of transfers
 *   softirq, interrupt                 where they end
 *   send DEVICE LENGTH PACKETS BATCH   packets to the ATM device of that number
 *   receive DEVICE LENGTH PACKETS BATCH
 *
 * What is read after the latter two is a struct measured.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "bench.h"

#define COMMAND_MAX 64
#define BATCH_MAX 64

static DEFINE_MUTEX(lock);
static struct measured measured;

static int perform(const char *command)
{
	struct run run;
	char name[8];

	if (!strcmp(command, "hold") || !strcmp(command, "loop")) {
		host_hold(!strcmp(command, "hold"));
		return 0;
	}
	if (!strcmp(command, "softirq") || !strcmp(command, "interrupt")) {
		host_end_in_softirq(!strcmp(command, "softirq"));
		return 0;
	}
	if (sscanf(command, "%7s %d %zu %u %u", name, &run.device, &run.length, &run.packets,
		   &run.batch) != 5)
		return -EINVAL;
	if (!run.length || run.length > 65535 || !run.batch || run.batch > BATCH_MAX)
		return -EINVAL;
	measured = (struct measured){};
	if (!strcmp(name, "send"))
		return measure_send(&run, &measured);
	if (!strcmp(name, "receive"))
		return measure_receive(&run, &measured);
	return -EINVAL;
}

static ssize_t bench_write(struct file *file, const char __user *from, size_t length, loff_t *pos)
{
	char command[COMMAND_MAX + 1] = "";
	int error;

	if (length > COMMAND_MAX)
		return -EINVAL;
	if (copy_from_user(command, from, length))
		return -EFAULT;
	mutex_lock(&lock);
	error = perform(strim(command));
	mutex_unlock(&lock);
	/* What is read next begins with the first number. */
	*pos = 0;
	return error ?: length;
}

static ssize_t bench_read(struct file *file, char __user *to, size_t length, loff_t *pos)
{
	ssize_t read;

	mutex_lock(&lock);
	read = simple_read_from_buffer(to, length, pos, &measured, sizeof(measured));
	mutex_unlock(&lock);
	return read;
}

static const struct file_operations bench_operations = {
	.owner = THIS_MODULE,
	.read = bench_read,
	.write = bench_write,
};

static struct miscdevice bench_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "usbatm_bench",
	.fops = &bench_operations,
};

static int __init bench_init(void)
{
	int error = host_take();

	if (error)
		return error;
	error = misc_register(&bench_device);
	if (error)
		host_give_back();
	return error;
}

static void __exit bench_exit(void)
{
	misc_deregister(&bench_device);
	host_give_back();
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_AUTHOR("Threadline developers");
MODULE_DESCRIPTION("Measures drivers of USB ADSL modems without a bus");
MODULE_LICENSE("GPL");
