//! Who is at the ring: one word with a bit for the writer and two for each reader place.

use crate::spec::MAX_READERS;
use crate::sync::{AtomicU64, Ordering};

const WRITER: u64 = 1 << 63;
const READERS: u64 = (1 << MAX_READERS) - 1;

const fn reader_bit(place: usize) -> u64 {
    1 << place
}

/// The reader of the place is gone, and some of its leases are not.
const fn leaving_bit(place: usize) -> u64 {
    1 << (place + 32)
}

/// The word. Taking and leaving cost the writer nothing but the one line that it looks at to see whether anyone reads.
#[derive(Debug)]
pub(crate) struct Seats(AtomicU64);

impl Seats {
    /// With the writer's bit taken.
    pub(crate) fn with_writer() -> Self {
        Self(AtomicU64::new(WRITER))
    }

    /// Takes the writer's seat, if it is vacant.
    pub(crate) fn take_writer(&self) -> bool {
        // Ordering: Acquire pairs with the Release of `leave_writer`: the desk is as the former writer left it.
        self.0.fetch_or(WRITER, Ordering::Acquire) & WRITER == 0
    }

    /// Leaves the writer's seat to another.
    pub(crate) fn leave_writer(&self) {
        // Ordering: Release pairs with the Acquire of `take_writer`.
        self.0.fetch_and(!WRITER, Ordering::Release);
    }

    /// Takes a free place among the first `readers`.
    pub(crate) fn take_reader(&self, readers: usize) -> Option<usize> {
        // A place seen as taken may be freed meanwhile; then the ring was full a moment ago, which is a fair answer. One
        // seen as free may be taken meanwhile; then the read-modify-write tells, and the search goes on upwards, so that it
        // ends after as many steps as there are places.
        (0..readers).find(|&place| {
            let (mine, leaving) = (reader_bit(place), leaving_bit(place));
            // Ordering: Relaxed, a hint; the read-modify-write below decides.
            if self.0.load(Ordering::Relaxed) & (mine | leaving) != 0 {
                return false;
            }
            // Ordering: Acquire pairs with the Release of `leave_reader` and `settle`: the place's state is as its former
            // reader left it, and that reader's last lease bit is gone from every slot word.
            let before = self.0.fetch_or(mine, Ordering::Acquire);
            if before & mine == 0 && before & leaving != 0 {
                // Ordering: Relaxed, nothing of the place was touched.
                self.0.fetch_and(!mine, Ordering::Relaxed);
            }
            before & (mine | leaving) == 0
        })
    }

    /// Leaves a place none of whose leases is out.
    pub(crate) fn leave_reader(&self, place: usize) {
        // Ordering: Release pairs with the Acquire of `take_reader`.
        self.0.fetch_and(!reader_bit(place), Ordering::Release);
    }

    /// Turns a place into one that waits for its leases.
    pub(crate) fn orphan_reader(&self, place: usize) {
        // Ordering: Relaxed, the place stays taken; `settle` frees it.
        self.0.fetch_xor(reader_bit(place) | leaving_bit(place), Ordering::Relaxed);
    }

    /// Frees a place whose last lease came back after its reader had gone.
    pub(crate) fn settle(&self, place: usize) {
        // Ordering: Release pairs with the Acquire of `take_reader`.
        self.0.fetch_and(!leaving_bit(place), Ordering::Release);
    }

    /// Whether any reader is subscribed.
    #[inline]
    pub(crate) fn any_reader(&self) -> bool {
        // Ordering: Relaxed, since a frame more or less for a reader that comes or goes is no matter of correctness.
        self.0.load(Ordering::Relaxed) & READERS != 0
    }

    /// Subscribed readers, and places that wait for leases.
    pub(crate) fn count(&self) -> (usize, usize) {
        // Ordering: Relaxed, for statistics.
        let word = self.0.load(Ordering::Relaxed);
        ((word & READERS).count_ones() as usize, (word >> 32 & READERS).count_ones() as usize)
    }

    /// The subscribed places.
    pub(crate) fn readers(&self) -> impl Iterator<Item = usize> + use<> {
        // Ordering: Relaxed, for statistics.
        let word = self.0.load(Ordering::Relaxed);
        (0..MAX_READERS).filter(move |&place| word & (reader_bit(place) | leaving_bit(place)) != 0)
    }
}
