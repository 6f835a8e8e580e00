//! The state word of a slot: all that writer and readers settle between them about it.
//!
//! ```text
//! bit 63       WRITING   the writer fills the slot, or waits for its last leases: no new lease
//! bit 62       LEASED    some reader has asked for the slot since it was last published
//! bits 31..62  ORPHAN r  the lease of reader place r outlived its reader
//! bits 0..31   LEASE r   reader place r holds a lease, or is finding out that it is too late for one
//! ```
//!
//! | step          | by     | before                          | after                              |
//! |---------------|--------|---------------------------------|------------------------------------|
//! | `claim`       | writer | WRITING clear                   | WRITING set; owned if no LEASE bit |
//! | `claim_again` | writer | WRITING set                     | the same; owned if no LEASE bit    |
//! | `publish`     | writer | WRITING set, no LEASE bit       | 0                                  |
//! | `lease r`     | reader | WRITING and LEASE r clear       | LEASE r, LEASED set                |
//! | `back_out r`  | reader | LEASE r set                     | LEASE r clear                      |
//! | `release r`   | lease  | LEASE r set                     | LEASE r clear                      |
//! | `orphan r`    | reader | LEASE r set                     | ORPHAN r set                       |
//!
//! A reader place takes at most one lease of a slot, since it never goes back to a frame it has had: one bit says
//! it, cannot overflow, and is cleared by the same operation whoever else holds the slot. Bits whose state is known
//! are set and cleared by adding and subtracting, which a processor does in one step; "or" and "and" that tell what was
//! there before are loops on some.
//!
//! # Why nobody reads what is being written
//!
//! `claim` and `lease` are read-modify-writes of one word, so one comes first.
//! 1. `lease` first: `claim` sees the bit and does not own the slot. It has set WRITING, so there is no further
//!    lease; the ones that are out keep the slot until `release`.
//! 2. `claim` first: `lease` sees WRITING and changes nothing. So nobody changes the word of a slot that the writer
//!    owns, and `publish` can be a plain store.
//! 3. `lease` after `publish`: the reader owns a frame, though maybe not the one it came for. It compares the
//!    slot's position and backs out when they differ, so being lapped any number of times does no harm.
//!
//! 4. `lease` of a slot by a reader that had it before, or whose predecessor in the place had: the list of slots, or the
//!    head, told the reader of a frame that was published there later. What told it was stored after the slot was claimed
//!    for that frame. Were the `lease` (Release) before that `claim` (Acquire) in the word, it would have been stored after
//!    it was read. So the `lease` comes after the claim, and finds the slot shut, or open without the reader's own LEASE
//!    bit and its predecessor's ORPHAN.
//!
//! # Why a claim always finds a slot
//!
//! Each of the R readers has B *tickets*, one per lease that it may hold. It needs one in hand to set its bit in a
//! word, and has it back when it has cleared that bit itself (`back_out`) or seen it clear: by a look at the word
//! (`is_out`, `orphan`), or by taking a lease of the same slot again. What a departed reader's leases held, its successor
//! in the place has when it takes that: `release`, `give_back`, `settle` and `take_reader` come one after the other, so
//! that it knows those words to be clear as if it had looked. R * B + 1 slots are retired, that is, not among the
//! newest K. A claim looks at each of them once: first at the one that was retired last, which is open, and shuts it;
//! then at those that earlier claims have shut. (Slots that were never used are shut from the start.) Say it found a
//! LEASE bit in every one. Then some ticket was seen twice, in slot a and later in slot b, which an earlier claim had
//! shut. It was in one of them first:
//! 1. In b, then in a. The reader knew b to be clear before `lease` of a (Release), which the look at a (Acquire) saw. So
//!    the look at b, after that, saw b no older than the reader had: without the ticket, and shut, so that it stays so.
//! 2. In a, then in b. The reader knew a to be clear before `lease` of b (Release), which the claim that shut b (Acquire)
//!    saw. So the look at a, after that, saw a without the ticket, which was in b by then.
//!
//! Both end in a contradiction.

use crate::spec::MAX_READERS;
use crate::sync::{AtomicU64, Ordering};

const WRITING: u64 = 1 << 63;
const LEASED: u64 = 1 << 62;
const LEASES: u64 = (1 << MAX_READERS) - 1;

const fn lease_bit(place: usize) -> u64 {
    1 << place
}

const fn orphan_bit(place: usize) -> u64 {
    1 << (place + MAX_READERS)
}

static_assertions::const_assert!(orphan_bit(MAX_READERS - 1) < LEASED);

/// The state word. See the module for its bits and their argument.
#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

/// What [`Word::claim`] or [`Word::claim_again`] found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimed {
    before: u64,
}

impl Claimed {
    /// No lease is out: the slot is the writer's.
    pub(crate) fn is_owned(self) -> bool {
        self.before & LEASES == 0
    }

    /// Some reader's cache may hold the slot's lines.
    pub(crate) fn was_leased(self) -> bool {
        self.before & LEASED != 0
    }
}

impl Word {
    /// Of a slot that was never used: shut, as the writer fills it without a claim, and a reader may be sent to it before
    /// it is open. The list of slots is Relaxed, so that its entry may be seen before what comes before it.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(WRITING))
    }

    /// Writer: shuts the slot to new leases, and owns it if there are none.
    #[inline]
    pub(crate) fn claim(&self) -> Claimed {
        // Ordering: Acquire pairs with the Release of `release` and `back_out`, so that what a reader read it has read
        // before the slot is overwritten, and with that of `lease` for where its ticket was before (cases 1 and 2). Release
        // pairs with the Acquire of `lease` where that fails: who finds the slot shut finds a newer head next.
        Claimed { before: self.0.fetch_add(WRITING, Ordering::AcqRel) }
    }

    /// Writer: looks whether the leases that kept `claim` from owning the slot are back; then it owns it.
    #[inline]
    pub(crate) fn claim_again(&self) -> Claimed {
        // Ordering: Acquire pairs with the Release of `release`, `back_out` and `lease`, as in `claim`. A load is enough:
        // the slot is shut, so its LEASE bits only go, and it leaves the line where the lease is.
        Claimed { before: self.0.load(Ordering::Acquire) }
    }

    /// Writer: opens the slot it owns, with a new frame in it.
    #[inline]
    pub(crate) fn publish(&self) {
        // Ordering: Release pairs with the Acquire of `lease`: a reader that finds the slot open sees the position,
        // entry and pixels of the frame in it, also when that is a later frame than it came for.
        self.0.store(0, Ordering::Release);
    }

    /// Reader: takes a lease, if the slot is open. Returns whether it is.
    ///
    /// Starts over when another reader was at the word meanwhile, so one of them always comes through.
    #[inline]
    pub(crate) fn lease(&self, place: usize) -> bool {
        // The first to come finds 0, so that guessing saves fetching the line twice.
        let mut before = 0;
        loop {
            let after = before | lease_bit(place) | LEASED;
            // Ordering: Acquire pairs with the Release of `publish`. Release pairs with the Acquire of `claim` and
            // `claim_again`: who sees this bit sees the slots without it where the ticket was before, and a lease made on the
            // strength of a list entry comes after the claim that the entry tells of (case 4). Acquire on failure pairs with the
            // Release of `claim`: the head that is loaded next is newer than the one that led here.
            match self.0.compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    // Case 4. A look may still find what was there before, when the list of slots was ahead of the word.
                    debug_assert_eq!(before & (orphan_bit(place) | lease_bit(place)), 0);
                    return true;
                }
                Err(now) if now & WRITING != 0 => return false,
                Err(now) => before = now,
            }
        }
    }

    /// Reader: takes back what `lease` took, having read no more than which frame the slot has.
    #[inline]
    pub(crate) fn back_out(&self, place: usize) {
        // Ordering: Release pairs with the Acquire of `claim` and `claim_again`: that much was read before the slot is
        // overwritten.
        self.0.fetch_sub(lease_bit(place), Ordering::Release);
    }

    /// Lease: gives the slot back. Returns whether its reader is gone.
    #[inline]
    pub(crate) fn release(&self, place: usize) -> bool {
        // Ordering: Release pairs with the Acquire of `claim` and `claim_again`, so that what was read was read before the
        // slot is overwritten, and with that of `is_out` and `orphan`, when another thread drops the lease.
        self.0.fetch_sub(lease_bit(place), Ordering::Release) & orphan_bit(place) != 0
    }

    /// Reader: whether the lease that it took is still out.
    #[inline]
    pub(crate) fn is_out(&self, place: usize) -> bool {
        // Ordering: Acquire pairs with the Release of `release`: the reader goes without regard to leases that it has seen
        // to be back, and what was read under them comes before the ring is freed. A later `publish` tells it as well, as
        // that comes after a look that saw the lease back. (That the ticket may be used again takes no order: the writer's
        // look that sees the ticket's next lease sees no older value here than this look did.)
        self.0.load(Ordering::Acquire) & lease_bit(place) != 0
    }

    /// Reader, on its way out: makes its lease of the slot, if that is still out, say so when it is given back.
    /// Returns whether it was still out.
    pub(crate) fn orphan(&self, place: usize) -> bool {
        // Ordering: Acquire here and on failure pairs with the Release of `release`: a lease that is seen to be back is
        // settled here, so what was read under it comes before the place or the ring is given back.
        let mut before = self.0.load(Ordering::Acquire);
        while before & lease_bit(place) != 0 {
            // Ordering: Relaxed on success, where atomicity alone decides: `release` sees the bit, and what the settling
            // then needs is ordered by the place's count of orphans.
            match self.0.compare_exchange(before, before | orphan_bit(place), Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => before = now,
            }
        }
        false
    }

    /// Anyone: whether place holds a lease now, for statistics.
    pub(crate) fn shows_lease(&self, place: usize) -> bool {
        // Ordering: Relaxed, since the answer is out of date as soon as it is there; what is looked at next, the position,
        // may be that of another frame.
        self.0.load(Ordering::Relaxed) & lease_bit(place) != 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// No model can show this: it takes stores that become visible out of order.
    #[test]
    fn a_slot_that_was_never_used_is_shut() {
        let word = Word::new();
        assert!(!word.lease(0));
        word.publish();
        assert!(word.lease(0));
    }
}
