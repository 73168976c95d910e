// SPDX-License-Identifier: GPL-2.0

//! A fixed set of URBs on one endpoint.
//!
//! A [`Stream`] owns its URBs and their buffers for its whole life, or from when they are
//! [prepared](Stream::prepare); no handler allocates any. An URB is in one of two places: in
//! flight, where the USB core has it, or here, where whoever holds its [`Transfer`] has it alone.
//! There is at most one such token for each URB, so its buffer can be lent out as plain slices, and
//! an URB can't be submitted twice.
//!
//! ```text
//!            take()            submit()             the transfer ends
//!   idle ------------> Transfer -------> in flight -------------------> Transfer, given to
//!     ^                   |                                             Handler::completed()
//!     |       drop        |                                                 |
//!     +-------------------+-------------------------------------------------+
//! ```
//!
//! A receiver submits all of them with [`Stream::start`], and its handler submits each again once
//! it has read the data. A sender [takes](Stream::take) an idle one when it has something to say;
//! its handler, or any other context, fills the next.
//!
//! C header: [`include/linux/usb.h`](srctree/include/linux/usb.h)

use crate::{
    device::Device,
    endpoint::{
        Endpoint,
        Pipe, //
    },
    urb::Urb, //
};
use core::{
    marker::PhantomPinned,
    mem::ManuallyDrop,
    ptr::NonNull,
    slice, //
};
use kernel::{
    bindings,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            AtomicFlag,
            Relaxed,
            Release, //
        },
        Arc,
        Mutex,
        SetOnce, //
    }, //
};
use kthread::{
    Leftover,
    LookedAfter,
    Scope, //
};

/// What a [`Stream`] calls when a transfer has ended.
pub trait Handler: Send + Sync + Sized + 'static {
    /// A transfer ended, well or not: [`Transfer::result`] says how.
    ///
    /// Called in atomic context, possibly with interrupts disabled: it must not sleep, and the
    /// locks that it takes are [`SpinLockIrq`](kernel::sync::SpinLockIrq)s, or plain ones that are
    /// only ever taken in bottom halves with interrupts on. Handlers of one stream can run on
    /// several CPUs at once. A transfer never ends within its own submission, so a lock may be held
    /// across that. It must not stop or drop its own stream, which would wait for itself.
    ///
    /// A transfer that failed is submitted again at the handler's own risk: a device that fails
    /// each time would keep it busy for ever. Dropping it and calling [`Stream::start`] later is
    /// the safe way.
    fn completed(&self, stream: &Stream<Self>, transfer: Transfer<'_, Self>);
}

/// A fixed set of URBs on one endpoint, and the handler that is told when they end.
///
/// Dropping a stream stops it, and sleeps. One that is leaked is stopped when its module goes.
///
/// # Invariants
///
/// - The `context` of each URB is the place of its own `Slot`, whose `stream` is this stream; neither
///   moves.
/// - A slot's `idle` is set if and only if its URB is not in flight and no [`Transfer`] has it.
#[pin_data(PinnedDrop)]
pub struct Stream<H: Handler> {
    // Dropped first: what is gone needs nobody to look after it.
    _looked_after: Option<LookedAfter>,
    slots: Arc<Slots<H>>,
    #[pin]
    handler: H,
    #[pin]
    _pin: PhantomPinned,
}

/// All URBs of a stream: what its module stops, should the stream be leaked.
#[pin_data]
struct Slots<H: Handler> {
    device: ARef<Device>,
    endpoint: Endpoint,
    /// The size of the buffer of each.
    size: usize,
    /// A place for each that there is to be. They come one after the other.
    all: KVec<SetOnce<Slot<H>>>,
    /// Whether none may come any more. Locked by who makes them.
    #[pin]
    is_ended: Mutex<bool>,
}

/// An URB's place in the stream.
struct Slot<H: Handler> {
    urb: Urb,
    idle: AtomicFlag,
    stream: NonNull<Stream<H>>,
}

// SAFETY: The pointer goes to the stream that the slot was made for, which is `Send` if its parts
// are, and it is followed only while an URB of that stream ends; the slot itself does not move.
unsafe impl<H: Handler> Send for Slot<H> {}

// SAFETY: The pointer is only used to make a `&Stream`, which is `Sync` if its parts are; URB and
// flag are `Sync`.
unsafe impl<H: Handler> Sync for Slot<H> {}

impl<H: Handler> Slots<H> {
    /// None yet.
    fn new(device: &Device, endpoint: Endpoint, count: usize, size: usize) -> Result<Arc<Self>> {
        if size == 0 || !endpoint.fits(size) {
            return Err(EINVAL);
        }
        let mut all = KVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            all.push(SetOnce::new(), GFP_KERNEL)?;
        }
        Arc::pin_init(
            pin_init!(Self {
                device: device.into(),
                endpoint,
                size,
                all,
                is_ended <- new_mutex!(false, "usb::Slots::is_ended"),
            }),
            GFP_KERNEL,
        )
    }

    /// Allocates those of the first `count` that are missing.
    fn fill(&self, stream: &Stream<H>, count: usize) -> Result {
        let is_ended = self.is_ended.lock();
        for place in self.all.iter().take(count) {
            if place.as_ref().is_some() {
                continue;
            }
            if *is_ended {
                return Err(ENODEV);
            }
            // It is empty, and nobody else may fill it while we have the lock.
            place.populate(self.make(stream, place)?);
        }
        Ok(())
    }

    /// Makes what is to come to this place.
    fn make(&self, stream: &Stream<H>, place: &SetOnce<Slot<H>>) -> Result<Slot<H>> {
        let packets = self.endpoint.packets(self.size);
        let urb = Urb::with_packets(&self.device, self.size, packets)?;
        let context = core::ptr::from_ref(place).cast();
        // SAFETY: The URB was never submitted. `complete` wants its place as its context, and the
        // vector has had all places since it was made, so that they stay where they are until they
        // are dropped, and their URBs with them.
        unsafe { urb.fill(&self.endpoint, Stream::<H>::complete, context) };
        Ok(Slot {
            urb,
            idle: AtomicFlag::new(true),
            stream: stream.into(),
        })
    }

    /// Those that there are.
    #[inline]
    fn iter(&self) -> impl DoubleEndedIterator<Item = &Slot<H>> {
        self.all.iter().filter_map(SetOnce::as_ref)
    }

    /// Begins to end all URBs, then waits for each.
    fn all(&self, begin: fn(&Urb), wait: fn(&Urb)) {
        // The last first, so that none of them gets its turn because another went; and all of
        // them before the first wait, so that they are cancelled side by side.
        for slot in self.iter().rev() {
            begin(&slot.urb);
        }
        for slot in self.iter() {
            wait(&slot.urb);
        }
    }
}

impl<H: Handler> Leftover for Slots<H> {
    fn end(&self) {
        *self.is_ended.lock() = true;
        self.all(Urb::cancel, Urb::poison);
    }
}

impl<H: Handler> Stream<H> {
    /// Makes a stream of `count` URBs with `size` bytes each, all of them idle. One without any
    /// moves nothing. May sleep.
    ///
    /// It is stopped before the module of `scope` goes, whatever has become of it. That is to be
    /// the module with the handler's code, or one that depends on it.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `size` is 0, or no multiple of an isochronous endpoint's packets; `ENODEV` if the
    /// module is on its way out; `ENOMEM`.
    pub fn new<'a, P: Pipe + 'a>(
        scope: &'a Scope,
        device: &'a Device,
        pipe: P,
        count: usize,
        size: usize,
        handler: impl PinInit<H, Error> + 'a,
    ) -> impl PinInit<Self, Error> + 'a {
        Self::unprepared(scope, device, pipe, count, size, handler)
            .pin_chain(move |stream| stream.prepare(count))
    }

    /// Makes a stream as [`Stream::new`] does, but without its URBs: it moves nothing until they
    /// have been allocated by [`Stream::prepare`].
    pub fn unprepared<'a, P: Pipe + 'a>(
        scope: &'a Scope,
        device: &'a Device,
        pipe: P,
        count: usize,
        size: usize,
        handler: impl PinInit<H, Error> + 'a,
    ) -> impl PinInit<Self, Error> + 'a {
        Self::make(Some(scope), device, pipe, count, size, handler)
    }

    /// Makes a stream that nobody looks after: it must not be leaked.
    pub(crate) fn unattended<'a, P: Pipe + 'a>(
        device: &'a Device,
        pipe: P,
        count: usize,
        size: usize,
        handler: impl PinInit<H, Error> + 'a,
    ) -> impl PinInit<Self, Error> + 'a {
        Self::make(None, device, pipe, count, size, handler)
            .pin_chain(move |stream| stream.prepare(count))
    }

    fn make<'a, P: Pipe + 'a>(
        scope: Option<&'a Scope>,
        device: &'a Device,
        pipe: P,
        count: usize,
        size: usize,
        handler: impl PinInit<H, Error> + 'a,
    ) -> impl PinInit<Self, Error> + 'a {
        try_pin_init!(Self {
            // INVARIANT: There is no URB yet.
            slots: Slots::new(device, pipe.endpoint(), count, size)?,
            _looked_after: match scope {
                Some(scope) => Some(scope.look_after(slots.clone())?),
                None => None,
            },
            handler <- handler,
            _pin: PhantomPinned,
        })
    }

    /// Allocates URBs, all of them idle, until there are `count`, or as many as the stream was made
    /// for. They stay for as long as it does. May sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` after [`Stream::stop`], or if the module is on its way out; `ENOMEM`. It may be
    /// tried again.
    pub fn prepare(&self, count: usize) -> Result {
        // INVARIANT: The contexts are set; no URB was submitted, no token made. The stream does not
        // move: there is no other way to make one than in its place.
        self.slots.fill(self, count)
    }

    /// Allocates one URB more, unless there are as many as the stream was made for. May sleep.
    ///
    /// # Errors
    ///
    /// Those of [`Stream::prepare`].
    pub fn grow(&self) -> Result {
        self.prepare(self.slots.iter().count() + 1)
    }

    /// Whether there are as many URBs as the stream was made for. Callable from any context.
    pub fn is_complete(&self) -> bool {
        let last = self.slots.all.last();
        last.is_none_or(|place| place.as_ref().is_some())
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// Takes an idle URB, if there is one. Callable from any context.
    pub fn take(&self) -> Option<Transfer<'_, H>> {
        self.slots
            .iter()
            .find(|slot| slot.idle.load(Relaxed) && slot.idle.xchg(false, Acquire))
            // INVARIANT: The flag was set and is ours now: idle, and nobody else's.
            .map(|slot| Transfer { stream: self, slot })
    }

    /// Submits all idle URBs with their whole buffers: what starts a receiver, and what revives
    /// one whose transfers failed. Does not sleep.
    ///
    /// # Errors
    ///
    /// That of the first submission that failed; the URBs from there on stay idle. `EPERM` after
    /// [`Stream::stop`].
    pub fn start(&self) -> Result {
        for slot in self.slots.iter() {
            if slot.idle.xchg(false, Acquire) {
                // INVARIANT: The flag was set and is ours now: idle, and nobody else's.
                let transfer = Transfer { stream: self, slot };
                transfer.submit(slot.urb.size())?;
            }
        }
        Ok(())
    }

    /// Cancels all that is in flight, and waits until the handlers have returned. What they submit
    /// again, or others do meanwhile, goes on: it is for them to know that nothing is wanted any
    /// more. The stream can be started again. Sleeps.
    pub fn cancel(&self) {
        self.slots.all(Urb::unlink, Urb::kill);
    }

    /// Cancels all that is in flight, waits until the handlers have returned, and lets every
    /// later submission fail with `EPERM`. May be called again. Sleeps.
    pub fn stop(&self) {
        self.slots.end();
    }

    /// The completion handler of each URB.
    ///
    /// # Safety
    ///
    /// `urb` is an URB of a `Stream<H>` that just ended.
    unsafe extern "C" fn complete(urb: *mut bindings::urb) {
        // SAFETY: The context of an URB of ours is its place, by the type invariants. Both place
        // and stream are there: dropping the stream waits for this function first.
        let place = unsafe { &*(*urb).context.cast::<SetOnce<Slot<H>>>() };
        let Some(slot) = place.as_ref() else {
            // Not reached: it is submitted from there.
            return;
        };
        // SAFETY: As above.
        let stream = unsafe { slot.stream.as_ref() };
        // INVARIANT: It was in flight until now, so there is no other token.
        stream.handler.completed(stream, Transfer { stream, slot });
    }
}

#[pinned_drop]
impl<H: Handler> PinnedDrop for Stream<H> {
    fn drop(self: Pin<&mut Self>) {
        // Before any field goes: the handlers use all of them.
        self.stop();
    }
}

/// An URB that is not in flight, and its buffer.
///
/// Dropping it makes it idle again.
///
/// # Invariants
///
/// The URB is not in flight, and this is the only `Transfer` that has it.
pub struct Transfer<'a, H: Handler> {
    stream: &'a Stream<H>,
    slot: &'a Slot<H>,
}

impl<H: Handler> Transfer<'_, H> {
    /// How the last transfer ended: the number of bytes moved, or why it failed.
    ///
    /// `ENOENT`, `ECONNRESET` and `ESHUTDOWN` mean that it was cancelled, because the stream was
    /// stopped or the device is gone. 0 bytes before the first one; means nothing after a
    /// submission that failed.
    #[inline]
    pub fn result(&self) -> Result<usize> {
        // SAFETY: Not in flight, by the type invariants.
        unsafe { self.slot.urb.result() }
    }

    /// The bytes that the device sent in the last transfer, if it ended well. Empty on a stream
    /// towards the device.
    #[inline]
    pub fn received(&self) -> &[u8] {
        if !self.stream.slots.endpoint.is_in() {
            return &[];
        }
        let length = self.result().unwrap_or(0);
        // SAFETY: The buffer has been initialised since it was made, `length` is within it, and
        // only the holder of this token uses it.
        unsafe { slice::from_raw_parts(self.slot.urb.buffer(), length) }
    }

    /// The bytes that the device sent in the last transfer, in pieces: the packets of an
    /// isochronous transfer, each of which may have been lost for a reason of its own, or all that
    /// any other has [received](Self::received).
    pub fn pieces(&self) -> impl Iterator<Item = Result<&[u8]>> {
        (0..self.slot.urb.packets().max(1)).map(|index| self.piece(index))
    }

    /// One of the pieces; there is but one where there are no packets.
    fn piece(&self, index: usize) -> Result<&[u8]> {
        let urb = &self.slot.urb;
        if urb.packets() == 0 || !self.stream.slots.endpoint.is_in() {
            return Ok(self.received());
        }
        self.result()?;
        // SAFETY: Not in flight by the type invariants, and `pieces` counts up to `packets`.
        let place = unsafe { urb.packet_result(index) }?;
        // SAFETY: The buffer has been initialised since it was made, the place is within it, and
        // only the holder of this token uses it.
        Ok(unsafe { slice::from_raw_parts(urb.buffer().add(place.start), place.len()) })
    }

    /// The whole buffer.
    pub fn buffer(&mut self) -> &mut [u8] {
        let urb = &self.slot.urb;
        // SAFETY: The buffer has been initialised since it was made, has `size` bytes, and only
        // the holder of this token uses it.
        unsafe { slice::from_raw_parts_mut(urb.buffer(), urb.size()) }
    }

    /// The size of the buffer in bytes.
    pub fn capacity(&self) -> usize {
        self.slot.urb.size()
    }

    /// Submits the first `length` bytes of the buffer, or room for so many. Does not sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the buffer is smaller, or the transfer isochronous, which moves whole buffers
    /// only, and is to move less; `EPERM` after [`Stream::stop`], or what
    /// `usb_submit_urb()` says, such as `ENODEV`. The URB is idle again then.
    pub fn submit(self, length: usize) -> Result {
        let whole = self.capacity();
        if length > whole || (self.slot.urb.packets() > 0 && length < whole) {
            return Err(EINVAL);
        }
        // From the submission on, the URB and its next token belong to the USB core.
        let this = ManuallyDrop::new(self);
        // SAFETY: Not in flight by the type invariants, filled when the stream was made; we have
        // the only token and give it up; `length` was checked.
        let submitted = unsafe {
            this.slot.urb.set_length(length);
            this.slot.urb.submit(bindings::GFP_ATOMIC)
        };
        if submitted.is_err() {
            // The USB core did not take it, so it is still ours.
            drop(ManuallyDrop::into_inner(this));
        }
        submitted
    }
}

impl<H: Handler> Drop for Transfer<'_, H> {
    fn drop(&mut self) {
        // INVARIANT: Not in flight, and the token ends here. The release hands our accesses to
        // the buffer over to the next one who takes it.
        self.slot.idle.store(true, Release);
    }
}
