//! Which frames of a camera are wanted: told by its readers, looked at by its writer, frame by frame.
//!
//! ```text
//! Line, written by readers when they come, go, change their rate or ask; looked at by the writer for each frame
//!   want      bit 0       ANY       there is a reader
//!             bit 1       EVERY     some reader wants every frame
//!             bit 2       SOME      some reader wants some frames only: the writer takes notes
//!             bits 32..64 PERIOD    of the fastest reader that wants so many per second; 0 without one
//!   requests              frames asked for so far, modulo 2^32
//!
//! Notes, written by the writer, for readers that want some frames only
//!   frames    bits 0..2   PACED     1: it was due, 2: it was copied though none was due, 0: nobody looked
//!             bits 2..32  REQUESTS  of the line, as the writer saw them when the frame was offered
//!             bits 32..64 FRAME ID  the low half
//!   answered              REQUESTS of the line that frames have been published for
//! ```
//!
//! While readers neither come nor go nor ask, nobody writes to the line, so that it stays where the writer has it.
//!
//! # Requests
//!
//! A reader that asks counts one up, which makes the number *its* request. A frame that was offered with that number or
//! a later one in sight was offered after the request, and answers it; its note says so. The writer copies a frame when
//! it sees a number that it has not answered, and it has answered it as soon as it has a slot for a frame: so there is one
//! frame for each request that no other frame answers, and one frame answers all that were made up to it. A frame that finds no
//! slot answers nothing. `answered` is told to readers after the frame is published: one that sees it, and does not find
//! the frame, has lost it and asks again.

use std::fmt;

use vas_ring::DropCause;

use crate::rate::{Pacer, Period, Rate};
use crate::sync::{Arc, AtomicU32, AtomicU64, Counter, Mutex, Ordering};

/// More than readers can be behind between a frame and its note, short of being lapped again and again.
const NOTES: usize = if cfg!(loom) { 2 } else { 16 };

/// What readers of one camera want, for the life of the process.
pub(crate) struct Demand {
    line: Line,
    notes: Notes,
    /// Locked by who comes, goes or changes a rate.
    rates: Mutex<Rates>,
}

#[derive(Default)]
struct Rates {
    readers: usize,
    /// Of those, readers that want every frame.
    every: usize,
    periods: Vec<Period>,
}

// Two lines, since processors fetch lines in pairs.
#[repr(align(128))]
struct Line {
    want: AtomicU64,
    requests: AtomicU32,
}

#[repr(align(128))]
struct Notes {
    frames: [AtomicU64; NOTES],
    answered: AtomicU32,
    /// When the writer copies the next frame for the fastest reader that wants so many per second.
    due: Counter,
}

/// The line's first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Want(u64);

impl Want {
    const ANY: u64 = 1;
    const EVERY: u64 = 2;
    const SOME: u64 = 4;

    fn of(rates: &Rates) -> Self {
        let bit = |bit, is_set| if is_set { bit } else { 0 };
        let period = rates.periods.iter().min().map_or(0, |period| period.to_bits());
        Self(
            bit(Self::ANY, rates.readers != 0)
                | bit(Self::EVERY, rates.every != 0)
                | bit(Self::SOME, rates.readers != rates.every)
                | u64::from(period) << 32,
        )
    }

    #[inline]
    fn has(self, bit: u64) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    fn period(self) -> Option<Period> {
        // The high half.
        Period::from_bits((self.0 >> 32) as u32)
    }
}

/// What the writer noted of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    requests: Request,
    /// Whether the frame was due for the fastest reader that wants so many per second; none when nobody looked.
    pub(crate) paced: Option<bool>,
}

impl Note {
    fn pack(self, frame_id: u64) -> u64 {
        let paced = match self.paced {
            None => 0,
            Some(true) => 1,
            Some(false) => 2,
        };
        paced | u64::from(self.requests.0) << 2 & u64::from(u32::MAX) | frame_id << 32
    }

    fn unpack(bits: u64, frame_id: u64) -> Option<Self> {
        let paced = match bits & 3 {
            1 => Some(true),
            2 => Some(false),
            _ => None,
        };
        // Thirty bits. The high half is the frame's; 0 before the first.
        let note = Self { requests: Request((bits >> 2) as u32 & Request::MASK), paced };
        (bits >> 32 == frame_id & u64::from(u32::MAX) && bits != 0).then_some(note)
    }

    /// Whether the frame was offered after this request.
    pub(crate) fn answers(self, request: Request) -> bool {
        self.requests.is_at_or_after(request)
    }
}

/// The number of a request: it wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request(u32);

impl Request {
    const MASK: u32 = u32::MAX >> 2;

    /// Of two that are less than 2^29 apart.
    fn is_at_or_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) & Self::MASK <= Self::MASK / 2
    }
}

impl Demand {
    pub(crate) fn new() -> Self {
        Self {
            line: Line { want: AtomicU64::new(0), requests: AtomicU32::new(0) },
            notes: Notes {
                frames: std::array::from_fn(|_| AtomicU64::new(0)),
                answered: AtomicU32::new(0),
                due: Counter::default(),
            },
            rates: Mutex::new(Rates::default()),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Rates)) {
        let mut rates = self.rates.lock();
        change(&mut rates);
        // Ordering: Relaxed, as a frame more or less for a reader that comes or goes is no matter of correctness. A
        // request comes after the reader came, and with Release.
        self.line.want.store(Want::of(&rates).0, Ordering::Relaxed);
    }

    /// A reader asks for one frame that is offered from now on.
    pub(crate) fn request(&self) -> Request {
        // Ordering: Release pairs with the Acquire in `Chooser::demand`: a frame that is chosen for this request is
        // offered after all that the reader did before, and the writer takes notes by then.
        Request(self.line.requests.fetch_add(1, Ordering::Release).wrapping_add(1))
    }

    /// Whether a frame has been published for this request.
    pub(crate) fn is_answered(&self, request: Request) -> bool {
        // Ordering: Acquire pairs with the Release of `Chooser::tell`: who sees this sees the frame.
        Request(self.notes.answered.load(Ordering::Acquire)).is_at_or_after(request)
    }

    /// What the writer noted of a frame that the caller leases; none when the note has been overwritten, or when
    /// none was taken.
    pub(crate) fn note_of(&self, frame_id: u64) -> Option<Note> {
        // Ordering: Relaxed, since the lease has ordered it after the writer's store. It may find a later frame's note.
        Note::unpack(self.notes.frames[frame_id as usize % NOTES].load(Ordering::Relaxed), frame_id)
    }

    /// The period that the writer copies frames in; none when it copies all, or none but those that are asked for.
    pub(crate) fn paced_by(&self) -> Option<Period> {
        // Ordering: Relaxed, as in `change`.
        let want = Want(self.line.want.load(Ordering::Relaxed));
        want.period().filter(|_| !want.has(Want::EVERY))
    }

    /// From when on the writer copies a frame for the fastest reader that wants so many per second: a guess.
    pub(crate) fn next_due(&self) -> u64 {
        self.notes.due.get()
    }
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rates = self.rates.lock();
        let (readers, every) = (rates.readers, rates.every);
        f.debug_struct("Demand").field("readers", &readers).field("every", &every).finish_non_exhaustive()
    }
}

/// One reader's part in the demand of a camera: it counts from when this is made until it is dropped.
#[derive(Debug)]
pub(crate) struct Wish {
    demand: Arc<Demand>,
    rate: Rate,
}

impl Wish {
    pub(crate) fn new(demand: Arc<Demand>, rate: Rate) -> Self {
        demand.change(|rates| rates.add(rate));
        Self { demand, rate }
    }

    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    pub(crate) fn set_rate(&mut self, rate: Rate) {
        self.demand.change(|rates| {
            rates.remove(self.rate);
            rates.add(rate);
        });
        self.rate = rate;
    }

    pub(crate) fn demand(&self) -> &Demand {
        &self.demand
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        self.demand.change(|rates| rates.remove(self.rate));
    }
}

impl Rates {
    fn add(&mut self, rate: Rate) {
        self.readers += 1;
        self.every += usize::from(rate.wants_all());
        self.periods.extend(rate.period());
    }

    fn remove(&mut self, rate: Rate) {
        self.readers -= 1;
        self.every -= usize::from(rate.wants_all());
        if let Some(at) = rate.period().and_then(|period| self.periods.iter().position(|&other| other == period)) {
            self.periods.swap_remove(at);
        }
    }
}

/// The writer's side: chooses the frames that are copied. Nothing here waits, allocates, locks or calls the system.
#[derive(Debug)]
pub(crate) struct Chooser {
    demand: Arc<Demand>,
    /// `requests` of the line when the last frame that found a slot was offered.
    answered: u32,
    /// Whether that is to be told.
    untold: bool,
    pacer: Option<Pacer>,
    /// What is known of the frame that is offered now.
    offered: Option<Offered>,
}

#[derive(Clone, Copy, Debug)]
struct Offered {
    requests: u32,
    /// Whether a frame is due, and the time.
    paced: Option<(bool, u64)>,
    /// Whether some reader looks at notes.
    noted: bool,
}

impl Chooser {
    pub(crate) fn new(demand: Arc<Demand>) -> Self {
        // Ordering: Acquire pairs with the Release of `tell` by the chooser before this one.
        let answered = demand.notes.answered.load(Ordering::Acquire);
        Self { demand, answered, untold: false, pacer: None, offered: None }
    }

    /// Whether the frame that is offered now is to be copied. `now` is called once at most, and only if a reader wants so
    /// many frames per second and none wants all.
    #[inline]
    pub(crate) fn demand(&mut self, mut now: impl FnMut() -> u64) -> Result<(), DropCause> {
        self.tell();
        let line = &self.demand.line;
        // Ordering: Acquire pairs with the Release of `Demand::request`.
        let requests = line.requests.load(Ordering::Acquire);
        // Ordering: Relaxed, as in `Demand::change`.
        let want = Want(line.want.load(Ordering::Relaxed));
        let mut offered = Offered { requests, paced: None, noted: want.has(Want::SOME) };
        let mut is_wanted = want.has(Want::EVERY);
        if !is_wanted {
            if let Some(period) = want.period() {
                let pacer = self.pacer.get_or_insert_with(|| Pacer::new(period));
                pacer.set_period(period);
                let now = now();
                is_wanted = pacer.is_due(now);
                offered.paced = Some((is_wanted, now));
            }
            is_wanted |= want.has(Want::SOME) && requests != self.answered;
        }
        self.offered = is_wanted.then_some(offered);
        match is_wanted {
            true => Ok(()),
            false if want.has(Want::ANY) => Err(DropCause::Unwanted),
            false => Err(DropCause::NoReader),
        }
    }

    /// The frame that was chosen has a slot, and is published under this id.
    #[inline]
    pub(crate) fn claimed(&mut self, frame_id: u64) {
        let Some(Offered { requests, paced, noted }) = self.offered.take() else { return };
        if noted {
            let note = Note { requests: Request(requests), paced: paced.map(|(is_due, _)| is_due) };
            // Ordering: Relaxed, published with the frame.
            self.demand.notes.frames[frame_id as usize % NOTES].store(note.pack(frame_id), Ordering::Relaxed);
        }
        if requests != self.answered {
            (self.answered, self.untold) = (requests, true);
        }
        if let (Some((true, now)), Some(pacer)) = (paced, &mut self.pacer) {
            pacer.taken(now);
            self.demand.notes.due.set(pacer.due());
        }
    }

    /// Tells readers which requests have been answered: the frames are published by now.
    #[inline]
    fn tell(&mut self) {
        if self.untold {
            // Ordering: Release pairs with the Acquire of `Demand::is_answered`, and of `new`.
            self.demand.notes.answered.store(self.answered, Ordering::Release);
            self.untold = false;
        }
    }
}

impl Drop for Chooser {
    fn drop(&mut self) {
        self.tell();
    }
}
