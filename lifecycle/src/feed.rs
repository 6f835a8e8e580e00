//! One camera's frames for one reader, over all of the camera's rings.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use vas_ring::{Geometry, Lease, Missed, ReadError};

use crate::cadence::{Cadence, Pause};
use crate::clock::monotonic_ns;
use crate::demand::{Request, Wish};
use crate::inbox::{Inbox, Seat, Tally, Told, forget};
use crate::rate::{Pacer, Period, due_between};
use crate::sync::Arc;
use crate::{CameraId, News, Rate};

/// A frame that is borrowed in place until it is dropped, as a [`Lease`], with what has happened since the one before.
///
/// It may be sent to other threads, outlive its reader, the camera and export, and be dropped anywhere.
pub struct Frame {
    lease: Lease,
    missed: Missed,
    restarted: bool,
    resized: bool,
}

impl Frame {
    /// What this reader missed of the camera's frames since the one that it got before, or since it subscribed.
    pub fn missed(&self) -> &Missed {
        &self.missed
    }

    /// Whether it is the first that this reader gets of a start of the camera: the scene may be another one.
    pub fn is_restart(&self) -> bool {
        self.restarted
    }

    /// Whether its [geometry](vas_ring::FrameEntry::geometry) is another than that of the frame that this reader got before, or it is the first.
    pub fn is_resized(&self) -> bool {
        self.resized
    }

    /// Time since it was offered to the tap.
    pub fn age(&self) -> Duration {
        Duration::from_nanos(monotonic_ns().saturating_sub(self.lease.monotonic_ns))
    }

    /// The lease alone.
    pub fn into_lease(self) -> Lease {
        self.lease
    }
}

impl Deref for Frame {
    type Target = Lease;

    #[inline]
    fn deref(&self) -> &Lease {
        &self.lease
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("lease", &self.lease).field("missed", &self.missed).finish_non_exhaustive()
    }
}

/// What came of a look.
#[derive(Debug)]
pub(crate) enum Look {
    Frame(Frame),
    Nothing,
    /// There is a new frame, and all leases are out.
    Refused,
}

/// How often a look starts over when the writer is faster: it says that there is nothing then, which is as good a moment later.
const TRIES: usize = if cfg!(loom) { 2 } else { 8 };

/// One camera's frames for one reader.
pub(crate) struct Feed {
    camera: CameraId,
    wish: Wish,
    inbox: Arc<Inbox>,
    /// `arrivals` of the inbox that have been taken, and that have been told.
    taken: u32,
    heard: u32,
    told: Option<Told>,
    /// None before the camera's first ring, and when it has stopped and all is seen: a reader that has nothing to read
    /// holds no memory.
    at: Option<Seat>,
    pending: Option<Request>,
    /// For readers that want so many frames per second.
    pacer: Option<(Period, Pacer)>,
    /// The frame that was handed out last: when it was offered, its epoch, its geometry.
    last: Option<(u64, u32, Geometry)>,
    /// When it was made.
    since: u64,
    /// Missed since the frame that was handed out last, and of the published among those how many were passed over.
    missed: Missed,
    passed: u64,
    cadence: Cadence,
    /// Since when all leases are out.
    refused: Option<u64>,
    /// When to look again while they are, or while there is nothing to look for.
    next: u64,
}

impl Feed {
    pub(crate) fn new(camera: CameraId, wish: Wish, inbox: Arc<Inbox>, now: u64) -> Self {
        let mut feed = Self {
            camera,
            pacer: wish.rate().period().map(|period| (period, Pacer::new(period))),
            wish,
            inbox,
            taken: 0,
            heard: 0,
            told: None,
            at: None,
            pending: None,
            last: None,
            since: now,
            missed: Missed::default(),
            passed: 0,
            cadence: Cadence::new(now),
            refused: None,
            next: now,
        };
        feed.go_over();
        feed
    }

    pub(crate) fn camera(&self) -> &CameraId {
        &self.camera
    }

    pub(crate) fn rate(&self) -> Rate {
        self.wish.rate()
    }

    pub(crate) fn set_rate(&mut self, rate: Rate) {
        self.wish.set_rate(rate);
        match (rate.period(), &mut self.pacer) {
            (Some(period), Some((now, pacer))) => {
                *now = period;
                pacer.set_period(period);
            }
            (period, pacer) => *pacer = period.map(|period| (period, Pacer::new(period))),
        }
    }

    /// Asks for one frame that is offered from now on. Does nothing if every frame is wanted.
    pub(crate) fn request(&mut self, now: u64, pause: Pause) {
        if !self.rate().wants_all() {
            self.pending = Some(self.wish.demand().request());
            self.cadence.aim(now, now, pause);
        }
    }

    /// What happened since the last call.
    pub(crate) fn news(&mut self) -> Option<News> {
        let arrivals = self.inbox.arrivals();
        if arrivals == self.heard {
            return None;
        }
        self.heard = arrivals;
        let told = self.inbox.told();
        let is_new = self.told.replace(told) != Some(told);
        let Told { state, epoch, has_place } = told;
        is_new.then_some(News { camera: self.camera, state, epoch, has_place })
    }

    /// Whether there is nothing to look for: the camera does not run, or nobody asked.
    fn rests(&self) -> bool {
        self.at.is_none() || self.rate() == Rate::OnRequest && self.pending.is_none()
    }

    /// When to look again.
    pub(crate) fn next_look(&self) -> u64 {
        if self.refused.is_some() || self.rests() { self.next } else { self.cadence.next_look() }
    }

    /// A look at `now`, while waiting, found nothing.
    pub(crate) fn nothing_yet(&mut self, now: u64, pause: Pause) {
        match self.refused {
            // Until a lease is back.
            Some(since) => {
                self.next = now.saturating_add((now.saturating_sub(since) / 16).clamp(pause.short, pause.long));
            }
            None if self.rests() => self.next = now.saturating_add(pause.long),
            None => self.cadence.nothing(now, pause),
        }
    }

    /// Hands out a frame, if there is one that the reader wants. `now` is called when something is found, and gives the
    /// time.
    #[inline]
    pub(crate) fn look(&mut self, pause: Pause, now: impl Fn() -> u64) -> Look {
        // Before the look: a request that was answered by then, and no frame found, is one whose frame is lost.
        let lost = self.pending.filter(|request| self.wish.demand().is_answered(*request));
        let mut tries = 0;
        loop {
            let Some(seat) = &mut self.at else {
                if !self.go_over() {
                    return Look::Nothing;
                }
                continue;
            };
            let oldest = match self.wish.rate() {
                Rate::EveryFrame => true,
                Rate::OnRequest => self.pending.is_some(),
                _ => false,
            };
            let read = match if oldest { seat.reader.next() } else { seat.reader.latest() } {
                // All leases of this ring are out, maybe for good. If it has ended, and there is a later one, which has
                // leases of its own, the rest of this one is missed.
                Err(ReadError::LeasesOut { .. }) if self.inbox.arrivals() != self.taken => seat.reader.latest(),
                read => read,
            };
            match read {
                Ok(None) => {
                    self.refused = None;
                    if lost.is_some() && self.pending == lost {
                        self.pending = Some(self.wish.demand().request());
                    }
                    return Look::Nothing;
                }
                Ok(Some(lease)) => {
                    let now = now();
                    if let Some(frame) = self.take(lease, now, pause) {
                        return Look::Frame(frame);
                    }
                }
                Err(ReadError::LeasesOut { .. }) => {
                    self.refused.get_or_insert_with(now);
                    return Look::Refused;
                }
                Err(ReadError::Closed) => {
                    self.missed += *seat.reader.missed();
                    self.go_over();
                    continue;
                }
                // Overtaken.
                Err(_) => {}
            }
            tries += 1;
            if tries == TRIES {
                return Look::Nothing;
            }
        }
    }

    /// There is no ring yet, or the ring is closed and all of it accounted for: on to the next one, if there is one.
    #[cold]
    fn go_over(&mut self) -> bool {
        let arrivals = self.inbox.arrivals();
        let left = self.at.take().map(|left| left.reader.stats());
        if left.is_none() && arrivals == self.taken {
            return false;
        }
        self.taken = arrivals;
        self.at = self.inbox.take(left.as_ref());
        self.at.is_some()
    }

    /// A frame was leased: it is handed out, or passed over.
    fn take(&mut self, lease: Lease, now: u64, pause: Pause) -> Option<Frame> {
        self.refused = None;
        if let Some(seat) = &self.at {
            self.missed += *seat.reader.missed();
        }
        let stamp = if lease.monotonic_ns == 0 { now } else { lease.monotonic_ns };
        let is_wanted = self.wants(&lease, stamp);
        self.cadence.found(lease.frame_id, stamp, now, self.due(now), pause);
        if !is_wanted {
            self.passed += 1;
            self.inbox.passed.seen.add(1);
            return None;
        }
        self.settle(stamp);
        if self.last.is_none() {
            forget(&mut self.missed, &self.inbox.early);
        }
        let last = self.last.replace((stamp, lease.epoch, lease.geometry));
        Some(Frame {
            missed: std::mem::take(&mut self.missed),
            restarted: last.is_none_or(|(_, epoch, _)| epoch != lease.epoch),
            resized: last.is_none_or(|(_, _, geometry)| geometry != lease.geometry),
            lease,
        })
    }

    /// Whether the reader wants this frame. If so, it has it.
    fn wants(&mut self, lease: &Lease, stamp: u64) -> bool {
        let rate = self.wish.rate();
        if rate.wants_all() {
            return true;
        }
        let note = self.wish.demand().note_of(lease.frame_id);
        let is_answer = |request: &Request| note.is_some_and(|note| note.answers(*request));
        let mut is_wanted = self.pending.take_if(|request| is_answer(request)).is_some();
        if let Some((period, pacer)) = &mut self.pacer {
            // The writer goes by the fastest reader. If it is this one, it has chosen for this one; but it may have chosen for
            // another that has gone since, or begun anew with the camera.
            let chosen = note.and_then(|note| note.paced).filter(|_| self.wish.demand().paced_by() == Some(*period));
            is_wanted |= match chosen {
                Some(is_due) => {
                    let is_late = || self.last.is_some_and(|(last, ..)| stamp.saturating_sub(last) >= 2 * period.ns());
                    (is_due || is_late()) && pacer.is_allowed(stamp)
                }
                None => pacer.is_due(stamp),
            };
            if is_wanted {
                pacer.taken(stamp);
            }
        }
        is_wanted
    }

    /// From when on the next frame may be wanted.
    fn due(&self, now: u64) -> u64 {
        match &self.pacer {
            _ if self.pending.is_some() => now,
            Some((period, _)) if self.wish.demand().paced_by() == Some(*period) => self.wish.demand().next_due(),
            Some((_, pacer)) => pacer.due(),
            None => 0,
        }
    }

    /// A frame that was offered at `stamp` is handed out. Of those that were published and missed since the one before,
    /// the reader lost as many as were due; it wanted no more.
    fn settle(&mut self, stamp: u64) {
        let passed = std::mem::take(&mut self.passed);
        self.missed.unwanted += passed;
        if self.rate().wants_all() {
            return;
        }
        let earlier = self.last.map_or(self.since, |(last, ..)| last);
        let mut due = self.pacer.map_or(0, |(period, _)| due_between(period, earlier, stamp));
        let Missed { refused, overwritten, skipped, unwanted, .. } = &mut self.missed;
        let counted = &self.inbox.passed;
        for (missed, counter) in
            [(refused, &counted.refused), (overwritten, &counted.overwritten), (skipped, &counted.skipped)]
        {
            let lost = due.min(*missed);
            due -= lost;
            if *missed > lost {
                counter.add(*missed - lost);
                *unwanted += *missed - lost;
                *missed = lost;
            }
        }
    }

    /// What the reader got and missed since it subscribed.
    pub(crate) fn tally(&self) -> Tally {
        self.inbox.stats(|_| self.at.as_ref().map(|seat| seat.reader.stats())).0
    }

    /// The start of the camera that it reads, and the ring within that.
    pub(crate) fn at(&self) -> Option<(u32, u32)> {
        self.at.as_ref().map(|seat| (seat.epoch, seat.generation))
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("camera", &self.camera)
            .field("rate", &self.rate())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
