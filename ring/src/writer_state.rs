//! What only the writer knows: which slots it may try next, and which it fills.

use alloc::collections::VecDeque;

use crate::head::{Head, HeadWord};
use crate::slot::Slots;
use crate::spec::RingSpec;

/// Private to the writer, and passed on from one writer to the next.
///
/// Every slot is one of the newest K, or in `next`, or `waiting`, or was not used yet.
#[derive(Debug)]
pub(crate) struct WriterState {
    /// As it was last stored, as if open.
    pub(crate) head: HeadWord,
    pub(crate) next_frame_id: u64,
    /// Frames dropped as unwanted so far, which each frame carries.
    pub(crate) unwanted: u64,
    /// How many of the newest K there are by now.
    readable: usize,
    next: NextSlot,
    /// Retired and shut: found leased by a claim, or claimed and not published. Tried again in turn.
    waiting: VecDeque<u16>,
    /// Slots from here on have never been used. They are the last resort, to keep few slots in use.
    unused: u16,
}

/// The slot that the writer tries first, or fills.
///
/// One word for both: a claim takes or shuts the slot that was retired last, and the publish that ends the claim retires
/// the next. A word and no enum of slots, since the stores of a publish are what it costs.
#[derive(Clone, Copy, Debug)]
struct NextSlot(u32);

impl NextSlot {
    const NONE: Self = Self(0);
    const RETIRED: u32 = 1 << 16;
    const CLAIMED: u32 = 1 << 17;

    /// The slot that was retired last, open still: the first to be tried, as its lines are the likeliest to be in this
    /// core's cache.
    fn retired(slot: u16) -> Self {
        Self(Self::RETIRED | u32::from(slot))
    }

    /// The slot that is being filled.
    fn claimed(slot: u16) -> Self {
        Self(Self::CLAIMED | u32::from(slot))
    }

    // The low half is the slot.
    #[inline]
    fn get_retired(self) -> Option<u16> {
        (self.0 & Self::RETIRED != 0).then_some(self.0 as u16)
    }

    #[inline]
    fn get_claimed(self) -> Option<u16> {
        (self.0 & Self::CLAIMED != 0).then_some(self.0 as u16)
    }
}

impl WriterState {
    pub(crate) fn new(spec: &RingSpec, next_frame_id: u64, head: HeadWord) -> Self {
        Self {
            head,
            next_frame_id,
            unwanted: 0,
            readable: 0,
            next: NextSlot::NONE,
            waiting: VecDeque::with_capacity(spec.slots()),
            unused: 0,
        }
    }

    /// Bytes of what it points to.
    pub(crate) const fn heap_bytes(spec: &RingSpec) -> usize {
        spec.slots() * size_of::<u16>()
    }

    /// Whether a claim was neither published nor abandoned.
    #[inline]
    pub(crate) fn has_claim(&self) -> bool {
        self.next.get_claimed().is_some()
    }

    /// Finds a slot that nobody leases, and whether somebody did. Looks at each retired slot once; the order is part of
    /// the argument in `word.rs`.
    #[inline]
    pub(crate) fn claim(&mut self, slots: &Slots) -> Option<(u16, bool)> {
        let retired = self.next.get_retired();
        if let Some(slot) = retired {
            let word = slots.word(slot).claim();
            if word.is_owned() {
                self.next = NextSlot::claimed(slot);
                return Some((slot, word.was_leased()));
            }
        }
        self.claim_other(slots, retired)
    }

    /// As `claim`, when the slot retired last is leased, or there is none.
    #[cold]
    fn claim_other(&mut self, slots: &Slots, leased: Option<u16>) -> Option<(u16, bool)> {
        self.next = NextSlot::NONE;
        let waiting = self.waiting.len();
        self.waiting.extend(leased);
        let found = self.claim_waiting(slots, waiting).or_else(|| self.take_unused(slots).map(|slot| (slot, false)));
        if let Some((slot, _)) = found {
            self.next = NextSlot::claimed(slot);
        }
        found
    }

    fn claim_waiting(&mut self, slots: &Slots, waiting: usize) -> Option<(u16, bool)> {
        for _ in 0..waiting {
            let slot = self.waiting.pop_front()?;
            let word = slots.word(slot).claim_again();
            if word.is_owned() {
                return Some((slot, word.was_leased()));
            }
            self.waiting.push_back(slot);
        }
        None
    }

    fn take_unused(&mut self, slots: &Slots) -> Option<u16> {
        let slot = self.unused;
        // Slots number at most 1025.
        (usize::from(slot) < slots.len()).then(|| {
            self.unused += 1;
            slot
        })
    }

    /// Notes that the claimed slot was published, and the head that is to be stored now. Retires the oldest of the newest K.
    #[inline]
    pub(crate) fn publish(&mut self, depth: usize, list: &Head, newest: HeadWord) {
        self.next = if self.readable == depth {
            NextSlot::retired(list.oldest(self.head, self.readable))
        } else {
            self.readable += 1;
            NextSlot::NONE
        };
        self.head = newest;
    }

    /// Takes the slot back of a claim that is not going to be published. Returns whether there was one.
    pub(crate) fn abandon(&mut self) -> bool {
        let Some(slot) = self.next.get_claimed() else { return false };
        self.next = NextSlot::NONE;
        // It is shut and without leases, so the next claim owns it at a look.
        self.waiting.push_front(slot);
        true
    }

    /// Of a ring that has ended: gives each slot to `free` that nobody leases, once for all time. The newest K only when no
    /// reader is subscribed.
    pub(crate) fn reclaim(&mut self, slots: &Slots, list: &Head, any_reader: bool, mut free: impl FnMut(u16)) {
        if let Some(slot) = self.next.get_retired() {
            self.next = NextSlot::NONE;
            self.shut(slots, slot, &mut free);
        }
        while !any_reader && self.readable > 0 {
            let oldest = list.oldest(self.head, self.readable);
            self.readable -= 1;
            self.shut(slots, oldest, &mut free);
        }
        for _ in 0..self.waiting.len() {
            let Some(slot) = self.waiting.pop_front() else { return };
            if slots.word(slot).claim_again().is_owned() {
                free(slot);
            } else {
                self.waiting.push_back(slot);
            }
        }
        while let Some(slot) = self.take_unused(slots) {
            free(slot);
        }
    }

    /// Shuts a slot that is open, and frees it or keeps it for later.
    fn shut(&mut self, slots: &Slots, slot: u16, free: &mut impl FnMut(u16)) {
        if slots.word(slot).claim().is_owned() {
            free(slot);
        } else {
            self.waiting.push_back(slot);
        }
    }
}
