// SPDX-License-Identifier: GPL-2.0-only

//! What happened, and when.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};
use wire::setup::Setup;

use crate::firmware::Stage;

/// Something that happened to a modem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, counted from the log's start: see [`Options::epoch`](crate::Options::epoch).
    #[serde(rename = "at_us", serialize_with = "micros")]
    pub at: Duration,
    /// What it was.
    #[serde(flatten)]
    pub what: What,
}

/// What can happen to a modem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// It was plugged in.
    Attached,
    /// The host enumerates it anew: its port was reset.
    Reset,
    /// The host selected a configuration; 0 is none.
    Configured {
        /// Which.
        configuration: u8,
    },
    /// The host selected an alternate setting.
    AltSetting {
        /// Of which interface.
        interface: u8,
        /// Which.
        setting: u8,
    },
    /// The host made a vendor's request.
    Vendor {
        /// The request.
        request: Request,
        /// What the host sent with it, or got.
        data: Vec<u8>,
        /// Whether the modem did as it was asked.
        accepted: bool,
    },
    /// The first byte of a stage of the firmware is on its way.
    StageStarted {
        /// Which.
        stage: Stage,
    },
    /// The host asks for the block behind a stage.
    StageDone {
        /// Which.
        stage: Stage,
        /// How many bytes came.
        bytes: usize,
        /// Their SHA-256, in hexadecimal digits.
        sha256: String,
        /// Whether that is what was expected.
        good: bool,
    },
    /// The host has read a block of 512 bytes.
    BlockRead,
    /// The firmware runs.
    Booted,
    /// The line starts to synchronise.
    Training,
    /// The line is up.
    LineUp {
        /// Kilobits a second to the user.
        down_kbps: u32,
        /// Kilobits a second from the user.
        up_kbps: u32,
    },
    /// The line went down.
    LineDown,
    /// It fails in service.
    Crashed,
    /// It is asked something, and won't ever answer anything any more.
    Ignored {
        /// `bRequest`.
        request: u8,
    },
    /// An endpoint refused a transfer.
    Stalled {
        /// The endpoint's address.
        endpoint: u8,
    },
    /// A fault keeps the modem from going on.
    Stuck {
        /// The endpoint's address.
        endpoint: u8,
    },
    /// The host cancelled a transfer.
    Unlinked {
        /// The endpoint's address.
        endpoint: u8,
        /// How many bytes had been transferred.
        bytes: usize,
    },
    /// The host wanted to cancel a transfer that had ended.
    UnlinkedTooLate,
    /// It is gone.
    Unplugged {
        /// Why.
        why: Why,
        /// The host's mistake, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// Who pulled the plug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The program, by [`Modem::unplug`](crate::Modem::unplug) or by drop.
    Asked,
    /// [`Fault::UnplugAt`](crate::Fault::UnplugAt).
    Fault,
    /// The host closed the connection.
    Host,
    /// The host said what no host may say.
    Protocol,
}

/// A vendor's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Request {
    /// `bRequest`.
    pub request: u8,
    /// `wValue`.
    pub value: u16,
    /// `wIndex`.
    pub index: u16,
    /// `wLength`.
    pub length: u16,
}

impl From<Setup> for Request {
    fn from(setup: Setup) -> Self {
        Self {
            request: setup.request,
            value: setup.value,
            index: setup.index,
            length: setup.length,
        }
    }
}

/// How much firmware came, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Of the first stage.
    pub stage_1: usize,
    /// Of the second stage.
    pub stage_2: usize,
}

impl Progress {
    /// Of both.
    pub fn total(self) -> usize {
        self.stage_1 + self.stage_2
    }
}

/// What has been counted, because it happens too often to be logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Transfers that the host submitted.
    pub submitted: u64,
    /// Transfers that were cancelled before their end.
    pub unlinked: u64,
    /// Cells from the host.
    pub cells_in: u64,
    /// Cells to the host.
    pub cells_out: u64,
    /// Isochronous packets to the host, most of them empty.
    pub packets: u64,
    /// Cells from the host that are not sent back: of another channel, or while
    /// the line is down.
    pub cells_ignored: u64,
    /// Cells that are not sent back because too many wait already.
    pub cells_dropped: u64,
}

/// How busy the host has kept an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// The most transfers that it had there at once.
    pub transfers: usize,
    /// The length of the longest of all, in bytes.
    pub bytes: usize,
}

/// What is known of a modem at a moment.
#[derive(Debug)]
pub struct View {
    /// What happened so far, in order.
    pub events: Vec<Event>,
    /// How far the upload is.
    pub progress: Progress,
    /// What has been counted.
    pub counters: Counters,
}

impl View {
    /// The first event of this kind.
    pub fn find(&self, what: impl Fn(&What) -> bool) -> Option<&Event> {
        self.events.iter().find(|event| what(&event.what))
    }

    /// Whether the modem is gone.
    pub fn is_gone(&self) -> bool {
        self.find(|what| matches!(what, What::Unplugged { .. }))
            .is_some()
    }
}

/// A log that can be waited on.
#[derive(Debug)]
pub(crate) struct Log {
    epoch: Instant,
    view: Mutex<View>,
    changed: Condvar,
}

impl Log {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            view: Mutex::new(View {
                events: Vec::new(),
                progress: Progress::default(),
                counters: Counters::default(),
            }),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn epoch(&self) -> Instant {
        self.epoch
    }

    pub(crate) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what a device noted down.
    pub(crate) fn update(
        &self,
        notes: &mut Vec<(Instant, What)>,
        progress: Progress,
        counters: Counters,
    ) {
        let mut view = self.view();
        let changed = !notes.is_empty() || view.progress != progress || view.counters != counters;
        for (at, what) in notes.drain(..) {
            let at = at.saturating_duration_since(self.epoch);
            view.events.push(Event { at, what });
        }
        view.progress = progress;
        view.counters = counters;
        drop(view);
        if changed {
            self.changed.notify_all();
        }
    }

    /// Waits until `found` finds something, but no longer than `limit`.
    pub(crate) fn wait<T>(
        &self,
        limit: Duration,
        mut found: impl FnMut(&View) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + limit;
        let mut view = self.view();
        loop {
            if let Some(result) = found(&view) {
                return Some(result);
            }
            let left = end.checked_duration_since(Instant::now())?;
            (view, _) = self
                .changed
                .wait_timeout(view, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn micros<S: Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(at.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_flat_in_json() {
        let event = |what| Event {
            at: Duration::from_micros(1_500_000),
            what,
        };
        let stalled = event(What::Stalled { endpoint: 7 });
        assert_eq!(
            serde_json::to_string(&stalled).unwrap(),
            r#"{"at_us":1500000,"what":"stalled","endpoint":7}"#
        );
        let gone = event(What::Unplugged {
            why: Why::Fault,
            error: None,
        });
        assert_eq!(
            serde_json::to_string(&gone).unwrap(),
            r#"{"at_us":1500000,"what":"unplugged","why":"fault"}"#
        );
    }
}
