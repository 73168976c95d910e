//! A permanent ATM circuit as a socket: what `pppd` and friends stand on.
//!
//! No crate speaks `AF_ATMPVC`, so this calls the C library itself. Layouts: `linux/atm.h`, `linux/atmdev.h`.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::socket::{self, check};

/// `SOL_ATM` and `SO_ATMQOS = __SO_ENCODE(SOL_ATM, 2, struct atm_qos)`.
const SOL_ATM: libc::c_int = 264;
const SO_ATMQOS: libc::c_int = (SOL_ATM & 0x1ff) << 22 | 2 << 16 | size_of::<Qos>() as libc::c_int;
const ATM_AAL5: libc::c_int = 5;
const ATM_AAL0: libc::c_int = 13;
/// Traffic class: unspecified bit rate.
const ATM_UBR: u8 = 1;

/// `struct atm_trafprm`: the class, rates and delays, then the fields of ABR,
/// of which UBR needs none.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct TrafficParameters {
    class: u8,
    max_pcr: libc::c_int,
    pcr: libc::c_int,
    min_pcr: libc::c_int,
    max_cdv: libc::c_int,
    max_sdu: libc::c_int,
    abr: [u32; 4],
}

/// `struct atm_qos`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Qos {
    transmit: TrafficParameters,
    receive: TrafficParameters,
    aal: u8,
}

/// `struct sockaddr_atmpvc`.
#[repr(C)]
struct Address {
    family: libc::sa_family_t,
    pvc: PvcAddress,
}

/// Its part `sap_addr`, which begins where an `int` may.
#[repr(C)]
struct PvcAddress {
    interface: libc::c_short,
    vpi: libc::c_short,
    vci: libc::c_int,
}

/// An open VCC.
pub struct Pvc(File);

impl Pvc {
    /// Opens the VCC `vpi`.`vci` of the ATM device number `interface` for AAL5
    /// PDUs of up to `max_sdu` bytes at unspecified bit rate.
    pub fn open(interface: i16, vpi: i16, vci: i32, max_sdu: i32) -> io::Result<Self> {
        Self::open_with(ATM_AAL5, interface, vpi, vci, max_sdu)
    }

    /// The same for single cells, without an adaptation layer.
    pub fn open_for_cells(interface: i16, vpi: i16, vci: i32) -> io::Result<Self> {
        Self::open_with(ATM_AAL0, interface, vpi, vci, 52)
    }

    fn open_with(
        aal: libc::c_int,
        interface: i16,
        vpi: i16,
        vci: i32,
        max_sdu: i32,
    ) -> io::Result<Self> {
        let socket = socket::open(libc::AF_ATMPVC, 0, aal)?;
        let parameters = TrafficParameters {
            class: ATM_UBR,
            max_sdu,
            ..Default::default()
        };
        let qos = Qos {
            transmit: parameters,
            receive: parameters,
            aal: aal as u8,
        };
        // SAFETY: the pointer and the length describe `qos`, which the kernel only reads.
        check(unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                SOL_ATM,
                SO_ATMQOS,
                (&raw const qos).cast(),
                size_of::<Qos>() as libc::socklen_t,
            )
        })?;
        let address = Address {
            family: libc::AF_ATMPVC as libc::sa_family_t,
            pvc: PvcAddress {
                interface,
                vpi,
                vci,
            },
        };
        // SAFETY: the pointer and the length describe `address`, which the kernel only reads.
        check(unsafe {
            libc::connect(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<Address>() as libc::socklen_t,
            )
        })?;
        let pvc = Self(File::from(socket));
        pvc.limit_reads()?;
        Ok(pvc)
    }

    /// A read that waits for 5 s fails: a lost PDU must not hang the lab.
    fn limit_reads(&self) -> io::Result<()> {
        let limit = libc::timeval {
            tv_sec: 5,
            tv_usec: 0,
        };
        let (fd, length) = (
            self.0.as_raw_fd(),
            size_of::<libc::timeval>() as libc::socklen_t,
        );
        // SAFETY: the pointer and the length describe `limit`, which the kernel only reads.
        check(unsafe {
            libc::setsockopt(
                fd,
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const limit).cast(),
                length,
            )
        })?;
        Ok(())
    }

    /// From now on, there is so much room for what has been received and not been read.
    pub fn make_room(&self, bytes: libc::c_int) -> io::Result<()> {
        // SAFETY: the pointer and the length describe `bytes`, which the kernel only reads.
        check(unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUFFORCE,
                (&raw const bytes).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        })?;
        Ok(())
    }

    /// Sends one PDU; waits while the socket's buffer is full.
    pub fn send(&mut self, pdu: &[u8]) -> io::Result<()> {
        self.0.write(pdu).and_then(|sent| {
            if sent == pdu.len() {
                Ok(())
            } else {
                Err(io::ErrorKind::WriteZero.into())
            }
        })
    }

    /// From now on, what would wait fails with [`io::ErrorKind::WouldBlock`].
    pub fn never_wait(&self) -> io::Result<()> {
        fcntl(&self.0, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(())
    }

    /// From now on, it waits again.
    pub fn wait_again(&self) -> io::Result<()> {
        fcntl(&self.0, FcntlArg::F_SETFL(OFlag::empty()))?;
        Ok(())
    }

    /// Receives one PDU into `buffer`; its length.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// Requests about an ATM device: what the layer asks its driver, and one that no driver knows.
/// `_IOW('a', …, struct atmif_sioc)`.
pub const REQUESTS: [(&str, libc::c_ulong); 3] = [
    ("ATM_QUERYLOOP", 0x4010_6154),
    ("ATM_GETLOOP", 0x4010_6152),
    ("ATM_GETCIRANGE", 0x4010_618a),
];

/// `struct atmif_sioc`.
#[repr(C)]
struct DeviceRequest {
    number: libc::c_int,
    length: libc::c_int,
    argument: *mut [u8; 8],
}

/// Makes a request about the ATM device number `interface`; what it answers, up to 8 bytes.
pub fn request(interface: i16, request: libc::c_ulong) -> io::Result<[u8; 8]> {
    let mut answer = [0xee; 8];
    request_into(interface, request, &mut answer)?;
    Ok(answer)
}

/// The same, with the answer written to a place of the caller's, of 8 bytes at least.
pub fn request_into(interface: i16, request: libc::c_ulong, answer: &mut [u8]) -> io::Result<()> {
    let socket = socket::open(libc::AF_ATMPVC, 0, ATM_AAL5)?;
    let argument = answer.first_chunk_mut::<8>();
    let mut argument = DeviceRequest {
        number: interface.into(),
        length: 8,
        argument: argument.ok_or(io::ErrorKind::InvalidInput)?,
    };
    // SAFETY: the pointers are to memory of our own that lasts longer than the call, and no
    // request in use here writes more than 8 bytes.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &raw mut argument) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_the_kernels() {
        // sizeof on amd64, from the C headers.
        assert_eq!(size_of::<TrafficParameters>(), 40);
        assert_eq!(size_of::<Qos>(), 84);
        assert_eq!(SO_ATMQOS, 0x4202_0054);
        assert_eq!(size_of::<Address>(), 12);
        assert_eq!(std::mem::offset_of!(Address, pvc), 4);
    }
}
