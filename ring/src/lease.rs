//! A borrowed frame.

use core::fmt;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::entry::FrameEntry;
use crate::plane::{ComponentView, PlaneView};
use crate::shared::Shared;
use crate::sync::Arc;

/// A frame that is borrowed in place, until it is dropped: nothing is copied, and nothing overwrites it.
///
/// It may be sent to other threads, shared by reference, outlive its reader, the writer and the ring, and be dropped
/// anywhere. While it lives it counts against its reader's limit; one that is leaked counts for good.
///
/// It reads as its [`FrameEntry`]:
///
/// ```
/// # use vas_ring::*;
/// # let spec = RingSpec::new(1, 1, 1, 64)?;
/// # let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// # let mut reader = ring.subscribe()?;
/// # writer.claim()?.publish(&FrameEntry { bytes: 1, ..FrameEntry::default() });
/// let frame = reader.latest()?.expect("published");
/// assert_eq!(frame.frame_id, 0);
/// let byte = frame.pixels()[0];
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// and is never written to:
///
/// ```compile_fail,E0594
/// # use vas_ring::*;
/// # let spec = RingSpec::new(1, 1, 1, 64)?;
/// # let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// # let mut reader = ring.subscribe()?;
/// # writer.claim()?.publish(&FrameEntry { bytes: 1, ..FrameEntry::default() });
/// let frame = reader.latest()?.expect("published");
/// frame.pixels()[0] = 1;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Lease {
    shared: NonNull<Shared>,
    slot: u16,
    /// Index of the reader that took it.
    reader: u8,
}

impl Lease {
    /// # Safety
    ///
    /// The reader with this index holds a lease of `slot` that no other `Lease` stands for.
    #[inline]
    pub(crate) unsafe fn new(shared: &Arc<Shared>, slot: u16, reader: usize) -> Self {
        // An `Arc`'s pointer is not null. Readers number at most 31.
        let shared = NonNull::new(Arc::as_ptr(shared).cast_mut()).expect("not null");
        Self { shared, slot, reader: reader as u8 }
    }

    #[inline]
    fn shared(&self) -> &Shared {
        // SAFETY: the reader keeps the ring while it lives, and passes its handle on to its leases when it goes.
        unsafe { self.shared.as_ref() }
    }

    /// What is known of the frame beside its pixels.
    #[inline]
    pub fn entry(&self) -> &FrameEntry {
        // SAFETY: leased until `self` is dropped.
        &unsafe { self.shared().slots.frame(self.slot) }.1.entry
    }

    /// All bytes that the planes cover.
    #[inline]
    pub fn pixels(&self) -> &[u8] {
        // SAFETY: leased until `self` is dropped.
        let slot = unsafe { self.shared().pixels(self.slot) };
        &slot[..slot.len().min(self.entry().bytes as usize)]
    }

    /// Plane `index`, in the order of the pixel format; none when it has fewer.
    pub fn plane(&self, index: usize) -> Option<PlaneView<'_>> {
        PlaneView::new(self.entry(), self.pixels(), index)
    }

    /// The samples of component `index`, whatever plane they are in: 0 for luma or red; none when the pixel format has
    /// fewer, see [`PixelFormat::components`](crate::PixelFormat::components).
    pub fn component(&self, index: usize) -> Option<ComponentView<'_>> {
        ComponentView::new(self.entry(), self.pixels(), index)
    }
}

impl Drop for Lease {
    #[inline]
    fn drop(&mut self) {
        if self.shared().slots.word(self.slot).release(usize::from(self.reader)) {
            self.give_back();
        }
        // Otherwise the ring may be gone by now.
    }
}

impl Lease {
    /// The reader had gone: its leases do in the end what it did not.
    #[cold]
    fn give_back(&mut self) {
        let reader = usize::from(self.reader);
        let (orphans, subscriptions) = (&self.shared().reader(reader).orphans, &*self.shared().subscriptions);
        if subscriptions.give_back(orphans, reader, 1) {
            // SAFETY: the reader left one handle, made by `Arc::clone`, to whoever gives back its last lease.
            drop(unsafe { Arc::from_raw(self.shared.as_ptr().cast_const()) });
        }
    }
}

impl Deref for Lease {
    type Target = FrameEntry;

    #[inline]
    fn deref(&self) -> &FrameEntry {
        self.entry()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("entry", self.entry()).finish_non_exhaustive()
    }
}

// SAFETY: a lease gives only shared access to a frame that nobody writes, and is given back with atomic operations on
// memory that is `Sync`; `Shared` may be dropped on any thread, as it is `Send`.
unsafe impl Send for Lease {}
// SAFETY: as above.
unsafe impl Sync for Lease {}
