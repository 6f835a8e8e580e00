//! What writer, readers and leases share, and the only ways to the parts that are not atomic.

use alloc::boxed::Box;
use core::ptr::NonNull;
use core::slice;

use crossbeam_utils::CachePadded;

use crate::head::{Head, HeadWord, Position};
use crate::memory::PixelMemory;
use crate::reader::{Place, Record};
use crate::ring::Identity;
use crate::seats::Seats;
use crate::spec::RingSpec;
use crate::stats::{CAUSES, DropCause, Dropped};
use crate::sync::{AtomicU32, AtomicU64, Counter, Ordering, UnsafeCell};
use crate::word::Word;
use crate::writer::Desk;
use crate::{FrameEntry, spec};

/// One ring. Each part that is written by another party is on cache lines of its own.
pub(crate) struct Shared {
    pub(crate) spec: RingSpec,
    pub(crate) identity: Identity,
    /// Written by the writer at each publish, read by readers at each poll.
    pub(crate) head: CachePadded<Head>,
    /// Written by the writer, read by onlookers.
    pub(crate) ledger: CachePadded<Ledger>,
    /// Written by who comes and goes, read by the writer.
    pub(crate) seats: CachePadded<Seats>,
    /// Private to the writer.
    desk: CachePadded<UnsafeCell<Desk>>,
    slots: Box<[Slot]>,
    places: Box<[CachePadded<ReaderPlace>]>,
    /// Bytes from one slot's pixels to the next slot's.
    stride: usize,
    /// Start of `memory`.
    pixels: NonNull<u8>,
    /// Kept for its `Drop`.
    _memory: Box<dyn PixelMemory>,
}

struct Slot {
    /// What writer and readers both come for.
    tag: CachePadded<Tag>,
    /// The frame's. For the models the cell stands for the slot's pixels as well: who touches those touches it.
    frame: CachePadded<UnsafeCell<Frame>>,
}

/// What a slot has of its frame beside the pixels.
pub(crate) struct Frame {
    pub(crate) entry: FrameEntry,
    /// [`Drops::unwanted`] when it was published.
    pub(crate) unwanted: u64,
}

/// Frames that were offered to a ring and not published. Together they are what frame ids skip, so they wrap as those do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drops {
    /// For any cause but [`DropCause::Unwanted`].
    pub(crate) dropped: u64,
    pub(crate) unwanted: u64,
}

impl Drops {
    pub(crate) fn total(self) -> u64 {
        self.dropped.wrapping_add(self.unwanted)
    }
}

struct Tag {
    word: Word,
    /// The frame's. Tells a reader whether it got the one that it came for, and is read under a lease like the entry;
    /// atomic, as onlookers read it at any time. Here because who reads or writes it has the word's line already.
    position: AtomicU64,
    /// The frame's, for onlookers.
    monotonic_ns: Counter,
}

/// One reader's place.
pub(crate) struct ReaderPlace {
    /// Private to the reader.
    state: UnsafeCell<Place>,
    /// Written by the reader, read by onlookers.
    pub(crate) record: Record,
    /// Leases that outlived their reader, and the reader while it counts them.
    pub(crate) orphans: AtomicU32,
}

/// Bytes that a ring of this spec allocates beside its pixels.
pub(crate) const fn overhead_bytes(spec: &RingSpec) -> usize {
    // Strong and weak count of the `Arc` come before the ring, padded to its alignment.
    size_of::<Shared>()
        + align_of::<Shared>()
        + spec.slots() * size_of::<Slot>()
        + spec.readers() * size_of::<CachePadded<ReaderPlace>>()
        + Desk::heap_bytes(spec)
}

impl Shared {
    pub(crate) fn new(spec: RingSpec, identity: Identity, memory: Box<dyn PixelMemory>) -> Self {
        let start = Position::before(identity.first_frame_id);
        let head = HeadWord::open(start, 0);
        let Identity { camera_id, epoch, generation, .. } = identity;
        let entry = FrameEntry { camera_id, epoch, generation, ..FrameEntry::default() };
        let slot = |_| Slot {
            tag: CachePadded::new(Tag {
                word: Word::new(),
                position: AtomicU64::new(start.to_bits()),
                monotonic_ns: Counter::default(),
            }),
            frame: CachePadded::new(UnsafeCell::new(Frame { entry, unwanted: 0 })),
        };
        let place = |_| {
            CachePadded::new(ReaderPlace {
                state: UnsafeCell::new(Place::new()),
                record: Record::default(),
                orphans: AtomicU32::new(0),
            })
        };
        Self {
            spec,
            identity,
            head: CachePadded::new(Head::new(&spec, head)),
            ledger: CachePadded::new(Ledger::new()),
            seats: CachePadded::new(Seats::with_writer()),
            desk: CachePadded::new(UnsafeCell::new(Desk::new(&spec, identity.first_frame_id, head))),
            slots: (0..spec.slots()).map(slot).collect(),
            places: (0..spec.readers()).map(place).collect(),
            stride: spec.slot_stride(),
            pixels: memory.base(),
            _memory: memory,
        }
    }

    pub(crate) fn word(&self, slot: usize) -> &Word {
        &self.slots[slot].tag.word
    }

    pub(crate) fn place(&self, place: usize) -> &ReaderPlace {
        &self.places[place]
    }

    /// Anyone: frames published since the one in the slot, for statistics.
    pub(crate) fn age(&self, slot: usize, newest: Position) -> u64 {
        // Ordering: Relaxed, since the answer is out of date as soon as it is there.
        newest.since_or_zero(Position::from_bits(self.slots[slot].tag.position.load(Ordering::Relaxed)))
    }

    /// Anyone: when the frame in the slot was offered, for statistics; 0 before the first.
    pub(crate) fn monotonic_ns(&self, slot: usize) -> u64 {
        self.slots[slot].tag.monotonic_ns.get()
    }

    /// Anyone: when the newest frame was offered, for statistics; 0 before the first.
    pub(crate) fn newest_ns(&self) -> u64 {
        self.monotonic_ns(usize::from(self.head.load().slot()))
    }

    /// The head, and the drops at a moment at which that was the head.
    pub(crate) fn head_and_drops(&self) -> (HeadWord, Drops) {
        let mut drops = self.ledger.drops();
        loop {
            let head = self.head.load();
            // Each of head, dropped and unwanted is what it is for a stretch of the writer's doings, and counts only grow, so
            // that a count that is read twice is that of one stretch. What is read later is no older than when the writer
            // stored what was read earlier: as each count is read before and after the other one and before and after the
            // head, any two of the three stretches overlap, and so do all three. (A head may come back, closed, open and
            // closed again.) Starts over only when the writer has dropped a frame meanwhile.
            let again = self.ledger.drops();
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
    /// The caller holds the writer's seat, and lets no two results live at once.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the writer's seat is what makes it exclusive")]
    pub(crate) unsafe fn desk(&self) -> &mut Desk {
        // SAFETY: exclusive by the caller's word.
        self.desk.with_mut(|desk| unsafe { &mut *desk })
    }

    /// A reader's private state.
    ///
    /// # Safety
    ///
    /// The caller holds this reader's place, and lets no two results live at once.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the reader's place is what makes it exclusive")]
    pub(crate) unsafe fn place_state(&self, place: usize) -> &mut Place {
        // SAFETY: exclusive by the caller's word.
        self.places[place].state.with_mut(|state| unsafe { &mut *state })
    }

    /// Writes a slot's frame, all but the pixels and what all frames of the ring have in common.
    ///
    /// # Safety
    ///
    /// The slot is claimed, and the caller holds the claim.
    #[inline]
    pub(crate) unsafe fn set_frame(
        &self,
        slot: usize,
        position: Position,
        frame_id: u64,
        unwanted: u64,
        entry: &FrameEntry,
    ) {
        let Slot { tag, frame } = &self.slots[slot];
        // Ordering: Relaxed, published with the entry by `Word::publish`.
        tag.position.store(position.to_bits(), Ordering::Relaxed);
        tag.monotonic_ns.set(entry.monotonic_ns);
        frame.with_mut(|frame| {
            // SAFETY: exclusive by the caller's word.
            let frame = unsafe { &mut *frame };
            frame.unwanted = unwanted;
            frame.entry.set(frame_id, entry);
        });
    }

    /// The pixels of a slot, to be written.
    ///
    /// # Safety
    ///
    /// The slot is claimed, the caller holds the claim, and lets no two results live at once.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the claim is what makes it exclusive")]
    pub(crate) unsafe fn pixels_mut(&self, slot: usize) -> &mut [u8] {
        self.slots[slot].frame.with_mut(|_| ());
        // SAFETY: `pixels_at` is within the memory, which lives as long as `self`; exclusive by the caller's word.
        unsafe { slice::from_raw_parts_mut(self.pixels_at(slot), self.spec.frame_bytes()) }
    }

    /// The position and the frame of a slot.
    ///
    /// # Safety
    ///
    /// The slot is leased until the result is gone.
    #[inline]
    pub(crate) unsafe fn frame(&self, slot: usize) -> (Position, &Frame) {
        // SAFETY: no writer while the lease is out, by the caller's word.
        let frame = self.slots[slot].frame.with(|at| unsafe { &*at });
        // Ordering: Relaxed, since `Word::lease` has ordered it after the writer's store, and the next store waits for the lease.
        (Position::from_bits(self.slots[slot].tag.position.load(Ordering::Relaxed)), frame)
    }

    /// The pixels of a slot.
    ///
    /// # Safety
    ///
    /// The slot is leased until the result is gone.
    #[inline]
    pub(crate) unsafe fn pixels(&self, slot: usize) -> &[u8] {
        self.slots[slot].frame.with(|_| ());
        // SAFETY: `pixels_at` is within the memory, which lives as long as `self`; no writer by the caller's word.
        unsafe { slice::from_raw_parts(self.pixels_at(slot), self.spec.frame_bytes()) }
    }

    #[inline]
    fn pixels_at(&self, slot: usize) -> *mut u8 {
        debug_assert!(slot < self.spec.slots());
        // SAFETY: `Ring::new` has checked that the memory holds all slots.
        unsafe { self.pixels.as_ptr().add(slot * self.stride) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The last handle or lease is gone. Touching each frame lets a model see that every reader is ordered before.
        for slot in &mut self.slots {
            slot.frame.with_mut(|_| ());
        }
    }
}

// SAFETY: the cells are reached only through the accessors above, whose contracts make each access exclusive or
// shared as Rust wants it; who may call them is settled by `Seats` and `Word`. Everything else is atomic or never
// changes, and `PixelMemory` is Send and Sync.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

const _: () = assert!(spec::LINE >= align_of::<u64>());

/// The writer's books.
#[derive(Debug)]
pub(crate) struct Ledger {
    dropped: AtomicU64,
    unwanted: AtomicU64,
    by_cause: [Counter; CAUSES],
}

impl Ledger {
    fn new() -> Self {
        Self { dropped: AtomicU64::new(0), unwanted: AtomicU64::new(0), by_cause: Default::default() }
    }

    /// Writer: `n` more frames were dropped.
    #[inline]
    pub(crate) fn count_drops(&self, cause: DropCause, n: u64) {
        self.by_cause[cause as usize].add(n);
        let count = if cause == DropCause::Unwanted { &self.unwanted } else { &self.dropped };
        // Ordering: Relaxed, the writer's own last store.
        let drops = count.load(Ordering::Relaxed).wrapping_add(n);
        // Ordering: Release pairs with the Acquire of `drops`: who sees this count sees the head and the other count that it
        // follows.
        count.store(drops, Ordering::Release);
    }

    /// Frames dropped so far.
    fn drops(&self) -> Drops {
        // Ordering: Acquire pairs with the Release of `count_drops`, for both.
        let dropped = self.dropped.load(Ordering::Acquire);
        Drops { dropped, unwanted: self.unwanted.load(Ordering::Acquire) }
    }

    pub(crate) fn by_cause(&self) -> Dropped {
        let mut dropped = Dropped::default();
        for &cause in DropCause::ALL {
            dropped.add(cause, self.by_cause[cause as usize].get());
        }
        dropped
    }
}
