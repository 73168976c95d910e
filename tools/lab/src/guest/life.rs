//! A modem's life: it says what it does, it does not give up, and whoever has
//! opened a connection keeps it while the modem is brought back.

pub mod recovery;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use modem::{Crash, Event, What};
use wire::speedtch::DATA_OUT;

use super::atmpvc::Pvc;
use super::costs::{alive, burst, taken};
use super::kept::Kept;
use super::kmsg::Kmsg;
use super::phases::Phase;
use super::plugged::{LIMIT, Plugged, options, wait_until};
use super::removal::{Means, nothing_is_left, remove};
use super::scenarios::Scenario;
use super::surface::fill;
use super::uevents::Uevents;
use super::{firmware, modules, usbfs};
use crate::protocol::{Driver, Took};

/// The scenarios of this file.
pub const SCENARIOS: &[(&str, Scenario)] = &[
    ("life::says_what_it_does", |_| says_what_it_does()),
    ("life::upload_counts_what_ended_early", |_| {
        upload_counts_what_ended_early()
    }),
    ("life::firmware_is_taken_when_told", |_| {
        firmware_comes_later(8, Plugged::retry)
    }),
    ("life::firmware_is_taken_by_itself", |_| {
        firmware_comes_later(1, |_| Ok(()))
    }),
    ("life::retry_in_a_try_is_one_more", |_| {
        retry_in_a_try_is_one_more()
    }),
    ("life::reason_of_a_stopped_try_is_forgotten", |_| {
        reason_of_a_stopped_try_is_forgotten()
    }),
    ("life::refused_firmware_is_tried_again", |_| {
        refused_firmware_is_tried_again()
    }),
    ("life::idle_modem_has_no_memory_to_send_from", |_| {
        idle_modem_has_no_memory_to_send_from()
    }),
    ("life::more_is_sent_at_once_if_it_waits_for_long", |_| {
        more_is_sent_at_once_if_it_waits_for_long()
    }),
    ("life::dead_modem_is_let_go", |_| dead_modem_is_let_go()),
    ("life::others_come_while_a_modem_waits", |_| {
        others_come_while_a_modem_waits()
    }),
    ("life::reset_in_the_upload_is_survived", |_| {
        reset_in_the_upload_is_survived()
    }),
];

/// The file of the firmware's second stage.
const STAGE_2: &str = "/lib/firmware/speedtch-2.bin";

/// What the file `phase` holds between two tries.
const WAITING: &str = "waiting to try again";

impl Plugged {
    /// The name of the interface that the driver is bound to.
    pub fn interface(&self) -> String {
        format!("{}:1.0", self.device())
    }

    /// What one of the modem's files holds; nothing where there is none.
    pub fn file(&self, name: &str) -> String {
        let file = format!("/sys/bus/usb/devices/{}/{name}", self.interface());
        let text = fs::read_to_string(file).unwrap_or_default();
        text.trim_end_matches('\n').to_owned()
    }

    /// Waits until one of the modem's files holds `value`.
    pub fn await_file(&self, name: &str, value: &str) -> Result<()> {
        wait_until(&format!("the file {name} says {value:?}"), || {
            self.file(name) == value
        })
        .with_context(|| format!("it says {:?}", self.file(name)))
    }

    /// Whether the modem has failed and is tried again later.
    pub fn is_waiting(&self) -> bool {
        self.file("phase") == WAITING
    }

    /// Has the modem tried again.
    pub fn retry(&self) -> Result<()> {
        let file = format!("/sys/bus/usb/devices/{}/retry", self.interface());
        fs::write(&file, "1").with_context(|| format!("cannot write {file}"))
    }

    /// How often it has been tried: each time, it is asked once whether it is alive.
    fn tries(&self) -> usize {
        let events = self.modem().events();
        let is_asked = |what: &What| matches!(what, What::Vendor { .. });
        events.iter().filter(|event| is_asked(&event.what)).count()
    }

    /// What user space was told of the modem.
    pub fn told(&self, uevents: &Uevents) -> Vec<String> {
        uevents.values(&self.interface(), "USBATM_EVENT")
    }

    /// How often user space was told of `event`.
    pub fn times_told(&self, uevents: &Uevents, event: &str) -> usize {
        let told = self.told(uevents);
        told.iter().filter(|told| *told == event).count()
    }

    /// Waits until user space was told of `event` so many times.
    pub fn await_told(&self, uevents: &Uevents, event: &str, times: usize) -> Result<()> {
        wait_until(&format!("{event:?} is told {times} times"), || {
            self.times_told(uevents, event) == times
        })
    }
}

/// The files and the uevents of a modem follow it until its line is up.
fn says_what_it_does() -> Result<()> {
    let uevents = Uevents::from_now()?;
    modules::load(Driver::Ours)?;
    firmware::withhold()?;
    let modem = Plugged::new(options(1))?;
    modem.await_file("phase", "looking for stage 1 firmware")?;
    // The thread may be there before the last of the files is.
    for (file, value) in [("line", "unknown"), ("rate_down", "0"), ("last_error", "")] {
        modem.await_file(file, value)?;
    }
    // What is asked for is refused now, as if there were no files.
    wait_until("the request for the firmware has failed", || {
        firmware::refuse();
        modem.is_waiting()
    })?;
    firmware::install()?;
    modem.retry()?;
    let atm = modem.await_up()?;
    modem.await_file("line", "up")?;
    let total = firmware::TOTAL.to_string();
    for (file, value) in [
        ("phase", "watching the line"),
        ("firmware_sent", &total),
        ("firmware_size", &total),
        ("last_error", ""),
        ("rate_down", "8128"),
        ("rate_up", "864"),
    ] {
        ensure!(
            modem.file(file) == value,
            "{file} is {:?} when the line is up",
            modem.file(file)
        );
    }
    modem.modem().drop_line();
    wait_until("user space is told that the line went down", || {
        modem.told(&uevents).len() == 4
    })?;
    let told = modem.told(&uevents);
    ensure!(
        told == ["failed", "usable", "line-up", "line-down"],
        "user space was told {told:?}"
    );
    let drivers = uevents.values(&modem.interface(), "USBATM_DRIVER");
    ensure!(drivers == ["speedtch"; 4], "the drivers are {drivers:?}");
    let numbers = uevents.values(&modem.interface(), "USBATM_ATM");
    ensure!(
        numbers == [const { "" }; 3].map(|_| atm.number.to_string()),
        "the numbers of the ATM device are {numbers:?}"
    );
    Ok(())
}

/// Whoever submits a transfer may get to know of it only when it has ended: that counts too.
fn upload_counts_what_ended_early() -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install()?;
    fs::remove_file(STAGE_2)?;
    let modem = Plugged::new(options(1))?;
    modem.await_file("phase", WAITING)?;
    modules::insmod(Driver::Ours, "usb_refuse", "late=1")?;
    firmware::install()?;
    modem.retry()?;
    modem.await_up()?;
    modules::rmmod("usb_refuse")?;
    let sent = modem.file("firmware_sent");
    ensure!(
        sent == firmware::TOTAL.to_string(),
        "firmware_sent is {sent:?} after the upload"
    );
    Ok(())
}

/// A file that was missing is taken when it is there, without the modem being touched by
/// anybody. The log says once what is missing, and where it belongs.
fn firmware_comes_later(retries: usize, then: impl Fn(&Plugged) -> Result<()>) -> Result<()> {
    let log = Kmsg::from_now();
    modules::load(Driver::Ours)?;
    firmware::install()?;
    fs::remove_file(STAGE_2)?;
    let modem = Plugged::new(options(1))?;
    // By itself it would take five minutes to try eight times.
    for tries in 1..=retries {
        let asked = |event: &&Event| matches!(event.what, What::Vendor { .. });
        let tried = modem.modem().wait_until(LIMIT, |view| {
            (view.events.iter().filter(asked).count() >= tries).then_some(())
        });
        tried.context("it is not tried again")?;
        modem.await_file("phase", WAITING)?;
        let error = modem.file("last_error");
        ensure!(
            error.starts_with("no stage 2 firmware found!")
                && error.contains(STAGE_2.split('/').next_back().unwrap_or_default()),
            "last_error is {error:?}"
        );
        modem.retry()?;
    }
    let said = log.lines();
    let said = said
        .iter()
        .filter(|line| line.contains("no stage 2 firmware found!"));
    ensure!(said.count() == 1, "the log repeats itself");
    modem.await_file("phase", WAITING)?;
    firmware::install()?;
    then(&modem)?;
    modem.await_up()?;
    ensure!(modem.file("last_error").is_empty(), "an error is left");
    Ok(())
}

/// Who wants a modem to be tried again while it is being tried, wants one more try; not one that is
/// put off for longer and longer, and not any number of them.
fn retry_in_a_try_is_one_more() -> Result<()> {
    /// By itself, it would take longer than anything here is waited for.
    const TRIES: usize = 7;
    /// In which it would be tried several times if it were tried without end.
    const REST: Duration = Duration::from_secs(6);

    firmware::wait_long()?;
    firmware::withhold()?;
    modules::load(Driver::Ours)?;
    let modem = Plugged::new(options(1))?;
    wait_until("it was tried so often", || {
        if firmware::is_awaited() {
            // In the middle of a try, which then fails.
            let _ = modem.retry();
            firmware::refuse();
        }
        modem.tries() >= TRIES
    })?;
    let began = Instant::now();
    while began.elapsed() < REST {
        firmware::refuse();
        thread::sleep(Duration::from_millis(10));
    }
    // The last wish may not have been fulfilled before; the next try by itself is a minute away.
    let more = modem.tries() - TRIES;
    ensure!(more <= 1, "it was tried {more} times more");
    Ok(())
}

/// A try that is broken off before it has told why it fails leaves nothing for the next one, which
/// fails for another reason. It may have told already; then it is done once more.
fn reason_of_a_stopped_try_is_forgotten() -> Result<()> {
    const TRIES: usize = 20;
    modules::load(Driver::Ours)?;
    for _ in 0..TRIES {
        firmware::install()?;
        fs::remove_file(STAGE_2)?;
        let modem = Plugged::new(options(1))?;
        // It looks whether the modem goes before it says that the file is missing.
        modem.await_file("phase", "looking for stage 2 firmware")?;
        thread::sleep(Duration::from_millis(100));
        firmware::install_wrong()?;
        let had_told = || !modem.file("last_error").is_empty();
        let before = had_told();
        usbfs::reset(modem.device())?;
        if before {
            continue;
        }
        wait_until("it fails", had_told)?;
        let error = modem.file("last_error");
        if error.starts_with("the upload of stage 2 firmware failed") {
            return Ok(());
        }
        bail!("last_error is {error:?}");
    }
    bail!("it had told each time")
}

/// A modem that has refused its firmware is reset, and takes the right one.
fn refused_firmware_is_tried_again() -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install_wrong()?;
    let modem = Plugged::new(options(1))?;
    // Twice: the second time after a reset.
    let is_reset = |what: &What| matches!(what, What::Reset);
    modem.await_event("be reset", is_reset)?;
    modem.await_file("phase", WAITING)?;
    let error = modem.file("last_error");
    ensure!(
        error.contains("upload of stage 2") && error.contains("refused"),
        "last_error is {error:?}"
    );
    // What it took before its reset counts no more.
    fs::remove_file(STAGE_2)?;
    modem.retry()?;
    wait_until("the file is missed", || {
        modem.file("last_error").starts_with("no stage 2 firmware")
    })?;
    modem.await_file("firmware_sent", "0")?;
    modem.await_file("firmware_size", "0")?;
    firmware::install()?;
    modem.retry()?;
    let is_up = |what: &What| matches!(what, What::LineUp { .. });
    modem.await_event("come up", is_up)?;
    modem.await_file("line", "up")
}

/// User space resets a modem that takes its firmware: it begins anew.
fn reset_in_the_upload_is_survived() -> Result<()> {
    modules::load(Driver::Ours)?;
    firmware::install()?;
    let modem = Plugged::new(options(1))?;
    modem.await_bytes(firmware::TOTAL / 3)?;
    usbfs::reset(modem.device())?;
    modem.await_up().map(drop)
}

/// What a modem sends from is allocated with the first connection, two transfers of it, and not again
/// with the next. To be seen among all else, it is much: 16 buffers of 64 KiB.
fn idle_modem_has_no_memory_to_send_from() -> Result<()> {
    const BUFFER: f64 = 64.0;
    const ALL: f64 = 16.0 * BUFFER;
    let parameters = "num_snd_urbs=16 snd_buf_bytes=65536";
    modules::insmod(Driver::Ours, "usbatm", parameters)?;
    modules::insmod(Driver::Ours, "speedtch", "")?;
    let modem = Plugged::new(alive(1))?;
    let atm = modem.await_up()?;
    let open = || -> Result<(Pvc, f64)> {
        let before = taken()?;
        let pvc = Pvc::open(atm.number, 8, 35, 1500)?;
        Ok((pvc, taken()? - before))
    };
    let works = |pvc: &mut Pvc| -> Result<()> {
        pvc.send(b"there and back")?;
        ensure!(pvc.receive(&mut [0; 1500])? == 14, "another packet came");
        Ok(())
    };
    let (mut pvc, first) = open()?;
    works(&mut pvc)?;
    drop(pvc);
    let (mut pvc, second) = open()?;
    works(&mut pvc)?;
    ensure!(first > BUFFER, "the first took {first} KiB only");
    ensure!(first < ALL / 2.0, "the first took {first} KiB");
    ensure!(second < BUFFER, "the second took {second} KiB");
    drop((pvc, modem));
    modules::unload()
}

/// A burst is sent with the two transfers that there are from the first connection on. Where packets
/// wait for long, more of them come, up to four. On a busy machine those of a burst may wait for long
/// as well: then another modem is tried.
fn more_is_sent_at_once_if_it_waits_for_long() -> Result<()> {
    const MODEMS: u8 = 8;
    modules::load(Driver::Ours)?;
    let mut before = Vec::new();
    for number in 1..=MODEMS {
        let modem = Plugged::new(alive(number))?;
        let atm = modem.await_up()?;
        let mut pvc = Pvc::open(atm.number, 8, 35, 1500)?;
        let at_once = |modem: &Plugged| modem.modem().peak(DATA_OUT).transfers;
        burst(&mut pvc)?;
        thread::sleep(Duration::from_millis(500));
        // If there were more, they would be used now.
        burst(&mut pvc)?;
        if at_once(&modem) == 2 {
            modem.modem().crash(Crash::Die);
            pvc.never_wait()?;
            fill(&mut pvc)?;
            return wait_until("four are under way", || at_once(&modem) == 4);
        }
        before.push((modem, pvc));
    }
    bail!("each burst was sent with more than two transfers")
}

/// A modem that answers nothing any more is asked once to select its first setting when its
/// driver lets go of it. The USB core would wait five seconds for it, with the device lock held.
fn dead_modem_is_let_go() -> Result<()> {
    const SET_INTERFACE: u8 = 11;
    let kept = Kept::new()?;
    kept.modem.modem().crash(Crash::Die);
    gone(&kept.modem, Means::Unbind)?;
    let asked = |what: &What| {
        matches!(
            what,
            What::Ignored {
                request: SET_INTERFACE
            }
        )
    };
    let events = kept.modem.modem().events();
    let asked = events.iter().filter(|event| asked(&event.what)).count();
    ensure!(asked == 1, "it was asked {asked} times");
    Ok(())
}

/// Takes the modem away; nothing is left of it.
pub fn gone(modem: &Plugged, means: Means) -> Result<()> {
    if let Took::MoreThanMs(limit) = remove([modem], means, LIMIT)? {
        bail!("not gone after {limit} ms");
    }
    nothing_is_left()
}

/// While one modem waits for its firmware, another one is found and bound.
fn others_come_while_a_modem_waits() -> Result<()> {
    modules::load(Driver::Ours)?;
    let first = Phase::FirmwareWait.reach(1)?;
    let waits = || first.await_file("phase", "looking for stage 1 firmware");
    waits()?;
    let second = Plugged::new(options(2))?;
    second.await_configured()?;
    second.await_file("line", "unknown")?;
    waits()?;
    wait_until("firmware is awaited", firmware::is_awaited)?;
    Ok(())
}
