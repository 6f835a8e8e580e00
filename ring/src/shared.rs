//! What writer, readers and leases share, and the only ways to the parts that are not atomic.
//!
//! Each accessor that gives exclusive access takes `&self`, as the ring is shared, and is unsafe; each is called from a
//! method that takes `&mut self` or `self`, never from one that takes `&self` (a test of `xtask` looks). So two threads that
//! share a writer, a claim or a reader by reference reach atomics and fields that do not change.

use alloc::boxed::Box;
use core::ptr::NonNull;
use core::slice;

use crossbeam_utils::CachePadded;

use crate::drops::{DropCounters, Drops};
use crate::entry::FrameEntry;
use crate::head::{Head, HeadWord, Position};
use crate::identity::Identity;
use crate::memory::PixelMemory;
use crate::reader_state::{ReaderCounters, ReaderState};
use crate::slot::{Frame, Slot, Slots};
use crate::spec::{MAX_DEPTH, MAX_LEASES, MAX_OVERHEAD, MAX_READERS, RingSpec};
use crate::stats::ReaderStats;
use crate::subscriptions::Subscriptions;
use crate::sync::{AtomicU32, UnsafeCell};
use crate::writer_state::WriterState;

/// One ring. Each part that is written by another party is on cache lines of its own.
pub(crate) struct Shared {
    pub(crate) spec: RingSpec,
    pub(crate) identity: Identity,
    /// Written by the writer at each publish, read by readers at each poll.
    pub(crate) head: CachePadded<Head>,
    /// Written by the writer, read for statistics.
    pub(crate) drops: CachePadded<DropCounters>,
    /// Written by who comes and goes, read by the writer.
    pub(crate) subscriptions: CachePadded<Subscriptions>,
    /// Private to the writer.
    writer: CachePadded<UnsafeCell<WriterState>>,
    pub(crate) slots: Slots,
    readers: Box<[CachePadded<ReaderRecord>]>,
    /// Bytes from one slot's pixels to the next slot's.
    stride: usize,
    /// Start of `memory`.
    pixels: NonNull<u8>,
    /// Kept for its `Drop`.
    _memory: Box<dyn PixelMemory>,
}

/// What the ring has of each reader.
pub(crate) struct ReaderRecord {
    /// Private to the reader.
    state: UnsafeCell<ReaderState>,
    /// Written by the reader, read for statistics.
    pub(crate) counters: ReaderCounters,
    /// Leases that outlived their reader, and the reader while it counts them.
    pub(crate) orphans: AtomicU32,
}

/// What a ring takes beside its pixels.
impl RingSpec {
    /// Bytes that the ring allocates beside the pixel memory.
    pub const fn overhead_bytes(&self) -> usize {
        // Strong and weak count of the `Arc` come before the ring, padded to its alignment.
        size_of::<Shared>()
            + align_of::<Shared>()
            + self.slots() * size_of::<Slot>()
            + self.readers() * size_of::<CachePadded<ReaderRecord>>()
            + WriterState::heap_bytes(self)
    }

    /// All bytes that a ring of this spec takes, pixels and bookkeeping.
    pub const fn total_bytes(&self) -> usize {
        self.pixel_bytes() + self.overhead_bytes()
    }
}

const _: () = match RingSpec::new(MAX_DEPTH, MAX_READERS, MAX_LEASES, 1) {
    Ok(largest) => assert!(largest.overhead_bytes() <= MAX_OVERHEAD),
    Err(_) => panic!(),
};

impl Shared {
    pub(crate) fn new(spec: RingSpec, identity: Identity, memory: Box<dyn PixelMemory>) -> Self {
        let Identity { camera_id, epoch, generation, first_frame_id } = identity;
        let start = Position::before(first_frame_id);
        let head = HeadWord::open(start, 0);
        let entry = FrameEntry { camera_id, epoch, generation, ..FrameEntry::default() };
        let reader = |_| {
            CachePadded::new(ReaderRecord {
                state: UnsafeCell::new(ReaderState::new()),
                counters: ReaderCounters::default(),
                orphans: AtomicU32::new(0),
            })
        };
        Self {
            spec,
            identity,
            head: CachePadded::new(Head::new(&spec, head)),
            drops: CachePadded::new(DropCounters::new()),
            subscriptions: CachePadded::new(Subscriptions::with_writer()),
            writer: CachePadded::new(UnsafeCell::new(WriterState::new(&spec, first_frame_id, head))),
            slots: Slots::new(spec.slots(), entry, start),
            readers: (0..spec.readers()).map(reader).collect(),
            stride: spec.slot_stride(),
            pixels: memory.base(),
            _memory: memory,
        }
    }

    pub(crate) fn reader(&self, reader: usize) -> &ReaderRecord {
        &self.readers[reader]
    }

    /// Anyone: when the newest frame was offered, for statistics; 0 before the first.
    pub(crate) fn newest_ns(&self) -> u64 {
        self.slots.monotonic_ns(self.head.load().slot())
    }

    /// Anyone: the statistics of a reader.
    pub(crate) fn reader_stats(&self, reader: usize) -> ReaderStats {
        let newest = self.head.peek().position();
        self.reader(reader).counters.stats(reader, &self.slots, newest, self.newest_ns())
    }

    /// The head, and the drops at a moment at which that was the head.
    pub(crate) fn head_and_drops(&self) -> (HeadWord, Drops) {
        let mut drops = self.drops.load();
        loop {
            let head = self.head.load();
            // Each of the head and the two counts is what was read here for a stretch of what the writer did, one after the
            // other. Counts only grow, so one that is read twice is of one stretch. What is read later is no older than at
            // the writer's store of what was read earlier. As each count is read before and after the head, and before and
            // after the other count, any two of the three stretches overlap, hence all three do. (A head may come back:
            // closed, open, and closed again.) Starts over only when the writer has dropped a frame meanwhile.
            let again = self.drops.load();
            if again == drops {
                return (head, drops);
            }
            drops = again;
        }
    }

    /// Frames published up to `position`: exact as long as the ring has published fewer than 2^52.
    pub(crate) fn published(&self, position: Position) -> u64 {
        position.since(Position::before(self.identity.first_frame_id))
    }

    /// The id of the frame that is offered next after so many were published and dropped.
    pub(crate) fn frame_id_after(&self, position: Position, drops: Drops) -> u64 {
        self.identity.first_frame_id.wrapping_add(self.published(position)).wrapping_add(drops.total())
    }

    /// The drops before a frame, which was published at `position`.
    pub(crate) fn drops_before(&self, position: Position, frame: &Frame) -> Drops {
        let offered = frame.entry.frame_id.wrapping_sub(self.identity.first_frame_id);
        let drops = offered.wrapping_sub(self.published(position.minus(1)));
        Drops { dropped: drops.wrapping_sub(frame.unwanted), unwanted: frame.unwanted }
    }

    /// The writer's private state.
    ///
    /// # Safety
    ///
    /// The caller is the writer that is attached, and lets no two results live at once.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "there is one writer, which is what makes it exclusive")]
    pub(crate) unsafe fn writer_state(&self) -> &mut WriterState {
        // SAFETY: exclusive by the caller's word.
        self.writer.with_mut(|state| unsafe { &mut *state })
    }

    /// A reader's private state.
    ///
    /// # Safety
    ///
    /// The caller is the reader that is subscribed with this index, and lets no two results live at once.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "there is one reader with this index, which is what makes it exclusive")]
    pub(crate) unsafe fn reader_state(&self, reader: usize) -> &mut ReaderState {
        // SAFETY: exclusive by the caller's word.
        self.readers[reader].state.with_mut(|state| unsafe { &mut *state })
    }

    /// The pixels of a slot, to be written.
    ///
    /// # Safety
    ///
    /// The slot is claimed, the caller holds the claim, and lets no two results live at once.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the claim is what makes it exclusive")]
    pub(crate) unsafe fn pixels_mut(&self, slot: u16) -> &mut [u8] {
        self.slots.touch_mut(slot);
        // SAFETY: `pixels_at` is within the memory, which lives as long as `self`; exclusive by the caller's word.
        unsafe { slice::from_raw_parts_mut(self.pixels_at(slot), self.spec.frame_bytes()) }
    }

    /// The pixels of a slot.
    ///
    /// # Safety
    ///
    /// The slot is leased until the result is gone.
    #[inline]
    pub(crate) unsafe fn pixels(&self, slot: u16) -> &[u8] {
        self.slots.touch(slot);
        // SAFETY: `pixels_at` is within the memory, which lives as long as `self`; no writer by the caller's word.
        unsafe { slice::from_raw_parts(self.pixels_at(slot), self.spec.frame_bytes()) }
    }

    #[inline]
    fn pixels_at(&self, slot: u16) -> *mut u8 {
        debug_assert!(usize::from(slot) < self.spec.slots());
        // SAFETY: `Ring::new` has checked that the memory holds all slots.
        unsafe { self.pixels.as_ptr().add(usize::from(slot) * self.stride) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The last handle or lease is gone. Touching each frame lets a model see that every reader is ordered before.
        for slot in 0..self.slots.len() as u16 {
            self.slots.touch_mut(slot);
        }
    }
}

// SAFETY: the cells are reached only through unsafe accessors, whose contracts make each access exclusive or shared as
// Rust wants it; who may call them is settled by `Subscriptions` and `Word`. Everything else is atomic or never changes,
// and `PixelMemory` is Send and Sync.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}
