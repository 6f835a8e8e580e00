//! One camera: what is remembered of it for the life of the process, and its rings while it runs.

use std::collections::VecDeque;
use std::time::Instant;

use vas_ring::{Dropped, Identity, Ring, RingSpec};

use crate::audience::Audience;
use crate::demand::Wish;
use crate::handover::ControlEnd;
use crate::inbox::{Inbox, Seat, Told};
use crate::mapped::MappedRing;
use crate::memory::RingMemory;
use crate::stats::{CameraState, SuspendReason};
use crate::watch::Joined;
use crate::writer::Offer;
use crate::{CameraId, Rate};

/// Kept for each camera id that was ever started: frame ids and counts go on over restarts.
#[derive(Debug, Default)]
pub(crate) struct Camera {
    /// Of rings that are not written any more, and of frames that had none.
    pub(crate) published: u64,
    pub(crate) dropped: Dropped,
    /// Stamp of the newest frame of those.
    pub(crate) newest_ns: u64,
    /// Times started.
    starts: u32,
    /// Epoch and generation of the last ring.
    pub(crate) epoch: u32,
    pub(crate) generation: u32,
    /// None while there is neither a reader nor a ring.
    pub(crate) audience: Option<Box<Audience>>,
    pub(crate) run: Option<Box<Running>>,
}

/// What there is while a camera runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// The ring that is written, or, before the first one is taken, that is going to be; none before there is one.
    pub(crate) ring: Option<MappedRing>,
    /// The next generation, which the writer has not gone over to.
    pub(crate) offered: Option<MappedRing>,
    pub(crate) end: ControlEnd<Offer>,
    /// A ring is being made.
    making: bool,
    pub(crate) suspended: Option<Suspended>,
    /// What readers were told last.
    told: Option<CameraState>,
    /// Started while this one runs: each has its turn when those before it have stopped.
    pub(crate) waiting: VecDeque<ControlEnd<Offer>>,
}

#[derive(Debug)]
pub(crate) struct Suspended {
    pub(crate) reason: SuspendReason,
    /// What the writer had asked for.
    pub(crate) wanted: usize,
    /// Not to be tried again before, unless something else is asked for.
    pub(crate) until: Instant,
}

/// What changed when a decode thread's doings were followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// It stopped.
    pub(crate) stopped: bool,
    /// One that had waited for it began.
    pub(crate) began: bool,
    /// It went over to this generation.
    pub(crate) resized: Option<u32>,
}

impl Running {
    fn new(end: ControlEnd<Offer>, waiting: VecDeque<ControlEnd<Offer>>) -> Box<Self> {
        Box::new(Self { ring: None, offered: None, end, making: false, suspended: None, told: None, waiting })
    }

    /// Bytes that slots of the present ring hold.
    fn slot_bytes(&self) -> usize {
        self.ring.as_ref().map_or(0, |ring| ring.spec().frame_bytes())
    }

    /// Whether the writer waits for a ring that is not there.
    pub(crate) fn is_waiting(&self) -> bool {
        self.end.wanted() > self.slot_bytes()
    }
}

impl Camera {
    /// The id of the frame that is offered next: ids begin with 0, and each frame that was offered took one.
    fn next_frame_id(&self) -> u64 {
        self.published.wrapping_add(self.dropped.total())
    }

    /// Whether it was never started: readers wait for it.
    pub(crate) fn is_new(&self) -> bool {
        self.starts == 0
    }

    /// A writer was made for this camera. Returns whether it has to wait for another one to stop.
    pub(crate) fn start(&mut self, end: ControlEnd<Offer>) -> bool {
        if let Some(running) = &mut self.run {
            running.waiting.push_back(end);
            return true;
        }
        self.begin(end, VecDeque::new());
        false
    }

    /// A new epoch.
    fn begin(&mut self, end: ControlEnd<Offer>, waiting: VecDeque<ControlEnd<Offer>>) {
        self.epoch = self.starts;
        self.generation = 0;
        self.starts = self.starts.wrapping_add(1);
        self.run = Some(Running::new(end, waiting));
    }

    /// Offers the writer a ring: the first, or one of the next generation, with every reader of this epoch seated at it.
    /// Returns whether it is the first.
    pub(crate) fn offer(&mut self, id: CameraId, spec: RingSpec, memory: RingMemory) -> bool {
        let first_frame_id = self.next_frame_id();
        let Some(running) = &mut self.run else { return false };
        let (generation, first_frame_id) = match &running.ring {
            // The writer's ring rests since the writer asked. If it does not, the writer finds that the ids do not match.
            Some(ring) => (self.generation.wrapping_add(1), ring.stats().next_frame_id),
            None => (0, first_frame_id),
        };
        let identity = Identity { camera_id: id, epoch: self.epoch, generation, first_frame_id };
        // Mappings start on a page and have the bytes that the spec asks for.
        let (ring, writer) = MappedRing::new(spec, identity, memory);
        let audience = self.audience.get_or_insert_default();
        audience.seat_all(&ring);
        self.generation = generation;
        running.suspended = None;
        running.end.refuse(0);
        // An offer is made when the box is empty, so there is room. Otherwise the writer goes, the ring is closed, and it is
        // cleared away as one that was declined.
        let _ = running.end.offer(Offer { ring: writer, demand: audience.demand() });
        if running.ring.is_some() {
            running.offered = Some(ring);
            return false;
        }
        // Nobody can decline the first.
        running.ring = Some(ring);
        true
    }

    /// Looks what the decode thread did. Rings that are not written any more go to `retired`.
    pub(crate) fn follow(&mut self, retired: &mut Vec<MappedRing>) -> Changes {
        let mut changes = Changes::default();
        while self.has_stopped() {
            changes.stopped = true;
            let Some(mut running) = self.run.take() else { break };
            drop(running.end.revoke());
            // Frames that had no ring: of readers' counts too.
            let pending = running.end.pending();
            self.dropped += pending;
            if let Some(audience) = &self.audience {
                audience.miss(&pending);
            }
            for ring in running.ring.into_iter().chain(running.offered) {
                self.retire(ring, retired);
            }
            if let Some(next) = running.waiting.pop_front() {
                self.begin(next, running.waiting);
                changes.began = true;
            }
        }
        changes.resized = self.follow_over(retired);
        changes
    }

    fn has_stopped(&mut self) -> bool {
        let Some(running) = &mut self.run else { return false };
        let (dropped, audience) = (&mut self.dropped, self.audience.as_deref());
        running.waiting.retain_mut(|end| {
            let gone = end.finish();
            if gone {
                *dropped += end.pending();
                audience.into_iter().for_each(|audience| audience.miss(&end.pending()));
            }
            !gone
        });
        running.end.finish()
    }

    /// The writer may have gone over to the ring on offer, or gone back to what fits.
    fn follow_over(&mut self, retired: &mut Vec<MappedRing>) -> Option<u32> {
        let running = self.run.as_mut()?;
        let offered = running.offered.take()?;
        let ring = running.ring.as_ref()?;
        if ring.is_closed() {
            let generation = offered.identity().generation;
            let left = running.ring.replace(offered)?;
            self.retire(left, retired);
            return Some(generation);
        }
        let late = ring.stats().next_frame_id != offered.identity().first_frame_id;
        if late || running.end.wanted() == 0 {
            // The stream went back to what fits, at least for a while. Dropped, if still there, the offer closes its
            // ring, which nobody is going to write.
            drop(running.end.revoke());
        }
        if offered.is_closed() {
            self.retire(offered, retired);
        } else {
            running.offered = Some(offered);
        }
        None
    }

    /// The ring has no writer any more: its counts are final.
    fn retire(&mut self, ring: MappedRing, retired: &mut Vec<MappedRing>) {
        let stats = ring.stats();
        debug_assert!(stats.closed);
        self.published += stats.published;
        self.dropped += stats.dropped;
        self.newest_ns = self.newest_ns.max(stats.newest_ns);
        if let Some(audience) = &self.audience {
            audience.give_up(&ring);
        }
        retired.push(ring);
    }

    /// Forgets readers that are gone, seats those that had no place, and tells all how the camera is doing. Returns whether
    /// that has changed.
    pub(crate) fn follow_readers(&mut self) -> bool {
        if let Some(audience) = &mut self.audience {
            let rings = self.run.iter().flat_map(|running| running.ring.iter().chain(&running.offered));
            audience.follow(rings.map(|ring| &**ring));
        }
        let state = self.state();
        let told = self.run.as_mut().and_then(|running| running.told.replace(state));
        // A camera that does not run is looked at when it stops, and not again.
        let is_new = told != Some(state);
        if let Some(audience) = self.audience.as_ref().filter(|_| is_new) {
            audience.tell(state, self.epoch);
        }
        // A camera that stopped and has no readers costs its counts.
        if self.run.is_none() && self.audience.as_ref().is_some_and(|audience| audience.is_empty()) {
            self.audience = None;
        }
        is_new
    }

    /// How it is doing.
    pub(crate) fn state(&self) -> CameraState {
        match &self.run {
            None if self.starts == 0 => CameraState::Expected,
            None => CameraState::Stopped,
            Some(running) => match &running.suspended {
                Some(suspended) => CameraState::Suspended(suspended.reason),
                None if running.ring.is_none() => CameraState::Starting,
                None if running.is_waiting() => CameraState::Resizing,
                None => CameraState::Running,
            },
        }
    }

    /// Bytes that the writer asks for and nobody is working on, and the epoch that it is for. They are worked on from now on.
    pub(crate) fn take_wish(&mut self, now: Instant) -> Option<(u32, usize)> {
        let running = self.run.as_mut()?;
        let wanted = running.end.wanted();
        if wanted <= running.slot_bytes() {
            if running.suspended.take().is_some() {
                running.end.refuse(0);
            }
            return None;
        }
        let idle = !running.making && running.offered.is_none() && running.end.is_empty();
        let due = |suspended: &Suspended| suspended.until <= now || suspended.wanted != wanted;
        let wish = idle && running.suspended.as_ref().is_none_or(due);
        running.making |= wish;
        wish.then_some((self.epoch, wanted))
    }

    /// The ring that was being made for this epoch is there, or is not going to be. Returns whether the epoch is still that.
    pub(crate) fn made(&mut self, epoch: u32) -> bool {
        let Some(running) = self.run.as_mut().filter(|_| self.epoch == epoch) else { return false };
        running.making = false;
        true
    }

    /// Says why there is no ring. Returns whether that is news.
    pub(crate) fn suspend(&mut self, suspended: Suspended) -> bool {
        let Some(running) = &mut self.run else { return false };
        running.end.refuse(suspended.wanted);
        running.suspended.replace(suspended).is_none()
    }

    /// A new reader. Its span begins at this moment: what waits for a ring by now is not its loss, wherever that is counted.
    ///
    /// While a ring is on offer the present one rests, so it does not matter which of the two the reader joins first, nor
    /// whether the writer goes over meanwhile: no frame is counted in both, and none in neither. Before the first ring nobody
    /// has a place; all that join by then get one, as far as there are places.
    pub(crate) fn join(&mut self, camera: CameraId, name: &str, rate: Rate) -> Joined {
        let wish = Wish::new(self.audience.get_or_insert_default().demand(), rate);
        let (early, seats) = match &self.run {
            Some(running) => {
                let rings = || running.ring.iter().chain(&running.offered);
                running.end.steady(|pending| (pending, rings().map(|ring| Seat::at(ring)).collect()))
            }
            None => (Dropped::default(), Vec::new()),
        };
        let next_frame_id = self.rings().next().map_or_else(|| self.next_frame_id(), |ring| ring.stats().next_frame_id);
        let told = Told { state: self.state(), epoch: self.epoch, has_place: seats.iter().all(Option::is_some) };
        let first_frame_id = match seats.first() {
            Some(Some(seat)) => seat.reader.first_frame_id(),
            _ => next_frame_id,
        };
        let audience = self.audience.get_or_insert_default();
        let inbox = Inbox::new(audience.number(), name, first_frame_id, early, told);
        let rings = self.run.iter().flat_map(|running| running.ring.iter().chain(&running.offered));
        for (seat, ring) in seats.into_iter().zip(rings) {
            match seat {
                Some(seat) => inbox.put(seat),
                // The second one goes on where the first one rests.
                None => inbox.put_none(ring, next_frame_id),
            }
        }
        Joined { camera, wish, inbox: audience.join(inbox) }
    }

    fn mapped(&self) -> impl Iterator<Item = &MappedRing> {
        self.run.iter().flat_map(|running| running.ring.iter().chain(&running.offered))
    }

    /// Rings in use, the present one first.
    pub(crate) fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.mapped().map(|ring| &**ring)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.mapped().map(MappedRing::bytes).sum()
    }

    /// All frames so far: published, dropped.
    pub(crate) fn counts(&self) -> (u64, Dropped) {
        let Some(running) = &self.run else { return (self.published, self.dropped) };
        let waiting = running.waiting.iter().map(ControlEnd::pending);
        // Each frame once, also while those that are pending go to a ring.
        let (published, mut dropped) = running.end.steady(|pending| {
            let (mut published, mut dropped) = (self.published, self.dropped);
            for ring in self.rings() {
                let stats = ring.stats();
                published += stats.published;
                dropped += stats.dropped;
            }
            dropped += pending;
            (published, dropped)
        });
        waiting.for_each(|pending| dropped += pending);
        (published, dropped)
    }

    pub(crate) fn newest_ns(&self) -> u64 {
        self.rings().map(|ring| ring.stats().newest_ns).fold(self.newest_ns, u64::max)
    }
}
