//! A camera's end on the decode thread.

use std::fmt;

use vas_ring::{Claim, CopyMode, DropCause, FrameSink, MAX_FRAME_BYTES, StreamSpec, Writer};

use crate::demand::{Chooser, Demand};
use crate::handover::WriterEnd;
use crate::sync::Arc;

/// Writes one camera's frames, on its decode thread. Dropping it stops the camera.
///
/// Its first frame asks for a ring, by a store to memory, and so does one that does not fit into the slots that there are.
/// The control side answers with a ring, or that there is no memory; until then frames are dropped and counted, as
/// [`Starting`](DropCause::Starting) before the first ring and as [`Resizing`](DropCause::Resizing) later.
///
/// No method, and not the drop either, allocates, frees, locks, waits or calls the system.
///
/// ```
/// use std::time::Duration;
/// use vas_lifecycle::{CameraWriter, DropCause, FrameEntry, FrameExport, FrameSink, Settings};
///
/// let export = FrameExport::new(Settings::default());
/// let mut writer = export.camera("gate");
/// let mut reader = export.subscribe("gate");
///
/// // A decode loop goes on; this one waits, to show the first frame that finds a ring.
/// let mut claim = loop {
///     match writer.claim(4) {
///         Ok(claim) => break claim,
///         Err(cause) => assert_eq!(cause, DropCause::Starting),
///     }
///     std::thread::sleep(Duration::from_millis(1));
/// #   writer = writer;
/// };
/// claim.pixels_mut()[..4].copy_from_slice(&[1, 2, 3, 4]);
/// claim.publish(&FrameEntry { bytes: 4, ..FrameEntry::default() });
/// assert_eq!(reader.poll().expect("published").pixels(), [1, 2, 3, 4]);
/// ```
pub struct CameraWriter {
    live: Option<Live>,
    copy: CopyMode,
}

impl Default for CameraWriter {
    /// [`off`](Self::off).
    fn default() -> Self {
        Self::off()
    }
}

impl CameraWriter {
    /// A writer that does nothing: what there is while export is off.
    pub const fn off() -> Self {
        Self { live: None, copy: CopyMode::Auto }
    }

    pub(crate) fn new(end: WriterEnd<Offer>, copy: CopyMode) -> Self {
        Self { live: Some(Live { ring: None, chooser: None, end, away: true, asked: 0 }), copy }
    }

    /// Says before the first frame what frames are going to be like, so that there is a ring for them by then. A host that
    /// does not know need not say: the first frame tells. So does one that turns out to be larger.
    #[must_use]
    pub fn expecting(mut self, stream: StreamSpec) -> Self {
        if let Some(live) = &mut self.live {
            if live.ring.is_none() && (1..=MAX_FRAME_BYTES).contains(&stream.frame_bytes) {
                live.ask(stream.frame_bytes);
            }
        }
        self
    }
}

/// What the control side offers a writer.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) ring: Writer,
    pub(crate) demand: Arc<Demand>,
}

impl FrameSink for CameraWriter {
    #[inline]
    fn is_off(&self) -> bool {
        self.live.is_none()
    }

    fn copy_mode(&self) -> CopyMode {
        self.copy
    }

    #[inline]
    fn demand(&mut self, now: impl FnMut() -> u64) -> Result<(), DropCause> {
        match &mut self.live {
            Some(Live { chooser: Some(chooser), .. }) => chooser.demand(now),
            Some(live) => live.demand_first(now),
            None => Err(DropCause::Suspended),
        }
    }

    /// Counts a frame that is not going to be published. Does nothing when export is off.
    #[inline]
    fn skip(&mut self, cause: DropCause) {
        match &mut self.live {
            Some(Live { ring: Some(ring), away: false, .. }) => ring.skip(cause),
            Some(live) => live.skip_away(cause),
            None => (),
        }
    }

    /// Claims a slot for a frame of `frame_bytes` bytes.
    ///
    /// # Errors
    ///
    /// [`DropCause::Starting`] and [`DropCause::Resizing`] while the control side makes a ring, [`DropCause::Suspended`]
    /// when it cannot or when export is off, [`DropCause::TooLarge`] when no ring can hold such a frame.
    #[inline]
    fn claim(&mut self, frame_bytes: usize) -> Result<Claim<'_>, DropCause> {
        let Some(live) = &mut self.live else { return Err(DropCause::Suspended) };
        let fits = !live.away && live.ring.as_ref().is_some_and(|ring| frame_bytes <= ring.slot_bytes());
        if !fits {
            live.look_for_room(frame_bytes)?;
        }
        match &mut live.ring {
            Some(ring) => {
                let claim = FrameSink::claim(ring, frame_bytes)?;
                if let Some(chooser) = &mut live.chooser {
                    chooser.claimed(claim.frame_id());
                }
                Ok(claim)
            }
            // `look_for_room` says Ok only when there is one.
            None => Err(DropCause::Starting),
        }
    }
}

impl fmt::Debug for CameraWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.live.as_ref().and_then(|live| live.ring.as_ref());
        f.debug_struct("CameraWriter").field("off", &self.live.is_none()).field("ring", &ring).finish()
    }
}

/// While the writer is *away* it waits for a ring. The one that it has, if any, rests: it is asked for no frame and counts
/// none, so that the ring that takes over begins with the very id at which this one ended. The frames in between are
/// pending, and go to the books of the ring that is written next; of a camera that stops before it had one, to those that
/// the control side keeps.
struct Live {
    // Dropped in this order: the control side takes the camera as stopped when `end` is gone.
    /// None before the first.
    ring: Option<Writer>,
    /// Comes with the first ring.
    chooser: Option<Chooser>,
    end: WriterEnd<Offer>,
    away: bool,
    /// Bytes asked for while away; 0 before the first question.
    asked: usize,
}

impl Live {
    /// The demand while there was no ring: the first frame asks for that, whoever reads.
    #[cold]
    fn demand_first(&mut self, now: impl FnMut() -> u64) -> Result<(), DropCause> {
        self.take_over();
        self.chooser.as_mut().map_or(Ok(()), |chooser| chooser.demand(now))
    }

    fn ask(&mut self, frame_bytes: usize) {
        self.away = true;
        self.asked = frame_bytes;
        self.end.ask(frame_bytes);
    }

    /// Before a claim that does not simply go to the ring. Ok when there is a ring, and the claim may go there now.
    ///
    /// A writer that has asked waits for the answer, also with frames that would fit where it was: a stream whose frames
    /// change their size all the time comes to a ring that all of them fit into. Only when the answer is that there is no
    /// memory does it go back, for those that fit.
    #[cold]
    fn look_for_room(&mut self, frame_bytes: usize) -> Result<(), DropCause> {
        if self.away {
            self.take_over();
        }
        if frame_bytes > MAX_FRAME_BYTES {
            self.skip(DropCause::TooLarge);
            return Err(DropCause::TooLarge);
        }
        if self.ring.as_ref().is_some_and(|ring| frame_bytes <= ring.slot_bytes()) {
            if !self.away {
                return Ok(());
            }
            if self.end.is_refused(self.asked) {
                self.end.ask(0);
                self.settle();
                return Ok(());
            }
        } else if !self.away || frame_bytes > self.asked || self.end.is_refused(self.asked) && frame_bytes < self.asked
        {
            self.ask(frame_bytes);
        }
        let cause = match &self.ring {
            _ if self.end.is_refused(self.asked) => DropCause::Suspended,
            Some(_) => DropCause::Resizing,
            None => DropCause::Starting,
        };
        self.end.pend(cause);
        Err(cause)
    }

    #[cold]
    fn skip_away(&mut self, cause: DropCause) {
        self.take_over();
        self.skip(cause);
    }

    fn skip(&mut self, cause: DropCause) {
        match &mut self.ring {
            Some(ring) if !self.away => ring.skip(cause),
            _ => self.end.pend(cause),
        }
    }

    /// Goes over to the ring that is offered, if one is.
    fn take_over(&mut self) {
        let Some(Offer { ring: mut offer, demand }) = self.end.take() else { return };
        if self.ring.as_mut().is_some_and(|ring| ring.next_frame_id() != offer.next_frame_id()) {
            // It was made for an earlier question; the stream went back meanwhile, and this ring counted on. Dropping it
            // closes it, which tells the control side to make another.
            return;
        }
        // The one that is left is closed. The control side has a handle to it, so nothing is freed here.
        drop(self.ring.replace(offer));
        // Nor is it here: the camera's entry has a handle to the demand.
        self.chooser.get_or_insert_with(|| Chooser::new(demand));
        self.settle();
    }

    /// The ring is written from now on: pending frames go to its books. Without one they stay pending.
    fn settle(&mut self) {
        let Some(ring) = &mut self.ring else { return };
        self.away = false;
        self.end.settle(|pending| {
            let mut id = ring.next_frame_id();
            for (cause, n) in pending.iter().filter(|&(_, n)| n != 0) {
                id = id.wrapping_add(n);
                ring.resume_at(id, cause);
            }
        });
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.settle();
    }
}
