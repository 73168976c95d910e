//! What a processor runs into that is late when the machine wakes up.
//!
//! QEMU's firmware (SeaBIOS, in all versions up to 1.17) sends the other processors to
//! [`ADDRESS`], where it has put a jump for them, and then puts back what was there. When the
//! machine starts, it waits until all have been there. When the machine wakes up, it does not: it
//! counts them in memory that it cannot write then, so that the count is still the old one. A
//! processor that comes late, as it does on a busy host every other time, runs what was there:
//! the rest of a boot loader, then whatever comes behind that, with the whole of the low memory
//! and all ports at its mercy, until the kernel starts it in earnest. At times that is a triple
//! fault, and the machine is gone before its kernel could say a word.
//!
//! So what is there is a program that halts. Linux leaves the first MiB alone.

use std::process::Command;

/// Where the firmware sends the processors.
pub const ADDRESS: u64 = 0x10000;

/// `cli`, then `hlt` for ever. The firmware replaces it in two steps, four bytes each: the second
/// half is that of its own jump, so that there is nothing in between.
pub const PROGRAM: [u8; 8] = [0xfa, 0xf4, 0xeb, 0xfd, 0xf0, 0, 0, 0];

/// Has QEMU write it there whenever it resets the machine, as it does to wake it up, before any
/// processor runs.
pub fn add_to(command: &mut Command) {
    let data = u64::from_le_bytes(PROGRAM);
    let length = PROGRAM.len();
    command.arg("-device");
    command.arg(format!(
        "loader,addr={ADDRESS:#x},data={data:#x},data-len={length}"
    ));
}
