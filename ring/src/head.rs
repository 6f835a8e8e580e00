//! The head of the ring: how far the writer has come, and in which slots its newest frames are.
//!
//! ```text
//! bits 12..64  POSITION  frames published; a number that wraps
//! bits 1..12   SLOT      where the newest frame is
//! bit 0        CLOSED    the ring has no writer
//! ```

use crate::spec::{MAX_DEPTH, MAX_LEASES, MAX_READERS, RingSpec};
use crate::sync::{AtomicU16, AtomicU64, Ordering};

const CLOSED: u64 = 1;
const SLOT_SHIFT: u32 = 1;
const SHIFT: u32 = 12;
const SLOTS: u64 = (1 << (SHIFT - SLOT_SHIFT)) - 1;

static_assertions::const_assert!((MAX_DEPTH + MAX_READERS * MAX_LEASES) as u64 <= SLOTS);

/// How many frames have been published, modulo 2^52, in the bits where the head's word has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position(u64);

impl Position {
    /// Before the first frame of a ring whose first frame has this id.
    pub(crate) fn before(frame_id: u64) -> Self {
        Self(frame_id << SHIFT)
    }

    pub(crate) fn plus(self, n: u64) -> Self {
        Self(self.0.wrapping_add(n << SHIFT))
    }

    pub(crate) fn minus(self, n: u64) -> Self {
        Self(self.0.wrapping_sub(n << SHIFT))
    }

    /// Frames published since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.wrapping_sub(earlier.0) >> SHIFT
    }

    /// As `since`, for two that were read at different times: 0 when `earlier` is the later.
    pub(crate) fn since_or_zero(self, earlier: Self) -> u64 {
        let n = self.since(earlier);
        if n < 1 << (63 - SHIFT) { n } else { 0 }
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    fn index(self, mask: usize) -> usize {
        // Truncation keeps the low bits, which are all that the mask leaves.
        (self.0 >> SHIFT) as usize & mask
    }
}

/// What one load of the head tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadWord(u64);

impl HeadWord {
    /// A ring with a writer, whose newest frame is at `position` in `slot`.
    pub(crate) fn open(position: Position, slot: u16) -> Self {
        Self(position.0 | u64::from(slot) << SLOT_SHIFT)
    }

    /// As it is, but without a writer.
    pub(crate) fn close(self) -> Self {
        Self(self.0 | CLOSED)
    }

    pub(crate) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(crate) fn position(self) -> Position {
        Position(self.0 >> SHIFT << SHIFT)
    }

    pub(crate) fn slot(self) -> u16 {
        // Eleven bits.
        (self.0 >> SLOT_SHIFT & SLOTS) as u16
    }
}

/// Entries of the list for `depth` frames: one is to spare, so that the entry which the writer fills before it moves the
/// head is none of those that the head tells of. A power of two, so that they follow each other where positions wrap. One
/// frame takes no list, since the head's word has its slot.
const fn entries(depth: usize) -> usize {
    if depth == 1 { 1 } else { (depth + 1).next_power_of_two() }
}

/// The head's word, and the slots of the newest frames by the low bits of their positions: on one cache line for
/// depths up to 15, written by the writer alone.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Head {
    word: AtomicU64,
    mask: usize,
    slots: [AtomicU16; entries(MAX_DEPTH)],
}

impl Head {
    pub(crate) fn new(spec: &RingSpec, start: HeadWord) -> Self {
        Self {
            word: AtomicU64::new(start.0),
            mask: entries(spec.depth()) - 1,
            slots: core::array::from_fn(|_| AtomicU16::new(0)),
        }
    }

    /// Reader: the head as it is now, or was lately.
    #[inline]
    pub(crate) fn load(&self) -> HeadWord {
        // Ordering: Acquire pairs with the Release of `store`: the list up to this position is there, the frames are in their
        // slots, and so are the time of the newest and, for `head_and_drops`, the drops before it.
        HeadWord(self.word.load(Ordering::Acquire))
    }

    /// Anyone: the head, for statistics.
    pub(crate) fn peek(&self) -> HeadWord {
        // Ordering: Relaxed, since nothing is reached through it.
        HeadWord(self.word.load(Ordering::Relaxed))
    }

    /// Reader: the slot that holds, or held, the frame at `position`, which is not newer than `newest`.
    #[inline]
    pub(crate) fn slot(&self, newest: HeadWord, position: Position) -> u16 {
        if position == newest.position() {
            return newest.slot();
        }
        // Ordering: Relaxed, since `load` has ordered it after the writer's store for that position. It may find a later
        // store, when the writer has lapped this entry; the slot's own position tells.
        self.slots[position.index(self.mask)].load(Ordering::Relaxed)
    }

    /// Writer: the slot of the oldest of `depth` frames up to `newest`.
    #[inline]
    pub(crate) fn oldest(&self, newest: HeadWord, depth: usize) -> u16 {
        self.slot(newest, newest.position().minus(depth as u64 - 1))
    }

    /// Writer: makes this the newest frame.
    #[inline]
    pub(crate) fn advance(&self, newest: HeadWord) {
        if self.mask != 0 {
            // Ordering: Relaxed, published by the store below.
            self.slots[newest.position().index(self.mask)].store(newest.slot(), Ordering::Relaxed);
        }
        self.store(newest);
    }

    /// Writer: moves the head, or says that there is no writer any more, or one again.
    #[inline]
    pub(crate) fn store(&self, word: HeadWord) {
        // Ordering: Release pairs with the Acquire of `load`.
        self.word.store(word.0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_wrap() {
        let start = Position::before(u64::MAX);
        assert_eq!(start.plus(3).since(start), 3);
        assert_eq!(start.plus(3).minus(3), start);
        assert_eq!(start.since_or_zero(start.plus(1)), 0);
    }

    #[test]
    fn words_keep_their_parts() {
        let position = Position::before(u64::MAX);
        let word = HeadWord::open(position, 1024);
        assert_eq!((word.position(), word.slot(), word.is_closed()), (position, 1024, false));
        let word = word.close();
        assert_eq!((word.position(), word.slot(), word.is_closed()), (position, 1024, true));
    }
}
