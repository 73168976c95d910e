// SPDX-License-Identifier: GPL-2.0-only

use proptest::prelude::*;

use super::*;

#[test]
fn requests_byte_by_byte() {
    assert_eq!(STATUS_7.to_bytes(), [0xc0, 0x12, 7, 0, 0, 0, 1, 0]);
    assert_eq!(STATUS_B.to_bytes(), [0xc0, 0x12, 0xb, 0, 0, 0, 8, 0]);
    assert_eq!(STATUS_D.to_bytes(), [0xc0, 0x12, 0xd, 0, 0, 0, 4, 0]);
    assert_eq!(STATUS_E.to_bytes(), [0xc0, 0x01, 0xe, 0, 0, 0, 1, 0]);
    assert_eq!(STATUS_F.to_bytes(), [0xc0, 0x01, 0xf, 0, 0, 0, 1, 0]);
    assert_eq!(START_SYNCHRO.to_bytes(), [0xc0, 0x12, 4, 0, 0, 0, 2, 0]);
    assert_eq!(
        sw_buffering(true).to_bytes(),
        [0x40, 0x32, 1, 0, 0, 0, 0, 0]
    );
    assert_eq!(
        sw_buffering(false).to_bytes(),
        [0x40, 0x32, 0, 0, 0, 0, 0, 0]
    );
    assert!(STATUS.iter().all(|setup| setup.is_in()));
    assert!(!sw_buffering(true).is_in());
}

#[test]
fn the_start_up_sequence() {
    let steps = StartUp::default().steps();
    let values = steps.map(|step| step.setup.value);
    assert_eq!(values, [0x0b, 0x02, 0x03, 0x04, 0x11, 0x14, 0x12]);
    for step in &steps {
        let Setup {
            request_type,
            request,
            index,
            length,
            ..
        } = step.setup;
        assert_eq!((request_type, request, index), (0x40, 0x01, 0));
        assert_eq!(step.data().len(), usize::from(length));
    }
    assert_eq!(steps[0].data(), [0x1c, 0x50]);
    assert_eq!(steps[4].data(), [11]);
    assert_eq!(steps[5].data()[..5], [0x10, 0, 0, 0, 0x20]);
    assert_eq!(steps[5].data().len(), 16);
    assert_eq!(steps[6].data(), [0xc0, 0x1f]);
}

#[test]
fn line_states() {
    assert_eq!(LineState::from_byte(0x20), LineState::Up);
    assert_eq!(LineState::from_byte(0x21), LineState::Unknown(0x21));
    for byte in 0..=u8::MAX {
        assert_eq!(LineState::from_byte(byte).to_byte(), byte);
    }
}

#[test]
fn rates_in_either_half() {
    let rates = Rates {
        down: 8128,
        up: 864,
    };
    assert_eq!(Rates::from_bytes(rates.to_bytes()), rates);
    assert_eq!(rates.cells_down(), 19_169);
    let high = Rates {
        down: 8128 << 16,
        up: 864 << 16,
    };
    assert_eq!(Rates::from_bytes(high.to_bytes()), rates);
    let one_low = Rates {
        down: 8128 << 16,
        up: 1,
    };
    assert_eq!(Rates::from_bytes(one_low.to_bytes()), one_low);
    let status = Status::from_bytes(0x20, rates.to_bytes());
    assert_eq!((status.line, status.rates), (LineState::Up, rates));
}

#[test]
fn interrupt_packets() {
    for event in [LineEvent::GoesUp, LineEvent::GoesDown] {
        let packet = event.to_packet();
        assert_eq!(LineEvent::from_packet(&packet), Some(event));
        assert_eq!(LineEvent::from_packet(&packet[..5]), None);
        assert_eq!(LineEvent::from_packet(&[&packet[..], &[0]].concat()), None);
    }
    assert_eq!(LineEvent::from_packet(&[0xa1, 0, 2, 0, 0, 0]), None);
    assert_eq!(LineEvent::from_packet(&[]), None);
}

proptest! {
    #[test]
    fn setups_survive(bytes: [u8; 8]) {
        prop_assert_eq!(Setup::from_bytes(bytes).to_bytes(), bytes);
    }

    #[test]
    fn no_rate_overflows(bytes: [u8; 8]) {
        let rates = Rates::from_bytes(bytes);
        prop_assert!(u64::from(rates.cells_down()) <= u64::from(rates.down) * 1000 / 424);
    }

    #[test]
    fn mac_addresses_survive(mac: [u8; 6]) {
        let serial: String = mac.iter().map(|byte| format!("{byte:02X}")).collect();
        prop_assert_eq!(mac_from_serial(serial.as_bytes()), Some(mac));
    }

    #[test]
    fn any_serial_is_survived(serial: Vec<u8>) {
        let mac = mac_from_serial(&serial);
        let hex = serial.len() == 12 && serial.iter().all(u8::is_ascii_hexdigit);
        prop_assert_eq!(mac.is_some(), hex);
    }
}
