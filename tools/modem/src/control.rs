// SPDX-License-Identifier: GPL-2.0-only

//! What the modem does with control requests.

use std::time::Instant;

use wire::setup::Setup;
use wire::speedtch::{INTERFACE_DATA, START_SYNCHRO, StartUp, sw_buffering};

use crate::descriptors::{self, THE_CONFIGURATION};
use crate::device::{Device, Start};
use crate::lies;
use crate::line::same;
use crate::log::What;
use crate::options::Fault;
use crate::transfer::{Status, Transfer};

// Requests of USB 2.0, section 9.4, as `bmRequestType` and `bRequest`.
const GET_DEVICE_STATUS: (u8, u8) = (0x80, 0);
const GET_INTERFACE_STATUS: (u8, u8) = (0x81, 0);
const GET_ENDPOINT_STATUS: (u8, u8) = (0x82, 0);
const CLEAR_ENDPOINT_FEATURE: (u8, u8) = (0x02, 1);
const SET_ENDPOINT_FEATURE: (u8, u8) = (0x02, 3);
const SET_ADDRESS: (u8, u8) = (0x00, 5);
const GET_DESCRIPTOR: (u8, u8) = (0x80, 6);
const GET_CONFIGURATION: (u8, u8) = (0x80, 8);
const SET_CONFIGURATION: (u8, u8) = (0x00, 9);
const GET_INTERFACE: (u8, u8) = (0x81, 10);
const SET_INTERFACE: (u8, u8) = (0x01, 11);

/// The feature that [`CLEAR_ENDPOINT_FEATURE`] is about.
const ENDPOINT_HALT: u16 = 0;

/// The bits of `bmRequestType` that say whose request it is, and its vendor.
const TYPE_MASK: u8 = 0x60;
const TYPE_VENDOR: u8 = 0x40;

/// How many bytes of the device descriptor Linux asks for, before it gives the
/// device an address.
const FIRST_LENGTH: u16 = 64;

/// The data for the host, or nothing where the request is refused.
type Answer = Option<Vec<u8>>;

impl Device {
    /// Answers a control transfer.
    pub(crate) fn control(&mut self, now: Instant, transfer: Transfer, sent: &[u8]) -> Start {
        let Transfer { length, setup, .. } = transfer;
        if self.dead {
            let request = setup.request;
            self.note(now, What::Ignored { request });
            return Start::Stick;
        }
        let mut is_late = false;
        let answer = if setup.is_in() != transfer.is_in() && length != 0 {
            // The two don't agree on who sends.
            None
        } else if setup.request_type & TYPE_MASK == TYPE_VENDOR {
            if self.is_silent(setup) {
                return Start::Stick;
            }
            let special = self.special_answer(setup);
            let room = length.min(usize::from(setup.length));
            if let Some(answer) = special.and_then(|answer| answer.start(room)) {
                self.note_special(now, setup, &answer);
                return answer;
            }
            is_late = special.is_some();
            self.vendor(now, setup, sent)
        } else if self.is_silent_select(setup) {
            return Start::Stick;
        } else {
            self.standard(now, setup)
        };
        match answer {
            Some(mut data) => {
                let room = if transfer.is_in() { length } else { 0 };
                data.truncate(room.min(usize::from(setup.length)));
                if is_late {
                    return Start::Late(data);
                }
                Start::Done(Status::OK, data)
            }
            None => Start::Done(Status::STALL, Vec::new()),
        }
    }

    fn is_silent(&self, setup: Setup) -> bool {
        let fault = if setup.is_in() {
            Fault::SilentStatus
        } else {
            Fault::SilentStartUp
        };
        self.frozen || (self.loader.is_running() && self.options.has(fault))
    }

    fn is_silent_select(&self, setup: Setup) -> bool {
        let is_select = (setup.request_type, setup.request) == SET_INTERFACE && setup.value != 0;
        is_select && self.options.has(Fault::SilentSelect)
    }

    fn special_answer(&self, setup: Setup) -> Option<lies::Answer> {
        self.options
            .answer(setup)
            .filter(|_| self.loader.is_running())
    }

    fn note_special(&mut self, now: Instant, setup: Setup, answer: &Start) {
        let (accepted, data) = match answer {
            Start::Done(status, data) => (*status == Status::OK, data.clone()),
            _ => (false, Vec::new()),
        };
        let request = setup.into();
        self.note(
            now,
            What::Vendor {
                request,
                data,
                accepted,
            },
        );
    }

    /// Before the firmware runs, nothing of this is known to the modem.
    fn vendor(&mut self, now: Instant, setup: Setup, sent: &[u8]) -> Answer {
        let answer = if !self.loader.is_running() || self.configuration == 0 {
            None
        } else if setup.is_in() {
            self.line.answer(setup)
        } else {
            takes(setup).then(Vec::new)
        };
        let accepted = answer.is_some();
        let data = answer.as_deref().filter(|data| !data.is_empty());
        let data = data.unwrap_or(sent).to_vec();
        let request = setup.into();
        self.note(
            now,
            What::Vendor {
                request,
                data,
                accepted,
            },
        );
        if accepted && same(setup, START_SYNCHRO) && self.line.start(now) {
            self.note(now, What::Training);
        }
        answer
    }

    fn standard(&mut self, now: Instant, setup: Setup) -> Answer {
        let Setup { value, index, .. } = setup;
        let [low, _] = value.to_le_bytes();
        let [target, _] = index.to_le_bytes();
        let done = Some(Vec::new());
        match (setup.request_type, setup.request) {
            GET_DESCRIPTOR => {
                self.notice_reset(now, setup);
                descriptors::get(&self.options, value, index)
            }
            // The virtual host controller answers this one by itself.
            SET_ADDRESS => done,
            GET_DEVICE_STATUS => Some(vec![0, 0]),
            GET_CONFIGURATION => Some(vec![self.configuration]),
            SET_CONFIGURATION if low <= THE_CONFIGURATION => {
                self.configuration = low;
                for interface in 0..self.settings.len() {
                    self.select(interface as u8, 0);
                }
                self.note(now, What::Configured { configuration: low });
                done
            }
            GET_INTERFACE_STATUS if self.setting(target).is_some() => Some(vec![0, 0]),
            GET_INTERFACE => Some(vec![self.setting(target)?]),
            SET_INTERFACE if self.setting(target).is_some() => {
                if !descriptors::has_setting(target, low) || self.refuses(target, low) {
                    return None;
                }
                self.select(target, low);
                self.note(
                    now,
                    What::AltSetting {
                        interface: target,
                        setting: low,
                    },
                );
                done
            }
            GET_ENDPOINT_STATUS if self.has_endpoint(target) => {
                Some(vec![u8::from(self.is_halted(target)), 0])
            }
            CLEAR_ENDPOINT_FEATURE | SET_ENDPOINT_FEATURE
                if value == ENDPOINT_HALT && self.has_endpoint(target) =>
            {
                let halt = (setup.request_type, setup.request) == SET_ENDPOINT_FEATURE;
                self.set_halt(target, halt);
                done
            }
            _ => None,
        }
    }

    fn refuses(&self, interface: u8, setting: u8) -> bool {
        interface == INTERFACE_DATA && self.options.has(Fault::RefusesSetting(setting))
    }

    /// The interface's setting, once the device is configured.
    fn setting(&self, interface: u8) -> Option<u8> {
        if self.configuration == 0 {
            return None;
        }
        self.settings.get(usize::from(interface)).copied()
    }

    /// Selects an alternate setting, which clears the halts of its endpoints.
    fn select(&mut self, interface: u8, setting: u8) {
        self.settings[usize::from(interface)] = setting;
        for endpoint in descriptors::endpoints_of(interface) {
            self.set_halt(endpoint, false);
        }
        if interface == INTERFACE_DATA {
            self.loop_back.reset();
        }
    }

    /// The virtual host controller resets a port without a word to the device, so
    /// we go by what the host asks next: how it begins with any new device.
    fn notice_reset(&mut self, now: Instant, setup: Setup) {
        if self.configuration != 0 && setup.value == 0x0100 && setup.length == FIRST_LENGTH {
            self.reset(now);
        }
    }
}

/// Whether a running modem takes this request that writes.
fn takes(setup: Setup) -> bool {
    let start_up = StartUp::DEFAULT.steps();
    let mut known = start_up.iter().map(|step| step.setup);
    known.any(|known| known == setup) || setup == sw_buffering(true) || setup == sw_buffering(false)
}
