//! The state word of a slot: all that writer and readers settle between them about it, and why the ring keeps its
//! promises.
//!
//! ```text
//! bit 63       SHUT      takes no new lease: the writer fills the slot, or waits for its last leases
//! bit 62       LEASED    some reader has taken a lease since the slot was last published
//! bits 31..62  ORPHAN r  the lease of reader r outlived that reader
//! bits 0..31   LEASE r   reader r holds a lease, or is finding out that the slot has another frame than it wanted
//! ```
//!
//! | step          | by     | before                     | after                           |
//! |---------------|--------|----------------------------|---------------------------------|
//! | `claim`       | writer | SHUT clear                 | SHUT set; owned if no LEASE bit |
//! | `claim_again` | writer | SHUT set                   | the same; owned if no LEASE bit |
//! | `publish`     | writer | SHUT set, no LEASE bit     | 0                               |
//! | `lease r`     | reader | SHUT and LEASE r clear     | LEASE r, LEASED set             |
//! | `back_out r`  | reader | LEASE r set                | LEASE r clear                   |
//! | `release r`   | lease  | LEASE r set                | LEASE r clear                   |
//! | `orphan r`    | reader | LEASE r set                | ORPHAN r set                    |
//!
//! A reader takes at most one lease of a slot, since it never goes back to a frame that it has had: one bit says so,
//! cannot overflow, and is cleared by the same operation whoever else holds the slot. Bits whose state is known are set
//! and cleared by adding and subtracting, which a processor does in one step; an "or" or "and" that tells what was there
//! before is a loop on some.
//!
//! # Definitions
//!
//! The ring has P = K + R * B + 1 slots. Frames that are published are numbered by their *position*: 1, 2, 3 and so on.
//! The *head* tells the position h of the newest one and its slot, the *list* (`head.rs`) the slots of the newest K.
//!
//! D1. A slot is *retired* when it has none of the newest K frames, those that were never used included. Of P slots,
//! R * B + 1 are retired while the writer claims one.
//!
//! D2. A slot is *owned* from a look at its word, `claim` or `claim_again`, that finds SHUT set by the writer and no LEASE
//! bit, until `publish`.
//!
//! D3. Each reader has B *tickets*. It needs one in hand to set its LEASE bit in a word, and has it in hand again once it
//! knows the bit to be clear: because it cleared the bit itself (`back_out`), looked (`has_lease`, `orphan`), or took a
//! lease of the same slot again. Who subscribes in the place of a reader that left has the tickets of that one: `release`,
//! `give_back`, `free_orphaned` and `subscribe` come one after the other, so that it knows those words to be clear as if it
//! had looked.
//!
//! D4. "Before" between two operations on one word is its modification order; "happens before" is that of the memory model.
//!
//! # Invariants
//!
//! I1. SHUT is set by `claim` and cleared by `publish` alone, both the writer's, and `publish` only where the slot is owned.
//!
//! I2. While SHUT is set, LEASE bits are only cleared. So the word of an owned slot does not change, and `publish` can be a
//! plain store.
//!
//! I3. Position, entry and pixels of a slot are written while it is owned, and read under a LEASE bit.
//!
//! I4. `publish` of position p retires the slot of p - K, in the writer's mind alone; the claim that follows is the first
//! that may shut it, and comes after the store of p to the head. So while the head tells h, the slots of h - K + 1 to h are
//! open.
//!
//! I5. The list has at least K + 1 entries. The entry of p is overwritten by that of p + K + 1 at the earliest, which is
//! stored after the head told p + K.
//!
//! I6. The frames that one reader goes for, and its successors with the same index, have ever greater positions.
//!
//! # No torn frame
//!
//! `claim` and `lease` are read-modify-writes of one word, so one is before the other.
//! 1. `lease` before `claim`: the claim finds the bit, and does not own the slot. The lease keeps the slot until `release`,
//!    whose Release pairs with the Acquire of the look that finds the bit cleared: what was read happens before the slot is
//!    overwritten.
//! 2. `lease` after `claim` and before `publish`: it finds SHUT, and changes nothing.
//! 3. `lease` after `publish`: its Acquire pairs with the Release of `publish`, and the reader has a whole frame, though
//!    maybe a later one than it wanted. It compares the position and backs out when they differ, so that being lapped any
//!    number of times does no harm.
//!
//! # A reader never meets its own bits
//!
//! Let reader r, or one before it with the same index, have had a lease of slot s, and let r now call `lease` on s, as an
//! entry X of the list or head told it of a frame q in s. By I6, q is later than the frame of the former lease. X was stored
//! after the claim C of s for q. Were `lease` before C in the word, then `lease` (Release) would happen before C (Acquire),
//! and C before the store of X; but X was read before `lease`, and no load reads what is stored after it. So `lease` is
//! after C: it finds SHUT, or what `publish` of q or of a later frame left, in which the bits LEASE r and ORPHAN r of the
//! former lease are clear.
//!
//! # A claim always finds a slot
//!
//! A claim looks at each of the R * B + 1 retired slots, first at the one that was retired last, which is open and which it
//! shuts, then at those that earlier claims have shut; the slots that were never used are shut, and without leases. Suppose
//! that it found a LEASE bit in every one. There are R * B tickets, so two of the bits, in slots a and b, a looked at first,
//! were set by leases with the same ticket. One of these leases is the reader's earlier one.
//! 1. The lease of b is the earlier one. The reader knew that its bit in b was clear before it took the lease of a
//!    (Release), which the look at a (Acquire) found. So that clearing happens before the look at b, which cannot find the
//!    bit that was cleared.
//! 2. The lease of a is the earlier one. As b is not the first slot looked at, an earlier claim C has shut it, and the lease
//!    of b is before C in the word of b. The reader knew that its bit in a was clear before it took the lease of b
//!    (Release), which happens before C (Acquire), and C before the look at a, which cannot find the bit that was cleared.
//!
//! Both contradict what was found.
//!
//! # The newest K stay leasable, and what a failed try tells
//!
//! Let a reader that has loaded the head, telling h, go for a target t of h - K + 1 to h. As long as no later head is stored,
//! the list or the head itself has the slot of t by I5, the slot is open by I4, and has t by I3: the lease succeeds. So a try
//! fails only after the writer has stored a later head:
//! 1. the slot is shut: `claim` (Release) came after that store, and the `lease` that fails (Acquire) finds it;
//! 2. the slot has another position: the claim before its `publish` (Release) came after that store, and the `lease`
//!    (Acquire) finds it;
//! 3. the list has a later frame in the entry of t. Then the slot is that of another frame, and 1 or 2 holds of its newest
//!    word. The list is Relaxed, so a processor may show the entry before the word: that costs a try, and gives no wrong
//!    frame, as the position is compared.
//!
//! In 1 and 2 the head that the next try loads tells of more than h; in 3 it may not yet. Neither `latest` nor `next` depends on where the writer
//! is stopped: the spare entry of the list (I5) is what the entry of h + 1 is stored in before the head is.
//!
//! # After the end of a ring
//!
//! [`Ring::retire`](crate::Ring::retire) takes the writer's place, and claims slots as a writer that publishes nothing:
//! what is owned stays owned, so nobody reads it again. With a reader subscribed it claims retired slots alone, and what
//! was said above of the newest K holds. A reader that subscribes later begins after the last frame and goes for none: its
//! `subscribe` (Acquire) is after the last writer's `detach_writer` (Release) in one word of read-modify-writes, or before
//! `attach_writer` of `retire`, which then finds it subscribed. So without a reader subscribed, the newest K may be claimed
//! as well; leases of readers that left keep their slots as ever.
//!
//! # What shows it
//!
//! `tests/loom` explores the ring itself: few threads and frames, a depth of one to four, every interleaving up to a number
//! of preemptions, and a thread's stores in their order. `cargo xtask orderings` shows that each ordering here is needed by
//! one of its models.
//!
//! `ring/views` is the slot protocol written down a second time, and explored under weak memory: RC11 without load
//! buffering, in which stores of one thread are seen out of order, loads are stale, and a read-modify-write may come anywhere
//! in a word's history. It covers up to three readers, three leases each and a depth of four, though not all at once, with
//! readers that leave and come, writers that follow each other, and rings that are freed or retired. In every state a claim
//! finds a slot, no frame is torn or raced for, positions grow, and a reader that runs alone gets the newest K; each ordering
//! made weaker is found. A test holds its orderings to these sources; its steps are a translation by hand.
//!
//! What is left: load buffering, larger sizes, and what the compiler makes of it.

use crate::spec::MAX_READERS;
use crate::sync::{AtomicU64, Ordering};

const SHUT: u64 = 1 << 63;
const LEASED: u64 = 1 << 62;
const LEASES: u64 = (1 << MAX_READERS) - 1;

const fn lease_bit(reader: usize) -> u64 {
    1 << reader
}

const fn orphan_bit(reader: usize) -> u64 {
    1 << (reader + MAX_READERS)
}

static_assertions::const_assert!(orphan_bit(MAX_READERS - 1) < LEASED);

/// The state word. See the module for its bits and the argument.
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
    /// Of a slot that was never used: shut, as the writer fills it without a claim, and the list, being Relaxed, may send a
    /// reader to it before its first `publish` is seen.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(SHUT))
    }

    /// Writer: shuts the slot to new leases, and owns it if there are none.
    #[inline]
    pub(crate) fn claim(&self) -> Claimed {
        // Ordering: Acquire pairs with the Release of `release` and `back_out`, so that what a reader read was read before
        // the slot is overwritten, and with that of `lease` for where its ticket was before ("a claim always finds a
        // slot"). Release pairs with the Acquire of a `lease` that fails: the next head that the reader loads is newer.
        Claimed { before: self.0.fetch_add(SHUT, Ordering::AcqRel) }
    }

    /// Writer: looks whether the leases that kept `claim` from owning the slot are back; then it owns the slot.
    #[inline]
    pub(crate) fn claim_again(&self) -> Claimed {
        // Ordering: Acquire pairs with the Release of `release`, `back_out` and `lease`, as in `claim`. A load is enough, as
        // LEASE bits of a shut slot are only cleared (I2), and it leaves the cache line where the lease is.
        Claimed { before: self.0.load(Ordering::Acquire) }
    }

    /// Writer: opens the slot it owns, with a new frame in it.
    #[inline]
    pub(crate) fn publish(&self) {
        // Ordering: Release pairs with the Acquire of `lease`: a reader that finds the slot open sees the position,
        // entry and pixels of the frame in it, also when that is a later frame than it wanted.
        self.0.store(0, Ordering::Release);
    }

    /// Reader: takes a lease, if the slot is open. Returns whether it is.
    ///
    /// Starts over when another reader changed the word meanwhile, so one of them always comes through.
    #[inline]
    pub(crate) fn lease(&self, reader: usize) -> bool {
        // The first to come finds 0, so that guessing saves fetching the line twice.
        let mut before = 0;
        loop {
            let after = before | lease_bit(reader) | LEASED;
            // Ordering: Acquire pairs with the Release of `publish`. Release pairs with the Acquire of `claim` and
            // `claim_again`: who finds this bit knows the words to be clear that the reader knew to be ("a claim always finds
            // a slot"), and a lease for which the list was read comes after the claim that came before the list's store ("a
            // reader never meets its own bits"). Acquire on failure pairs with the Release of `claim`: the head that is
            // loaded next is newer than the one that led here.
            match self.0.compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    debug_assert_eq!(before & (orphan_bit(reader) | lease_bit(reader)), 0, "the reader's own bits");
                    return true;
                }
                Err(now) if now & SHUT != 0 => return false,
                Err(now) => before = now,
            }
        }
    }

    /// Reader: takes back what `lease` took, having read no more than the position.
    #[inline]
    pub(crate) fn back_out(&self, reader: usize) {
        // Ordering: Release pairs with the Acquire of `claim` and `claim_again`: the position was read before the slot is
        // overwritten.
        self.0.fetch_sub(lease_bit(reader), Ordering::Release);
    }

    /// Lease: gives the slot back. Returns whether its reader is gone.
    #[inline]
    pub(crate) fn release(&self, reader: usize) -> bool {
        // Ordering: Release pairs with the Acquire of `claim` and `claim_again`, so that what was read was read before the
        // slot is overwritten, and with that of `has_lease` and `orphan`, when another thread drops the lease.
        self.0.fetch_sub(lease_bit(reader), Ordering::Release) & orphan_bit(reader) != 0
    }

    /// Reader: whether the lease that it took is still out.
    #[inline]
    pub(crate) fn has_lease(&self, reader: usize) -> bool {
        // Ordering: Acquire pairs with the Release of `release`: a reader that leaves does not wait for leases that it has
        // seen to be back, so what was read under them comes before the ring is freed. (That the ticket is in hand again
        // takes no order by itself: a look of the writer that finds the ticket's next lease finds no older value of this word
        // than was found here.)
        self.0.load(Ordering::Acquire) & lease_bit(reader) != 0
    }

    /// Reader, on its way out: makes its lease of the slot, if that is still out, say so when it is given back.
    /// Returns whether it was still out.
    pub(crate) fn orphan(&self, reader: usize) -> bool {
        // Ordering: Acquire here and on failure pairs with the Release of `release`: a lease that is seen to be back is
        // settled by the reader, so what was read under it comes before the subscription or the ring is given back.
        let mut before = self.0.load(Ordering::Acquire);
        while before & lease_bit(reader) != 0 {
            // Ordering: Relaxed on success, where atomicity alone decides: `release` finds the bit, and what follows is
            // ordered by the count of orphans.
            match self.0.compare_exchange(before, before | orphan_bit(reader), Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => before = now,
            }
        }
        false
    }

    /// Anyone: whether the reader holds a lease now, for statistics.
    pub(crate) fn shows_lease(&self, reader: usize) -> bool {
        // Ordering: Relaxed, since the answer is out of date as soon as it is there; what is looked at next, the position,
        // may be that of another frame.
        self.0.load(Ordering::Relaxed) & lease_bit(reader) != 0
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
