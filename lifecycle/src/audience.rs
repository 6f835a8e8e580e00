//! The readers of one camera, as the control side knows them.

use vas_ring::{DropCause, Dropped, Ring};

use crate::CameraState;
use crate::demand::Demand;
use crate::inbox::{Inbox, Seat};
use crate::sync::Arc;

/// Readers stay over stop, restart and resize, until they are dropped. A camera that stops and has none has no audience.
#[derive(Debug)]
pub(crate) struct Audience {
    demand: Arc<Demand>,
    inboxes: Vec<Arc<Inbox>>,
    so_far: u64,
}

impl Default for Audience {
    fn default() -> Self {
        Self { demand: Arc::new(Demand::new()), inboxes: Vec::new(), so_far: 0 }
    }
}

impl Audience {
    pub(crate) fn demand(&self) -> Arc<Demand> {
        self.demand.clone()
    }

    /// Whether nobody is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.readers().next().is_none()
    }

    /// Readers that are there, the first to come first.
    pub(crate) fn readers(&self) -> impl Iterator<Item = &Arc<Inbox>> {
        // Whoever holds an inbox beside this list is its reader.
        self.inboxes.iter().filter(|inbox| Arc::strong_count(inbox) > 1)
    }

    /// The next reader's number.
    pub(crate) fn number(&mut self) -> u64 {
        let number = self.so_far;
        self.so_far += 1;
        number
    }

    /// A new reader.
    pub(crate) fn join(&mut self, inbox: Inbox) -> Arc<Inbox> {
        let inbox = Arc::new(inbox);
        self.inboxes.push(inbox.clone());
        inbox
    }

    /// Seats everyone at a ring that the writer has not come to.
    pub(crate) fn seat_all(&self, ring: &Ring) {
        for inbox in self.readers() {
            match Seat::at(ring) {
                Some(seat) => inbox.put(seat),
                None => inbox.put_none(ring, ring.identity().first_frame_id),
            }
        }
    }

    /// Forgets readers that are gone, and seats those that had no place at the rings in use, if there is one now.
    pub(crate) fn follow<'a>(&mut self, rings: impl Iterator<Item = &'a Ring>) {
        self.inboxes.retain(|inbox| Arc::strong_count(inbox) > 1);
        if self.inboxes.iter().all(|inbox| inbox.told().has_place) {
            return;
        }
        for ring in rings {
            let (epoch, generation) = (ring.identity().epoch, ring.identity().generation);
            for inbox in self.inboxes.iter().filter(|inbox| !inbox.is_seated(epoch, generation)) {
                Seat::at(ring).into_iter().for_each(|seat| inbox.put(seat));
            }
        }
    }

    /// A ring has no writer any more, and its counts are final: readers that have not come to it do not come to it.
    pub(crate) fn give_up(&self, ring: &Ring) {
        for inbox in &self.inboxes {
            inbox.give_up(ring);
        }
    }

    /// Frames that were offered and went to no ring.
    pub(crate) fn miss(&self, dropped: &Dropped) {
        let unwanted = dropped.get(DropCause::Unwanted);
        let others = dropped.total().wrapping_sub(unwanted);
        if others | unwanted != 0 {
            self.inboxes.iter().for_each(|inbox| inbox.miss(others, unwanted));
        }
    }

    /// Tells how the camera is doing.
    pub(crate) fn tell(&self, state: CameraState, epoch: u32) {
        self.inboxes.iter().for_each(|inbox| inbox.tell(state, epoch));
    }
}
