//! A reader's end: borrow the newest frame, or the next one, and learn exactly what was missed.

use core::fmt;
use core::mem;

use crate::head::{HeadWord, Position};
use crate::lease::Lease;
use crate::seats::Seats;
use crate::shared::{Drops, Shared};
use crate::spec::{MAX_BUDGET, RingSpec};
use crate::stats::{Missed, MissedCounters, ReaderStats};
use crate::sync::{Arc, AtomicU32, Counter, Ordering};

/// How often a read starts over when the writer has taken the frame that it was going for.
///
/// Each time the writer has published at least once more, so only a writer that laps the reader in nanoseconds gets
/// here, and a poll later is as good.
const TRIES: usize = if cfg!(loom) { 2 } else { 4 };

/// What only the reader of a place knows.
#[derive(Debug)]
pub(crate) struct Place {
    /// Drops counted as missed so far.
    drops: Drops,
    /// Newest position at the last refusal for want of budget.
    refused_to: Option<Position>,
    out: Out,
}

/// Slots of leases that were out when last looked at.
#[derive(Debug)]
struct Out {
    slots: [u16; MAX_BUDGET],
    len: usize,
}

impl Out {
    fn slots(&self) -> &[u16] {
        &self.slots[..self.len]
    }

    /// Strikes off the leases that are back.
    #[inline]
    fn strike(&mut self, shared: &Shared, place: usize) {
        let mut at = 0;
        while at < self.len {
            if shared.word(usize::from(self.slots[at])).is_out(place) {
                at += 1;
            } else {
                self.len -= 1;
                self.slots[at] = self.slots[self.len];
            }
        }
    }

    /// Puts a new lease on the list, which has room.
    #[inline]
    fn note(&mut self, slot: u16) {
        // It may be there from an earlier lease of the slot, which must be back, as the word had room for this one.
        if !self.slots().contains(&slot) {
            self.slots[self.len] = slot;
            self.len += 1;
        }
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { drops: Drops::default(), refused_to: None, out: Out { slots: [0; MAX_BUDGET], len: 0 } }
    }

    /// Counts what was missed between positions `last` and `end`, when the head is at `newest` and `drops` had been
    /// dropped.
    fn miss(&mut self, depth: usize, newest: Position, last: Position, end: Position, drops: Drops) -> Missed {
        let published = end.since(last) - 1;
        if published == 0 && self.drops == drops && self.refused_to.is_none() {
            return Missed::default();
        }
        let refused = match self.refused_to {
            Some(to) => to.since(last).min(published),
            None => 0,
        };
        let unreadable = newest.since(last).saturating_sub(depth as u64);
        let overwritten = unreadable.saturating_sub(refused).min(published - refused);
        let dropped = drops.dropped.wrapping_sub(self.drops.dropped);
        let unwanted = drops.unwanted.wrapping_sub(self.drops.unwanted);
        self.drops = drops;
        if self.refused_to.is_some_and(|to| to.since(last) <= end.since(last)) {
            self.refused_to = None;
        }
        Missed { overwritten, skipped: published - refused - overwritten, refused, dropped, unwanted }
    }
}

/// What onlookers see of a reader.
#[derive(Debug, Default)]
pub(crate) struct Record {
    first_frame_id: Counter,
    position: Counter,
    seen_ns: Counter,
    seen: Counter,
    missed: MissedCounters,
    refusals: Counter,
}

impl Record {
    fn reset(&self, first_frame_id: u64, position: Position, now_ns: u64) {
        self.seen.set(0);
        self.missed.reset();
        self.refusals.set(0);
        self.first_frame_id.set(first_frame_id);
        self.position.set(position.to_bits());
        self.seen_ns.set(now_ns);
    }

    fn add(&self, position: Position, missed: &Missed) {
        self.position.set(position.to_bits());
        if *missed != Missed::default() {
            self.missed.add(missed);
        }
    }

    fn stats(&self, shared: &Shared, place: usize) -> ReaderStats {
        let position = Position::from_bits(self.position.get());
        let newest = shared.head.peek().position();
        let (newest_ns, seen_ns) = (shared.newest_ns(), self.seen_ns.get());
        let leased = (0..shared.spec.slots()).filter(|&slot| shared.word(slot).shows_lease(place));
        let leased = leased.map(|slot| (shared.age(slot, newest), newest_ns.saturating_sub(shared.monotonic_ns(slot))));
        let (leases, (oldest_lease, oldest_lease_ns)) =
            leased.fold((0, (0, 0)), |(n, oldest), age| (n + 1, oldest.max(age)));
        ReaderStats {
            reader: place,
            first_frame_id: self.first_frame_id.get(),
            seen: self.seen.get(),
            missed: self.missed.get(),
            refusals: self.refusals.get(),
            lag: newest.since_or_zero(position),
            lag_ns: if seen_ns == 0 { 0 } else { newest_ns.saturating_sub(seen_ns) },
            leases,
            oldest_lease,
            oldest_lease_ns,
        }
    }
}

/// Statistics of the reader in `place`, for whoever holds the ring.
pub(crate) fn stats_of(shared: &Shared, place: usize) -> ReaderStats {
    shared.place(place).record.stats(shared, place)
}

#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Newest,
    Oldest,
}

/// How a read ended: small enough for a register, which a result with a lease in it is not.
#[derive(Clone, Copy)]
enum Found {
    /// The frame in this slot, which is now leased.
    Slot(u16),
    Nothing,
    Budget,
    Closed,
    Overtaken,
}

/// One subscribed reader. It begins with the first frame published after it subscribed.
///
/// Dropping it leaves the ring. Its leases stay valid; its place is free again once they are back.
///
/// ```
/// use vas_ring::{FrameEntry, HeapMemory, Identity, ReadError, Ring, RingSpec};
///
/// let spec = RingSpec::new(2, 1, 2, 64)?;
/// let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// let mut reader = ring.subscribe()?;
/// assert!(reader.latest()?.is_none());
///
/// for _ in 0..3 {
///     writer.claim()?.publish(&FrameEntry::default());
/// }
/// // Two of the three are readable still.
/// let frame = reader.next()?.expect("published");
/// assert_eq!((frame.frame_id, reader.missed().overwritten), (1, 1));
///
/// // A second lease beside the first is what a budget of two allows.
/// let newer = reader.latest()?.expect("published");
/// assert_eq!(newer.frame_id, 2);
/// writer.claim()?.publish(&FrameEntry::default());
/// assert_eq!(reader.latest().unwrap_err(), ReadError::Budget { budget: 2 });
///
/// drop((frame, newer, writer));
/// assert_eq!(reader.next()?.expect("readable to the end").frame_id, 3);
/// assert_eq!(reader.next().unwrap_err(), ReadError::Closed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    shared: Arc<Shared>,
    place: usize,
    /// The head as of the last frame that was delivered or counted as missed.
    head: HeadWord,
    /// Missed since the last frame delivered, or the subscription, if `ended`; else between the last two.
    missed: Missed,
    /// No frame was delivered since it subscribed, or since it was told that the ring is closed.
    ended: bool,
}

impl Reader {
    /// For a caller that has just taken `place`.
    pub(crate) fn seated(shared: Arc<Shared>, place: usize) -> Self {
        let (head, drops) = shared.head_and_drops();
        // SAFETY: the place is the caller's, and the reader that it becomes is not there yet.
        let state = unsafe { shared.place_state(place) };
        state.drops = drops;
        state.refused_to = None;
        state.out.len = 0;
        let first = shared.frame_id_after(head.position(), drops);
        shared.place(place).record.reset(first, head.position(), shared.newest_ns());
        Self { shared, place, head, missed: Missed::default(), ended: true }
    }

    /// Borrows the newest frame, if there is one that this reader has not had. Frames between the last one and this
    /// are counted as missed.
    ///
    /// While the ring has a writer, this is one load when there is no new frame. A ring without a writer has no newest frame: what was published and
    /// not yet seen is then counted as skipped, and [`next`](Self::next) is the way to read on to the end.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    #[inline]
    pub fn latest(&mut self) -> Result<Option<Lease>, ReadError> {
        self.read(Wanted::Newest)
    }

    /// Borrows the oldest readable frame that this reader has not had: one after the other, without a hole as long as
    /// the reader is less than the ring's depth behind. A hole is counted as missed.
    ///
    /// When the writer is gone, the remaining frames still come, and then [`ReadError::Closed`].
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "an iterator can neither fail nor be asked again")]
    pub fn next(&mut self) -> Result<Option<Lease>, ReadError> {
        self.read(Wanted::Oldest)
    }

    #[inline]
    fn read(&mut self, wanted: Wanted) -> Result<Option<Lease>, ReadError> {
        let head = self.shared.head.load();
        // A closed head may look as it did when another writer has been here meanwhile and published nothing.
        let found = if head != self.head || head.is_closed() { self.read_new(wanted, head) } else { Found::Nothing };
        match found {
            // SAFETY: leased just now by this place, and not given back.
            Found::Slot(slot) => Ok(Some(unsafe { Lease::new(&self.shared, slot, self.place) })),
            Found::Nothing => Ok(None),
            Found::Budget => Err(ReadError::Budget { budget: self.shared.spec.budget() }),
            Found::Closed => Err(ReadError::Closed),
            Found::Overtaken => Err(ReadError::Overtaken),
        }
    }

    fn read_new(&mut self, wanted: Wanted, mut head: HeadWord) -> Found {
        let (place, shared) = (self.place, &*self.shared);
        // SAFETY: the place is this reader's, `&mut self` makes this the only use, and it ends with the call.
        let state = unsafe { shared.place_state(place) };
        let record = &shared.place(place).record;
        let (depth, budget) = (shared.spec.depth(), shared.spec.budget());
        let last = self.head.position();
        if state.out.len == budget {
            state.out.strike(shared, place);
        }
        for _ in 0..TRIES {
            let newest = head.position();
            if head.is_closed() && (wanted == Wanted::Newest || newest == last) {
                let (settled, drops) = shared.head_and_drops();
                if settled == head {
                    let missed = state.miss(depth, newest, last, newest.plus(1), drops);
                    record.add(newest, &missed);
                    if !mem::replace(&mut self.ended, true) {
                        self.missed = Missed::default();
                    }
                    self.missed += missed;
                    self.head = head;
                    return Found::Closed;
                }
                head = settled;
                continue;
            }
            let behind = newest.since(last);
            if behind == 0 {
                // The same frame is the newest, after another writer took over.
                self.head = head;
                return Found::Nothing;
            }
            if state.out.len == budget {
                state.refused_to = Some(newest);
                record.refusals.add(1);
                return Found::Budget;
            }
            let target = match wanted {
                Wanted::Newest => newest,
                Wanted::Oldest => newest.minus(behind.min(depth as u64) - 1),
            };
            let slot = shared.head.slot(head, target);
            let word = shared.word(usize::from(slot));
            if word.lease(place) {
                // SAFETY: the word was open, so the slot is leased until `back_out` or `Lease::drop`.
                let (position, frame) = unsafe { shared.frame(usize::from(slot)) };
                if position == target {
                    let missed = state.miss(depth, newest, last, target, shared.drops_before(target, frame));
                    record.add(target, &missed);
                    if !mem::replace(&mut self.ended, false) {
                        self.missed = Missed::default();
                    }
                    self.missed += missed;
                    record.seen.add(1);
                    record.seen_ns.set(frame.entry.monotonic_ns);
                    self.head = HeadWord::open(target, slot);
                    state.out.note(slot);
                    return Found::Slot(slot);
                }
                word.back_out(place);
            }
            head = shared.head.load();
        }
        Found::Overtaken
    }

    /// What was missed between the frame that was delivered last and the one before that, or the subscription. After
    /// [`ReadError::Closed`], what was missed since the last frame up to the end.
    pub fn missed(&self) -> &Missed {
        &self.missed
    }

    /// Id of the first frame that was offered after this reader subscribed.
    pub fn first_frame_id(&self) -> u64 {
        self.shared.place(self.place).record.first_frame_id.get()
    }

    /// What this reader got and missed since it subscribed.
    pub fn stats(&self) -> ReaderStats {
        stats_of(&self.shared, self.place)
    }

    /// The ring's spec.
    pub fn spec(&self) -> &RingSpec {
        &self.shared.spec
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let place = self.place;
        let shared = &*self.shared;
        // SAFETY: the place is this reader's until it is given back below, and `&mut self` makes this the only use.
        let state = unsafe { shared.place_state(place) };
        let orphans = &shared.place(place).orphans;
        let out = state.out.len;
        if out == 0 {
            shared.seats.leave_reader(place);
            return;
        }
        // Each lease that is still out gives back one of these, and the reader gives back one for each that is not and
        // one for itself. Who gives back the last one frees the place, and drops the handle that kept the ring for it.
        //
        // Ordering: Relaxed, the sums come out whatever the order; the subtractions synchronise.
        orphans.fetch_add(out as u32 + 1, Ordering::Relaxed);
        let handle = self.shared.clone();
        shared.seats.orphan_reader(place);
        let back = state.out.slots().iter().filter(|&&slot| !shared.word(usize::from(slot)).orphan(place)).count();
        state.out.len = 0;
        if give_back(orphans, &shared.seats, place, back as u32 + 1) {
            drop(handle);
        } else {
            mem::forget(handle);
        }
    }
}

/// Gives back `n` of the leases counted in the `orphans` of a departed reader's place. Returns whether they were the
/// last; then the place is free.
///
/// Takes the atomics and not the ring: when these are not the last, others may free the ring before this returns, which
/// a reference to more than atomics does not allow.
pub(crate) fn give_back(orphans: &AtomicU32, seats: &Seats, place: usize, n: u32) -> bool {
    // Ordering: Release and Acquire pair with each other among the subtractions: who frees the place comes after
    // everything that the others did with it.
    let last = orphans.fetch_sub(n, Ordering::AcqRel) == n;
    if last {
        seats.settle(place);
    }
    last
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Why a read gave no frame although it was asked for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// There is a new frame, and the reader holds as many leases as it may: drop one.
    Budget {
        /// How many that is.
        budget: usize,
    },
    /// The ring has no writer. It may get another one; until then every read says this.
    Closed,
    /// The writer took the frame away again and again while the reader went for it: ask again.
    Overtaken,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget { budget } => write!(f, "all {budget} leases of this reader are out: drop one first"),
            Self::Closed => f.write_str("the ring has no writer"),
            Self::Overtaken => f.write_str("the writer was faster several times in a row: ask again"),
        }
    }
}

impl core::error::Error for ReadError {}
