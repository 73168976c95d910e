// SPDX-License-Identifier: GPL-2.0-only

//! The loader that a modem comes up with, and the firmware that it takes.
//!
//! Two stages, each followed by a block that the host reads. The loader compares
//! what came with what it expects, by length and SHA-256, and refuses to go on
//! if it is anything else, and whatever comes out of order.

use std::time::Instant;

use serde::Serialize;
use sha2::{Digest, Sha256};
use wire::speedtch::BLOCK_LEN;

use crate::log::What;

/// One of the firmware's two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// `speedtch-1.bin`, about 1 KB: the second loader.
    One,
    /// `speedtch-2.bin`, about 760 KB: the modem itself.
    Two,
}

/// What the modem knows of a firmware file that it expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Bytes in the file.
    pub len: usize,
    /// The SHA-256 of the file.
    pub sha256: [u8; 32],
}

impl Image {
    /// Expects this file.
    pub fn of(file: &[u8]) -> Self {
        Self {
            len: file.len(),
            sha256: Sha256::digest(file).into(),
        }
    }
}

/// What a stage turned out to be when the host asked for the block behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) stage: Stage,
    pub(crate) bytes: usize,
    pub(crate) sha256: [u8; 32],
    pub(crate) good: bool,
}

impl From<Verdict> for What {
    fn from(verdict: Verdict) -> Self {
        Self::StageDone {
            stage: verdict.stage,
            bytes: verdict.bytes,
            sha256: verdict.sha256.map(|byte| format!("{byte:02x}")).concat(),
            good: verdict.good,
        }
    }
}

/// What the loader says to the host's wish to read a block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// Here it is.
    Ready,
    /// The stage is over. A good one has its block ready, a bad one is refused.
    Judged(Verdict),
    /// There is nothing to read now.
    Refused,
}

#[derive(Clone, Debug)]
enum State {
    /// Firmware may come.
    Loading(Stage, Sha256),
    /// Wrong firmware came: nothing but a reset helps.
    Bad,
    /// The stage was right, and its block has not been read.
    Verified(Stage),
    /// Starts the firmware until that moment.
    Booting(Instant),
    Running,
}

#[derive(Clone, Debug)]
pub(crate) struct Loader {
    expected: Option<[Image; 2]>,
    state: State,
    /// Bytes of each stage so far.
    received: [usize; 2],
    /// Whether a block has been read since the last reset.
    was_read: bool,
}

impl Loader {
    pub(crate) fn new(expected: Option<[Image; 2]>) -> Self {
        Self {
            expected,
            state: State::Loading(Stage::One, Sha256::new()),
            received: [0; 2],
            was_read: false,
        }
    }

    /// A modem that is running already.
    pub(crate) fn running() -> Self {
        Self {
            expected: None,
            state: State::Running,
            received: [0; 2],
            was_read: false,
        }
    }

    /// Starts over, unless the firmware runs.
    pub(crate) fn reset(&mut self) {
        if !self.is_running() {
            *self = Self::new(self.expected.take());
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, State::Running)
    }

    /// Whether firmware may come now.
    pub(crate) fn wants(&self) -> bool {
        matches!(self.state, State::Loading(..))
    }

    /// Whether a block has been read, of whatever use.
    pub(crate) fn was_read(&self) -> bool {
        self.was_read
    }

    /// Bytes of each stage so far.
    pub(crate) fn received(&self) -> [usize; 2] {
        self.received
    }

    /// The stage that comes, or whose block has to be read; the last one, if
    /// there is nothing left to come.
    pub(crate) fn stage(&self) -> Stage {
        match self.state {
            State::Loading(stage, _) | State::Verified(stage) => stage,
            _ => Stage::Two,
        }
    }

    /// Takes firmware; what is not wanted is lost.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if let State::Loading(stage, hash) = &mut self.state {
            hash.update(bytes);
            self.received[*stage as usize] += bytes.len();
        }
    }

    /// The host wants to read a block.
    pub(crate) fn block(&mut self) -> Block {
        match &self.state {
            State::Verified(_) => Block::Ready,
            State::Loading(stage, hash) => {
                let stage = *stage;
                let bytes = self.received[stage as usize];
                if bytes == 0 {
                    // Some hosts read a block before they send anything.
                    return match stage {
                        Stage::One => Block::Ready,
                        Stage::Two => Block::Refused,
                    };
                }
                let sha256 = hash.clone().finalize().into();
                self.judge(stage, bytes, sha256)
            }
            State::Bad | State::Booting(_) | State::Running => Block::Refused,
        }
    }

    fn judge(&mut self, stage: Stage, bytes: usize, sha256: [u8; 32]) -> Block {
        let came = Image { len: bytes, sha256 };
        let good = match &self.expected {
            Some(expected) => expected[stage as usize] == came,
            None => true,
        };
        self.state = if good {
            State::Verified(stage)
        } else {
            State::Bad
        };
        Block::Judged(Verdict {
            stage,
            bytes,
            sha256,
            good,
        })
    }

    /// The block has been read: goes on to the next stage, or boots until `booted`.
    pub(crate) fn block_read(&mut self, booted: Instant) {
        self.was_read = true;
        match self.state {
            State::Verified(Stage::One) => {
                self.state = State::Loading(Stage::Two, Sha256::new());
            }
            State::Verified(Stage::Two) => self.state = State::Booting(booted),
            _ => {}
        }
    }

    /// When the firmware will have started.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Booting(booted) => Some(booted),
            _ => None,
        }
    }

    /// Returns true once, when the firmware has started.
    pub(crate) fn poll(&mut self, now: Instant) -> bool {
        let booted = self.deadline().is_some_and(|booted| booted <= now);
        if booted {
            self.state = State::Running;
        }
        booted
    }

    /// What is read in a block; nobody knows what the real ones mean.
    pub(crate) fn block_bytes() -> [u8; BLOCK_LEN] {
        std::array::from_fn(|at| at as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn loader() -> Loader {
        Loader::new(Some([Image::of(b"first"), Image::of(b"second")]))
    }

    fn verdict(loader: &mut Loader) -> (Stage, usize, bool) {
        match loader.block() {
            Block::Judged(verdict) => (verdict.stage, verdict.bytes, verdict.good),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_stages_and_the_boot() {
        let mut loader = loader();
        let now = Instant::now();
        let booted = now + Duration::from_secs(1);
        loader.take(b"fir");
        loader.take(b"st");
        assert_eq!(verdict(&mut loader), (Stage::One, 5, true));
        // The block can be read again until it got through.
        assert!(!loader.wants());
        assert_eq!(loader.block(), Block::Ready);
        loader.block_read(booted);
        assert_eq!(loader.block(), Block::Refused);
        loader.take(b"second");
        assert_eq!(verdict(&mut loader), (Stage::Two, 6, true));
        loader.block_read(booted);
        assert_eq!(loader.deadline(), Some(booted));
        assert!(!loader.poll(now) && !loader.is_running());
        assert!(loader.poll(booted) && loader.is_running());
        assert!(!loader.poll(booted));
        assert_eq!(loader.received(), [5, 6]);
        loader.reset();
        assert!(loader.is_running());
    }

    #[test]
    fn wrong_firmware_is_refused_until_a_reset() {
        let mut loader = loader();
        loader.take(b"fIrst");
        assert_eq!(verdict(&mut loader), (Stage::One, 5, false));
        assert_eq!(loader.block(), Block::Refused);
        assert!(!loader.wants());
        loader.reset();
        assert_eq!(loader.received(), [0, 0]);
        loader.take(b"first");
        assert_eq!(verdict(&mut loader), (Stage::One, 5, true));
    }

    #[test]
    fn a_block_may_be_read_before_the_first_stage() {
        let mut loader = loader();
        assert_eq!(loader.block(), Block::Ready);
        loader.block_read(Instant::now());
        assert!(loader.wants());
        loader.take(b"first");
        assert_eq!(verdict(&mut loader), (Stage::One, 5, true));
    }
}
