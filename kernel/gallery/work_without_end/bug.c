// SPDX-License-Identifier: GPL-2.0
/*
 * A work item waits for firmware in a way that nothing breaks.
 */
#include <linux/device/faux.h>
#include <linux/firmware.h>
#include <linux/module.h>
#include <linux/workqueue.h>

static struct faux_device *modem;

/* ANCHOR: bug */
static void load_dsp(struct work_struct *work)
{
	const struct firmware *firmware;

	/* User space has 60 s to answer. */
	if (!request_firmware(&firmware, "dsp.bin", &modem->dev))
		release_firmware(firmware);
}

static DECLARE_WORK(load, load_dsp);

static void __exit bug_exit(void)
{
	cancel_work_sync(&load);
	faux_device_destroy(modem);
}
/* ANCHOR_END: bug */

static int __init bug_init(void)
{
	modem = faux_device_create("adsl", NULL, NULL);
	if (!modem)
		return -ENODEV;
	schedule_work(&load);
	return 0;
}

module_init(bug_init);
module_exit(bug_exit);
MODULE_DESCRIPTION("Misuse: a killable wait of a worker, which cancel_work_sync() does not break");
MODULE_LICENSE("GPL");
