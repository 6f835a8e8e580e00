//! Where a reader finds its seat at the camera's next ring, and what it got and missed at former ones.

use std::collections::VecDeque;
use std::fmt;

use vas_ring::{DropCause, Dropped, Missed, ReadError, ReaderStats};

use crate::sync::Mutex;

/// Shared by one reader and the control side, which seats the reader at each new ring before the writer goes there, so
/// that the reader misses nothing by being late. Locked only when a ring is made or ends.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Counts the readers of a camera.
    pub(crate) number: u64,
    pub(crate) epoch: u32,
    /// Frames that were offered before the reader subscribed and had no ring by then: the first ring that the reader is
    /// seated at counts them, and they are not this reader's.
    early: Dropped,
    seats: Mutex<Seats>,
}

struct Seats {
    past: Tally,
    /// The epoch has ended: there are no more seats than there are.
    ended: bool,
    /// Generation and place where the reader is; none when the camera stopped and it has seen everything.
    now: Option<(u32, usize)>,
    /// Seats at later rings.
    next: VecDeque<(u32, vas_ring::Reader)>,
}

/// What a reader got and missed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) seen: u64,
    pub(crate) missed: Missed,
    pub(crate) refusals: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, stats: &ReaderStats) {
        self.seen += stats.seen;
        self.missed += stats.missed;
        self.refusals += stats.refusals;
    }
}

impl Inbox {
    /// For a reader that is seated at this generation's ring, in this place; nowhere before there is a ring, when `early`
    /// frames wait for one.
    pub(crate) fn new(number: u64, epoch: u32, early: Dropped, at: Option<(u32, usize)>) -> Self {
        let seats = Seats { past: Tally::default(), ended: false, now: at, next: VecDeque::new() };
        Self { number, epoch, early, seats: Mutex::new(seats) }
    }

    /// Control side: a seat at the ring of `generation`, later than all before.
    pub(crate) fn put(&self, generation: u32, seat: vas_ring::Reader) {
        self.seats.lock().next.push_back((generation, seat));
    }

    /// Control side: the epoch has ended, and these frames went to no ring.
    pub(crate) fn end(&self, pending: &Dropped) {
        let mut seats = self.seats.lock();
        seats.ended = true;
        seats.past.missed.dropped += pending.lost();
        seats.past.missed.unwanted += pending.get(DropCause::Unwanted);
    }

    /// Whether the epoch has ended and the reader has no more seats to take.
    pub(crate) fn is_over(&self) -> bool {
        let seats = self.seats.lock();
        seats.ended && seats.next.is_empty()
    }

    /// Reader, which left a ring with these stats if it was at one: its next seat.
    pub(crate) fn take(&self, left: Option<&ReaderStats>) -> Option<(u32, vas_ring::Reader)> {
        let mut seats = self.seats.lock();
        if let Some(left) = left {
            seats.past.add(left);
        }
        let next = seats.next.pop_front();
        seats.now = next.as_ref().map(|(generation, seat)| (*generation, seat.stats().reader));
        next
    }

    /// Control side: gives a seat up that the reader has not taken, at a ring that is closed. Its frames are missed.
    pub(crate) fn give_up(&self, generation: u32) {
        let mut seats = self.seats.lock();
        let Some(at) = seats.next.iter().position(|(g, _)| *g == generation) else { return };
        if let Some((_, mut seat)) = seats.next.remove(at) {
            let counted = seat.latest();
            debug_assert_eq!(counted.err(), Some(ReadError::Closed), "a closed ring that rests");
            seats.past.add(&seat.stats());
        }
    }

    /// What the reader got and missed at rings that it left, and at this one.
    pub(crate) fn tally(&self, now: Option<&ReaderStats>) -> Tally {
        self.whole(self.seats.lock().past, now)
    }

    fn whole(&self, mut tally: Tally, now: Option<&ReaderStats>) -> Tally {
        if let Some(now) = now {
            tally.add(now);
        }
        // Nothing is missed before something is delivered or the end is told, and all of these are then.
        let Missed { dropped, unwanted, .. } = &mut tally.missed;
        *dropped = dropped.saturating_sub(self.early.lost());
        *unwanted = unwanted.saturating_sub(self.early.get(DropCause::Unwanted));
        tally
    }

    /// Everything: `at` gives the stats of a place at the ring of a generation.
    pub(crate) fn stats(&self, at: impl FnOnce(u32, usize) -> Option<ReaderStats>) -> (Tally, Option<ReaderStats>) {
        let seats = self.seats.lock();
        let now = seats.now.and_then(|(generation, place)| at(generation, place));
        (self.whole(seats.past, now.as_ref()), now)
    }
}

impl fmt::Debug for Seats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seats").field("now", &self.now).field("next", &self.next.len()).finish_non_exhaustive()
    }
}
