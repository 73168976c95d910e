// SPDX-License-Identifier: GPL-2.0

//! What `linux/atmdev.h` declares, which [`kernel::bindings`] leaves out.
//!
//! `bindgen` is told to write down the ATM types only, by name. Every other type
//! that they mention is the one in [`kernel::bindings`], so that a `struct
//! device` here and there is the same type. The exception is `struct sock`: the
//! kernel crate has it as a type without a size, and a VCC begins with one.

#![allow(
    clippy::all,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

use kernel::{
    bindings::*,
    ffi, //
};

include!("bindings_generated.rs");

// What helpers.c has for us: inline functions of the C headers.
unsafe extern "C" {
    #[link_name = "rust_helper_atm_set_vcc_flags"]
    pub fn set_vcc_flags(vcc: *mut atm_vcc, mask: ffi::c_ulong);
    #[link_name = "rust_helper_atm_clear_vcc_flags"]
    pub fn clear_vcc_flags(vcc: *mut atm_vcc, mask: ffi::c_ulong);
    #[link_name = "rust_helper_atm_synchronize_rcu_tasks"]
    pub fn synchronize_rcu_tasks();
    #[link_name = "rust_helper_atm_try_begin_bh"]
    pub fn try_begin_bh() -> bool;
    #[link_name = "rust_helper_atm_is_within"]
    pub fn is_within(module: *const kernel::bindings::module, address: *const ffi::c_void) -> bool;
    #[link_name = "rust_helper_atm_begin_bh"]
    pub fn begin_bh();
    #[link_name = "rust_helper_atm_end_bh"]
    pub fn end_bh();
    #[link_name = "rust_helper_atm_skb_of"]
    pub fn skb_of(bytes: *const ffi::c_void, length: ffi::c_uint) -> *mut sk_buff;
    #[link_name = "rust_helper_atm_dev_kfree_skb_any"]
    pub fn dev_kfree_skb_any(skb: *mut sk_buff);
    #[link_name = "rust_helper_atm_skb_linearize"]
    pub fn skb_linearize(skb: *mut sk_buff) -> ffi::c_int;
}
