//! One camera: what is remembered of it for the life of the process, and its rings while it runs.

use std::time::Instant;

use vas_ring::{Dropped, Identity, Ring, RingSpec, Writer};

use crate::handover::{ControlEnd, WriterEnd, handover};
use crate::inbox::Inbox;
use crate::memory::{RingMemory, budget_bytes};
use crate::stats::SuspendReason;
use crate::sync::Arc;
use crate::{CameraId, SubscribeError};

/// Kept for each camera id that was ever started: frame ids and counts go on over restarts.
#[derive(Debug, Default)]
pub(crate) struct Camera {
    /// Times started.
    pub(crate) starts: u32,
    /// Of rings that are not written any more.
    pub(crate) published: u64,
    pub(crate) dropped: Dropped,
    /// Stamp of the newest frame of those.
    pub(crate) newest_ns: u64,
    /// Epoch and generation of the last ring.
    pub(crate) epoch: u32,
    pub(crate) generation: u32,
    pub(crate) readers: Vec<Arc<Inbox>>,
    readers_so_far: u64,
    pub(crate) run: Run,
}

#[derive(Debug, Default)]
pub(crate) enum Run {
    #[default]
    Stopped,
    /// Memory is being mapped for it.
    Starting,
    Running(Box<Running>),
}

/// What there is while a camera runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) ring: Ring,
    /// The next generation, which the writer has not gone over to.
    pub(crate) offered: Option<Ring>,
    pub(crate) end: ControlEnd<Writer>,
    /// Memory is being mapped for the next generation.
    pub(crate) resizing: bool,
    pub(crate) suspended: Option<Suspended>,
}

#[derive(Debug)]
pub(crate) struct Suspended {
    pub(crate) reason: SuspendReason,
    /// Not to be tried again before.
    pub(crate) until: Instant,
}

impl Camera {
    /// As ids begin with 0 and each frame that is offered takes one.
    fn next_frame_id(&self) -> u64 {
        self.published.wrapping_add(self.dropped.total())
    }

    fn new_ring(
        &self,
        id: CameraId,
        epoch: u32,
        generation: u32,
        first_frame_id: u64,
        spec: RingSpec,
        memory: RingMemory,
    ) -> (Ring, Writer) {
        let identity = Identity { camera_id: id, epoch, generation, first_frame_id };
        // Mappings start on a page and have the bytes that the spec asks for.
        Ring::new(spec, identity, memory).expect("a mapping fits the spec that it was made for")
    }

    /// A new epoch.
    pub(crate) fn start(&mut self, id: CameraId, spec: RingSpec, memory: RingMemory) -> (Writer, WriterEnd<Writer>) {
        let (ring, writer) = self.new_ring(id, self.starts, 0, self.next_frame_id(), spec, memory);
        self.epoch = self.starts;
        self.generation = 0;
        self.starts = self.starts.wrapping_add(1);
        let (writer_end, end) = handover();
        self.run = Run::Running(Box::new(Running { ring, offered: None, end, resizing: false, suspended: None }));
        (writer, writer_end)
    }

    /// Offers the writer a ring of the next generation, with every reader of this epoch seated at it.
    pub(crate) fn offer(&mut self, id: CameraId, spec: RingSpec, memory: RingMemory) {
        let generation = self.generation.wrapping_add(1);
        let Run::Running(running) = &self.run else { return };
        // The writer's ring rests since the writer asked. If it does not, the writer finds that the ids do not match.
        let first = running.ring.stats().next_frame_id;
        let (ring, writer) = self.new_ring(id, self.epoch, generation, first, spec, memory);
        for inbox in self.readers.iter().filter(|inbox| inbox.epoch == self.epoch && Arc::strong_count(inbox) > 1) {
            // Each has a place at the present ring, so there is one for each at the next.
            if let Ok(seat) = ring.subscribe() {
                inbox.put(generation, seat);
            }
        }
        let Run::Running(running) = &mut self.run else { return };
        self.generation = generation;
        running.suspended = None;
        running.end.refuse(false);
        // An offer is made when none is out, so there is room. Otherwise the writer goes, the ring is closed, and it is
        // cleared away as one that was declined.
        let _ = running.end.offer(writer);
        running.offered = Some(ring);
    }

    /// Looks what the decode thread did. Rings that are not written any more go to `retired`.
    pub(crate) fn follow(&mut self, retired: &mut Vec<Ring>) {
        let Run::Running(running) = &mut self.run else { return };
        if running.end.finish() {
            drop(running.end.revoke());
            let Run::Running(running) = std::mem::take(&mut self.run) else { return };
            self.retire(running.ring, retired);
            if let Some(ring) = running.offered {
                self.retire(ring, retired);
            }
            return;
        }
        let Some(offered) = running.offered.take() else { return };
        if running.ring.is_closed() {
            let left = std::mem::replace(&mut running.ring, offered);
            self.retire(left, retired);
        } else {
            let late = running.ring.stats().next_frame_id != offered.identity().first_frame_id;
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
        }
    }

    /// The ring has no writer any more: its counts are final.
    fn retire(&mut self, ring: Ring, retired: &mut Vec<Ring>) {
        let stats = ring.stats();
        debug_assert!(stats.closed);
        self.published += stats.published;
        self.dropped += stats.dropped;
        self.newest_ns = self.newest_ns.max(stats.newest_ns);
        for inbox in self.readers.iter().filter(|inbox| inbox.epoch == ring.identity().epoch) {
            inbox.give_up(ring.identity().generation);
        }
        retired.push(ring);
    }

    /// Forgets readers that are gone.
    pub(crate) fn forget_readers(&mut self) {
        self.readers.retain(|inbox| Arc::strong_count(inbox) > 1);
    }

    /// Bytes that the writer asks for and nobody is working on.
    pub(crate) fn wants(&mut self, now: Instant) -> Option<usize> {
        let Run::Running(running) = &mut self.run else { return None };
        let wanted = running.end.wanted();
        if wanted <= running.ring.spec().frame_bytes() {
            if running.suspended.take().is_some() {
                running.end.refuse(false);
            }
            return None;
        }
        let idle = !running.resizing && running.offered.is_none();
        let due = running.suspended.as_ref().is_none_or(|suspended| suspended.until <= now);
        (idle && due).then_some(wanted)
    }

    /// Says why there is no larger ring. Returns whether that is news.
    pub(crate) fn suspend(&mut self, suspended: Suspended) -> bool {
        let Run::Running(running) = &mut self.run else { return false };
        running.end.refuse(true);
        running.suspended.replace(suspended).is_none()
    }

    /// Seats a new reader.
    pub(crate) fn subscribe(&mut self, id: &CameraId) -> Result<(Arc<Inbox>, vas_ring::Reader, u32), SubscribeError> {
        let Run::Running(running) = &self.run else { return Err(SubscribeError::NotRunning { camera: *id }) };
        let full = |error| SubscribeError::full(*id, error);
        let reader = running.ring.subscribe().map_err(full)?;
        let generation = running.ring.identity().generation;
        // While a ring is on offer the present one rests, so it does not matter which of the two the reader joins first,
        // nor whether the writer goes over meanwhile: no frame is counted in both, and none in neither.
        let next = match &running.offered {
            Some(offered) => Some((offered.identity().generation, offered.subscribe().map_err(full)?)),
            None => None,
        };
        let inbox = Arc::new(Inbox::new(self.readers_so_far, self.epoch, generation, reader.stats().reader));
        self.readers_so_far += 1;
        if let Some((generation, seat)) = next {
            inbox.put(generation, seat);
        }
        self.forget_readers();
        self.readers.push(inbox.clone());
        Ok((inbox, reader, generation))
    }

    /// Marks that memory is being mapped, or no more. Returns the epoch for which it was, none when the camera stopped.
    pub(crate) fn set_resizing(&mut self, resizing: bool) -> Option<u32> {
        let Run::Running(running) = &mut self.run else { return None };
        running.resizing = resizing;
        Some(self.epoch)
    }

    /// Generation that is being written; none when the camera does not run.
    pub(crate) fn generation_in_use(&self) -> Option<u32> {
        self.rings().next().map(|ring| ring.identity().generation)
    }

    /// Rings in use, the present one first.
    pub(crate) fn rings(&self) -> impl Iterator<Item = &Ring> {
        let running = match &self.run {
            Run::Running(running) => Some(running),
            _ => None,
        };
        running.into_iter().flat_map(|running| std::iter::once(&running.ring).chain(&running.offered))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.rings().map(|ring| budget_bytes(ring.spec())).sum()
    }

    /// All frames so far: published, dropped.
    pub(crate) fn counts(&self) -> (u64, Dropped) {
        let (mut published, mut dropped) = (self.published, self.dropped);
        for ring in self.rings() {
            let stats = ring.stats();
            published += stats.published;
            dropped += stats.dropped;
        }
        if let Run::Running(running) = &self.run {
            dropped += running.end.pending();
        }
        (published, dropped)
    }

    pub(crate) fn newest_ns(&self) -> u64 {
        self.rings().map(|ring| ring.stats().newest_ns).fold(self.newest_ns, u64::max)
    }
}
