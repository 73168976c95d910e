// SPDX-License-Identifier: GPL-2.0-only

//! What a modem says that no modem should.
//!
//! A driver has to survive all of it: a device may be broken, or made to attack the
//! machine that it is plugged into.

use crate::descriptors::{ENDPOINT, INTERFACE};
use crate::device::Start;
use crate::options::Options;
use crate::transfer::Status;

/// A lie in a descriptor.
///
/// What a modem *has* stays as it is; what it says that it has is another matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// The class in the device descriptor, instead of the vendor's own.
    Class(u8),
    /// There is no such interface.
    NoInterface(u8),
    /// The interface comes twice, all settings of it.
    InterfaceTwice(u8),
    /// The interface has its setting 0 only.
    OneSetting(u8),
    /// There is no such endpoint.
    NoEndpoint(u8),
    /// An endpoint has another address, by number or direction.
    Address(u8, u8),
    /// An endpoint has these attributes: 0 is control, 1 isochronous, 2 bulk, 3 interrupt.
    Attributes(u8, u8),
    /// An endpoint takes packets of so many bytes.
    MaxPacket(u8, u16),
    /// The configuration says that it is so long.
    Total(u16),
    /// The configuration ends after so many bytes.
    Cut(usize),
    /// Behind the first nine bytes of the configuration is noise, made from this.
    Noise(u64),
}

/// A special answer to a control request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// None, for ever.
    Silence,
    /// The transfer fails.
    Fail(Failure),
    /// So many bytes, if the host wants as many, each of them this one.
    Bytes(usize, u8),
    /// The right one, and too late: the host has given up, and its cancellation meets the answer.
    Late,
}

impl Answer {
    /// What becomes of the request, if it is not answered as it should be.
    pub(crate) fn start(self, length: usize) -> Option<Start> {
        Some(match self {
            Self::Silence => Start::Stick,
            Self::Fail(failure) => Start::Done(failure.status(), Vec::new()),
            Self::Bytes(count, byte) => Start::Done(Status::OK, vec![byte; count.min(length)]),
            Self::Late => return None,
        })
    }
}

/// A way for a transfer to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The device refuses (`EPIPE`).
    Stall,
    /// Nobody answers, or not as the bus wants it (`EPROTO`).
    NoAnswer,
    /// A checksum is wrong (`EILSEQ`).
    Checksum,
    /// The device sends more than the host has room for (`EOVERFLOW`).
    Babble,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Stall, Self::NoAnswer, Self::Checksum, Self::Babble];

    pub(crate) fn status(self) -> Status {
        match self {
            Self::Stall => Status::STALL,
            Self::NoAnswer => Status::NO_ANSWER,
            Self::Checksum => Status::CHECKSUM,
            Self::Babble => Status::BABBLE,
        }
    }
}

/// What comes of one transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The modem is unplugged when it begins.
    Unplug,
    /// It fails; an endpoint does not stay halted.
    Fail(Failure),
    /// It never ends.
    Silence,
}

/// What a modem says in one transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// These bytes, any number of them. More than the host has room for is babble.
    Bytes(Vec<u8>),
    /// Nothing, for ever: the transfer never ends.
    Silence,
    /// The transfer fails.
    Fail(Failure),
    /// The endpoint refuses this and all others, until the host clears the halt.
    Halt,
}

impl Said {
    pub(crate) fn start(self, length: usize) -> Start {
        match self {
            Self::Bytes(mut bytes) if bytes.len() > length => {
                bytes.truncate(length);
                Start::Done(Status::BABBLE, bytes)
            }
            Self::Bytes(bytes) => Start::Done(Status::OK, bytes),
            Self::Silence => Start::Stick,
            Self::Fail(failure) => Start::Done(failure.status(), Vec::new()),
            Self::Halt => Start::Halt,
        }
    }

    /// What it comes to in an isochronous packet with so much room, in which nobody can refuse:
    /// what does not fit is lost.
    pub(crate) fn packet(self, room: usize) -> Result<Vec<u8>, Status> {
        match self {
            Self::Bytes(mut bytes) => {
                bytes.truncate(room);
                Ok(bytes)
            }
            Self::Silence | Self::Halt => Ok(Vec::new()),
            Self::Fail(failure) => Err(failure.status()),
        }
    }
}

/// The device descriptor as the modem tells it.
pub(crate) fn device(options: &Options, mut bytes: Vec<u8>) -> Vec<u8> {
    for lie in options.lies() {
        if let Lie::Class(class) = lie {
            bytes[4] = class;
        }
    }
    bytes
}

/// The string that the modem tells instead of its own, if it does.
pub(crate) fn string(options: &Options, index: u8) -> Option<Vec<u8>> {
    let strings = &options.strings;
    let found = strings.iter().find(|(of, _)| *of == index);
    found.map(|(_, descriptor)| descriptor.clone())
}

/// The configuration as the modem tells it.
pub(crate) fn configuration(options: &Options, bytes: Vec<u8>) -> Vec<u8> {
    let mut parts = Parts::of(&bytes);
    for lie in options.lies() {
        parts.tell(lie);
    }
    let mut bytes = parts.bytes();
    for lie in options.lies() {
        match lie {
            Lie::Total(total) => bytes[2..4].copy_from_slice(&total.to_le_bytes()),
            Lie::Cut(length) => bytes.truncate(length),
            Lie::Noise(seed) => noise(&mut bytes[9..], seed),
            _ => {}
        }
    }
    bytes
}

/// Bytes that mean nothing, always the same ones for the same seed.
fn noise(bytes: &mut [u8], seed: u64) {
    let mut state = seed | 1;
    for byte in bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = (state >> 32) as u8;
    }
}

/// A configuration, taken apart.
struct Parts {
    header: Vec<u8>,
    settings: Vec<Setting>,
}

#[derive(Clone)]
struct Setting {
    header: Vec<u8>,
    endpoints: Vec<Vec<u8>>,
}

impl Setting {
    fn interface(&self) -> u8 {
        self.header[2]
    }

    fn number(&self) -> u8 {
        self.header[3]
    }
}

impl Parts {
    /// Takes apart what is well formed, as our own is.
    fn of(bytes: &[u8]) -> Self {
        let (header, mut rest) = bytes.split_at(9);
        let mut settings: Vec<Setting> = Vec::new();
        while let [length, kind, ..] = *rest {
            let (part, behind) = rest.split_at(usize::from(length));
            match (kind, settings.last_mut()) {
                (INTERFACE, _) => settings.push(Setting {
                    header: part.into(),
                    endpoints: Vec::new(),
                }),
                (ENDPOINT, Some(setting)) => setting.endpoints.push(part.into()),
                // Nothing else is in it.
                _ => {}
            }
            rest = behind;
        }
        Self {
            header: header.into(),
            settings,
        }
    }

    fn tell(&mut self, lie: Lie) {
        let settings = &mut self.settings;
        match lie {
            Lie::NoInterface(gone) => settings.retain(|setting| setting.interface() != gone),
            Lie::InterfaceTwice(twice) => {
                let again = settings.iter().filter(|s| s.interface() == twice);
                let again: Vec<_> = again.cloned().collect();
                settings.extend(again);
            }
            Lie::OneSetting(of) => settings.retain(|s| s.interface() != of || s.number() == 0),
            Lie::NoEndpoint(address) => {
                for setting in settings {
                    setting.endpoints.retain(|ep| ep[2] != address);
                }
            }
            Lie::Address(address, other) => self.each(address, |ep| ep[2] = other),
            Lie::Attributes(address, other) => self.each(address, |ep| ep[3] = other),
            Lie::MaxPacket(address, size) => self.each(address, |ep| {
                ep[4..6].copy_from_slice(&size.to_le_bytes());
            }),
            // Not about the parts.
            Lie::Class(_) | Lie::Total(_) | Lie::Cut(_) | Lie::Noise(_) => {}
        }
    }

    /// Changes the endpoint with this address in each setting that has it.
    fn each(&mut self, address: u8, change: impl Fn(&mut [u8])) {
        let endpoints = self.settings.iter_mut().flat_map(|s| &mut s.endpoints);
        for endpoint in endpoints.filter(|ep| ep[2] == address) {
            change(endpoint);
        }
    }

    /// Puts it together again, with the right numbers of all things.
    fn bytes(self) -> Vec<u8> {
        let mut interfaces: Vec<u8> = self.settings.iter().map(Setting::interface).collect();
        interfaces.dedup();
        let mut bytes = self.header;
        for mut setting in self.settings {
            setting.header[4] = u8::try_from(setting.endpoints.len()).expect("a handful");
            bytes.extend(setting.header);
            bytes.extend(setting.endpoints.concat());
        }
        let total = u16::try_from(bytes.len()).expect("a few hundred bytes");
        bytes[2..4].copy_from_slice(&total.to_le_bytes());
        bytes[4] = u8::try_from(interfaces.len()).expect("a handful");
        bytes
    }
}

#[cfg(test)]
mod tests;
