//! Who uses the ring: one word with a bit for the writer and two for each reader.
//!
//! ```text
//! bit 63       WRITER     a writer is attached, or the ring has ended for good
//! bits 32..63  LEAVING r  reader r left, and some of its leases are still out
//! bits 0..31   READER r   reader r is subscribed
//! ```
//!
//! | step            | by     | before                         | after                          |
//! |-----------------|--------|--------------------------------|--------------------------------|
//! | `attach_writer` | writer | WRITER clear                   | WRITER set                     |
//! | `detach_writer` | writer | WRITER set                     | WRITER clear                   |
//! | `subscribe`     | reader | READER r and LEAVING r clear   | READER r set                   |
//! | `unsubscribe`   | reader | READER r set                   | READER r clear                 |
//! | `orphan`        | reader | READER r set, LEAVING r clear  | READER r clear, LEAVING r set  |
//! | `free_orphaned` | anyone | LEAVING r set                  | LEAVING r clear                |

use crate::spec::MAX_READERS;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

const WRITER: u64 = 1 << 63;
const READERS: u64 = (1 << MAX_READERS) - 1;
const LEAVING_SHIFT: usize = 32;

const fn reader_bit(reader: usize) -> u64 {
    1 << reader
}

const fn leaving_bit(reader: usize) -> u64 {
    1 << (reader + LEAVING_SHIFT)
}

/// Readers that are subscribed, and that left with leases out.
fn count(word: u64) -> (usize, usize) {
    ((word & READERS).count_ones() as usize, (word >> LEAVING_SHIFT & READERS).count_ones() as usize)
}

/// The word. Coming and going costs the writer nothing but the one line that it looks at to see whether anyone reads.
#[derive(Debug)]
pub(crate) struct Subscriptions(AtomicU64);

impl Subscriptions {
    /// With the writer attached.
    pub(crate) fn with_writer() -> Self {
        Self(AtomicU64::new(WRITER))
    }

    /// Attaches a writer, if there is none.
    pub(crate) fn attach_writer(&self) -> bool {
        // Ordering: Acquire pairs with the Release of `detach_writer`: the writer's state is as the former one left it.
        self.0.fetch_or(WRITER, Ordering::Acquire) & WRITER == 0
    }

    /// Makes room for another writer.
    pub(crate) fn detach_writer(&self) {
        // Ordering: Release pairs with the Acquire of `attach_writer`, and of `subscribe`: who subscribes after the last writer
        // left begins after its last frame.
        self.0.fetch_and(!WRITER, Ordering::Release);
    }

    /// Takes a free index among the first `readers`. When all were taken at one moment, says by how many readers and by how
    /// many that left with leases out.
    ///
    /// Starts over when another came or went meanwhile, so one of them always comes through.
    pub(crate) fn subscribe(&self, readers: usize) -> Result<usize, (usize, usize)> {
        // Ordering: Relaxed, a hint; the read-modify-write below decides. Who is told that all are taken reads nothing
        // through that.
        let mut before = self.0.load(Ordering::Relaxed);
        loop {
            let reader = (before | before >> LEAVING_SHIFT).trailing_ones() as usize;
            if reader >= readers {
                return Err(count(before));
            }
            // Ordering: Acquire pairs with the Release of `unsubscribe` and `free_orphaned`: the reader's state is as the
            // former one with this index left it, and that one's last LEASE bit is clear in every slot's word. It pairs with
            // that of `detach_writer` as well: see there. Relaxed on failure, as above.
            match self.0.compare_exchange(before, before | reader_bit(reader), Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(reader),
                Err(now) => before = now,
            }
        }
    }

    /// Reader: leaves with no lease out.
    pub(crate) fn unsubscribe(&self, reader: usize) {
        // Ordering: Release pairs with the Acquire of `subscribe`.
        self.0.fetch_and(!reader_bit(reader), Ordering::Release);
    }

    /// Reader: leaves, maybe with leases out. The index stays taken until `free_orphaned`.
    pub(crate) fn orphan(&self, reader: usize) {
        // Ordering: Relaxed, the index stays taken; `free_orphaned` publishes.
        self.0.fetch_xor(reader_bit(reader) | leaving_bit(reader), Ordering::Relaxed);
    }

    /// Gives back `n` of the leases counted in `orphans`, the count of a reader that left. Returns whether they were the
    /// last; then the reader's index is free.
    ///
    /// Takes the atomics and not the ring: when these are not the last, others may free the ring before this returns, which
    /// a reference to more than atomics does not allow.
    pub(crate) fn give_back(&self, orphans: &AtomicU32, reader: usize, n: u32) -> bool {
        // Ordering: Release and Acquire pair with each other among the subtractions: who gives back the last comes after
        // everything that the others did under their leases.
        let last = orphans.fetch_sub(n, Ordering::AcqRel) == n;
        if last {
            self.free_orphaned(reader);
        }
        last
    }

    /// Frees the index of a reader that left, when its last lease is back.
    fn free_orphaned(&self, reader: usize) {
        // Ordering: Release pairs with the Acquire of `subscribe`.
        self.0.fetch_and(!leaving_bit(reader), Ordering::Release);
    }

    /// Whether any reader is subscribed.
    #[inline]
    pub(crate) fn any_reader(&self) -> bool {
        // Ordering: Relaxed, since a frame more or less for a reader that comes or goes is no matter of correctness. (To
        // `Retired` it is enough that it sees no older value than its own `attach_writer` did.)
        self.0.load(Ordering::Relaxed) & READERS != 0
    }

    /// Anyone: readers that are subscribed, and that left with leases out.
    pub(crate) fn count(&self) -> (usize, usize) {
        // Ordering: Relaxed, for statistics.
        count(self.0.load(Ordering::Relaxed))
    }

    /// Anyone: the indexes of both.
    pub(crate) fn readers(&self) -> impl Iterator<Item = usize> + use<> {
        // Ordering: Relaxed, for statistics.
        let word = self.0.load(Ordering::Relaxed);
        (0..MAX_READERS).filter(move |&reader| word & (reader_bit(reader) | leaving_bit(reader)) != 0)
    }
}
