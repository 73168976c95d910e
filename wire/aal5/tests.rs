// SPDX-License-Identifier: GPL-2.0-only

use proptest::prelude::*;

use super::*;
use crate::cell::{Cell, Pti, Splitter, Stride, Vc, CELL_LEN};

const VC: Vc = Vc { vpi: 8, vci: 35 };

/// The CRC of I.363.5 as its text has it: one bit at a time.
fn crc_by_bits(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        for bit in (0..8).rev() {
            let carry = (crc >> 31) ^ u32::from(byte >> bit & 1);
            crc = (crc << 1) ^ (carry * 0x04c1_1db7);
        }
    }
    !crc
}

/// The cells of `sdu` as the text has them: a PDU in one piece, cut up.
fn cells_by_the_text(sdu: &[u8], padding: u8) -> Vec<u8> {
    let mut pdu = sdu.to_vec();
    pdu.resize(pdu_len(len(sdu)) - TRAILER_LEN, 0);
    pdu.extend([0, 0]);
    pdu.extend(len(sdu).to_be_bytes());
    pdu.extend(crc_by_bits(&pdu).to_be_bytes());
    let count = pdu.len() / 48;
    let cell = |(number, payload): (usize, &[u8])| {
        let end = u8::from(number + 1 == count);
        let mut cell = vec![0x00, 0x80, 0x02, 0x30 | end << 1, 0xec];
        cell.extend(payload);
        cell.resize(CELL_LEN + usize::from(padding), 0);
        cell
    };
    pdu.chunks(48).enumerate().flat_map(cell).collect()
}

/// The length of `sdu` as AAL5 has it.
fn len(sdu: &[u8]) -> u16 {
    u16::try_from(sdu.len()).unwrap()
}

/// The cells of `sdu`, written into buffers of `space` bytes at a time.
fn segment(sdu: &[u8], stride: Stride, space: usize) -> Vec<u8> {
    let mut segmenter = Segmenter::new(VC, sdu).unwrap();
    let mut bytes = Vec::new();
    while !segmenter.is_done() {
        let left = segmenter.cells_left();
        let mut buffer = vec![0xee; space];
        let written = segmenter.fill(&mut buffer, stride);
        assert_eq!(left - segmenter.cells_left(), written / stride.get());
        bytes.extend(&buffer[..written]);
    }
    bytes
}

type Outcome = Result<Option<Vec<u8>>, Error>;

fn push(reassembler: &mut Reassembler<Vec<u8>>, cell: Cell<'_>) -> Outcome {
    let pdu = reassembler.push(cell.header().pti, cell.payload())?;
    Ok(pdu.map(|pdu| pdu.sdu.to_vec()))
}

/// What the last of these cells brought; the ones before it bring nothing.
fn reassemble(reassembler: &mut Reassembler<Vec<u8>>, bytes: &[u8]) -> Outcome {
    let mut outcome = Ok(None);
    Splitter::new(Stride::PLAIN).push(bytes, |cell| {
        assert_eq!(outcome, Ok(None));
        outcome = push(reassembler, cell);
    });
    outcome
}

#[test]
fn lengths() {
    assert_eq!((pdu_len(1), cells(1)), (48, 1));
    assert_eq!((pdu_len(40), cells(40)), (48, 1));
    assert_eq!((pdu_len(41), cells(41)), (96, 2));
    assert_eq!((pdu_len(1500), cells(1500)), (1536, 32));
    assert_eq!(cells(MAX_SDU_LEN), 1366);
}

#[test]
fn empty_and_oversized_packets_are_refused() {
    assert!(Segmenter::new(VC, &[][..]).is_err());
    assert!(Segmenter::new(VC, vec![0; 65_536]).is_err());
    assert!(Segmenter::new(VC, vec![0; 65_535]).is_ok());
}

#[test]
fn one_cell_byte_by_byte() {
    let cell = segment(b"hello", Stride::PLAIN, CELL_LEN);
    // VPI 8, VCI 35, the end of a PDU, and the fixed HEC.
    assert_eq!(cell[..5], [0x00, 0x80, 0x02, 0x32, 0xec]);
    assert_eq!(cell[5..10], *b"hello");
    assert_eq!(cell[10..45], [0; 35]);
    assert_eq!(cell[45..49], [0, 0, 0, 5]);
    assert_eq!(cell[49..], crc_by_bits(&cell[5..49]).to_be_bytes());
}

#[test]
fn nothing_is_written_into_too_small_a_buffer() {
    let mut segmenter = Segmenter::new(VC, &b"hello"[..]).unwrap();
    assert_eq!(segmenter.fill(&mut [0; CELL_LEN - 1], Stride::PLAIN), 0);
    assert_eq!(segmenter.fill(&mut [0; CELL_LEN], Stride::new(1)), 0);
    assert!(!segmenter.is_done());
    assert_eq!(segmenter.fill(&mut [0; CELL_LEN], Stride::PLAIN), CELL_LEN);
    assert!(segmenter.is_done());
    assert_eq!(segmenter.fill(&mut [0; CELL_LEN], Stride::PLAIN), 0);
    assert_eq!(segmenter.into_sdu(), b"hello");
}

#[test]
fn a_single_cell_is_that_of_the_segmenter() {
    for stride in [Stride::PLAIN, Stride::new(11)] {
        for length in 1..=40 {
            let sdu = vec![0x5a; length];
            let mut buffer = [0xee; 100];
            let written = fill_single(VC, &sdu, &mut buffer, stride);
            assert_eq!(written, Some(stride.get()));
            assert_eq!(buffer[..stride.get()], segment(&sdu, stride, 1000));
            assert_eq!(buffer[stride.get()], 0xee);
        }
    }
    let mut buffer = [0xee; CELL_LEN];
    assert_eq!(fill_single(VC, &[], &mut buffer, Stride::PLAIN), None);
    assert_eq!(fill_single(VC, &[1; 41], &mut buffer, Stride::PLAIN), None);
    assert_eq!(fill_single(VC, &[1], &mut buffer, Stride::new(1)), None);
    assert_eq!(fill_single(VC, &[1], &mut buffer[1..], Stride::PLAIN), None);
    assert_eq!(buffer, [0xee; CELL_LEN]);
}

#[test]
fn a_single_cell_is_looked_at_where_it_is() {
    let mut reassembler = Reassembler::new(vec![0xee; 48]);
    let mut cell = segment(b"hello", Stride::PLAIN, CELL_LEN);
    let payload = |cell: &[u8]| <[u8; 48]>::try_from(&cell[5..]).unwrap();
    let whole = payload(&cell);
    let pdu = reassembler.push(Pti::UserEnd, &whole).unwrap().unwrap();
    assert_eq!((pdu.sdu, pdu.stray), (&b"hello"[..], 0));
    // Too long for one cell, aborted, and a wrong CRC: as for any other packet.
    for (len, error) in [
        ([1, 0], Error::Length),
        ([0, 41], Error::Length),
        ([0, 0], Error::Aborted),
        ([0, 6], Error::Crc),
    ] {
        cell[47..49].copy_from_slice(&len);
        let wrong = payload(&cell);
        assert_eq!(reassembler.push(Pti::UserEnd, &wrong), Err(error));
    }
    assert_eq!(reassembler.filled(), 0);
    assert_eq!(reassembler.into_buffer(), [0xee; 48]);
}

#[test]
fn a_lost_last_cell_costs_one_packet() {
    let mut reassembler = Reassembler::new(vec![0; pdu_len(400)]);
    let first = segment(&[1; 100], Stride::PLAIN, 1000);
    let second = segment(&[2; 100], Stride::PLAIN, 1000);
    assert_eq!(
        reassemble(&mut reassembler, &first[..2 * CELL_LEN]),
        Ok(None)
    );
    let mut stray = 0;
    Splitter::new(Stride::PLAIN).push(&second, |cell| {
        let pdu = reassembler.push(cell.header().pti, cell.payload());
        if let Some(pdu) = pdu.unwrap() {
            assert_eq!(pdu.sdu, [2; 100]);
            stray = pdu.stray;
        }
    });
    assert_eq!(stray, 96);
}

#[test]
fn a_lost_middle_cell_costs_one_packet() {
    let mut reassembler = Reassembler::new(vec![0; pdu_len(100)]);
    let mut bytes = segment(&[1; 100], Stride::PLAIN, 1000);
    bytes.drain(CELL_LEN..2 * CELL_LEN);
    assert_eq!(reassemble(&mut reassembler, &bytes), Err(Error::Length));
    let bytes = segment(&[2; 100], Stride::PLAIN, 1000);
    assert_eq!(reassemble(&mut reassembler, &bytes), Ok(Some(vec![2; 100])));
}

#[test]
fn an_overrun_goes_on_with_its_cell() {
    let mut reassembler = Reassembler::new(vec![0; 2 * 48]);
    let payload = [7; 48];
    assert_eq!(reassembler.push(Pti::User, &payload), Ok(None));
    assert_eq!(reassembler.push(Pti::User, &payload), Ok(None));
    assert_eq!(reassembler.push(Pti::User, &payload), Err(Error::Overrun));
    assert_eq!(reassembler.filled(), 48);
    // A packet that fits comes through behind it all, and tells of the loss.
    let cell = segment(b"hello", Stride::PLAIN, CELL_LEN);
    let pdu = reassembler.push(Pti::UserEnd, cell[5..].try_into().unwrap());
    let pdu = pdu.unwrap().unwrap();
    assert_eq!((pdu.sdu, pdu.stray), (&b"hello"[..], 3 * 48));
}

#[test]
fn an_overlong_packet_is_told_of_once() {
    for cells in [3, 4, 9] {
        let mut reassembler = Reassembler::new(vec![0; 2 * 48]);
        let told = (1..=cells)
            .map(|cell| {
                if cell == cells {
                    Pti::UserEnd
                } else {
                    Pti::User
                }
            })
            .filter(|pti| reassembler.push(*pti, &[7; 48]).is_err())
            .count();
        assert_eq!(told, 1, "of {cells} cells");
        assert_eq!(reassembler.filled(), 0);
    }
}

#[test]
fn a_buffer_too_small_for_a_cell_keeps_nothing() {
    let mut reassembler = Reassembler::new(vec![0; 47]);
    for pti in [Pti::User, Pti::UserEnd, Pti::UserEnd] {
        assert_eq!(reassembler.push(pti, &[0; 48]), Err(Error::Overrun));
        assert_eq!(reassembler.filled(), 0);
    }
    assert_eq!(reassembler.into_buffer().len(), 47);
}

#[test]
fn length_zero_aborts() {
    let mut reassembler = Reassembler::new(vec![0; 480]);
    assert_eq!(reassembler.push(Pti::User, &[9; 48]), Ok(None));
    assert_eq!(
        reassembler.push(Pti::UserEnd, &[0; 48]),
        Err(Error::Aborted)
    );
    assert_eq!(reassembler.filled(), 0);
}

#[test]
fn other_cells_leave_a_packet_alone() {
    let mut reassembler = Reassembler::new(vec![0; 480]);
    let bytes = segment(&[3; 60], Stride::PLAIN, 1000);
    let (first, second) = bytes.split_at(CELL_LEN);
    assert_eq!(reassemble(&mut reassembler, first), Ok(None));
    for pti in [4, 5, 6, 7].map(Pti::from_bits) {
        assert_eq!(reassembler.push(pti, &[0xff; 48]), Err(Error::NotUser(pti)));
    }
    assert_eq!(reassemble(&mut reassembler, second), Ok(Some(vec![3; 60])));
}

#[test]
fn reset_starts_over() {
    let mut reassembler = Reassembler::new(vec![0; 96]);
    assert_eq!(reassembler.push(Pti::User, &[1; 48]), Ok(None));
    reassembler.reset();
    assert_eq!(reassembler.filled(), 0);
}

proptest! {
    #[test]
    fn the_tables_are_the_polynomial(
        bytes in prop::collection::vec(any::<u8>(), 0..400), cut: prop::sample::Index
    ) {
        let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
        let mut crc = Crc::default();
        crc.update(head);
        crc.update(tail);
        prop_assert_eq!(crc.value(), crc_by_bits(&bytes));
        prop_assert!(!crc.is_good());
        crc.update(&crc.value().to_be_bytes());
        prop_assert!(crc.is_good());
    }

    #[test]
    fn trailers_survive(bytes: [u8; TRAILER_LEN]) {
        prop_assert_eq!(Trailer::from_bytes(bytes).to_bytes(), bytes);
    }

    #[test]
    fn packets_survive(
        sdu in prop::collection::vec(any::<u8>(), 1..5000), padding: u8, space in 310..4000usize
    ) {
        let stride = Stride::new(padding);
        let bytes = segment(&sdu, stride, space);
        prop_assert_eq!(bytes.len(), cells(len(&sdu)) * stride.get());
        let mut reassembler = Reassembler::new(vec![0; pdu_len(len(&sdu))]);
        let mut got = None;
        Splitter::new(stride).push(&bytes, |cell| {
            assert_eq!(cell.header().vc, VC);
            assert_eq!(got, None);
            got = push(&mut reassembler, cell).unwrap();
        });
        prop_assert_eq!(got, Some(sdu));
        for slot in bytes.chunks(stride.get()) {
            prop_assert!(slot[CELL_LEN..].iter().all(|&b| b == 0));
        }
    }

    #[test]
    fn cells_are_those_of_the_text(
        sdu in prop::collection::vec(any::<u8>(), 1..500), padding: u8, space in 310..4000usize
    ) {
        let cells = segment(&sdu, Stride::new(padding), space);
        prop_assert_eq!(cells, cells_by_the_text(&sdu, padding));
    }

    #[test]
    fn a_wrong_bit_is_found(
        sdu in prop::collection::vec(any::<u8>(), 1..500), bit: prop::sample::Index
    ) {
        let mut bytes = segment(&sdu, Stride::PLAIN, 2000);
        let bit = bit.index(cells(len(&sdu)) * 48 * 8);
        bytes[bit / 384 * CELL_LEN + 5 + bit % 384 / 8] ^= 1 << (bit % 8);
        let mut reassembler = Reassembler::new(vec![0; pdu_len(len(&sdu))]);
        let outcome = reassemble(&mut reassembler, &bytes);
        prop_assert!(outcome.is_err(), "{:?}", outcome);
    }

    #[test]
    fn nothing_a_peer_sends_breaks_us(
        cells in prop::collection::vec((0..8u8, any::<[u8; 8]>()), 0..100), space in 0..1000usize
    ) {
        let mut reassembler = Reassembler::new(vec![0; space]);
        for (pti, end) in cells {
            let mut payload = [0; 48];
            payload[40..].copy_from_slice(&end);
            let _ = reassembler.push(Pti::from_bits(pti), &payload);
            prop_assert!(reassembler.filled() <= space);
            prop_assert_eq!(reassembler.filled() % 48, 0);
        }
    }
}
