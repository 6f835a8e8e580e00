//! The state word of a slot: all that writer and readers settle between them about it.
//!
//! ```text
//! bit 63       WRITING   the writer fills the slot, or waits for its last leases: no new lease
//! bit 62       LEASED    some reader has asked for the slot since it was last published
//! bits 31..62  ORPHAN r  the lease of reader place r outlived its reader
//! bits 0..31   LEASE r   reader place r holds a lease, or is finding out that it is too late for one
//! ```
//!
//! | step          | by     | before               | after                              |
//! |---------------|--------|----------------------|------------------------------------|
//! | `claim`       | writer | any                  | WRITING set; owned if no LEASE bit |
//! | `publish`     | writer | WRITING, owned       | 0                                  |
//! | `lease r`     | reader | LEASE r clear        | LEASE r and LEASED set             |
//! | `back_out r`  | reader | LEASE r set by it    | LEASE r clear                      |
//! | `release r`   | lease  | LEASE r set          | LEASE r and ORPHAN r clear         |
//! | `orphan r`    | reader | any                  | ORPHAN r set if LEASE r was        |
//!
//! A reader place takes at most one lease of a slot, since it never goes back to a frame it has had: one bit says
//! it, cannot overflow, and is cleared by the same operation whoever else holds the slot.
//!
//! # Why nobody reads what is being written
//!
//! `claim` and `lease` are read-modify-writes of one word, so one comes first.
//! 1. `lease` first: `claim` sees the bit and does not own the slot. It has set WRITING, so there is no further
//!    lease; the ones that are out keep the slot until `release`.
//! 2. `claim` first: `lease` sees WRITING and backs out. `publish` is a plain store that may wipe the bit of a
//!    reader that has not backed out yet; that reader saw WRITING, holds nothing, and clears a clear bit.
//! 3. `lease` after `publish`: the reader owns a frame, though maybe not the one it came for. It compares the
//!    slot's position and backs out when they differ, so being lapped any number of times does no harm.
//!
//! # Why a claim always finds a slot
//!
//! Each of the R readers has B *tickets*, one per lease that it may hold; it needs one in hand to touch a word at
//! all, and has it back when `release` or `back_out` is done. R * B + 1 slots are retired, that is, not among the
//! newest K. Say a claim found a LEASE bit in each of them. Then some ticket was seen twice, in slot a and later in
//! slot b. Between the two it came back from a: that step is a read-modify-write after the claim's own of the same
//! word, so it reads from it, and `claim` (Release) happens before `release` or `back_out` (Acquire). The writer
//! published the newest K before it began to claim. So when the reader then loaded the head to go for b, it found
//! a position that is at least the newest one, and b is among the newest K: it is not retired, a contradiction.

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

/// What [`Word::claim`] found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimed {
    before: u64,
}

impl Claimed {
    /// No lease is out: the slot is the writer's.
    pub(crate) fn owned(self) -> bool {
        self.before & LEASES == 0
    }

    /// Some reader's cache may hold the slot's lines.
    pub(crate) fn was_leased(self) -> bool {
        self.before & LEASED != 0
    }
}

impl Word {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Writer: shuts the slot to new leases, and owns it if there are none.
    #[inline]
    pub(crate) fn claim(&self) -> Claimed {
        // Ordering: Acquire pairs with the Release of `release`, so that what a reader read it has read before the
        // slot is overwritten. Release pairs with the Acquire of `release` and `back_out`: a reader that comes back
        // from this slot has seen the newest head (see the module).
        Claimed { before: self.0.fetch_or(WRITING, Ordering::AcqRel) }
    }

    /// Writer: opens the slot it owns, with a new frame in it.
    #[inline]
    pub(crate) fn publish(&self) {
        // Ordering: Release pairs with the Acquire of `lease`: a reader that finds the slot open sees the position,
        // entry and pixels of the frame in it, also when that is a later frame than it came for.
        self.0.store(0, Ordering::Release);
    }

    /// Reader: asks for a lease. Returns whether the slot is open.
    #[inline]
    pub(crate) fn lease(&self, place: usize) -> bool {
        // Ordering: Acquire pairs with the Release of `publish`.
        self.0.fetch_or(lease_bit(place) | LEASED, Ordering::Acquire) & WRITING == 0
    }

    /// Reader: takes back what `lease` asked for, having read nothing but the slot's position.
    #[inline]
    pub(crate) fn back_out(&self, place: usize) {
        // Ordering: Acquire pairs with the Release of `claim`: the next head that this reader loads is not older than
        // the claim that shut the slot. Nothing was read that a later writer could disturb, so there is no Release.
        self.0.fetch_and(!lease_bit(place), Ordering::Acquire);
    }

    /// Lease: gives the slot back. Returns whether its reader is gone.
    #[inline]
    pub(crate) fn release(&self, place: usize) -> bool {
        let mine = lease_bit(place) | orphan_bit(place);
        // Ordering: Release pairs with the Acquire of `claim`, and of `is_out` for a lease that another thread drops.
        // Acquire pairs with the Release of `claim`, for the head that the reader loads when it uses the ticket again.
        self.0.fetch_and(!mine, Ordering::AcqRel) & orphan_bit(place) != 0
    }

    /// Reader: whether the lease that it took is still out.
    #[inline]
    pub(crate) fn is_out(&self, place: usize) -> bool {
        // Ordering: Acquire pairs with the Release of `release`, which passes on what that saw of the writer. Reading
        // from a later `publish` does as well, as it comes after a `claim` that saw the release.
        self.0.load(Ordering::Acquire) & lease_bit(place) != 0
    }

    /// Reader, on its way out: makes its lease of the slot, if that is still out, say so when it is given back.
    /// Returns whether it was still out.
    pub(crate) fn orphan(&self, place: usize) -> bool {
        // Ordering: Relaxed, since atomicity alone decides who settles the lease: either this sees it gone, or
        // `release` sees the bit. What the settling then needs is ordered by the place's count of orphans.
        let out = self.0.fetch_or(orphan_bit(place), Ordering::Relaxed) & lease_bit(place) != 0;
        if !out {
            // Ordering: Relaxed, as above. The bit means nothing without the lease; it goes before the place is free.
            self.0.fetch_and(!orphan_bit(place), Ordering::Relaxed);
        }
        out
    }

    /// Anyone: whether place holds a lease now, for statistics.
    pub(crate) fn shows_lease(&self, place: usize) -> bool {
        // Ordering: Relaxed, since the answer is out of date as soon as it is there.
        self.0.load(Ordering::Relaxed) & lease_bit(place) != 0
    }
}
