// SPDX-License-Identifier: GPL-2.0
/* What the chardev crate needs from C: inline functions of headers. */
#include <linux/module.h>

bool threadline_chardev_within(const struct module *mod, const void *addr);
bool threadline_chardev_within(const struct module *mod, const void *addr)
{
	return within_module_core((unsigned long)addr, mod);
}
