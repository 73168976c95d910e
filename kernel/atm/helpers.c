// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions of the C headers, for the atm crate; bindings.rs declares
 * them.
 */
#include <linux/atmdev.h>
#include <linux/bits.h>
#include <linux/bottom_half.h>
#include <linux/bug.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>

void rust_helper_atm_set_vcc_flags(struct atm_vcc *vcc, unsigned long mask);
void rust_helper_atm_set_vcc_flags(struct atm_vcc *vcc, unsigned long mask)
{
	unsigned long bit;

	for_each_set_bit(bit, &mask, BITS_PER_LONG)
		set_bit(bit, &vcc->flags);
}

void rust_helper_atm_clear_vcc_flags(struct atm_vcc *vcc, unsigned long mask);
void rust_helper_atm_clear_vcc_flags(struct atm_vcc *vcc, unsigned long mask)
{
	unsigned long bit;

	for_each_set_bit(bit, &mask, BITS_PER_LONG)
		clear_bit(bit, &vcc->flags);
}

void rust_helper_atm_synchronize_rcu_tasks(void);
void rust_helper_atm_synchronize_rcu_tasks(void)
{
	/* A macro where the kernel is not preemptible. */
	synchronize_rcu_tasks();
}

bool rust_helper_atm_try_begin_bh(void);
bool rust_helper_atm_try_begin_bh(void)
{
	if (in_hardirq() || irqs_disabled())
		return false;
	local_bh_disable();
	return true;
}

void rust_helper_atm_begin_bh(void);
void rust_helper_atm_begin_bh(void)
{
	WARN_ON_ONCE(in_hardirq() || irqs_disabled());
	local_bh_disable();
}

void rust_helper_atm_end_bh(void);
void rust_helper_atm_end_bh(void)
{
	local_bh_enable();
}

struct sk_buff *rust_helper_atm_skb_of(const void *bytes, unsigned int length);
struct sk_buff *rust_helper_atm_skb_of(const void *bytes, unsigned int length)
{
	struct sk_buff *skb = dev_alloc_skb(length);

	if (skb)
		__skb_put_data(skb, bytes, length);
	return skb;
}

void rust_helper_atm_dev_kfree_skb_any(struct sk_buff *skb);
void rust_helper_atm_dev_kfree_skb_any(struct sk_buff *skb)
{
	dev_kfree_skb_any(skb);
}

int rust_helper_atm_skb_linearize(struct sk_buff *skb);
int rust_helper_atm_skb_linearize(struct sk_buff *skb)
{
	return skb_linearize(skb);
}

/* Whether something is in that part of a module's memory which stays until the module is gone. */
bool rust_helper_atm_is_within(const struct module *mod, const void *addr);
bool rust_helper_atm_is_within(const struct module *mod, const void *addr)
{
	return within_module_core((unsigned long)addr, mod);
}
