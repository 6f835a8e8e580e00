//! What a ring should do, in the plainest words: a list of all frames that were offered, and for each reader how far
//! in that list it has come. Nothing here has slots, positions or wrapping numbers.

use std::mem;

use vas_ring::{DropCause, Dropped, FrameEntry, Missed, ReadError, ReaderStats, RingSpec, RingStats, SubscribeError};

/// What became of an offered frame.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "most are published")]
enum Offer {
    Published(FrameEntry),
    Dropped(DropCause),
}

impl Offer {
    fn is_published(self) -> bool {
        matches!(self, Self::Published(_))
    }
}

/// A lease that should be out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// Which offer.
    pub(crate) at: usize,
    pub(crate) index: usize,
    pub(crate) entry: FrameEntry,
    pub(crate) missed: Missed,
    /// Leaked: it never comes back.
    forgotten: bool,
}

#[derive(Debug)]
struct ReaderModel {
    /// Whether its reader is there still; if not, some lease is.
    present: bool,
    /// The first offer after it subscribed.
    first: usize,
    /// The first offer that is neither delivered nor counted as missed.
    next: usize,
    /// Published offers before this one were refused to the reader.
    refused: usize,
    /// Missed since the last one delivered.
    gap: Missed,
    seen_ns: u64,
    seen: u64,
    missed: Missed,
    refusals: u64,
    held: Vec<Held>,
}

#[derive(Debug)]
pub(crate) struct Oracle {
    spec: RingSpec,
    first_frame_id: u64,
    offers: Vec<Offer>,
    dropped: Dropped,
    newest_ns: u64,
    pub(crate) has_writer: bool,
    /// A claim was leaked, and nobody has noticed yet.
    leaked_claim: bool,
    models: Vec<Option<ReaderModel>>,
}

impl Oracle {
    pub(crate) fn new(spec: RingSpec, first_frame_id: u64) -> Self {
        Self {
            spec,
            first_frame_id,
            offers: Vec::new(),
            dropped: Dropped::default(),
            newest_ns: 0,
            has_writer: true,
            leaked_claim: false,
            models: (0..spec.readers()).map(|_| None).collect(),
        }
    }

    fn id(&self, at: usize) -> u64 {
        self.first_frame_id.wrapping_add(at as u64)
    }

    pub(crate) fn next_frame_id(&self) -> u64 {
        self.id(self.offers.len())
    }

    /// Published offers from `at` on.
    fn published_from(&self, at: usize) -> usize {
        self.offers[at..].iter().filter(|offer| offer.is_published()).count()
    }

    fn is_readable(&self, at: usize) -> bool {
        self.offers[at].is_published() && self.published_from(at) <= self.spec.depth()
    }

    /// The writer looks at its claim again: a leaked one is dropped.
    pub(crate) fn claim(&mut self) {
        if std::mem::take(&mut self.leaked_claim) {
            self.drop_frames(DropCause::Abandoned, 1);
        }
    }

    pub(crate) fn leak_claim(&mut self) {
        self.leaked_claim = true;
    }

    pub(crate) fn publish(&mut self, entry: FrameEntry) {
        self.newest_ns = entry.monotonic_ns;
        self.offers.push(Offer::Published(FrameEntry { frame_id: self.next_frame_id(), ..entry }));
    }

    pub(crate) fn drop_frames(&mut self, cause: DropCause, n: usize) {
        self.dropped.add(cause, n as u64);
        self.offers.extend(std::iter::repeat_n(Offer::Dropped(cause), n));
    }

    pub(crate) fn close(&mut self) {
        self.claim();
        self.has_writer = false;
    }

    fn count(&self) -> (usize, usize) {
        let of = |present| self.models.iter().flatten().filter(|it| it.present == present).count();
        (of(true), of(false))
    }

    pub(crate) fn subscribe(&mut self) -> Result<usize, SubscribeError> {
        let Some(index) = self.models.iter().position(Option::is_none) else {
            let (readers, leaving) = self.count();
            return Err(SubscribeError::Full { limit: self.spec.readers(), readers, leaving });
        };
        self.models[index] = Some(ReaderModel {
            present: true,
            first: self.offers.len(),
            next: self.offers.len(),
            refused: 0,
            gap: Missed::default(),
            seen_ns: self.newest_ns,
            seen: 0,
            missed: Missed::default(),
            refusals: 0,
            held: Vec::new(),
        });
        Ok(index)
    }

    fn model(&self, index: usize) -> &ReaderModel {
        self.models[index].as_ref().expect("taken")
    }

    fn model_mut(&mut self, index: usize) -> &mut ReaderModel {
        self.models[index].as_mut().expect("taken")
    }

    pub(crate) fn latest(&mut self, index: usize) -> Result<Option<Held>, ReadError> {
        let newest = self.offers.iter().rposition(|offer| offer.is_published());
        // Frames that nobody can call the newest any more are not on offer.
        let newest = newest.filter(|_| self.has_writer);
        self.read(index, newest)
    }

    pub(crate) fn next(&mut self, index: usize) -> Result<Option<Held>, ReadError> {
        let from = self.model(index).next;
        let oldest = (from..self.offers.len()).find(|&at| self.is_readable(at));
        self.read(index, oldest)
    }

    fn read(&mut self, index: usize, wanted: Option<usize>) -> Result<Option<Held>, ReadError> {
        let end = self.offers.len();
        let Some(at) = wanted.filter(|&at| at >= self.model(index).next) else {
            if self.has_writer {
                return Ok(None);
            }
            self.miss(index, end);
            return Err(ReadError::Closed);
        };
        let limit = self.spec.lease_limit();
        let it = self.model_mut(index);
        if it.held.len() == limit {
            it.refused = end;
            it.refusals += 1;
            return Err(ReadError::LeasesOut { limit });
        }
        self.miss(index, at);
        let Offer::Published(entry) = self.offers[at] else { unreachable!("only published frames are wanted") };
        let it = self.model_mut(index);
        let held = Held { at, index, entry, missed: mem::take(&mut it.gap), forgotten: false };
        it.next = at + 1;
        it.seen += 1;
        it.seen_ns = entry.monotonic_ns;
        it.held.push(held);
        Ok(Some(held))
    }

    /// Counts the offers up to `end` as missed, one by one.
    fn miss(&mut self, index: usize, end: usize) {
        let it = self.model(index);
        let mut missed = Missed::default();
        for at in it.next..end {
            let counter = if let Offer::Dropped(cause) = self.offers[at] {
                if cause == DropCause::Unwanted { &mut missed.unwanted } else { &mut missed.dropped }
            } else if at < it.refused {
                &mut missed.refused
            } else if !self.is_readable(at) {
                &mut missed.overwritten
            } else {
                &mut missed.skipped
            };
            *counter += 1;
        }
        let it = self.model_mut(index);
        it.next = end;
        it.missed += missed;
        it.gap += missed;
    }

    /// What the reader has missed since the last frame that it got.
    pub(crate) fn gap(&self, index: usize) -> Missed {
        self.model(index).gap
    }

    pub(crate) fn drop_lease(&mut self, held: &Held) {
        let it = self.model_mut(held.index);
        it.held.retain(|other| other.at != held.at);
        self.settle(held.index);
    }

    pub(crate) fn forget_lease(&mut self, held: &Held) {
        let it = self.model_mut(held.index);
        it.held.iter_mut().filter(|other| other.at == held.at).for_each(|other| other.forgotten = true);
    }

    pub(crate) fn leave(&mut self, index: usize) {
        self.model_mut(index).present = false;
        self.settle(index);
    }

    fn settle(&mut self, index: usize) {
        let it = self.model(index);
        if !it.present && it.held.is_empty() {
            self.models[index] = None;
        }
    }

    /// Ids of the frames that are leased, leaked leases included.
    pub(crate) fn leased(&self) -> Vec<u64> {
        self.models.iter().flatten().flat_map(|it| &it.held).map(|held| held.entry.frame_id).collect()
    }

    pub(crate) fn ring_stats(&self) -> RingStats {
        let (readers, leaving) = self.count();
        RingStats {
            published: self.published_from(0) as u64,
            dropped: self.dropped,
            next_frame_id: self.next_frame_id(),
            newest_ns: self.newest_ns,
            readers,
            leaving,
            closed: !self.has_writer,
        }
    }

    pub(crate) fn reader_stats(&self) -> Vec<ReaderStats> {
        let stats = |(reader, it): (usize, &Option<ReaderModel>)| {
            let it = it.as_ref()?;
            let age = |held: &Held| {
                (self.published_after(held) as u64, self.newest_ns.saturating_sub(held.entry.monotonic_ns))
            };
            let (oldest_lease, oldest_lease_ns) = it.held.iter().map(age).max().unwrap_or_default();
            Some(ReaderStats {
                reader,
                first_frame_id: self.id(it.first),
                seen: it.seen,
                missed: it.missed,
                refusals: it.refusals,
                lag: self.published_from(it.next) as u64,
                lag_ns: if it.seen_ns == 0 { 0 } else { self.newest_ns.saturating_sub(it.seen_ns) },
                leases: it.held.len(),
                oldest_lease,
                oldest_lease_ns,
            })
        };
        self.models.iter().enumerate().filter_map(stats).collect()
    }

    /// Frames published after the one held.
    pub(crate) fn published_after(&self, held: &Held) -> usize {
        self.published_from(held.at + 1)
    }

    /// Places that keep the ring, as their reader is gone and a lease is not.
    pub(crate) fn leaving(&self) -> usize {
        self.count().1
    }

    /// Whether a lease was leaked, and with it whatever it was borrowed from.
    pub(crate) fn has_leaked(&self) -> bool {
        self.models.iter().flatten().any(|it| it.held.iter().any(|held| held.forgotten))
    }
}
