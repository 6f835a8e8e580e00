//! A camera's end on the AI side.

use std::fmt;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use vas_ring::{Lease, Missed, ReadError};

use crate::inbox::{Inbox, Tally};
use crate::registry::Registry;
use crate::sync;
use crate::{CameraId, SubscribeError};

/// Reads one camera's frames, on any thread.
///
/// When the camera's frames outgrow its slots, the reader goes over to the larger ones by itself: nothing is missed for
/// it, [`generation`](Self::generation) tells, and so does each frame. When the camera stops, reads say
/// [`ReadError::Closed`] once all is seen; [`wait_next_epoch`](Self::wait_next_epoch) is how to go on after a restart.
///
/// An idle poll is one load. The decode thread wakes nobody, as that could cost it a system call; the methods that wait
/// look again after a short sleep, of 1 ms unless [`set_poll`](Self::set_poll) says otherwise.
///
/// ```
/// # use vas_lifecycle::*;
/// # use std::time::Duration;
/// # let export = FrameExport::new(Settings::default());
/// # let id: CameraId = "gate".parse()?;
/// # let mut writer = export.camera("gate");
/// let mut reader = export.subscribe(&id)?;
/// assert!(reader.wait_latest(Duration::from_millis(5))?.is_none());
/// # while !writer.claim(4).is_ok_and(|claim| claim.publish(&FrameEntry { bytes: 4, ..FrameEntry::default() }) > 0) {
/// #     std::thread::sleep(Duration::from_millis(1));
/// # }
/// if let Some(frame) = reader.latest()? {
///     assert_eq!(frame.pixels().len(), 4);
/// }
/// drop(writer);
/// assert!(matches!(reader.latest(), Err(ReadError::Closed)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    /// None before the camera's first ring, and when the camera has stopped and all is seen: a reader that has nothing to
    /// read holds no memory.
    at: Option<vas_ring::Reader>,
    /// The camera has stopped and all is seen.
    closed: bool,
    inbox: sync::Arc<Inbox>,
    generation: u32,
    camera: CameraId,
    registry: Weak<Registry>,
    poll: Duration,
}

#[derive(Clone, Copy)]
enum Wanted {
    Newest,
    Oldest,
}

impl Wanted {
    #[inline]
    fn read(self, reader: &mut vas_ring::Reader) -> Result<Option<Lease>, ReadError> {
        match self {
            Self::Newest => reader.latest(),
            Self::Oldest => reader.next(),
        }
    }
}

impl Reader {
    pub(crate) fn subscribe(registry: &Arc<Registry>, camera: CameraId) -> Result<Self, SubscribeError> {
        let (inbox, reader, generation) = registry.subscribe(&camera)?;
        Ok(Self {
            at: reader,
            closed: false,
            inbox,
            generation,
            camera,
            registry: Arc::downgrade(registry),
            poll: Duration::from_millis(1),
        })
    }

    /// Borrows the newest frame, if there is one that this reader has not had. Frames between the last one and this
    /// are counted as missed.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    #[inline]
    pub fn latest(&mut self) -> Result<Option<Lease>, ReadError> {
        self.read(Wanted::Newest)
    }

    /// Borrows the oldest readable frame that this reader has not had: one after the other, without a hole as long as
    /// the reader is less than the depth behind. A hole is counted as missed.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "an iterator can neither fail nor be asked again")]
    pub fn next(&mut self) -> Result<Option<Lease>, ReadError> {
        self.read(Wanted::Oldest)
    }

    /// As [`latest`](Self::latest), and waits up to `timeout` for a frame. None when none came.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. A read that was overtaken, or that found all leases out, is tried again until the time is up;
    /// [`ReadError::Budget`] then says that they still are.
    pub fn wait_latest(&mut self, timeout: Duration) -> Result<Option<Lease>, ReadError> {
        self.wait(Wanted::Newest, timeout)
    }

    /// As [`next`](Self::next), and waits up to `timeout` for a frame. None when none came.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. A read that was overtaken, or that found all leases out, is tried again until the time is up;
    /// [`ReadError::Budget`] then says that they still are.
    pub fn wait_next(&mut self, timeout: Duration) -> Result<Option<Lease>, ReadError> {
        self.wait(Wanted::Oldest, timeout)
    }

    #[inline]
    fn read(&mut self, wanted: Wanted) -> Result<Option<Lease>, ReadError> {
        match self.at.as_mut().map(|reader| wanted.read(reader)) {
            Some(Err(ReadError::Closed)) | None => self.go_over(wanted),
            Some(result) => result,
        }
    }

    /// There is no ring yet, or the ring is closed and all of it accounted for: on to the next one, if there is one.
    #[cold]
    fn go_over(&mut self, wanted: Wanted) -> Result<Option<Lease>, ReadError> {
        // Whoever was at a ring that closed and finds no seat has seen the end: seats at the next ring are put before the
        // writer leaves this one.
        let mut closed = self.closed;
        loop {
            let left = self.at.take().map(|left| left.stats());
            closed |= left.is_some();
            let Some((generation, reader)) = self.inbox.take(left.as_ref()) else { break };
            self.generation = generation;
            match wanted.read(self.at.insert(reader)) {
                Err(ReadError::Closed) => {}
                result => return result,
            }
        }
        self.closed = closed || self.inbox.is_over();
        if self.closed { Err(ReadError::Closed) } else { Ok(None) }
    }

    fn wait(&mut self, wanted: Wanted, timeout: Duration) -> Result<Option<Lease>, ReadError> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let nothing = match self.read(wanted) {
                Ok(None) | Err(ReadError::Overtaken) => Ok(None),
                // With all leases out none can be had until one is dropped, maybe on another thread.
                Err(error @ ReadError::Budget { .. }) => Err(error),
                result => return result,
            };
            if !self.sleep_until(deadline) {
                return nothing;
            }
        }
    }

    /// One short sleep. False when the deadline is past; there is none when it is beyond what the clock can say.
    fn sleep_until(&self, deadline: Option<Instant>) -> bool {
        let left = deadline.map_or(self.poll, |deadline| deadline.saturating_duration_since(Instant::now()));
        thread::sleep(self.poll.min(left));
        !left.is_zero()
    }

    /// Sets how long the methods that wait sleep between two looks: from 50 us to 100 ms.
    pub fn set_poll(&mut self, poll: Duration) {
        self.poll = poll.clamp(Duration::from_micros(50), Duration::from_millis(100));
    }

    /// The camera.
    pub fn camera(&self) -> &CameraId {
        &self.camera
    }

    /// The camera's start that this reader reads.
    pub fn epoch(&self) -> u32 {
        self.inbox.epoch
    }

    /// The ring within the epoch that this reader is at.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Subscribes again to the same camera: after it was restarted. The counts begin anew; leases stay valid.
    ///
    /// # Errors
    ///
    /// See [`SubscribeError`]. The reader is then as it was before.
    pub fn resubscribe(&mut self) -> Result<(), SubscribeError> {
        let registry = self.registry.upgrade().ok_or(SubscribeError::NotRunning { camera: self.camera })?;
        let poll = self.poll;
        *self = Self::subscribe(&registry, self.camera)?;
        self.poll = poll;
        Ok(())
    }

    /// Waits up to `timeout` until the camera runs in a later epoch than this reader's, and subscribes to that.
    ///
    /// # Errors
    ///
    /// [`SubscribeError::NotRunning`] when it was not restarted in time, or see there. The reader is then as it was
    /// before.
    pub fn wait_next_epoch(&mut self, timeout: Duration) -> Result<(), SubscribeError> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let registry = self.registry.upgrade().ok_or(SubscribeError::NotRunning { camera: self.camera })?;
            if registry.epoch(&self.camera).is_some_and(|epoch| epoch != self.epoch()) {
                return self.resubscribe();
            }
            drop(registry);
            if !self.sleep_until(deadline) {
                return Err(SubscribeError::NotRunning { camera: self.camera });
            }
        }
    }

    /// What this reader got and missed since it subscribed: together, all frames that were offered from then up to the
    /// last one delivered, or up to the end once a read said [`ReadError::Closed`].
    pub fn stats(&self) -> Counts {
        let now = self.at.as_ref().map(vas_ring::Reader::stats);
        self.inbox.tally(now.as_ref()).into()
    }
}

/// What a reader got and what it missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames delivered.
    pub seen: u64,
    /// Frames missed up to the last one delivered, by cause.
    pub missed: Missed,
    /// Calls refused because all leases were out.
    pub refusals: u64,
}

impl From<Tally> for Counts {
    fn from(Tally { seen, missed, refusals }: Tally) -> Self {
        Self { seen, missed, refusals }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("camera", &self.camera)
            .field("epoch", &self.epoch())
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
