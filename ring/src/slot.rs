//! The slots of a ring, all but their pixels.

use alloc::boxed::Box;

use crossbeam_utils::CachePadded;

use crate::entry::FrameEntry;
use crate::head::Position;
use crate::sync::{AtomicU64, Counter, Ordering, UnsafeCell};
use crate::word::Word;

/// All slots, by their numbers.
pub(crate) struct Slots(Box<[Slot]>);

/// One slot. The two parts are on cache lines of their own.
pub(crate) struct Slot {
    header: CachePadded<Header>,
    /// For the models the cell stands for the slot's pixels as well: who touches those touches the cell.
    frame: CachePadded<UnsafeCell<Frame>>,
}

/// What writer and readers both go to.
struct Header {
    word: Word,
    /// The frame's. Tells a reader whether the slot has the frame that it wanted. Read under a lease like the frame; atomic,
    /// as statistics read it at any time. Here because who reads or writes it has the word's line already.
    position: AtomicU64,
    /// The frame's, for statistics.
    monotonic_ns: Counter,
}

/// What a slot has of its frame beside the pixels.
pub(crate) struct Frame {
    pub(crate) entry: FrameEntry,
    /// Frames dropped as unwanted before this one.
    pub(crate) unwanted: u64,
}

impl Slots {
    /// So many that were never used, whose frames will have this of their entry in common.
    pub(crate) fn new(slots: usize, entry: FrameEntry, start: Position) -> Self {
        let slot = |_| Slot {
            header: CachePadded::new(Header {
                word: Word::new(),
                position: AtomicU64::new(start.to_bits()),
                monotonic_ns: Counter::default(),
            }),
            frame: CachePadded::new(UnsafeCell::new(Frame { entry, unwanted: 0 })),
        };
        Self((0..slots).map(slot).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn word(&self, slot: u16) -> &Word {
        &self.0[usize::from(slot)].header.word
    }

    /// Anyone: frames published since the one in the slot, for statistics.
    pub(crate) fn age(&self, slot: u16, newest: Position) -> u64 {
        // Ordering: Relaxed, since the answer is out of date as soon as it is there.
        let position = self.0[usize::from(slot)].header.position.load(Ordering::Relaxed);
        newest.since_or_zero(Position::from_bits(position))
    }

    /// Anyone: when the frame in the slot was offered, for statistics; 0 before the first.
    pub(crate) fn monotonic_ns(&self, slot: u16) -> u64 {
        self.0[usize::from(slot)].header.monotonic_ns.get()
    }

    /// Writes a slot's frame, all but the pixels and what all frames of the ring have in common.
    ///
    /// # Safety
    ///
    /// The slot is claimed, and the caller holds the claim.
    #[inline]
    pub(crate) unsafe fn set_frame(
        &self,
        slot: u16,
        position: Position,
        frame_id: u64,
        unwanted: u64,
        entry: &FrameEntry,
    ) {
        let Slot { header, frame } = &self.0[usize::from(slot)];
        // Ordering: Relaxed, published with the entry by `Word::publish`.
        header.position.store(position.to_bits(), Ordering::Relaxed);
        header.monotonic_ns.set(entry.monotonic_ns);
        frame.with_mut(|frame| {
            // SAFETY: exclusive by the caller's word.
            let frame = unsafe { &mut *frame };
            frame.unwanted = unwanted;
            frame.entry.set(frame_id, entry);
        });
    }

    /// The position and the frame of a slot.
    ///
    /// # Safety
    ///
    /// The slot is leased until the result is gone.
    #[inline]
    pub(crate) unsafe fn frame(&self, slot: u16) -> (Position, &Frame) {
        let Slot { header, frame } = &self.0[usize::from(slot)];
        // SAFETY: no writer while the lease is out, by the caller's word.
        let frame = frame.with(|frame| unsafe { &*frame });
        // Ordering: Relaxed, since `Word::lease` has ordered it after the writer's store, and the next store waits for the lease.
        (Position::from_bits(header.position.load(Ordering::Relaxed)), frame)
    }

    /// Tells a model that the slot's pixels are read.
    #[inline]
    pub(crate) fn touch(&self, slot: u16) {
        self.0[usize::from(slot)].frame.with(|_| ());
    }

    /// Tells a model that the slot's pixels are written.
    #[inline]
    pub(crate) fn touch_mut(&self, slot: u16) {
        self.0[usize::from(slot)].frame.with_mut(|_| ());
    }
}
