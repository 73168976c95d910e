// SPDX-License-Identifier: GPL-2.0-only

use proptest::prelude::*;

use super::*;

fn header() -> impl Strategy<Value = Header> {
    (any::<u8>(), any::<u16>(), 0..8u8, any::<bool>()).prop_map(|(vpi, vci, pti, clp)| Header {
        gfc: 0,
        vc: Vc { vpi, vci },
        pti: Pti::from_bits(pti),
        clp,
    })
}

/// Cells on their way through `stride`, each with its number in its payload
/// and padding that is not 0.
fn stream(count: u8, stride: Stride) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..count {
        let header = Header::new(Vc { vpi: 1, vci: 32 }, Pti::User);
        bytes.extend(header.to_bytes());
        bytes.extend([number; PAYLOAD_LEN]);
        bytes.resize(usize::from(number + 1) * stride.get(), 0xee);
    }
    bytes
}

#[test]
fn fields_are_where_i361_has_them() {
    let header = Header::from_bytes([0xa1, 0x23, 0x45, 0x67, 0x00]);
    assert_eq!(header.gfc(), 0xa);
    assert_eq!(
        header.vc,
        Vc {
            vpi: 0x12,
            vci: 0x3456
        }
    );
    assert_eq!(header.pti, Pti::UserCongestedEnd);
    assert!(header.clp);
}

#[test]
fn hec_of_the_idle_and_unassigned_cells() {
    // ITU-T I.432.1: idle cells have CLP set and a HEC of 0x52, unassigned ones
    // have neither.
    let vc = Vc { vpi: 0, vci: 0 };
    let mut header = Header::new(vc, Pti::User);
    assert_eq!(header.hec(), 0x55);
    header.clp = true;
    assert_eq!(header.hec(), 0x52);
}

#[test]
fn payload_types() {
    for bits in 0..=u8::MAX {
        let pti = Pti::from_bits(bits);
        assert_eq!(pti as u8, bits & 7);
        assert_eq!(pti.is_user(), bits & 4 == 0);
        assert_eq!(pti.is_end(), bits & 5 == 1);
    }
}

#[test]
fn a_cell_does_not_wait_for_its_padding() {
    let stride = Stride::new(11);
    let bytes = stream(1, stride);
    let mut splitter = Splitter::new(stride);
    let mut cells = 0;
    splitter.push(&bytes[..52], |_| cells += 1);
    assert_eq!((cells, splitter.pending()), (0, 52));
    let mut cells = 0;
    splitter.push(&bytes[52..53], |_| cells += 1);
    assert_eq!((cells, splitter.pending()), (1, 53));
    splitter.push(&bytes[53..], |_| panic!("a cell out of padding"));
    assert_eq!(splitter.pending(), 0);
}

#[test]
fn reset_forgets_half_a_cell() {
    let bytes = stream(2, Stride::PLAIN);
    let mut splitter = Splitter::new(Stride::PLAIN);
    splitter.push(&bytes[..20], |_| panic!("half a cell"));
    splitter.reset();
    let mut numbers = Vec::new();
    splitter.push(&bytes[CELL_LEN..], |cell| numbers.push(cell.payload()[0]));
    assert_eq!(numbers, [1]);
}

proptest! {
    #[test]
    fn headers_survive(header in header()) {
        prop_assert_eq!(Header::from_bytes(header.to_bytes()), header);
    }

    #[test]
    fn any_bytes_are_a_header(bytes: [u8; HEADER_LEN]) {
        let header = Header::from_bytes(bytes);
        prop_assert_eq!(&header.pack()[..], &bytes[..4]);
    }

    #[test]
    fn hec_finds_any_wrong_bit(header in header(), bit in 0..32usize) {
        let mut bytes = header.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(Header::from_bytes(bytes).hec(), header.hec());
    }

    #[test]
    fn cells_come_through_however_they_are_cut(
        padding: u8, count in 0..20u8, cuts in prop::collection::vec(1..200usize, 1..40)
    ) {
        let stride = Stride::new(padding);
        let bytes = stream(count, stride);
        let mut splitter = Splitter::new(stride);
        let mut numbers = Vec::new();
        let (mut rest, mut cut) = (&bytes[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let len = rest.len().min(*cut.next().unwrap());
            splitter.push(&rest[..len], |cell| {
                assert_eq!(cell.header().vc, Vc { vpi: 1, vci: 32 });
                assert!(cell.payload().iter().all(|&b| b == cell.payload()[0]));
                numbers.push(cell.payload()[0]);
            });
            rest = &rest[len..];
        }
        prop_assert_eq!(numbers, (0..count).collect::<Vec<_>>());
        prop_assert_eq!(splitter.pending(), 0);
    }

    #[test]
    fn fit_is_whole_cells(padding: u8, len in 0..100_000usize) {
        let stride = Stride::new(padding);
        let fit = stride.fit(len);
        prop_assert!(fit <= len && len - fit < stride.get() && fit % stride.get() == 0);
    }
}
