// SPDX-License-Identifier: GPL-2.0

//! The core that drivers for USB ADSL modems share.
//!
//! Such a modem is a pipe for ATM cells behind two USB endpoints, and a line that comes up if the
//! modem is treated in the way that its maker alone knows. So there are two sides here:
//!
//! - A [`Minidriver`] knows one kind of modem: its ids, its endpoints, how its firmware gets in,
//!   how its line is started and asked for. It is a few hundred lines in a module of its own.
//! - This core has all the rest: the USB driver, the thread on which a modem is brought up, the
//!   ATM device with its connections, and the way of packets into cells and back.
//!
//! # The life of a modem
//!
//! ```text
//!   hub thread            speedtch/9-1 (init)                       a worker, now and then
//!   ----------            -------------------                       ----------------------
//!   plugged
//!     bind
//!     data published
//!     spawn ------------> is_alive? ---- yes -----+
//!                           | no                  |
//!                         heavy_init              |
//!                           |                     |
//!                         select the data interface
//!                           |                     |
//!                         configure               |
//!                           |<--------------------+
//!                         the ATM device appears
//!                         atm_start, synchronise
//!                         cells flow
//!                         start ------------------------------------> a look at the line,
//!                         ends by itself                                 | and another
//!                                                                        |
//!   the modem has failed, was reset by others, or has slept: from the beginning, but
//!     the ATM device and its connections stay <--------------------------+
//!                                                                        |
//!   unplugged, unbound, or the module goes: in any of these phases       |
//!     stop and join both <-----------------------------------------------+
//!     connections released, transfers cancelled
//!     atm_stop
//!     the ATM device goes
//!     the minidriver is dropped
//! ```
//!
//! Nothing that waits for the modem or for user space happens on the hub thread, which serves all
//! other devices of the machine as well; and all that waits on the other two is given up as soon
//! as the modem goes.
//!
//! The order is the same for all modems, and a minidriver can't get it wrong: what a step needs is
//! given to it and exists nowhere else.
//!
//! # What fails is tried again
//!
//! If a modem can't be brought up, the log says why, in one line, and the first thread tries again:
//! after 5 seconds, then after ever longer times up to a minute, and at once when somebody writes
//! to the file `retry`. A modem that failed in the middle of something, or twice in a row soon after
//! it was up, is reset before that. The log has the reason again only when it is another one.
//!
//! A modem that fails later is brought back in the same way. While it is away, its connections stay
//! open, and what they send is refused with `ENETDOWN`.
//!
//! # Files
//!
//! In the folder of the interface that the driver is bound to, for example
//! `/sys/bus/usb/devices/9-1:1.0`, each with one value:
//!
//! | file | what it holds |
//! | --- | --- |
//! | `phase` | what is being done now, in words |
//! | `firmware_sent` | how many bytes of firmware the modem has taken |
//! | `firmware_size` | how many it wants, in all stages together; 0 if it wants none |
//! | `last_error` | why the last try failed, in words; empty if the modem is up |
//! | `line` | `up`, `down`, `synchronising` or `unknown` |
//! | `rate_down`, `rate_up` | the rates of the line in kbit/s; 0 if it is not up |
//! | `retry` | is written to, whatever one likes: a modem that waits is tried again now |
//!
//! # Events
//!
//! User space is sent a uevent of that interface, with the action `change` and these variables:
//!
//! | variable | what it holds |
//! | --- | --- |
//! | `USBATM_EVENT` | `usable`: the ATM device is there and works. `failed`: it does not, and `last_error` says why; once for each reason. `line-up`, `line-down`: the line has changed |
//! | `USBATM_ATM` | the number of the ATM device, if there is one |
//! | `USBATM_DRIVER` | the name of the minidriver, for example `speedtch` |

#![warn(missing_docs)]

mod adapter;
mod awake;
mod back_off;
mod channels;
mod events;
mod firmware;
mod health;
mod life;
mod line;
mod line_status;
mod minidriver;
mod modem;
mod operations;
mod request;
mod rx;
mod sides;
mod status;
mod traffic;
mod tx;
mod vcc;
mod watch;

#[doc(hidden)]
pub use usb as __usb;

pub use self::{
    adapter::Adapter,
    channels::{
        Choice,
        Layout, //
    },
    firmware::Image,
    line::Line,
    line_status::LineStatus,
    minidriver::{
        InModule,
        Minidriver, //
    },
    modem::Modem, //
};

use awake::Announced;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use kthread::ModuleScope;
use param::Number;

module! {
    type: UsbAtm,
    name: "usbatm",
    authors: ["Threadline developers"],
    description: "Generic USB ATM/DSL I/O",
    license: "GPL",
}

/// How many transfers may be under way in a direction.
type Transfers = Number<0, 16>;

/// How large their buffers may be. The largest is [`MAX_BUFFER`].
type BufferSize = Number<1, { MAX_BUFFER as i64 }>;

/// The size of the largest buffer for a transfer, in bytes.
const MAX_BUFFER: usize = 65536;

param::parameters! {
    num_rcv_urbs: Transfers = Number::new::<4>(),
        "Transfers under way from a modem; without any, nothing is received (range: 0-16, default: 4)";
    num_snd_urbs: Transfers = Number::new::<4>(),
        "Transfers under way to a modem; without any, nothing is sent (range: 0-16, default: 4)";
    rcv_buf_bytes: BufferSize = Number::new::<3392>(),
        "Bytes in a transfer from a modem, rounded to whole packets (range: 1-65536, default: 3392)";
    snd_buf_bytes: BufferSize = Number::new::<3392>(),
        "Bytes in a transfer to a modem, rounded to whole cells (range: 1-65536, default: 3392)";
}

/// The module: what it has is code for others, and an ear for what concerns them all.
#[pin_data]
struct UsbAtm {
    // The modems are gone before this module goes. Somebody may be about to let go of the ATM device
    // of one, though.
    #[pin]
    _devices: atm::Devices,
    _sleep_watch: usb::SleepWatch,
    // Dropped last.
    #[pin]
    scope: ModuleScope,
}

impl kernel::InPlaceModule for UsbAtm {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            scope <- ModuleScope::new(module),
            _sleep_watch: usb::SleepWatch::new(&scope, Arc::new(Announced, GFP_KERNEL)?)?,
            _devices <- atm::Devices::new(module),
        })
    }
}
