// SPDX-License-Identifier: GPL-2.0
/*
 * Exports the Rust symbols of this module's crates to the minidrivers, the
 * way the kernel's own rust/exports.c does it: the compiler's mangled names,
 * collected with nm when the module is built.
 */
#include <linux/export.h>

#define EXPORT_SYMBOL_RUST_GPL(sym) extern int sym; EXPORT_SYMBOL_GPL(sym)

#include "exports_generated.h"
