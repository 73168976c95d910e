// SPDX-License-Identifier: GPL-2.0

//! The connections of one modem.

use kernel::{
    alloc::Flags,
    prelude::*,
    sync::Arc, //
};
use wire::{
    aal5::{
        self,
        Reassembler, //
    },
    cell::Vc, //
};

/// An open connection, and the packet that is coming in on it.
pub(crate) struct Connection {
    vc: Vc,
    vcc: Arc<atm::Vcc>,
    reassembler: Reassembler<KVVec<u8>>,
    next: Option<KBox<Connection>>,
}

impl Connection {
    /// Prepares a connection for [`Connections::insert`], with room for the longest packet that
    /// its owner wants to see: no peer can make us gather more.
    pub(crate) fn new(vcc: &Arc<atm::Vcc>, flags: Flags) -> Result<KBox<Self>> {
        let room = aal5::pdu_len(vcc.max_rx_sdu().try_into()?);
        let connection = Self {
            vc: vc_of(vcc)?,
            vcc: vcc.clone(),
            reassembler: Reassembler::new(KVVec::from_elem(0, room, flags)?),
            next: None,
        };
        Ok(KBox::new(connection, flags)?)
    }

    /// The ATM layer's side of it, and ours.
    pub(crate) fn parts(&mut self) -> (&Arc<atm::Vcc>, &mut Reassembler<KVVec<u8>>) {
        (&self.vcc, &mut self.reassembler)
    }
}

/// What a cell's header says about a connection.
///
/// # Errors
///
/// `EINVAL` if it is none that a header has the bits for.
pub(crate) fn vc_of(vcc: &atm::Vcc) -> Result<Vc> {
    Ok(Vc {
        vpi: vcc.vpi().try_into()?,
        vci: vcc.vci(),
    })
}

/// All connections of a modem: a list, because there is one as a rule, and seldom more than two.
///
/// The one that was found last stands first, so that the cells of a packet are found at once.
/// Nothing here allocates or frees memory, so that it can be done with a spinlock held.
pub(crate) struct Connections {
    first: Option<KBox<Connection>>,
}

impl Connections {
    /// No connection.
    pub(crate) const fn new() -> Self {
        Self { first: None }
    }

    /// Adds a connection, or returns it if another has its place already.
    pub(crate) fn insert(&mut self, connection: KBox<Connection>) -> Result<(), KBox<Connection>> {
        if self.find(connection.vc).is_some() {
            return Err(connection);
        }
        self.push(connection);
        Ok(())
    }

    /// Takes out the connection that belongs to `vcc`, to be dropped where one may sleep.
    pub(crate) fn remove(&mut self, vcc: &Arc<atm::Vcc>) -> Option<KBox<Connection>> {
        self.take(|connection| Arc::ptr_eq(&connection.vcc, vcc))
    }

    /// Finds the connection that a cell belongs to.
    #[inline]
    pub(crate) fn find(&mut self, vc: Vc) -> Option<&mut Connection> {
        if self.first.as_ref()?.vc != vc {
            self.bring_forward(vc)?;
        }
        self.first.as_deref_mut()
    }

    /// Puts another connection first, if it is there.
    #[cold]
    fn bring_forward(&mut self, vc: Vc) -> Option<()> {
        let found = self.take(|connection| connection.vc == vc)?;
        self.push(found);
        Some(())
    }

    /// Tells the owners of all connections to close them.
    pub(crate) fn release_all(&self, reason: Error) {
        let mut next = self.first.as_ref();
        while let Some(connection) = next {
            connection.vcc.release_async(reason);
            next = connection.next.as_ref();
        }
    }

    fn push(&mut self, mut connection: KBox<Connection>) {
        connection.next = self.first.take();
        self.first = Some(connection);
    }

    fn take(&mut self, which: impl Fn(&Connection) -> bool) -> Option<KBox<Connection>> {
        let mut link = &mut self.first;
        while !which(link.as_ref()?) {
            link = &mut link.as_mut()?.next;
        }
        let mut found = link.take()?;
        *link = found.next.take();
        Some(found)
    }
}
