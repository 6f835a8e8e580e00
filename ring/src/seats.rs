//! Who is at the ring: one word with a bit for the writer and two for each reader place.

use crate::spec::MAX_READERS;
use crate::sync::{AtomicU64, Ordering};

const WRITER: u64 = 1 << 63;
const LEAVING_SHIFT: usize = 32;
const READERS: u64 = (1 << MAX_READERS) - 1;

const fn reader_bit(place: usize) -> u64 {
    1 << place
}

/// The reader of the place is gone, and some of its leases are not.
const fn leaving_bit(place: usize) -> u64 {
    1 << (place + LEAVING_SHIFT)
}

/// Subscribed readers, and places that wait for leases.
fn count(word: u64) -> (usize, usize) {
    ((word & READERS).count_ones() as usize, (word >> LEAVING_SHIFT & READERS).count_ones() as usize)
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

    /// Takes a free place among the first `readers`. When all were taken at one moment, says by how many readers and by how
    /// many that left with leases out.
    ///
    /// Starts over when another came or went meanwhile, so one of them always comes through.
    pub(crate) fn take_reader(&self, readers: usize) -> Result<usize, (usize, usize)> {
        // Ordering: Relaxed, a hint; the read-modify-write below decides. Who is told that all places are taken reads
        // nothing through that.
        let mut before = self.0.load(Ordering::Relaxed);
        loop {
            let place = (before | before >> LEAVING_SHIFT).trailing_ones() as usize;
            if place >= readers {
                return Err(count(before));
            }
            // Ordering: Acquire pairs with the Release of `leave_reader` and `settle`: the place's state is as its former
            // reader left it, and that reader's last lease bit is gone from every slot word. Relaxed on failure, as above.
            match self.0.compare_exchange(before, before | reader_bit(place), Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(place),
                Err(now) => before = now,
            }
        }
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
        count(self.0.load(Ordering::Relaxed))
    }

    /// The subscribed places.
    pub(crate) fn readers(&self) -> impl Iterator<Item = usize> + use<> {
        // Ordering: Relaxed, for statistics.
        let word = self.0.load(Ordering::Relaxed);
        (0..MAX_READERS).filter(move |&place| word & (reader_bit(place) | leaving_bit(place)) != 0)
    }
}
