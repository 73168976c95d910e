// SPDX-License-Identifier: GPL-2.0-only

use proptest::prelude::*;

use super::*;

/// A command as `vhci_hcd` sends it: its words, and its setup packet.
fn command(words: [u32; 10], setup: [u8; 8], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, &words);
    bytes.extend(setup);
    bytes.extend(data);
    bytes
}

fn read(bytes: &[u8]) -> io::Result<Option<Command>> {
    Command::read(&mut &bytes[..])
}

fn written(reply: &Reply) -> Vec<u8> {
    let mut bytes = vec![0xee];
    reply.write(&mut bytes);
    bytes.split_off(1)
}

#[test]
fn submit_out() {
    let bytes = command([1, 7, 1, 0, 5, 0, 3, 0, 0, 0], [0; 8], b"abc");
    let expected = Command::Submit(Submit {
        seqnum: 7,
        transfer: Transfer {
            endpoint: 0x05,
            length: 3,
            setup: Setup::from_bytes([0; 8]),
        },
        data: b"abc".into(),
        packets: Vec::new(),
    });
    assert_eq!(read(&bytes).unwrap(), Some(expected));
}

#[test]
fn submit_in_has_no_data() {
    let setup = [0x80, 6, 0, 1, 0, 0, 18, 0];
    let bytes = command([1, 8, 1, 1, 0, 0x200, 18, 0, u32::MAX, 0], setup, b"next");
    let Some(Command::Submit(submit)) = read(&bytes).unwrap() else {
        panic!("no submit");
    };
    let Transfer {
        endpoint,
        length,
        setup: got,
    } = submit.transfer;
    assert_eq!((endpoint, length), (0x80, 18));
    assert_eq!(got, Setup::from_bytes(setup));
    assert_eq!(submit.data, b"");
}

#[test]
fn unlink() {
    let bytes = command([2, 9, 1, 0, 0, 7, 0, 0, 0, 0], [0; 8], b"");
    let expected = Command::Unlink {
        seqnum: 9,
        victim: 7,
    };
    assert_eq!(read(&bytes).unwrap(), Some(expected));
}

#[test]
fn the_end_is_no_error_but_in_the_middle() {
    assert_eq!(read(b"").unwrap(), None);
    let bytes = command([1, 7, 1, 0, 5, 0, 3, 0, 0, 0], [0; 8], b"ab");
    for len in 1..bytes.len() {
        let error = read(&bytes[..len]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let good = [1, 7, 1, 0, 5, 0, 3, 0, 0, 0];
    // A command, a direction, an endpoint, two lengths, and isochronous packets.
    for (at, value) in [
        (0, 5),
        (3, 2),
        (4, 16),
        (6, u32::MAX),
        (6, 1 << 21),
        (8, 1025),
    ] {
        let mut words = good;
        words[at] = value;
        let error = read(&command(words, [0; 8], b"abc")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{at} {value}");
    }
}

#[test]
fn replies_byte_by_byte() {
    let reply = Reply::Submit {
        seqnum: 7,
        endpoint: 0x87,
        status: Status::STALL,
        actual: 2,
        data: b"xy".into(),
        packets: Vec::new(),
    };
    let mut expected = Vec::new();
    let words = [3, 7, 0, 1, 7, 0xffff_ffe0, 2, 0, 0, 0, 0, 0];
    put(&mut expected, &words);
    expected.extend(b"xy");
    assert_eq!(written(&reply), expected);

    let status = Status::UNLINKED;
    let reply = Reply::Unlink { seqnum: 9, status };
    let mut expected = Vec::new();
    put(
        &mut expected,
        &[4, 9, 0, 0, 0, 0xffff_ff98, 0, 0, 0, 0, 0, 0],
    );
    assert_eq!(written(&reply), expected);
}

#[test]
fn isochronous_packets_byte_by_byte() {
    let mut bytes = command([1, 7, 1, 1, 7, 2, 2046, 0, 2, 1], [0; 8], b"");
    put(&mut bytes, &[0, 1023, 0, 0, 1023, 1023, 0, 0]);
    let Some(Command::Submit(submit)) = read(&bytes).unwrap() else {
        panic!("no submit");
    };
    let packet = |offset| Packet {
        offset,
        length: 1023,
        actual: 0,
        status: Status::OK,
    };
    assert_eq!(submit.packets, [packet(0), packet(1023)]);
    for len in 48..bytes.len() {
        let error = read(&bytes[..len]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    let mut packets = submit.packets;
    packets[0].actual = 2;
    packets[1].status = Status::CHECKSUM;
    let reply = Reply::Submit {
        seqnum: 7,
        endpoint: 0x87,
        status: Status::OK,
        actual: 2,
        data: b"xy".into(),
        packets,
    };
    let mut expected = Vec::new();
    put(&mut expected, &[3, 7, 0, 1, 7, 0, 2, 0, 2, 1, 0, 0]);
    expected.extend(b"xy");
    put(&mut expected, &[0, 1023, 2, 0, 1023, 1023, 0, 0xffff_ffac]);
    assert_eq!(written(&reply), expected);
}

proptest! {
    #[test]
    fn nothing_a_host_sends_breaks_us(bytes: Vec<u8>, command in 0..4u32) {
        let mut bytes = bytes;
        bytes.splice(..bytes.len().min(4), command.to_be_bytes());
        let _ = read(&bytes);
    }
}
