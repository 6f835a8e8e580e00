//! Where a reader finds its seat at the camera's next ring, and what it got and missed at former ones.

use std::collections::VecDeque;
use std::fmt;

use vas_ring::{DropCause, Dropped, Identity, Missed, ReadError, ReaderStats, Ring};

use crate::CameraState;
use crate::sync::{AtomicU32, Counter, Mutex, Ordering};

/// Shared by one reader of one camera and the control side, for the life of the reader. The control side seats the reader at
/// each new ring before the writer goes there, so that the reader misses nothing by being late, over restarts too.
/// Locked only when a ring is made or ends, or when the camera's state changes.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Counts the readers of a camera.
    pub(crate) number: u64,
    pub(crate) name: String,
    /// Of the frame that its counts begin with.
    pub(crate) first_frame_id: u64,
    /// Frames that were offered before the reader came and had no ring by then: the first ring that the reader is seated at
    /// counts them, and they are not this reader's.
    pub(crate) early: Dropped,
    /// Changes with each thing that is put in.
    arrivals: AtomicU32,
    seats: Mutex<Seats>,
    pub(crate) passed: Passed,
}

/// A seat at the ring of a camera's epoch and generation.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) epoch: u32,
    pub(crate) generation: u32,
    pub(crate) reader: vas_ring::Reader,
}

/// Which ring: epoch, generation.
pub(crate) type At = (u32, u32);

/// Where a seat is: epoch, generation, place.
pub(crate) type Place = (u32, u32, usize);

impl Seat {
    /// A seat at a ring, if there is a place.
    pub(crate) fn at(ring: &Ring) -> Option<Self> {
        let Identity { epoch, generation, .. } = *ring.identity();
        Some(Self { epoch, generation, reader: ring.subscribe().ok()? })
    }

    fn place(&self) -> Place {
        (self.epoch, self.generation, self.reader.stats().reader)
    }
}

struct Seats {
    past: Tally,
    /// Where the reader is; none when it has seen all that there is.
    now: Option<Place>,
    /// Seats at later rings.
    next: VecDeque<Seat>,
    /// Rings at which there was no place, and the frame from which on.
    standing: Vec<(At, u64)>,
    told: Told,
}

/// What a reader is told of its camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) state: CameraState,
    pub(crate) epoch: u32,
    pub(crate) has_place: bool,
}

/// What a reader got and missed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) seen: u64,
    pub(crate) missed: Missed,
    pub(crate) refusals: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.seen += other.seen;
        self.missed += other.missed;
        self.refusals += other.refusals;
    }
}

impl Tally {
    pub(crate) fn add(&mut self, stats: &ReaderStats) {
        self.seen += stats.seen;
        self.missed += stats.missed;
        self.refusals += stats.refusals;
    }
}

/// Of the frames that rings count as seen or lost, those that the reader did not want. Written by the reader.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub(crate) seen: Counter,
    pub(crate) overwritten: Counter,
    pub(crate) skipped: Counter,
    pub(crate) refused: Counter,
}

impl Passed {
    /// Moves them to where they belong: the sum stays what it was.
    fn settle(&self, tally: &mut Tally) {
        let missed = &mut tally.missed;
        for (counted, passed) in [
            (&mut tally.seen, &self.seen),
            (&mut missed.overwritten, &self.overwritten),
            (&mut missed.skipped, &self.skipped),
            (&mut missed.refused, &self.refused),
        ] {
            // An onlooker may see more passed than counted for a moment.
            let passed = passed.get().min(*counted);
            *counted -= passed;
            missed.unwanted += passed;
        }
    }
}

impl Inbox {
    /// For a reader that comes when the next frame in the rings' books would be `first_frame_id`, and `early` frames wait for a
    /// ring.
    pub(crate) fn new(number: u64, name: &str, first_frame_id: u64, early: Dropped, told: Told) -> Self {
        Self {
            number,
            name: name.into(),
            first_frame_id: first_frame_id.wrapping_add(early.total()),
            early,
            arrivals: AtomicU32::new(1),
            seats: Mutex::new(Seats {
                past: Tally::default(),
                now: None,
                next: VecDeque::new(),
                standing: Vec::new(),
                told,
            }),
            passed: Passed::default(),
        }
    }

    /// Reader: changes when there is something to take. It begins with 1.
    #[inline]
    pub(crate) fn arrivals(&self) -> u32 {
        // Ordering: Relaxed, a hint: what is there is found under the lock.
        self.arrivals.load(Ordering::Relaxed)
    }

    fn arrived(&self) {
        // Ordering: Relaxed, as in `arrivals`. Only the control side comes here, one at a time.
        self.arrivals.fetch_add(1, Ordering::Relaxed);
    }

    /// Control side: a seat at a ring later than all before.
    pub(crate) fn put(&self, seat: Seat) {
        let mut seats = self.seats.lock();
        seats.told.has_place = true;
        seats.end_standing((seat.epoch, seat.generation), seat.reader.first_frame_id());
        seats.next.push_back(seat);
        drop(seats);
        self.arrived();
    }

    /// Control side: there is no place for the reader at a ring. What that is offered from `frame_id` on is missed, until there
    /// is one.
    pub(crate) fn put_none(&self, ring: &Ring, frame_id: u64) {
        let mut seats = self.seats.lock();
        seats.told.has_place = false;
        let Identity { epoch, generation, .. } = *ring.identity();
        seats.standing.push(((epoch, generation), frame_id));
        drop(seats);
        self.arrived();
    }

    /// Control side: how the camera is doing.
    pub(crate) fn tell(&self, state: CameraState, epoch: u32) {
        let mut seats = self.seats.lock();
        if (seats.told.state, seats.told.epoch) != (state, epoch) {
            (seats.told.state, seats.told.epoch) = (state, epoch);
            drop(seats);
            self.arrived();
        }
    }

    /// What is told last.
    pub(crate) fn told(&self) -> Told {
        self.seats.lock().told
    }

    /// Whether the reader is, or will be, at the ring of an epoch and generation.
    pub(crate) fn is_seated(&self, epoch: u32, generation: u32) -> bool {
        let seats = self.seats.lock();
        let here = |at: (u32, u32)| at == (epoch, generation);
        seats.now.is_some_and(|now| here((now.0, now.1)))
            || seats.next.iter().any(|seat| here((seat.epoch, seat.generation)))
    }

    /// Reader, which left a ring with these stats, if it was at one: its next seat.
    pub(crate) fn take(&self, left: Option<&ReaderStats>) -> Option<Seat> {
        let mut seats = self.seats.lock();
        if let Some(left) = left {
            seats.past.add(left);
        }
        let next = seats.next.pop_front();
        seats.now = next.as_ref().map(Seat::place);
        next
    }

    /// Control side: gives a seat up that the reader has not taken, at a ring that is closed. Its frames are missed, and so are
    /// those of a ring without a place.
    pub(crate) fn give_up(&self, ring: &Ring) {
        let Identity { epoch, generation, .. } = *ring.identity();
        let mut seats = self.seats.lock();
        seats.end_standing((epoch, generation), ring.stats().next_frame_id);
        let here = |seat: &Seat| (seat.epoch, seat.generation) == (epoch, generation);
        let Some(at) = seats.next.iter().position(here) else { return };
        if let Some(mut seat) = seats.next.remove(at) {
            let counted = seat.reader.latest();
            debug_assert_eq!(counted.err(), Some(ReadError::Closed), "a closed ring that rests");
            seats.past.add(&seat.reader.stats());
        }
    }

    /// Control side: frames that were offered and went to no ring.
    pub(crate) fn miss(&self, dropped: u64, unwanted: u64) {
        let mut seats = self.seats.lock();
        seats.past.missed.dropped += dropped;
        seats.past.missed.unwanted += unwanted;
    }

    /// Everything: `at` gives the stats of a seat.
    pub(crate) fn stats(&self, at: impl FnOnce(Place) -> Option<ReaderStats>) -> (Tally, Option<ReaderStats>) {
        let seats = self.seats.lock();
        let mut tally = seats.past;
        // A reader that has not looked yet is where it is going to be.
        let now = seats.now.and_then(at).or_else(|| seats.next.front().map(|seat| seat.reader.stats()));
        if let Some(stats) = &now {
            tally.add(stats);
        }
        drop(seats);
        // Nothing is missed before something is handed out or an end is seen, and all of these are then.
        forget(&mut tally.missed, &self.early);
        self.passed.settle(&mut tally);
        (tally, now)
    }
}

/// Takes frames out that were not the reader's.
pub(crate) fn forget(missed: &mut Missed, early: &Dropped) {
    missed.dropped = missed.dropped.saturating_sub(early.lost());
    missed.unwanted = missed.unwanted.saturating_sub(early.get(DropCause::Unwanted));
}

impl Seats {
    /// The reader was without a place at a ring up to this frame, if it was.
    fn end_standing(&mut self, at: At, frame_id: u64) {
        let missed = &mut self.past.missed.dropped;
        self.standing.retain(|&(ring, since)| {
            let ends = ring == at;
            *missed += if ends { frame_id.wrapping_sub(since) } else { 0 };
            !ends
        });
    }
}

impl fmt::Debug for Seats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seats").field("now", &self.now).field("next", &self.next.len()).finish_non_exhaustive()
    }
}
