// SPDX-License-Identifier: GPL-2.0

//! What the ATM layer asks of a modem's [`Traffic`].
//!
//! The table of operations is a static of this module: the ATM layer keeps this one from being
//! unloaded while a connection is open, not the minidriver's.

use crate::{
    traffic::Traffic,
    tx::Tx, //
};
use core::fmt::Write;
use kernel::{
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

impl atm::Operations for Traffic {
    const TABLE: &'static atm::Table<Self> = {
        static TABLE: atm::Table<Traffic> = atm::Table::new::<crate::LocalModule>();
        &TABLE
    };

    fn open(this: ArcBorrow<'_, Self>, vcc: &Arc<atm::Vcc>) -> Result {
        if vcc.aal() != atm::Aal::Aal5 {
            return Err(EINVAL);
        }
        this.tx().prepare(Tx::FIRST)?;
        this.rx().handler().open(vcc)
    }

    fn close(this: ArcBorrow<'_, Self>, vcc: &Arc<atm::Vcc>) {
        this.rx().handler().close(vcc);
        this.tx().handler().close(vcc);
        // Packets of the connection that were sent may still be there.
        this.flush_bottom_half();
    }

    fn send(this: ArcBorrow<'_, Self>, skb: atm::OutgoingSkb) -> Result {
        this.tx().handler().send(this.tx(), skb)
    }

    fn ioctl(this: ArcBorrow<'_, Self>, cmd: u32, arg: UserPtr) -> Result<i32> {
        if this.is_stopped() {
            return Err(ENODEV);
        }
        if cmd != atm::QUERYLOOP {
            return Err(ENOIOCTLCMD);
        }
        UserSlice::new(arg, size_of::<i32>())
            .writer()
            .write(&atm::LM_NONE)?;
        Ok(0)
    }

    fn proc_line(
        this: ArcBorrow<'_, Self>,
        device: &atm::Device,
        line: usize,
        out: &mut atm::ProcLine<'_>,
    ) -> Result {
        match line {
            0 => out.write_fmt(fmt!("{}\n", &*this.description))?,
            1 => {
                let [a, b, c, d, e, f] = device.esi();
                writeln!(out, "MAC: {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")?;
            }
            2 => {
                let atm::AalStats {
                    tx,
                    tx_err,
                    rx,
                    rx_err,
                    rx_drop,
                } = device.aal5_stats();
                writeln!(
                    out,
                    "AAL5: tx {tx} ( {tx_err} err ), rx {rx} ( {rx_err} err, {rx_drop} drop )"
                )?;
            }
            3 => writeln!(out, "{}", this.state(device))?,
            _ => {}
        }
        Ok(())
    }
}

impl Traffic {
    /// What the device's file says of the line.
    fn state(&self, device: &atm::Device) -> &'static str {
        if self.is_stopped() {
            return "Disconnected";
        }
        match device.signal() {
            atm::Signal::Found => "Line up",
            atm::Signal::Lost => "Line down",
            atm::Signal::Unknown => "Line state unknown",
        }
    }
}
