// SPDX-License-Identifier: GPL-2.0-only

//! The three rules that the host counts on, whatever it does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Submit(u8, usize),
    /// Cancels one of the transfers so far, ended or not.
    Unlink(prop::sample::Index),
    /// Lets time pass; the device may find out only later.
    Sleep(u64, bool),
    DropLine,
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    let endpoints = &[0x00, 0x80, 0x81, 0x05, 0x85, 0x06, 0x07, 0x87, 0x88];
    let transfer = (prop::sample::select(endpoints), 0..5000usize);
    let sleep = (0..3000u64, any::<bool>());
    prop_oneof![
        8 => transfer.prop_map(|(endpoint, length)| Step::Submit(endpoint, length)),
        5 => any::<prop::sample::Index>().prop_map(Step::Unlink),
        5 => sleep.prop_map(|(micros, seen)| Step::Sleep(micros, seen)),
        1 => Just(Step::DropLine),
        1 => Just(Step::Reset),
    ]
}

/// What the host knows of a transfer.
#[derive(Debug, Default)]
struct Transfer {
    answered: bool,
    /// The cancellation that has not been answered.
    unlink: Option<u32>,
}

#[derive(Debug, Default)]
struct Rules {
    transfers: BTreeMap<u32, Transfer>,
}

impl Rules {
    fn check(&mut self, got: Got) {
        match got {
            Got::Transfer(seqnum, ..) | Got::Packets(seqnum, ..) => {
                let transfer = self.transfers.get_mut(&seqnum).expect("never submitted");
                assert!(!transfer.answered, "{seqnum} answered twice");
                transfer.answered = true;
            }
            Got::Unlink(seqnum, status) => {
                let mut all = self.transfers.values_mut();
                let transfer = all.find(|transfer| transfer.unlink == Some(seqnum));
                let transfer = transfer.expect("never cancelled");
                // Cancelled means not answered; not cancelled, answered before.
                assert!(matches!(status, 0 | -104));
                assert_eq!(transfer.answered, status == 0, "{seqnum}");
                transfer.answered = true;
                transfer.unlink = None;
            }
        }
    }
}

impl Host {
    /// Does a step, and tells the rules of what is to be answered.
    fn step(&mut self, step: Step, rules: &mut Rules) {
        let next = self.seqnum + 1;
        match step {
            Step::Submit(endpoint, length) => {
                rules.transfers.insert(next, Transfer::default());
                let data = vec![0; if endpoint & 0x80 == 0 { length } else { 0 }];
                self.submit(endpoint, length, &STATUS_7.to_bytes(), &data);
            }
            Step::Unlink(index) if !rules.transfers.is_empty() => {
                let all: Vec<_> = rules.transfers.iter_mut().collect();
                let at = index.index(all.len());
                let (&victim, transfer) = all.into_iter().nth(at).unwrap();
                transfer.unlink = Some(next);
                self.unlink(victim);
            }
            Step::Unlink(_) => {}
            Step::Sleep(time, true) => self.sleep(micros(time)),
            Step::Sleep(time, false) => self.now += micros(time),
            Step::DropLine => self.device.drop_line(self.now),
            Step::Reset => self.device.reset(self.now),
        }
        self.collect();
    }
}

proptest! {
    #[test]
    fn each_transfer_is_answered_once(
        steps in prop::collection::vec(step(), 1..60),
        running: bool, unlimited: bool, faulty: bool
    ) {
        let mut options = Options::new();
        if faulty {
            let faults = [Fault::StopTakingAt(3000), Fault::SilentStatus];
            options.faults = faults.into();
        }
        if running {
            options = options.running();
        }
        if unlimited {
            options = options.bus(Bus::unlimited());
        }
        let mut host = Host::new(options);
        host.select(ALTSETTING_BULK);
        if running && !faulty {
            host.line_up();
        }
        let mut rules = Rules::default();
        for step in steps {
            host.step(step, &mut rules);
            while let Some(got) = host.got.pop_front() {
                rules.check(got);
            }
        }
        // A cancellation is always answered, and at once.
        let mut transfers = rules.transfers.values();
        prop_assert!(transfers.all(|transfer| transfer.unlink.is_none()));
    }
}
