/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindings.rs is generated from. The constants below are those that
 * bindgen can't read by itself: members of nameless enums, and macros that
 * use sizeof.
 */
#include <linux/atmdev.h>
#include <linux/bits.h>
#include <linux/irq_poll.h>

const unsigned long RUST_CONST_HELPER_VCC_FLAGS_OPEN =
	BIT(ATM_VF_ADDR) | BIT(ATM_VF_PARTIAL) | BIT(ATM_VF_READY);
const unsigned int RUST_CONST_HELPER_ATM_QUERYLOOP = ATM_QUERYLOOP;
