//! Network devices whose cable is a file: what is written comes in there, and what goes
//! out is read.
//!
//! The crates for this bring along how other systems do it, which is most of them, so
//! this calls the kernel itself. Layouts: `linux/if.h`, `linux/if_tun.h`.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// What a device carries.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Ethernet frames.
    Ethernet,
    /// IP packets.
    Ip,
}

nix::ioctl_write_ptr_bad!(
    /// Makes the file the cable of a device of this name and these flags.
    set_interface,
    libc::TUNSETIFF,
    libc::ifreq
);

/// Makes a device of this name in the network of this thread; it goes with the file.
pub fn create(kind: Kind, name: &str) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    let flags = match kind {
        Kind::Ethernet => libc::IFF_TAP,
        Kind::Ip => libc::IFF_TUN,
    };
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_flags: (flags | libc::IFF_NO_PI) as libc::c_short,
        },
    };
    // The last byte stays 0.
    let place = request.ifr_name[..libc::IFNAMSIZ - 1].iter_mut();
    for (to, from) in place.zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: the file is open, and this request of its takes a `struct ifreq`, which
    // `request` is.
    unsafe { set_interface(file.as_raw_fd(), &raw const request) }?;
    Ok(file)
}
