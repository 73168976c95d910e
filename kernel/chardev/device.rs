// SPDX-License-Identifier: GPL-2.0

//! The device in `/dev`, and its file operations.
//!
//! C headers: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    feed::{
        Feed,
        Status, //
    },
    reader::Reader, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    container_of,
    error::to_result,
    ffi::{
        c_int,
        c_void, //
    },
    fs::{
        file::flags::{
            O_ACCMODE,
            O_NONBLOCK,
            O_RDONLY, //
        },
        File, //
    },
    iov::IovIterDest,
    module::this_module,
    prelude::*,
    sync::{
        poll::PollTable,
        Arc, //
    },
    types::{
        ForeignOwnable,
        Opaque, //
    },
    ModuleMetadata, //
};

extern "C" {
    /// Whether an address is in the memory of a module, in that part which stays until it is gone.
    fn threadline_chardev_within(module: *const c_void, address: *const c_void) -> bool;
}

/// A device `/dev/NAME` of the module `M`, from which everybody may read a [`Feed`].
///
/// Dropping it takes it away from `/dev`: nobody opens it after that. Files that are open stay so,
/// and keep the module loaded.
///
/// It must not be leaked, as a registration of the kernel crate must not: the kernel would keep a
/// device whose code may go.
///
/// # Invariants
///
/// `misc` is registered, with the operations of `T` and `M`, which are in the memory of `M`.
#[pin_data(PinnedDrop)]
pub struct Device<T: Status, M: ModuleMetadata> {
    // First, because pin-init goes from top to bottom: the device can be opened as soon as `misc`
    // is registered.
    feed: Arc<Feed<T>>,
    #[pin]
    misc: Opaque<bindings::miscdevice>,
    _module: PhantomData<fn() -> M>,
}

// SAFETY: `misc_deregister()` may be called by any task, and the feed may be dropped by any.
unsafe impl<T: Status, M: ModuleMetadata> Send for Device<T, M> {}

// SAFETY: `&Device` gives access to nothing.
unsafe impl<T: Status, M: ModuleMetadata> Sync for Device<T, M> {}

impl<T: Status, M: ModuleMetadata> Device<T, M> {
    /// Registers the device, in place. It can be opened before this returns, so a module does it
    /// last of all that can fail.
    ///
    /// `M` must be the module that holds this code: [`EINVAL`] if it is another. Other errors are
    /// those of `misc_register()`, such as [`EBUSY`]; [`EEXIST`] if there is a device of this name.
    ///
    /// May sleep.
    pub fn register<'a>(
        name: &'static CStr,
        feed: &'a Arc<Feed<T>>,
    ) -> impl PinInit<Self, Error> + 'a
    where
        M: 'a,
    {
        try_pin_init!(Self {
            feed: feed.clone(),
            // INVARIANT: `register_at` checks the module, and registers the device.
            misc <- Opaque::try_ffi_init(|slot| Self::register_at(slot, name)),
            _module: PhantomData,
        })
    }

    fn register_at(slot: *mut bindings::miscdevice, name: &'static CStr) -> Result {
        if !Operations::<T, M>::are_in_module() {
            pr_err!("a module can't register devices of another\n");
            return Err(EINVAL);
        }
        let misc = bindings::miscdevice {
            minor: bindings::MISC_DYNAMIC_MINOR as c_int,
            name: name.as_char_ptr(),
            fops: Operations::<T, M>::table(),
            mode: 0o444,
            ..pin_init::zeroed()
        };
        // SAFETY: `slot` can be written to. It stays where it is until the device is dropped,
        // because it is pinned, and that deregisters it. Name and operations are static.
        unsafe {
            slot.write(misc);
            to_result(bindings::misc_register(slot))
        }
    }
}

#[pinned_drop]
impl<T: Status, M: ModuleMetadata> PinnedDrop for Device<T, M> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: It is registered by the type invariants. When this returns, no `open` looks at
        // it any more: the C side holds one lock for both.
        unsafe { bindings::misc_deregister(self.misc.get()) };
    }
}

/// The private data of a file that `open` has let in, until `release`, which the kernel calls once,
/// when nothing else uses the file.
type Private<T> = Pin<KBox<Reader<T>>>;

/// The file operations of the devices of `T` and `M`.
struct Operations<T, M>(PhantomData<(T, M)>);

impl<T: Status, M: ModuleMetadata> Operations<T, M> {
    const TABLE: bindings::file_operations = bindings::file_operations {
        owner: this_module::<M>().as_ptr(),
        open: Some(Self::open),
        read_iter: Some(Self::read_iter),
        poll: Some(Self::poll),
        release: Some(Self::release),
        ..pin_init::zeroed()
    };

    const fn table() -> &'static bindings::file_operations {
        &Self::TABLE
    }

    /// Whether the module that open files keep is the one that these were compiled into.
    fn are_in_module() -> bool {
        let module = this_module::<M>().as_ptr();
        let table = core::ptr::from_ref(Self::table());
        // A module that is built in has no memory of its own, and never goes.
        //
        // SAFETY: A `ThisModule` that is not NULL is that of a module which the caller is part of,
        // or stands on, so it is loaded. The address is only compared.
        module.is_null() || unsafe { threadline_chardev_within(module.cast(), table.cast()) }
    }

    /// # Safety
    ///
    /// `file` must be one that is being opened, of a [`Device<T, M>`], with its `miscdevice` as
    /// private data, and nobody deregisters that meanwhile.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: By the safety requirements; nobody else knows the file yet.
        let flags = unsafe { File::from_raw_file(file) }.flags();
        if flags & O_ACCMODE != O_RDONLY {
            // Root gets here.
            return EACCES.to_errno();
        }
        // SAFETY: By the safety requirements.
        let misc = unsafe { (*file).private_data }.cast::<bindings::miscdevice>();
        // SAFETY: That is the `misc` of a device, which is not dropped before it is deregistered.
        // Its `feed` was initialised before it was registered.
        let feed = unsafe {
            let device = container_of!(Opaque::cast_from(misc), Device<T, M>, misc);
            (*device).feed.clone()
        };
        match Reader::new(feed) {
            Ok(reader) => {
                // SAFETY: Whoever opens a file may set its private data.
                unsafe { (*file).private_data = reader.into_foreign() };
                // SAFETY: The file is being opened. This never fails.
                unsafe { bindings::stream_open(inode, file) }
            }
            Err(error) => error.to_errno(),
        }
    }

    /// The reader of an open file.
    ///
    /// # Safety
    ///
    /// `file` must be open, of a [`Device<T, M>`], and not be released while the result lives.
    unsafe fn reader<'a>(file: *mut bindings::file) -> Pin<&'a Reader<T>> {
        // SAFETY: `open` has put that there, and only `release` takes it away.
        unsafe { Private::<T>::borrow((*file).private_data) }
    }

    /// # Safety
    ///
    /// `iocb` must be that of a read of an open file of a [`Device<T, M>`], into `iter`.
    unsafe extern "C" fn read_iter(
        iocb: *mut bindings::kiocb,
        iter: *mut bindings::iov_iter,
    ) -> isize {
        // SAFETY: The file is open while it is read.
        let (file, reader) = unsafe {
            let file = (*iocb).ki_filp;
            (file, Self::reader(file))
        };
        // SAFETY: The file is open, and none of its fields that `File` looks at change without
        // being made for that.
        let flags = unsafe { File::from_raw_file(file) }.flags();
        // SAFETY: The caller says that it is there to be written to.
        let to = unsafe { IovIterDest::from_raw(iter) };
        match reader.read(flags & O_NONBLOCK == 0, to) {
            // A line is much shorter than that.
            Ok(length) => length as isize,
            Err(error) => error.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// `file` must be open, of a [`Device<T, M>`], and `table` NULL or a poll table.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table,
    ) -> bindings::__poll_t {
        // SAFETY: By the safety requirements, for as long as this function runs.
        let (reader, file, table) = unsafe {
            (
                Self::reader(file),
                File::from_raw_file(file),
                PollTable::from_raw(table),
            )
        };
        reader.poll(file, &table)
    }

    /// # Safety
    ///
    /// `file` must be one that `open` has let in, and that nobody uses any more.
    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: `open` has put that there, and nobody borrows it any more.
        drop(unsafe { Private::<T>::from_foreign((*file).private_data) });
        0
    }
}
