//! A borrowed frame.

use core::fmt;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::reader::give_back;
use crate::shared::Shared;
use crate::sync::Arc;
use crate::{ComponentView, FrameEntry, PlaneView};

/// A frame that is borrowed in place, until it is dropped: nothing is copied, and nothing overwrites it.
///
/// It may be sent to other threads, shared by reference, outlive its reader, the writer and the ring, and be dropped
/// anywhere. While it lives it takes one of its reader's budget; one that is leaked takes it for good.
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
    place: u8,
}

impl Lease {
    /// # Safety
    ///
    /// `place` holds a lease of `slot` that no other `Lease` stands for.
    #[inline]
    pub(crate) unsafe fn new(shared: &Arc<Shared>, slot: u16, place: usize) -> Self {
        // An `Arc`'s pointer is not null. Places number at most 31.
        let shared = NonNull::new(Arc::as_ptr(shared).cast_mut()).expect("not null");
        Self { shared, slot, place: place as u8 }
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
        &unsafe { self.shared().frame(usize::from(self.slot)) }.1.entry
    }

    /// All bytes that the planes cover.
    #[inline]
    pub fn pixels(&self) -> &[u8] {
        // SAFETY: leased until `self` is dropped.
        let slot = unsafe { self.shared().pixels(usize::from(self.slot)) };
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
        let place = usize::from(self.place);
        if self.shared().word(usize::from(self.slot)).release(place) {
            self.settle();
        }
        // Otherwise the ring may be gone by now.
    }
}

impl Lease {
    /// The reader had gone: what it left to its leases is settled by them.
    #[cold]
    fn settle(&mut self) {
        let place = usize::from(self.place);
        let (orphans, seats) = (&self.shared().place(place).orphans, &*self.shared().seats);
        if give_back(orphans, seats, place, 1) {
            // SAFETY: the departed reader left one handle, made by `Arc::clone`, to whoever gives back the last lease.
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
