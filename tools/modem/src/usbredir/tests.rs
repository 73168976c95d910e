// SPDX-License-Identifier: GPL-2.0-only

use proptest::prelude::*;

use super::*;

fn message(kind: u32, id: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, kind, id, body, &[]);
    bytes
}

fn read(bytes: &[u8]) -> io::Result<Option<Message>> {
    Message::read(&mut &bytes[..])
}

fn refusal(bytes: &[u8]) -> io::ErrorKind {
    read(bytes).unwrap_err().kind()
}

#[test]
fn a_message_byte_by_byte() {
    let bytes = message(CONFIGURATION_STATUS, 0x0102_0304_0506_0708, &[0, 1]);
    let expected = [8, 0, 0, 0, 2, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1];
    assert_eq!(bytes, expected);
}

#[test]
fn bulk_out() {
    // Endpoint, status, length, stream, and the length's upper half.
    let body = [&[0x05, 0, 3, 0, 0, 0, 0, 0, 0, 0][..], b"abc"].concat();
    let transfer = Transfer {
        endpoint: 0x05,
        length: 3,
        setup: Setup::from_bytes([0; 8]),
    };
    let expected = Message::Bulk(7, transfer, b"abc".into());
    let bytes = message(BULK_PACKET, 7, &body);
    assert_eq!(read(&bytes).unwrap(), Some(expected));
}

#[test]
fn bulk_in_of_more_than_64_kib_has_no_data() {
    let body = [0x87, 0, 1, 0, 0, 0, 0, 0, 1, 0];
    let bytes = message(BULK_PACKET, 7, &body);
    let Some(Message::Bulk(7, transfer, data)) = read(&bytes).unwrap() else {
        panic!("no bulk transfer");
    };
    assert_eq!((transfer.length, data.len()), (0x1_0001, 0));
}

#[test]
fn control_requests() {
    // Endpoint, request, its type, status, value, index, length.
    let body = [0x80, 6, 0x80, 0, 0, 1, 0, 0, 18, 0];
    let bytes = message(CONTROL_PACKET, 9, &body);
    let setup = Setup::from_bytes([0x80, 6, 0, 1, 0, 0, 18, 0]);
    let expected = Message::Control(9, Control::Plain, setup, Vec::new());
    assert_eq!(read(&bytes).unwrap(), Some(expected));

    let bytes = message(SET_ALT_SETTING, 9, &[1, 3]);
    let setup = Setup::from_bytes([0x01, 11, 3, 0, 1, 0, 0, 0]);
    let expected = Message::Control(9, Control::AltSetting, setup, Vec::new());
    assert_eq!(read(&bytes).unwrap(), Some(expected));
}

#[test]
fn the_end_is_no_error_but_in_the_middle() {
    assert_eq!(read(b"").unwrap(), None);
    let bytes = message(SET_CONFIGURATION, 1, &[1]);
    for len in 1..bytes.len() {
        assert_eq!(refusal(&bytes[..len]), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let bulk = |endpoint, length: u32, data: &[u8]| {
        let [l0, l1, h0, h1] = length.to_le_bytes();
        let part = [endpoint, 0, l0, l1, 0, 0, 0, 0, h0, h1];
        message(BULK_PACKET, 1, &[&part[..], data].concat())
    };
    let control = |request_type, length: u8, data: &[u8]| {
        let part = [
            request_type & 0x80,
            1,
            request_type,
            0,
            0,
            0,
            0,
            0,
            length,
            0,
        ];
        message(CONTROL_PACKET, 1, &[&part[..], data].concat())
    };
    let mut endless = message(RESET, 1, &[]);
    endless[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    for bytes in [
        endless,
        message(RESET, 1, &[0]),
        message(SET_CONFIGURATION, 1, &[]),
        message(SET_ALT_SETTING, 1, &[1, 2, 3]),
        message(START_ISO_STREAM, 1, &[0x87]),
        message(CANCEL_DATA_PACKET, 1, &[0; 8]),
        message(BULK_PACKET, 1, &[0; PACKET_LEN - 1]),
        bulk(0x05, 4, b"abc"),
        bulk(0x05, 2, b"abc"),
        bulk(0x85, 3, b"abc"),
        bulk(0x85, u32::MAX, b""),
        bulk(0x00, 0, b""),
        bulk(0x15, 0, b""),
        control(0x40, 2, b"a"),
        control(0xc0, 1, b"a"),
        message(99, 1, &[]),
    ] {
        assert_eq!(refusal(&bytes), io::ErrorKind::InvalidData, "{bytes:?}");
    }
}

/// A host that says what is to be heard, and keeps what it is told.
struct Host<'a>(&'a [u8], Vec<u8>);

impl Read for Host<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Host<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hello(capabilities: &[u32]) -> Vec<u8> {
    let size = u32::try_from(VERSION_LEN + 4 * capabilities.len()).unwrap();
    let words = [HELLO, size, 0].map(u32::to_le_bytes).concat();
    let capabilities: Vec<_> = capabilities.iter().flat_map(|c| c.to_le_bytes()).collect();
    [&words[..], &[b'x'; VERSION_LEN], &capabilities].concat()
}

#[test]
fn a_host_is_told_who_we_are_when_it_has_said_hello() {
    let heard = hello(&[u32::MAX, 5]);
    let mut host = Host(&heard, Vec::new());
    greet(&mut host, 0x0400).unwrap();
    let said = host.1.split_off(FIRST_HEADER_LEN + VERSION_LEN + 4);
    let device = &said[said.len() - 10..];
    assert_eq!(device, [1, 0xff, 0, 0, 0xb9, 0x06, 0x61, 0x40, 0x00, 0x04]);
    // Both directions of endpoint 0 are there, and nothing else before it is configured.
    let kinds = &said[HEADER_LEN..HEADER_LEN + ENDPOINTS];
    let there = kinds.iter().enumerate();
    let there: Vec<_> = there.filter(|(_, kind)| **kind != NO_ENDPOINT).collect();
    assert_eq!(there, [(0, &0), (16, &0)]);
}

#[test]
fn other_hosts_are_refused() {
    let mut endless = hello(&[u32::MAX]);
    endless[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut other = hello(&[u32::MAX]);
    other[0] = 1;
    for (heard, kind) in [
        (hello(&[!(1 << 5)]), io::ErrorKind::InvalidData),
        (hello(&[]), io::ErrorKind::InvalidData),
        (hello(&[u32::MAX; 17]), io::ErrorKind::InvalidData),
        (endless, io::ErrorKind::InvalidData),
        (other, io::ErrorKind::InvalidData),
        (Vec::new(), io::ErrorKind::UnexpectedEof),
    ] {
        let mut host = Host(&heard, Vec::new());
        assert_eq!(greet(&mut host, 0x0400).unwrap_err().kind(), kind);
        assert_eq!(host.1.len(), FIRST_HEADER_LEN + VERSION_LEN + 4);
    }
}

proptest! {
    #[test]
    fn nothing_a_host_sends_breaks_us(body: Vec<u8>, kind in 0..110u32, id: u64) {
        let _ = read(&message(kind, id, &body));
        let _ = read(&body);
        let _ = greet(&mut Host(&body, Vec::new()), 0);
    }
}
