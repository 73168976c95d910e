// SPDX-License-Identifier: GPL-2.0
/*
 * The thread waits for firmware in a way that a stop does not break.
 */
#include <linux/device/faux.h>
#include <linux/err.h>
#include <linux/firmware.h>
#include <linux/kthread.h>
#include <linux/module.h>

static struct faux_device *modem;

/* ANCHOR: bug */
static struct task_struct *upload;

static int upload_firmware(void *data)
{
	const struct firmware *firmware;

	/* User space has 60 s to answer. */
	if (!request_firmware(&firmware, "modem.bin", &modem->dev))
		release_firmware(firmware);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

static void __exit bug_exit(void)
{
	kthread_stop(upload);
	faux_device_destroy(modem);
}
/* ANCHOR_END: bug */

static int __init bug_init(void)
{
	modem = faux_device_create("modem", NULL, NULL);
	if (!modem)
		return -ENODEV;
	upload = kthread_run(upload_firmware, NULL, "upload");
	if (IS_ERR(upload))
		faux_device_destroy(modem);
	return PTR_ERR_OR_ZERO(upload);
}

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a killable wait, which kthread_stop() does not break");
MODULE_LICENSE("GPL");
