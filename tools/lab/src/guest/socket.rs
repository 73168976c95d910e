//! Sockets of families that the standard library does not know.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Opens a datagram socket, with more `flags` if any, that programs started later don't inherit.
pub fn open(family: libc::c_int, flags: libc::c_int, protocol: libc::c_int) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | flags;
    // SAFETY: no pointers are passed.
    let fd = check(unsafe { libc::socket(family, kind, protocol) })?;
    // SAFETY: `fd` has just been opened and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The result of a system call, or the error that it left behind.
pub fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
