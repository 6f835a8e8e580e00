//! A reader's end: borrow the newest frame, or the next one, and learn exactly what was missed.

use core::fmt;
use core::mem;

use crate::head::HeadWord;
use crate::lease::Lease;
use crate::shared::Shared;
use crate::spec::RingSpec;
use crate::stats::{Missed, ReaderStats};
use crate::sync::{Arc, Ordering};

/// How often a read starts over when the writer has taken the frame that it was going for.
///
/// The writer has published at least once more each time, so only a writer that laps the reader in nanoseconds gets
/// here, and a poll later is as good.
const TRIES: usize = if cfg!(loom) { 2 } else { 4 };

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
    LeasesOut,
    Closed,
    Overtaken,
}

/// One subscribed reader. It begins with the first frame published after it subscribed.
///
/// Dropping it leaves the ring. Its leases stay valid; another reader may subscribe for it once they are back.
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
/// // A second lease beside the first is what a limit of two allows.
/// let newer = reader.latest()?.expect("published");
/// assert_eq!(newer.frame_id, 2);
/// writer.claim()?.publish(&FrameEntry::default());
/// assert_eq!(reader.latest().unwrap_err(), ReadError::LeasesOut { limit: 2 });
///
/// drop((frame, newer, writer));
/// assert_eq!(reader.next()?.expect("readable to the end").frame_id, 3);
/// assert_eq!(reader.next().unwrap_err(), ReadError::Closed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    shared: Arc<Shared>,
    /// Its index among the ring's readers.
    index: usize,
    /// The head as of the last frame that was delivered or counted as missed.
    head: HeadWord,
    /// Missed since the last frame delivered, or the subscription, if `ended`; else between the last two.
    missed: Missed,
    /// No frame was delivered since it subscribed, or since it was told that the ring is closed.
    ended: bool,
}

impl Reader {
    /// For a caller that has just subscribed with this index.
    pub(crate) fn new(shared: Arc<Shared>, index: usize) -> Self {
        let (head, drops) = shared.head_and_drops();
        // SAFETY: the caller is subscribed with this index, and the reader that it becomes is not there yet.
        unsafe { shared.reader_state(index) }.begin(drops);
        let first = shared.frame_id_after(head.position(), drops);
        shared.reader(index).counters.begin(first, head.position(), shared.newest_ns());
        Self { shared, index, head, missed: Missed::default(), ended: true }
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
            // SAFETY: leased just now by this reader, and not given back.
            Found::Slot(slot) => Ok(Some(unsafe { Lease::new(&self.shared, slot, self.index) })),
            Found::Nothing => Ok(None),
            Found::LeasesOut => Err(ReadError::LeasesOut { limit: self.shared.spec.lease_limit() }),
            Found::Closed => Err(ReadError::Closed),
            Found::Overtaken => Err(ReadError::Overtaken),
        }
    }

    fn read_new(&mut self, wanted: Wanted, mut head: HeadWord) -> Found {
        let (index, shared) = (self.index, &*self.shared);
        // SAFETY: this reader is subscribed with the index, `&mut self` makes this the only use, and it ends with the call.
        let state = unsafe { shared.reader_state(index) };
        let counters = &shared.reader(index).counters;
        let (depth, lease_limit) = (shared.spec.depth(), shared.spec.lease_limit());
        let last = self.head.position();
        if state.leased.len() == lease_limit {
            state.leased.remove_released(&shared.slots, index);
        }
        for _ in 0..TRIES {
            let newest = head.position();
            if head.is_closed() && (wanted == Wanted::Newest || newest == last) {
                let (settled, drops) = shared.head_and_drops();
                if settled == head {
                    let missed = state.miss(depth, newest, last, newest.plus(1), drops);
                    counters.miss(newest, &missed);
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
            if state.leased.len() == lease_limit {
                state.refuse(newest);
                counters.refuse();
                return Found::LeasesOut;
            }
            let target = match wanted {
                Wanted::Newest => newest,
                Wanted::Oldest => newest.minus(behind.min(depth as u64) - 1),
            };
            let slot = shared.head.slot(head, target);
            let word = shared.slots.word(slot);
            if word.lease(index) {
                // SAFETY: the word was open, so the slot is leased until `back_out` or `Lease::drop`.
                let (position, frame) = unsafe { shared.slots.frame(slot) };
                if position == target {
                    let missed = state.miss(depth, newest, last, target, shared.drops_before(target, frame));
                    counters.miss(target, &missed);
                    if !mem::replace(&mut self.ended, false) {
                        self.missed = Missed::default();
                    }
                    self.missed += missed;
                    counters.deliver(&frame.entry);
                    self.head = HeadWord::open(target, slot);
                    state.leased.insert(slot);
                    return Found::Slot(slot);
                }
                word.back_out(index);
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
        self.shared.reader(self.index).counters.first_frame_id.get()
    }

    /// What this reader got and missed since it subscribed.
    pub fn stats(&self) -> ReaderStats {
        self.shared.reader_stats(self.index)
    }

    /// The ring's spec.
    pub fn spec(&self) -> &RingSpec {
        &self.shared.spec
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let (index, shared) = (self.index, &*self.shared);
        // SAFETY: this reader is subscribed with the index until it gives that back below, and `&mut self` makes this the
        // only use.
        let leased = &unsafe { shared.reader_state(index) }.leased;
        if leased.len() == 0 {
            shared.subscriptions.unsubscribe(index);
            return;
        }
        // The count of orphans starts with one for each lease that may be out, and one for this reader. A lease that is given
        // back from now on takes one off; this reader takes one off for each lease that was back before, and its own. Who
        // takes the last one off frees the index, and drops the handle that has kept the ring for the leases.
        let orphans = &shared.reader(index).orphans;
        // Ordering: Relaxed, the sums come out whatever the order; the subtractions synchronise.
        orphans.fetch_add(leased.len() as u32 + 1, Ordering::Relaxed);
        let handle = self.shared.clone();
        shared.subscriptions.orphan(index);
        let back = leased.as_slice().iter().filter(|&&slot| !shared.slots.word(slot).orphan(index)).count();
        if shared.subscriptions.give_back(orphans, index, back as u32 + 1) {
            drop(handle);
        } else {
            mem::forget(handle);
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Why a read gave no frame although it was asked for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// There is a new frame, and the reader holds as many leases as it may: drop one.
    LeasesOut {
        /// How many that is.
        limit: usize,
    },
    /// The ring has no writer. It may get another one; until then every read says this.
    Closed,
    /// The writer took the frame away again and again while the reader went for it: ask again.
    Overtaken,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeasesOut { limit } => write!(f, "all {limit} leases of this reader are out: drop one first"),
            Self::Closed => f.write_str("the ring has no writer"),
            Self::Overtaken => f.write_str("the writer was faster several times in a row: ask again"),
        }
    }
}

impl core::error::Error for ReadError {}
