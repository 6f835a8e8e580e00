//! The head of the ring: how far the writer has come, and in which slots its newest frames are.

use crate::spec::{MAX_DEPTH, RingSpec};
use crate::sync::{AtomicU16, AtomicU64, Ordering};

/// Set in the head's word while the ring has no writer.
const CLOSED: u64 = 1;

/// A place in the sequence of published frames: an even number that wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position(u64);

impl Position {
    /// Before the first frame of a ring whose first frame has this id.
    pub(crate) fn before(frame_id: u64) -> Self {
        Self(frame_id << 1)
    }

    pub(crate) fn plus(self, n: u64) -> Self {
        Self(self.0.wrapping_add(n << 1))
    }

    pub(crate) fn minus(self, n: u64) -> Self {
        Self(self.0.wrapping_sub(n << 1))
    }

    /// Frames published since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.wrapping_sub(earlier.0) >> 1
    }

    /// Frames that were dropped before the frame with this id was published here, modulo 2^63.
    pub(crate) fn dropped_before(self, frame_id: u64) -> u64 {
        // frame_id = position / 2 - 1 + dropped, as positions start at twice the first id.
        (frame_id << 1).wrapping_add(2).wrapping_sub(self.0) >> 1
    }

    /// As a plain number, for the slot's own record.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    fn index(self, mask: usize) -> usize {
        // Truncation keeps the low bits, which are all that the mask leaves.
        (self.0 >> 1) as usize & mask
    }
}

/// What one load of the head tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadWord(u64);

impl HeadWord {
    pub(crate) fn open(position: Position) -> Self {
        Self(position.0)
    }

    pub(crate) fn closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(crate) fn position(self) -> Position {
        Position(self.0 & !CLOSED)
    }
}

/// The newest position, and the slots of the newest frames by the low bits of their positions. On the same cache
/// line for depths up to 26, written by the writer alone.
#[derive(Debug)]
pub(crate) struct Head {
    word: AtomicU64,
    mask: usize,
    slots: [AtomicU16; MAX_DEPTH],
}

impl Head {
    pub(crate) fn new(spec: &RingSpec, start: Position) -> Self {
        Self {
            word: AtomicU64::new(start.0),
            mask: spec.depth().next_power_of_two() - 1,
            slots: core::array::from_fn(|_| AtomicU16::new(0)),
        }
    }

    /// Reader: the head as it is now, or was lately.
    #[inline]
    pub(crate) fn load(&self) -> HeadWord {
        // Ordering: Acquire pairs with the Release of `advance`: the slots of all positions up to this one are there.
        HeadWord(self.word.load(Ordering::Acquire))
    }

    /// Anyone: the head, for statistics.
    pub(crate) fn peek(&self) -> HeadWord {
        // Ordering: Relaxed, since nothing is reached through it.
        HeadWord(self.word.load(Ordering::Relaxed))
    }

    /// Reader: the slot that holds, or held, the frame at `position`, which is not newer than a loaded head.
    #[inline]
    pub(crate) fn slot(&self, position: Position) -> usize {
        // Ordering: Relaxed, since `load` has ordered it after the writer's store for that position. It may find a later
        // store, when the writer has lapped this entry; the slot's own position tells.
        usize::from(self.slots[position.index(self.mask)].load(Ordering::Relaxed))
    }

    /// Writer: makes the frame at `position` in `slot` the newest.
    #[inline]
    pub(crate) fn advance(&self, position: Position, slot: u16) {
        // Ordering: Relaxed, published by the store below.
        self.slots[position.index(self.mask)].store(slot, Ordering::Relaxed);
        // Ordering: Release pairs with the Acquire of `load`.
        self.word.store(position.0, Ordering::Release);
    }

    /// Writer: says that there is no writer any more, or one again.
    pub(crate) fn set_closed(&self, position: Position, closed: bool) {
        // Ordering: Release pairs with the Acquire of `load`, as in `advance`: a reader that first learns of
        // `position` from this store still looks up its slot.
        self.word.store(position.0 | u64::from(closed), Ordering::Release);
    }
}
