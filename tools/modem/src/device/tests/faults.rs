// SPDX-License-Identifier: GPL-2.0-only

//! Each fault, and nothing but it.

use super::*;
use crate::firmware::Stage;
use crate::lies::{Answer, Failure};

/// Uploads until a transfer isn't answered; says whether one wasn't.
fn upload_until_stuck(host: &mut Host) -> bool {
    for stage in [STAGE_1, STAGE_2] {
        for chunk in stage.chunks(4096) {
            host.send(FIRMWARE_OUT, chunk);
            host.sleep(Duration::from_secs(60));
            if host.got.pop_front().is_none() {
                return true;
            }
        }
        host.receive(FIRMWARE_IN, 512);
        host.sleep(Duration::from_millis(500));
        if host.got.pop_front().is_none() {
            return true;
        }
    }
    false
}

#[test]
fn unplug_at_any_byte() {
    let total = STAGE_1.len() + STAGE_2.len();
    for at in [0, 1, 934, 935, 936, 5031, 5032, total - 1, total] {
        let mut host = Host::new(options().fault(Fault::UnplugAt(at)));
        assert!(upload_until_stuck(&mut host));
        assert_eq!(host.device.progress().total(), at);
        let why = Why::Fault;
        assert!(host.noted(|what| *what == What::Unplugged { why, error: None }));
        assert!(host.device.is_gone());
    }
    let mut host = Host::new(options().fault(Fault::UnplugAt(total + 1)));
    assert!(!upload_until_stuck(&mut host));
}

#[test]
fn unplugged_when_the_byte_is_over_the_bus() {
    let mut host = Host::new(options().fault(Fault::UnplugAt(608)));
    host.send(FIRMWARE_OUT, STAGE_1);
    assert_eq!(host.device.deadline(), Some(host.t0 + micros(500)));
    host.sleep(micros(500));
    assert!(host.device.is_gone());
}

#[test]
fn stop_taking_at_any_byte() {
    for at in [0, 1, 934, 935, 936, 5031, 5032, 10_934] {
        let mut host = Host::new(options().fault(Fault::StopTakingAt(at)));
        assert!(upload_until_stuck(&mut host));
        assert_eq!(host.device.progress().total(), at);
        let endpoint = FIRMWARE_OUT;
        assert!(host.noted(|what| *what == What::Stuck { endpoint }));
        // The host can give up, and the modem is still there.
        let unlink = host.unlink(host.seqnum);
        assert_eq!(host.wait().1, Got::Unlink(unlink, -104));
        assert_eq!(host.device.progress().total(), at);
        assert!(!host.device.is_gone());
    }
}

#[test]
fn a_block_behind_stuck_firmware_goes_on_when_that_is_cancelled() {
    let mut host = Host::new(options().fault(Fault::StopTakingAt(400)));
    let stuck = host.send(FIRMWARE_OUT, STAGE_1);
    let block = host.receive(FIRMWARE_IN, 512);
    host.sleep(Duration::from_secs(1));
    assert!(host.got.is_empty());
    let unlink = host.unlink(stuck);
    assert_eq!(host.wait().1, Got::Unlink(unlink, -104));
    // So little of it is not what was expected.
    assert_eq!(host.wait_for(block), Err(-32));
}

#[test]
fn the_nearer_of_two_limits_counts() {
    let faults = [Fault::UnplugAt(500), Fault::StopTakingAt(400)];
    for order in [faults, [faults[1], faults[0]]] {
        let options = options().fault(order[0]).fault(order[1]);
        let mut host = Host::new(options);
        assert!(upload_until_stuck(&mut host));
        assert_eq!(host.device.progress().total(), 400);
        assert!(!host.device.is_gone());
    }
}

#[test]
fn slow_is_slow_but_leaves_the_bus_to_others() {
    let bus = Bus::full_speed();
    let mut host = Host::new(options().bus(bus.clone()).fault(Fault::Slow(935)));
    let seqnum = host.send(FIRMWARE_OUT, STAGE_1);
    let (free, _) = bus.reserve(host.now, 0);
    assert!(free - host.now < Duration::from_millis(1));
    host.wait_for(seqnum).unwrap();
    assert_eq!(host.now - host.t0, Duration::from_secs(1));
}

#[test]
fn silent_blocks() {
    for (stage, blocks) in [(Stage::One, 0), (Stage::Two, 1)] {
        let mut host = Host::new(options().fault(Fault::SilentBlock(stage)));
        assert!(upload_until_stuck(&mut host));
        let read = host.device.notes.iter();
        let read = read.filter(|(_, what)| *what == What::BlockRead).count();
        assert_eq!(read, blocks);
    }
}

#[test]
fn silence_after_the_boot() {
    let step = StartUp::DEFAULT.steps()[0];
    let mut host = Host::running(options().fault(Fault::SilentStartUp));
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Ok(vec![0]));
    let silent = host.submit(0, 2, &step.setup.to_bytes(), step.data());
    host.sleep(Duration::from_secs(2));
    assert!(host.got.is_empty());
    // The host goes on after its limit.
    let unlink = host.unlink(silent);
    assert_eq!(host.wait().1, Got::Unlink(unlink, -104));
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Ok(vec![0]));

    let mut host = Host::running(options().fault(Fault::SilentStatus));
    let sent = host.control(&step.setup.to_bytes(), step.data());
    assert_eq!(sent, Ok(vec![]));
    host.submit(0x80, 1, &STATUS_7.to_bytes(), &[]);
    host.sleep(Duration::from_secs(2));
    assert!(host.got.is_empty());
}

#[test]
fn silence_when_a_setting_is_selected() {
    let mut host = Host::new(options().running().fault(Fault::SilentSelect));
    let select = |setting| [0x01, 11, setting, 0, INTERFACE_DATA, 0, 0, 0];
    assert_eq!(host.control(&select(0), &[]), Ok(vec![]));
    let silent = host.submit(0, 2, &select(ALTSETTING_BULK), &[]);
    host.sleep(Duration::from_secs(2));
    assert!(host.got.is_empty());
    let unlink = host.unlink(silent);
    assert_eq!(host.wait().1, Got::Unlink(unlink, -104));
    assert_eq!(host.device.settings[usize::from(INTERFACE_DATA)], 0);
}

#[test]
fn a_setting_that_is_refused() {
    let mut host = Host::new(options().running().fault(Fault::RefusesSetting(2)));
    let select = |setting| [0x01, 11, setting, 0, INTERFACE_DATA, 0, 0, 0];
    assert_eq!(host.control(&select(1), &[]), Ok(vec![]));
    assert_eq!(host.control(&select(2), &[]), Err(-32));
    assert_eq!(host.device.settings[usize::from(INTERFACE_DATA)], 1);
}

#[test]
fn no_line() {
    let mut host = Host::running(options().fault(Fault::NoLine));
    host.line_up();
    host.sleep(Duration::from_secs(1000));
    let training = LineState::Synchronising.to_byte();
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Ok(vec![training]));
}

#[test]
fn one_transfer_of_many() {
    let fates = [
        (Fate::Fail(Failure::NoAnswer), Err(-71)),
        (Fate::Fail(Failure::Checksum), Err(-84)),
    ];
    for (fate, expected) in fates {
        // The first one configures the modem.
        let mut host = Host::new(options().running().fault(Fault::AtUrb(3, fate)));
        let mut ask = || host.control(&STATUS_7.to_bytes(), &[]);
        assert_eq!([ask(), ask(), ask()], [Ok(vec![0]), expected, Ok(vec![0])]);
    }
    let mut host = Host::new(options().running().fault(Fault::AtUrb(2, Fate::Silence)));
    let silent = host.submit(0x80, 1, &STATUS_7.to_bytes(), &[]);
    // It holds up nobody else.
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Ok(vec![0]));
    let unlink = host.unlink(silent);
    assert_eq!(host.wait().1, Got::Unlink(unlink, -104));

    let mut host = Host::new(options().running().fault(Fault::AtUrb(2, Fate::Unplug)));
    host.submit(0x80, 1, &STATUS_7.to_bytes(), &[]);
    assert!(host.device.is_gone() && host.got.is_empty());
}

#[test]
fn special_answers() {
    let with = |answer| Host::running(options().fault(Fault::Answers(STATUS_B, answer)));
    let ask = |host: &mut Host| host.control(&STATUS_B.to_bytes(), &[]);
    assert_eq!(ask(&mut with(Answer::Bytes(3, 0xff))), Ok(vec![0xff; 3]));
    assert_eq!(ask(&mut with(Answer::Bytes(99, 0xff))), Ok(vec![0xff; 8]));
    assert_eq!(ask(&mut with(Answer::Fail(Failure::Babble))), Err(-75));
    // The others are as they were.
    let mut host = with(Answer::Silence);
    assert_eq!(host.control(&STATUS_7.to_bytes(), &[]), Ok(vec![0]));
    host.submit(0x80, 8, &STATUS_B.to_bytes(), &[]);
    assert!(host.got.is_empty());
}

#[test]
fn a_late_answer_meets_the_cancellation() {
    let late = Fault::Answers(STATUS_7, Answer::Late);
    let mut host = Host::running(options().fault(late));
    let asked = host.submit(0x80, 1, &STATUS_7.to_bytes(), &[]);
    let behind = host.submit(0x80, 8, &STATUS_B.to_bytes(), &[]);
    host.sleep(Duration::from_secs(10));
    assert!(host.got.is_empty());
    let unlink = host.unlink(asked);
    assert_eq!(host.wait_for(asked), Ok(vec![LineState::Down.to_byte()]));
    assert_eq!(host.wait().1, Got::Unlink(unlink, 0));
    // The endpoint goes on with what waited.
    assert_eq!(host.wait_for(behind), Ok(vec![0; 8]));
    // One that has only waited behind it has no answer to come.
    let asked = host.submit(0x80, 1, &STATUS_7.to_bytes(), &[]);
    let behind = host.submit(0x80, 1, &STATUS_7.to_bytes(), &[]);
    let unlink = host.unlink(behind);
    assert_eq!(host.wait().1, Got::Unlink(unlink, -104));
    host.unlink(asked);
    assert_eq!(host.wait_for(asked), Ok(vec![LineState::Down.to_byte()]));
}

#[test]
fn says_what_it_likes() {
    let mut host = Host::running(options());
    let first = host.receive(INTERRUPT_IN, 16);
    assert!(host.got.is_empty());
    let packet = Said::Bytes(vec![9; 5]);
    let said = vec![
        packet.clone(),
        Said::Fail(Failure::NoAnswer),
        Said::Halt,
        packet,
    ];
    host.device.say(host.now, INTERRUPT_IN, said);
    host.collect();
    assert_eq!(host.wait_for(first), Ok(vec![9; 5]));
    let mut next = || {
        let seqnum = host.receive(INTERRUPT_IN, 16);
        host.wait_for(seqnum)
    };
    assert_eq!([next(), next(), next()], [Err(-71), Err(-32), Err(-32)]);
    assert_eq!(host.device.unheard(), 1);
    let clear = [0x02, 1, 0, 0, INTERRUPT_IN, 0, 0, 0];
    assert_eq!(host.control(&clear, &[]), Ok(vec![]));
    let seqnum = host.receive(INTERRUPT_IN, 16);
    assert_eq!(host.wait_for(seqnum), Ok(vec![9; 5]));
}

#[test]
fn another_device_after_a_reset() {
    let mut host = Host::new(options().fault(Fault::OtherAfterReset));
    let mut device = || host.control(&[0x80, 6, 0, 1, 0, 0, 64, 0], &[]).unwrap();
    assert_eq!(device()[12..14], [0x00, 0x05]);
}
