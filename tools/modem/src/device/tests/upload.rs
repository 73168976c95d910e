// SPDX-License-Identifier: GPL-2.0-only

//! The firmware's way in, and what becomes of hosts that do it wrong.

use super::*;

#[test]
fn an_upload_takes_as_long_as_the_bus_does() {
    let mut host = Host::new(options());
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Err(-32));
    host.upload();
    let bytes = STAGE_1.len() + STAGE_2.len() + 2 * 512;
    let least = micros(bytes as u64 * 1000 / 1216);
    let took = host.now - host.t0;
    assert!(took >= least && took < least + micros(1), "{took:?}");
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Err(-32));
    host.sleep(Duration::from_millis(900));
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Ok(vec![0]));
    assert!(host.noted(|what| *what == What::Booted));
}

#[test]
fn queued_transfers_do_not_wait_for_a_late_wake_up() {
    let mut host = Host::new(options());
    for chunk in STAGE_1.chunks(93) {
        host.send(FIRMWARE_OUT, chunk);
    }
    let block = host.receive(FIRMWARE_IN, 512);
    // The emulator sleeps over all of it, and wakes up when all has happened.
    host.now += Duration::from_secs(1);
    host.device.poll(host.now);
    host.collect();
    for seqnum in 2..block {
        assert_eq!(host.wait_for(seqnum), Ok(vec![]));
    }
    assert_eq!(host.wait_for(block).unwrap().len(), 512);
    let mut read = host.device.notes.iter();
    let read = read.rfind(|(_, what)| *what == What::BlockRead).unwrap();
    let took = read.0 - host.t0;
    assert!(took <= micros((935 + 512) * 1000 / 1216 + 1), "{took:?}");
}

#[test]
fn wrong_firmware_is_refused() {
    let mut host = Host::new(options());
    let seqnum = host.send(FIRMWARE_OUT, &[7; 935]);
    host.wait_for(seqnum).unwrap();
    let block = host.receive(FIRMWARE_IN, 512);
    assert_eq!(host.wait_for(block), Err(-32));
    assert!(host.noted(|what| matches!(what, What::StageDone { good: false, .. })));
    // Clearing the halt does not help.
    let clear = [0x02, 1, 0, 0, FIRMWARE_IN, 0, 0, 0];
    host.control(&clear, &[]).unwrap();
    let block = host.receive(FIRMWARE_IN, 512);
    assert_eq!(host.wait_for(block), Err(-32));
    let seqnum = host.send(FIRMWARE_OUT, STAGE_1);
    assert_eq!(host.wait_for(seqnum), Err(-32));
}

#[test]
fn firmware_that_nobody_described_is_taken() {
    let mut host = Host::new(Options::new());
    host.upload();
    let taken = |what: &What| {
        matches!(
            what,
            What::StageDone {
                bytes: 10_000,
                good: true,
                ..
            }
        )
    };
    assert!(host.noted(taken));
}

#[test]
fn a_reset_starts_the_loader_over() {
    let mut host = Host::new(options());
    let seqnum = host.send(FIRMWARE_OUT, &[7; 100]);
    host.wait_for(seqnum).unwrap();
    // The host enumerates the modem anew, and configures it.
    host.control(&[0x80, 6, 0, 1, 0, 0, 64, 0], &[]).unwrap();
    assert_eq!(host.device.progress(), Progress::default());
    let seqnum = host.send(FIRMWARE_OUT, STAGE_1);
    assert_eq!(host.wait_for(seqnum), Err(-71));
    host.control(&[0x00, 9, 1, 0, 0, 0, 0, 0], &[]).unwrap();
    host.upload();
    assert!(host.noted(|what| *what == What::Reset));
}

#[test]
fn a_block_waits_for_the_firmware_before_it() {
    let mut host = Host::new(options());
    let sent = host.send(FIRMWARE_OUT, STAGE_1);
    let block = host.receive(FIRMWARE_IN, 512);
    assert_eq!(host.wait_for(sent), Ok(vec![]));
    assert_eq!(host.wait_for(block).unwrap().len(), 512);
}

#[test]
fn what_comes_out_of_order_is_refused() {
    // The second stage's block, before the stage.
    let mut host = Host::new(options());
    let seqnum = host.send(FIRMWARE_OUT, STAGE_1);
    host.wait_for(seqnum).unwrap();
    let block = host.receive(FIRMWARE_IN, 512);
    host.wait_for(block).unwrap();
    let block = host.receive(FIRMWARE_IN, 512);
    assert_eq!(host.wait_for(block), Err(-32));
    // Cells and firmware, while it boots.
    let mut host = Host::new(options());
    host.select(ALTSETTING_BULK);
    host.upload();
    let seqnum = host.send(FIRMWARE_OUT, STAGE_1);
    assert_eq!(host.wait_for(seqnum), Err(-32));
    let seqnum = host.send(DATA_OUT, &cells(1));
    assert_eq!(host.wait_for(seqnum), Err(-32));
    assert!(host.noted(|what| *what == What::Stalled { endpoint: DATA_OUT }));
}

#[test]
fn unknown_requests_are_refused() {
    let mut host = Host::running(options());
    let too_long = [0x40, 1, 0x0b, 0, 0, 0, 3, 0];
    assert_eq!(host.control(&too_long, &[1, 2, 3]), Err(-32));
    assert_eq!(
        host.control(&[0x40, 1, 0x05, 0, 0, 0, 1, 0], &[1]),
        Err(-32)
    );
    assert_eq!(host.control(&[0xc0, 0x12, 9, 0, 0, 0, 1, 0], &[]), Err(-32));
    let buffering = [0x40, 0x32, 1, 0, 0, 0, 0, 0];
    assert_eq!(host.control(&buffering, &[]), Ok(vec![]));
}

#[test]
fn a_modem_may_want_a_read_before_it_takes_firmware() {
    let mut host = Host::new(options().fault(Fault::WantsRead));
    let seqnum = host.send(FIRMWARE_OUT, STAGE_1);
    assert_eq!(host.wait_for(seqnum), Err(-32));
    let clear = [0x02, 1, 0, 0, FIRMWARE_OUT, 0, 0, 0];
    host.control(&clear, &[]).unwrap();
    let seqnum = host.receive(FIRMWARE_IN, 512);
    assert_eq!(host.wait_for(seqnum).unwrap().len(), 512);
    host.upload();
}

#[test]
fn peaks_are_remembered() {
    let mut host = Host::new(options());
    let sent = [100, 300, 200].map(|length| host.send(FIRMWARE_OUT, &vec![1; length]));
    for seqnum in sent {
        host.wait_for(seqnum).unwrap();
    }
    let expected = Peak {
        transfers: 3,
        bytes: 300,
    };
    assert_eq!(host.device.peaks[&FIRMWARE_OUT], expected);
}
