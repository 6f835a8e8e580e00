//! What users of FFmpeg do: keep references to the decoder's frames, or copies of them, behind a lock. They take the
//! place of the tap in a decode loop, so they are not contenders of the other questions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ffmpeg_next::ffi::{av_frame_make_writable, av_frame_ref};
use ffmpeg_next::frame::Video;
use vas_ring::{HeapMemory, Identity, Ring, RingSpec, StreamSpec, Writer};
use vas_tap::{CopyMode, Tap};

/// Frames that stay readable.
const DEPTH: usize = 4;

/// What a decode loop hands its frames to.
pub trait Export {
    /// Takes a frame.
    fn offer(&mut self, frame: &Video);
    /// A reader of it.
    fn reader(&self) -> Box<dyn Look>;
    /// Frames copied, and offered, where that is not the same.
    fn copies(&self) -> Option<(u64, u64)> {
        None
    }
}

/// A reader of an export.
pub trait Look: Send {
    /// Shows each row of the newest frame, with the number of its plane, if there is one that was not shown before.
    fn look(&mut self, show: &mut dyn FnMut(usize, &[u8])) -> bool;
}

/// Nothing is exported.
pub struct Nothing;

impl Export for Nothing {
    #[inline]
    fn offer(&mut self, _: &Video) {}

    fn reader(&self) -> Box<dyn Look> {
        Box::new(Self)
    }
}

impl Look for Nothing {
    fn look(&mut self, _: &mut dyn FnMut(usize, &[u8])) -> bool {
        false
    }
}

/// The tap and its ring.
pub struct Ours {
    tap: Tap<Writer>,
    ring: Ring,
}

impl Ours {
    /// For a stream, and up to two readers, with this way of copying.
    ///
    /// # Errors
    ///
    /// When there is no ring for such frames.
    pub fn new(stream: &StreamSpec, mode: CopyMode) -> Result<Self, String> {
        let spec = RingSpec::new(DEPTH, 2, 1, stream.frame_bytes).map_err(|error| error.to_string())?;
        let (ring, writer) =
            Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).map_err(|error| error.to_string())?;
        Ok(Self { tap: Tap::new(writer).with_copy(mode), ring })
    }
}

impl Export for Ours {
    #[inline]
    fn offer(&mut self, frame: &Video) {
        self.tap.offer(frame);
    }

    fn reader(&self) -> Box<dyn Look> {
        match self.ring.subscribe() {
            Ok(reader) => Box::new(reader),
            Err(_) => Box::new(Nothing),
        }
    }
}

impl Look for vas_ring::Reader {
    fn look(&mut self, show: &mut dyn FnMut(usize, &[u8])) -> bool {
        let Ok(Some(lease)) = self.latest() else { return false };
        for n in 0..lease.planes().len() {
            for row in lease.plane(n).iter().flat_map(vas_ring::PlaneView::rows) {
                show(n, row);
            }
        }
        true
    }
}

/// Frames, and how many there have been.
#[derive(Default)]
struct Frames {
    newest: u64,
    frames: VecDeque<Video>,
}

/// A ring of frames behind a lock.
pub struct MutexRing {
    frames: Arc<Mutex<Frames>>,
    copies: bool,
}

struct MutexReader {
    frames: Arc<Mutex<Frames>>,
    seen: u64,
}

impl MutexRing {
    /// Of references to the decoder's own frames: `av_frame_ref`.
    pub fn of_references() -> Self {
        Self { frames: Arc::default(), copies: false }
    }

    /// Of copies: a reference that is then made writable, as `av_frame_clone` and `av_frame_make_writable` do.
    pub fn of_copies() -> Self {
        Self { frames: Arc::default(), copies: true }
    }
}

fn reference(frame: &Video) -> Option<Video> {
    let mut another = Video::empty();
    // SAFETY: a frame with buffers, and an empty one.
    (unsafe { av_frame_ref(another.as_mut_ptr(), frame.as_ptr()) } >= 0).then_some(another)
}

impl Export for MutexRing {
    fn offer(&mut self, frame: &Video) {
        let Some(mut another) = reference(frame) else { return };
        // SAFETY: a frame with buffers, which this call replaces by copies, as the decoder still has them.
        if self.copies && unsafe { av_frame_make_writable(another.as_mut_ptr()) } < 0 {
            return;
        }
        let former = {
            let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
            let former = if frames.frames.len() == DEPTH { frames.frames.pop_front() } else { None };
            frames.frames.push_back(another);
            frames.newest += 1;
            former
        };
        // Not under the lock.
        drop(former);
    }

    fn reader(&self) -> Box<dyn Look> {
        Box::new(MutexReader { frames: self.frames.clone(), seen: 0 })
    }
}

impl Look for MutexReader {
    fn look(&mut self, show: &mut dyn FnMut(usize, &[u8])) -> bool {
        let frame = {
            let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
            if frames.newest == self.seen {
                return false;
            }
            self.seen = frames.newest;
            frames.frames.back().and_then(reference)
        };
        let Some(frame) = frame else { return false };
        rows(&frame, show);
        true
    }
}

/// Shows the rows of an 8-bit 4:2:0 frame with three planes.
pub fn rows(frame: &Video, show: &mut dyn FnMut(usize, &[u8])) {
    for plane in 0..3 {
        let (width, height) = (frame.plane_width(plane) as usize, frame.plane_height(plane) as usize);
        for row in frame.data(plane).chunks(frame.stride(plane)).take(height) {
            show(plane, &row[..width]);
        }
    }
}
