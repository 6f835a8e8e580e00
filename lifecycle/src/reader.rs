//! One camera, read for life.

use std::fmt;
use std::time::Duration;

use vas_ring::Missed;

use crate::feed::{Feed, Frame};
use crate::inbox::Tally;
use crate::readers::Readers;
use crate::{CameraId, News, Rate};

/// Reads one camera's frames, on any thread, for as long as its user wants: what [`Readers`] is for one camera. From
/// [`FrameExport::subscribe`](crate::FrameExport::subscribe).
///
/// The camera need not be there yet. When it stops, no frames come; when it starts again, they do; when its frames outgrow
/// their slots, the reader goes over to the larger ones. Nothing is missed for any of it that a ring was there for, and
/// counts go on.
///
/// ```
/// # use vas_lifecycle::*;
/// # use std::time::Duration;
/// # let export = FrameExport::new(Settings::default());
/// let mut reader = export.subscribe("gate"); // Also by its id, or as Watch says.
///
/// // The host's side.
/// let mut writer = export.camera("gate");
/// # while writer.claim(4).is_err() { std::thread::sleep(Duration::from_millis(1)) }
/// # writer.demand(|| 0);
/// # writer.claim(4).unwrap().publish(&FrameEntry { bytes: 4, ..FrameEntry::default() });
///
/// if let Some(frame) = reader.wait(Duration::from_millis(250)) {
///     assert_eq!((frame.camera_id, frame.pixels().len()), (*reader.camera(), 4));
/// }
/// drop(writer);
/// assert!(reader.poll().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    readers: Readers,
    camera: CameraId,
}

impl Reader {
    pub(crate) fn new(readers: Readers, camera: CameraId) -> Self {
        Self { readers, camera }
    }

    /// Waits up to `timeout` for a frame; none when the time is up. While all leases are out, it waits until one is back.
    /// See [`Readers::wait`].
    pub fn wait(&mut self, timeout: Duration) -> Option<Frame> {
        self.readers.wait(timeout).next()
    }

    /// A frame, if one is there. Does not wait: if nothing is new, it is one load, or a few for readers that want some
    /// frames only.
    pub fn poll(&mut self) -> Option<Frame> {
        self.readers.poll().next()
    }

    /// Asks for one frame that is offered from now on. See [`Readers::request`].
    pub fn request(&mut self) {
        self.readers.request();
    }

    /// How the camera is doing, if that has changed since the last call.
    pub fn news(&mut self) -> Option<News> {
        self.readers.news().next()
    }

    /// How many frames are wanted.
    pub fn rate(&self) -> Rate {
        self.readers.rate()
    }

    /// Changes how many frames are wanted, from the next one on.
    pub fn set_rate(&mut self, rate: Rate) {
        self.readers.set_rate(rate);
    }

    /// See [`Readers::set_poll`].
    pub fn set_poll(&mut self, poll: Duration) {
        self.readers.set_poll(poll);
    }

    /// The camera.
    pub fn camera(&self) -> &CameraId {
        &self.camera
    }

    /// What was got and missed since it subscribed: together, all frames that were offered from then up to the last one handed
    /// out, or up to the camera's last stop if all that was readable is seen.
    pub fn counts(&self) -> Counts {
        self.readers.counts()
    }

    /// The camera's start whose frames it reads, and the ring within that; none while it is at no ring.
    pub fn at(&self) -> Option<(u32, u32)> {
        self.readers.feeds().first().and_then(Feed::at)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("camera", &self.camera).field("at", &self.at()).finish_non_exhaustive()
    }
}

/// What a reader got and what it missed.
///
/// A reader that wants some frames only has not lost the others: they count as `missed.unwanted`, whether they were copied for
/// another reader or not at all. Of the frames that were published between two that it got, offered at `t0` and `t1`, at
/// most `floor((t1 - t0) * N) - 1` were due to a reader that wants N per second; so many count as lost, under their
/// causes, and the rest as unwanted. A reader on request loses none of what is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames handed out.
    pub seen: u64,
    /// Frames missed up to the last one handed out, by cause.
    pub missed: Missed,
    /// Looks that found a new frame while all leases were out.
    pub refusals: u64,
}

impl From<Tally> for Counts {
    fn from(Tally { seen, missed, refusals }: Tally) -> Self {
        Self { seen, missed, refusals }
    }
}
