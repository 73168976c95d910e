// SPDX-License-Identifier: GPL-2.0-only

//! What is known of the Alcatel (later Thomson) SpeedTouch USB and 330 modems.
//!
//! The facts were gathered by people who watched the bus; nobody outside of the
//! vendor knows what most requests mean. They are those of
//! `drivers/usb/atm/speedtch.c`, and the descriptors are those of modems that
//! people have published.
//!
//! A modem's life: it comes up with nothing but a loader, which takes firmware
//! in two stages on the endpoint [`FIRMWARE_OUT`]. After each stage a block of
//! [`BLOCK_LEN`] bytes is read. After the second the modem boots for a second,
//! and then answers the vendor requests below. The host selects an alternate
//! setting of the data interface, sends the [`StartUp`] sequence, asks the line
//! to synchronise ([`START_SYNCHRO`]), and from then on polls the line's
//! [`Status`]; the modem also tells of changes by a [`LineEvent`].

mod line;
mod start_up;

pub use line::{LineEvent, LineState, Rates, Status};
pub use start_up::{StartUp, Step, OPTION_LEN};

use crate::setup::Setup;

/// The vendor's USB id.
pub const VENDOR_ID: u16 = 0x06b9;
/// The product's USB id, the same for all models.
pub const PRODUCT_ID: u16 = 0x4061;

/// The interface that the host's driver is bound to first; it has the
/// interrupt endpoint.
pub const INTERFACE_CONTROL: u8 = 0;
/// The interface that cells travel through.
pub const INTERFACE_DATA: u8 = 1;
/// The interface that takes the firmware.
pub const INTERFACE_FIRMWARE: u8 = 2;

/// The data interface's alternate setting for bulk transfers both ways. Setting
/// 0 has no endpoints at all.
pub const ALTSETTING_BULK: u8 = 1;
/// The data interface's alternate setting for receiving by isochronous
/// transfers, where the model has that.
pub const ALTSETTING_ISOC: u8 = 3;

/// Tells of changes of the line.
pub const INTERRUPT_IN: u8 = 0x81;
/// Cells from the line.
pub const DATA_IN: u8 = 0x87;
/// Cells to the line.
pub const DATA_OUT: u8 = 0x07;
/// The firmware's way in.
pub const FIRMWARE_OUT: u8 = 0x05;
/// The blocks that are read back between the firmware's stages.
pub const FIRMWARE_IN: u8 = 0x85;

/// Bytes that the host asks for after each stage of the firmware.
pub const BLOCK_LEN: usize = 512;
/// How much firmware the host sends in one transfer, in bytes.
pub const CHUNK_LEN: usize = 4096;
/// How long the modem takes to start its firmware, in milliseconds.
pub const BOOT_MSECS: u32 = 1000;

/// The host's limit for a transfer, in milliseconds.
pub const TIMEOUT_MSECS: u32 = 2000;
/// The host's limit for the question whether a modem is alive already, in
/// milliseconds.
pub const ALIVE_TIMEOUT_MSECS: u32 = 500;
/// The size of the host's buffer for a packet on [`INTERRUPT_IN`], in bytes.
pub const INTERRUPT_LEN: usize = 16;

/// The time between two polls of the line, in milliseconds.
pub const POLL_MSECS: u32 = 5000;
/// The first poll comes sooner, in milliseconds.
pub const FIRST_POLL_MSECS: u32 = 1000;

/// `bmRequestType` of the vendor's requests that read.
const READ: u8 = 0xc0;
/// `bmRequestType` of the vendor's requests that write.
const WRITE: u8 = 0x40;

const fn read(request: u8, value: u16, length: u16) -> Setup {
    Setup {
        request_type: READ,
        request,
        value,
        index: 0,
        length,
    }
}

const fn write(request: u8, value: u16, length: u16) -> Setup {
    Setup {
        request_type: WRITE,
        request,
        value,
        index: 0,
        length,
    }
}

/// The line's state, one byte: see [`LineState`]. A modem that has no firmware
/// yet refuses, or does not answer.
pub const STATUS_7: Setup = read(0x12, 0x07, 1);
/// The line's speeds, eight bytes: see [`Rates`].
pub const STATUS_B: Setup = read(0x12, 0x0b, 8);
/// Four bytes whose meaning is not known.
pub const STATUS_D: Setup = read(0x12, 0x0d, 4);
/// One byte whose meaning is not known.
pub const STATUS_E: Setup = read(0x01, 0x0e, 1);
/// One byte whose meaning is not known.
pub const STATUS_F: Setup = read(0x01, 0x0f, 1);
/// What a poll of the line reads, in this order.
pub const STATUS: [Setup; 5] = [STATUS_7, STATUS_B, STATUS_D, STATUS_E, STATUS_F];

/// Asks the modem to synchronise its line; it answers with two bytes. A modem
/// whose line went down may need to be asked again.
pub const START_SYNCHRO: Setup = read(0x12, 0x04, 2);

/// Switches the buffering of cells in the modem on or off.
pub const fn sw_buffering(on: bool) -> Setup {
    write(0x32, on as u16, 0)
}

/// Reads the MAC address from the modem's serial number: twelve hexadecimal
/// digits, whatever comes behind them. Anything else is none.
///
/// # Examples
///
/// ```
/// use wire::speedtch::mac_from_serial;
///
/// let mac = [0x00, 0x90, 0xd0, 0x12, 0x34, 0xab];
/// assert_eq!(mac_from_serial(b"0090D01234aB"), Some(mac));
/// assert_eq!(mac_from_serial(b"0090D01234ab-2"), Some(mac));
/// assert_eq!(mac_from_serial(b"0090D01234a"), None);
/// assert_eq!(mac_from_serial(b"0090D01234+B"), None);
/// ```
pub fn mac_from_serial(serial: &[u8]) -> Option<[u8; 6]> {
    let digits: &[u8; 12] = serial.first_chunk()?;
    let mut mac = [0; 6];
    for (byte, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
        for &digit in pair {
            let value = char::from(digit).to_digit(16)?;
            *byte = (*byte << 4) | u8::try_from(value).ok()?;
        }
    }
    Some(mac)
}

#[cfg(test)]
mod tests;
