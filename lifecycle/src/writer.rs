//! A camera's end on the decode thread.

use std::fmt;
use std::mem;

use vas_ring::{Claim, CopyMode, DropCause, FrameSink, MAX_FRAME_BYTES, Writer};

use crate::handover::WriterEnd;

/// Writes one camera's frames, on its decode thread. Dropping it stops the camera.
///
/// No method, and not the drop either, allocates, frees, locks, waits or calls the system. When a frame does not fit,
/// the control thread is asked for larger slots by a store to memory, and frames are dropped and counted until it has
/// answered.
///
/// ```
/// use vas_lifecycle::{CameraWriter, DropCause, FrameEntry, FrameExport, FrameSink, Settings, StreamSpec};
///
/// let export = FrameExport::new(Settings::default());
/// let mut writer = export.start_camera("gate".parse()?, StreamSpec { width: 2, height: 2, frame_bytes: 4 })?;
/// let mut reader = export.subscribe(&"gate".parse()?)?;
///
/// let mut claim = writer.claim(4).expect("it fits");
/// claim.pixels_mut().copy_from_slice(&[1, 2, 3, 4]);
/// claim.publish(&FrameEntry { bytes: 4, ..FrameEntry::default() });
/// assert_eq!(reader.latest()?.expect("published").pixels(), [1, 2, 3, 4]);
///
/// // What a host falls back to when export cannot start.
/// assert!(CameraWriter::off().is_off());
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
    /// A writer that does nothing: what there is while export is off, and what a camera goes on with whose export
    /// could not start.
    pub const fn off() -> Self {
        Self { live: None, copy: CopyMode::Auto }
    }

    pub(crate) fn new(ring: Writer, end: WriterEnd<Writer>, copy: CopyMode) -> Self {
        Self { live: Some(Live { ring, end, away: false, asked: 0 }), copy }
    }
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
        self.live.as_mut().map_or(Err(DropCause::Suspended), |live| live.ring.demand(now))
    }

    /// Counts a frame that is not going to be published. Does nothing when export is off.
    #[inline]
    fn skip(&mut self, cause: DropCause) {
        match &mut self.live {
            Some(live) if !live.away => live.ring.skip(cause),
            Some(live) => live.skip_away(cause),
            None => (),
        }
    }

    /// Claims a slot for a frame of `frame_bytes` bytes.
    ///
    /// # Errors
    ///
    /// [`DropCause::Resizing`] while the control thread makes larger slots, [`DropCause::Suspended`] when it cannot or
    /// when export is off, [`DropCause::TooLarge`] when no ring can hold such a frame.
    #[inline]
    fn claim(&mut self, frame_bytes: usize) -> Result<Claim<'_>, DropCause> {
        let Some(live) = &mut self.live else { return Err(DropCause::Suspended) };
        if live.away || frame_bytes > live.ring.slot_bytes() {
            live.look_for_room(frame_bytes)?;
        }
        FrameSink::claim(&mut live.ring, frame_bytes)
    }
}

impl fmt::Debug for CameraWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CameraWriter").field("ring", &self.live.as_ref().map(|live| &live.ring)).finish()
    }
}

/// While the writer is *away*, its ring rests: it is asked for no frame and counts none, so that the ring that takes
/// over begins with the very id at which this one ended. The frames in between are pending, and go to the books of the
/// ring that is written next.
struct Live {
    // Dropped in this order: the control side takes the camera as stopped when `end` is gone.
    ring: Writer,
    end: WriterEnd<Writer>,
    away: bool,
    /// Bytes asked for while away.
    asked: usize,
}

impl Live {
    /// Before a claim that does not simply go to the ring. Ok when it may go there now.
    #[cold]
    fn look_for_room(&mut self, frame_bytes: usize) -> Result<(), DropCause> {
        if self.away {
            self.take_over();
        }
        if frame_bytes <= self.ring.slot_bytes() {
            if self.away {
                // The stream has gone back to what fits.
                self.end.ask(0);
                self.settle();
            }
            return Ok(());
        }
        if frame_bytes > MAX_FRAME_BYTES {
            self.skip(DropCause::TooLarge);
            return Err(DropCause::TooLarge);
        }
        if !self.away || frame_bytes > self.asked {
            self.away = true;
            self.asked = frame_bytes;
            self.end.ask(frame_bytes);
        }
        let cause = if self.end.is_refused() { DropCause::Suspended } else { DropCause::Resizing };
        self.end.pend(cause);
        Err(cause)
    }

    #[cold]
    fn skip_away(&mut self, cause: DropCause) {
        self.take_over();
        self.skip(cause);
    }

    fn skip(&mut self, cause: DropCause) {
        if self.away { self.end.pend(cause) } else { self.ring.skip(cause) }
    }

    /// Goes over to the ring that is offered, if one is.
    fn take_over(&mut self) {
        let Some(mut offer) = self.end.take() else { return };
        if offer.next_frame_id() != self.ring.next_frame_id() {
            // It was made for an earlier question; the stream went back meanwhile, and this ring counted on. Dropping it
            // closes it, which tells the control side to make another.
            return;
        }
        // The one that is left is closed. The control side has a handle to it, so nothing is freed here.
        drop(mem::replace(&mut self.ring, offer));
        self.settle();
    }

    /// The ring is written again: pending frames go to its books.
    fn settle(&mut self) {
        self.away = false;
        let mut id = self.ring.next_frame_id();
        for (cause, n) in self.end.settle().iter().filter(|&(_, n)| n != 0) {
            id = id.wrapping_add(n);
            self.ring.resume_at(id, cause);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.settle();
    }
}
