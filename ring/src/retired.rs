//! The end of a ring for good: its slots are given back one by one, as readers let go of them.

use core::fmt;
use core::ops::Range;

use crate::ring::Ring;

/// A ring that gets no writer any more. Made by [`Ring::retire`].
///
/// Readers that are subscribed still get what they have not seen of the newest frames, and then
/// [`ReadError::Closed`](crate::ReadError::Closed); leases stay valid. Everything else is given back by
/// [`reclaim`](Self::reclaim), slot by slot, so that a reader that lingers keeps what it holds and no more.
///
/// ```
/// use vas_ring::{FrameEntry, HeapMemory, Identity, Ring, RingSpec};
///
/// let spec = RingSpec::new(2, 1, 1, 64)?;
/// let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// let mut reader = ring.subscribe()?;
/// for _ in 0..3 {
///     writer.claim()?.publish(&FrameEntry::default());
/// }
/// drop(writer);
///
/// let mut retired = ring.retire().expect("the writer is gone");
/// assert!(ring.writer().is_none());
/// let mut bytes = 0;
/// // The newest two frames stay for the reader.
/// retired.reclaim(|range| bytes += range.len());
/// assert_eq!(bytes, (spec.slots() - 2) * spec.slot_stride());
/// let lease = reader.next()?.expect("one of them");
/// drop(reader);
/// // The lease keeps its slot.
/// retired.reclaim(|range| bytes += range.len());
/// assert_eq!((bytes, retired.slots_left()), (spec.pixel_bytes() - spec.slot_stride(), 1));
/// drop(lease);
/// retired.reclaim(|range| bytes += range.len());
/// assert_eq!(bytes, spec.pixel_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Retired {
    ring: Ring,
    slots_left: usize,
}

impl Ring {
    /// Ends the ring for good, after its writer was dropped: [`writer`](Self::writer) gives none any more. None while there is
    /// a writer, and when the ring was retired before.
    pub fn retire(&self) -> Option<Retired> {
        // The writer's place is taken, and never left.
        let slots_left = self.spec().slots();
        self.shared().subscriptions.attach_writer().then(|| Retired { ring: self.clone(), slots_left })
    }
}

impl Retired {
    /// Calls `free` for each slot that nobody reads any more and that was not freed yet, with the range that it has in the
    /// ring's pixel memory, in bytes from [`PixelMemory::base`](crate::PixelMemory::base). Nothing reads or writes those
    /// bytes again, so that the caller may do with them what it likes as long as the memory can be dropped. Ranges are
    /// [`slot_stride`](crate::RingSpec::slot_stride) long; those of neighbouring slots meet.
    ///
    /// Slots of the newest K frames are kept as long as a reader is subscribed, and those that are leased as long as they
    /// are: ask again later. Looks at each slot once, and neither waits nor allocates.
    pub fn reclaim(&mut self, mut free: impl FnMut(Range<usize>)) {
        let shared = self.ring.shared();
        let stride = shared.spec.slot_stride();
        let any_reader = shared.subscriptions.any_reader();
        // SAFETY: `retire` attached itself as the writer for good; `&mut self` makes this the only use.
        let state = unsafe { shared.writer_state() };
        state.reclaim(&shared.slots, &shared.head, any_reader, |slot| {
            // SAFETY: the slot is owned, as if claimed, and not given out again.
            let _ = unsafe { shared.pixels_mut(slot) };
            self.slots_left -= 1;
            let start = usize::from(slot) * stride;
            free(start..start + stride);
        });
    }

    /// Slots that are not freed yet.
    pub fn slots_left(&self) -> usize {
        self.slots_left
    }

    /// The ring. When this is its last handle, [`Ring::is_unused`] says so once readers and leases are gone.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}

impl fmt::Debug for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retired").field("ring", &self.ring).field("slots_left", &self.slots_left).finish()
    }
}
