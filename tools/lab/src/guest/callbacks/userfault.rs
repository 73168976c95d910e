//! Memory that keeps the kernel waiting: whoever touches it first, in the middle of a system call
//! as a rule, goes on when we say so.
//!
//! It is what `userfaultfd(2)` is for; no crate at hand speaks it. Layouts: `linux/userfaultfd.h`.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr;

use anyhow::{Context, Result};

use crate::guest::plugged::wait_until;
use crate::guest::socket::check;

/// One page.
const LENGTH: usize = 4096;

/// `UFFD_API`, also the type of all its requests.
const API: u64 = 0xaa;
/// `UFFDIO_REGISTER_MODE_MISSING`.
const MISSING: u64 = 1;

/// `struct uffdio_api`.
#[repr(C)]
struct Api {
    api: u64,
    features: u64,
    requests: u64,
}

/// `struct uffdio_register` and `struct uffdio_zeropage`: the last field is an answer.
#[repr(C)]
struct Range {
    start: u64,
    length: u64,
    mode: u64,
    answer: u64,
}

nix::ioctl_readwrite!(negotiate, API, 0x3f, Api);
nix::ioctl_readwrite!(register, API, 0x00, Range);
nix::ioctl_readwrite!(fill_with_zeros, API, 0x04, Range);

/// A page that is not there yet.
pub struct Page {
    start: *mut u8,
}

// SAFETY: it is memory of the whole process, which we own.
unsafe impl Send for Page {}

impl Deref for Page {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: so much was mapped, which reads as zeros, and it is ours until the drop.
        unsafe { std::slice::from_raw_parts(self.start, LENGTH) }
    }
}

impl DerefMut for Page {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.start, LENGTH) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: it was mapped by us, and nobody borrows it.
        unsafe { libc::munmap(self.start.cast(), LENGTH) };
    }
}

/// Who keeps those waiting that touch a [`Page`]. Dropping it lets them go on.
pub struct Holder {
    faults: File,
    start: u64,
}

/// Makes such a page.
pub fn page() -> Result<(Page, Holder)> {
    // SAFETY: a new mapping, wherever there is room.
    let start = unsafe {
        libc::mmap(
            ptr::null_mut(),
            LENGTH,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error()).context("no memory for a page");
    }
    let page = Page {
        start: start.cast(),
    };
    let holder = Holder::new(&page).context("the kernel lets nobody wait for our pages")?;
    Ok((page, holder))
}

impl Holder {
    fn new(page: &Page) -> io::Result<Self> {
        let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
        // SAFETY: no pointers are passed.
        let fd = check(unsafe { libc::syscall(libc::SYS_userfaultfd, flags) } as libc::c_int)?;
        // SAFETY: `fd` has just been opened and belongs to nobody else.
        let faults = unsafe { File::from_raw_fd(fd) };
        let mut api = Api {
            api: API,
            features: 0,
            requests: 0,
        };
        // SAFETY: the pointer is to a structure of our own that the kernel fills in.
        unsafe { negotiate(faults.as_raw_fd(), &mut api) }?;
        let start = page.start as u64;
        let holder = Self { faults, start };
        // SAFETY: as above; the range is a page that was mapped.
        unsafe { register(holder.faults.as_raw_fd(), &mut holder.range(MISSING)) }?;
        Ok(holder)
    }

    fn range(&self, mode: u64) -> Range {
        Range {
            start: self.start,
            length: LENGTH as u64,
            mode,
            answer: 0,
        }
    }

    /// Waits until somebody is kept waiting.
    pub fn await_touch(&self, by: &str) -> Result<()> {
        let mut message = [0; 32];
        wait_until(
            &format!("{by} is held"),
            || matches!((&self.faults).read(&mut message), Ok(length) if length > 0),
        )
    }

    /// Lets them go on: the page is there now, and full of zeros.
    pub fn let_go(self) -> Result<()> {
        // SAFETY: the pointer is to a structure of our own; the page is ours to fill.
        unsafe { fill_with_zeros(self.faults.as_raw_fd(), &mut self.range(0)) }
            .context("the page can't be filled")?;
        Ok(())
    }
}
