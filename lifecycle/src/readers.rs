//! Many cameras in one wait.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use crate::cadence::{AT_MOST, Pause};
use crate::clock::monotonic_ns;
use crate::feed::{Feed, Frame, Look};
use crate::inbox::Tally;
use crate::sync::Arc;
use crate::watch::Newcomers;
use crate::{CameraId, Counts, News, Rate};

/// Reads some cameras, or all that there are and will be, for as long as its user wants. From [`FrameExport::watch`].
///
/// A camera that is not there yet, stops, restarts or changes the size of its frames is news and no error: frames of it come when there
/// are some, and counts go on over all of it. Frames are borrowed in place; each camera lends as many at once as the setting
/// `AI_FRAME_EXPORT_READER_LEASES` says, and none while those are out.
///
/// ```
/// use std::time::Duration;
/// use vas_lifecycle::{FrameExport, Rate, Settings, Watch};
///
/// let export = FrameExport::new(Settings::default()); // The host's.
/// let mut cameras = export.watch(Watch::all().rate(Rate::PerSecond(5.0)).name("people"));
/// # for _ in 0..2 {
/// for frame in cameras.wait(Duration::from_millis(10)) {
///     println!("{} {:?}", frame.camera_id, frame.plane(0).map(|plane| plane.row_bytes()));
/// }
/// for news in cameras.news() {
///     println!("{news}");
/// }
/// # }
/// ```
///
/// # Waiting
///
/// The decode threads wake nobody, since that would take a system call there. [`wait`](Self::wait) sleeps until a frame can be
/// expected from the times of those before, and looks again after short pauses; while no frame comes the pauses grow
/// to ten times that. [`set_poll`](Self::set_poll) says how short. However many cameras there are, it is one sleep.
///
/// In an event loop, call [`poll`](Self::poll), which never waits, at the times that [`next_look`](Self::next_look) says. In
/// an async runtime, do the same with its timer, or wait on a thread of its own and send frames: they are `Send`,
/// `Sync` and `'static`.
///
/// [`FrameExport::watch`]: crate::FrameExport::watch
pub struct Readers {
    feeds: Vec<Feed>,
    /// Where the next look begins: after the camera whose frame was handed out last.
    turn: usize,
    /// None for readers of named cameras.
    newcomers: Option<Arc<Newcomers>>,
    taken: u32,
    pause: Pause,
    rate: Rate,
}

/// A look comes early by up to this, rather than that there is another one so soon.
const SLACK: u64 = 100_000;

/// Two looks for a number of cameras are apart by so much for each, at least, and by no more than nine tenths of a pause.
const GAP: u64 = 15_000;

impl Readers {
    pub(crate) fn new(feeds: Vec<Feed>, newcomers: Option<Arc<Newcomers>>, rate: Rate) -> Self {
        Self { feeds, turn: 0, newcomers, taken: 0, pause: Pause::new(1_000_000), rate }
    }

    /// Waits up to `timeout` until some camera has a frame. Hands out those that are there, one of each camera at most,
    /// taking turns; none when the time is up. While all leases of a camera are out, it waits until one is back.
    pub fn wait(&mut self, timeout: Duration) -> Frames<'_> {
        let deadline = Instant::now().checked_add(timeout);
        let first = self.first(|_| true).or_else(|| self.sleep_for_first(deadline));
        self.frames(first)
    }

    /// Hands out the frames that are there, one of each camera at most, taking turns. Does not wait.
    pub fn poll(&mut self) -> Frames<'_> {
        self.take_newcomers();
        let left = self.feeds.len();
        Frames { first: None, left, readers: self }
    }

    fn frames(&mut self, first: Option<Frame>) -> Frames<'_> {
        let left = if first.is_some() { self.feeds.len() - 1 } else { 0 };
        Frames { first, left, readers: self }
    }

    /// The first frame in turn, among cameras that `is_due` says it of.
    fn first(&mut self, is_due: impl Fn(&Feed) -> bool) -> Option<Frame> {
        self.take_newcomers();
        (0..self.feeds.len()).find_map(|_| self.next_in_turn(&is_due))
    }

    fn next_in_turn(&mut self, is_due: impl Fn(&Feed) -> bool) -> Option<Frame> {
        self.turn = if self.turn + 1 < self.feeds.len() { self.turn + 1 } else { 0 };
        let feed = self.feeds.get_mut(self.turn).filter(|feed| is_due(feed))?;
        match feed.look(self.pause, monotonic_ns) {
            Look::Frame(frame) => Some(frame),
            Look::Nothing | Look::Refused => None,
        }
    }

    fn sleep_for_first(&mut self, deadline: Option<Instant>) -> Option<Frame> {
        let gap = (GAP * self.feeds.len() as u64).min(self.pause.short / 10 * 9);
        let mut now = monotonic_ns();
        self.nothing_yet(now);
        loop {
            // There is none when it is beyond what the clock can say.
            let left = deadline.map_or(u64::MAX, |deadline| {
                u64::try_from(deadline.saturating_duration_since(Instant::now()).as_nanos()).unwrap_or(u64::MAX)
            });
            if left == 0 {
                return None;
            }
            let next = self.next_look_ns(now).max(now.saturating_add(gap));
            thread::sleep(Duration::from_nanos(next.saturating_sub(now).min(left)));
            now = monotonic_ns();
            let early = now.saturating_add(SLACK);
            if let Some(frame) = self.first(|feed| feed.next_look() <= early) {
                return Some(frame);
            }
            self.nothing_yet(early);
        }
    }

    /// A look at `now`, at those for which it was time, found nothing.
    fn nothing_yet(&mut self, now: u64) {
        let pause = self.pause;
        let looked_at = self.feeds.iter_mut().filter(|feed| feed.next_look() <= now);
        looked_at.for_each(|feed| feed.nothing_yet(now, pause));
    }

    fn next_look_ns(&self, now: u64) -> u64 {
        // New cameras are looked for as well: they keep their newest frames for longer than that.
        let most = if self.newcomers.is_some() { self.pause.long.saturating_mul(5) } else { AT_MOST };
        let latest = now.saturating_add(most);
        self.feeds.iter().map(Feed::next_look).min().map_or(latest, |next| next.min(latest))
    }

    /// When to [`poll`](Self::poll) next, at the latest, in an event loop of one's own: when [`wait`](Self::wait) would look.
    pub fn next_look(&mut self) -> Instant {
        let now = monotonic_ns();
        self.nothing_yet(now);
        Instant::now() + Duration::from_nanos(self.next_look_ns(now).saturating_sub(now))
    }

    fn take_newcomers(&mut self) {
        if let Some(newcomers) = &self.newcomers {
            self.feeds.extend(newcomers.take(&mut self.taken, monotonic_ns));
        }
    }

    /// How the cameras are doing, for those where that has changed since the last call; at the first, for all.
    pub fn news(&mut self) -> impl Iterator<Item = News> + use<'_> {
        self.take_newcomers();
        self.feeds.iter_mut().filter_map(Feed::news)
    }

    /// Asks each camera for one frame that is offered from now on, also while none is due. A camera that was asked
    /// before and has not given one yet is asked anew: what is offered before is not handed out any more. Does nothing
    /// for readers that get every frame.
    ///
    /// A request stays until it is answered, also beyond the time-out of a wait: a camera that was asked while it was not
    /// there answers when it is. Look at [`FrameEntry::camera_id`](crate::FrameEntry::camera_id), or have a reader for each.
    pub fn request(&mut self) {
        self.take_newcomers();
        let now = monotonic_ns();
        let pause = self.pause;
        self.feeds.iter_mut().for_each(|feed| feed.request(now, pause));
    }

    /// Asks one camera, as [`request`](Self::request). Returns whether it is one of these.
    pub fn request_from(&mut self, camera: &CameraId) -> bool {
        self.take_newcomers();
        let feed = self.feeds.iter_mut().find(|feed| feed.camera() == camera);
        feed.map(|feed| feed.request(monotonic_ns(), self.pause)).is_some()
    }

    /// How many frames of each camera are wanted.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Changes how many frames of each camera are wanted, from the next one on.
    pub fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
        if let Some(newcomers) = &self.newcomers {
            newcomers.set_rate(rate);
        }
        self.take_newcomers();
        self.feeds.iter_mut().for_each(|feed| feed.set_rate(rate));
    }

    /// Sets how long [`wait`](Self::wait) sleeps between two looks when a frame is expected: from 50 us to 100 ms, 1 ms
    /// unless set.
    pub fn set_poll(&mut self, poll: Duration) {
        let poll = poll.clamp(Duration::from_micros(50), Duration::from_millis(100));
        // At most 100 ms.
        self.pause = Pause::new(poll.as_nanos() as u64);
    }

    /// The cameras that are read, whether they run or not.
    pub fn cameras(&self) -> impl Iterator<Item = &CameraId> {
        self.feeds.iter().map(Feed::camera)
    }

    /// What was got and missed of all cameras together.
    pub fn counts(&self) -> Counts {
        let mut sum = Tally::default();
        for feed in &self.feeds {
            sum += feed.tally();
        }
        sum.into()
    }

    /// What was got and missed of one camera; none when it is not one of these.
    pub fn counts_of(&self, camera: &CameraId) -> Option<Counts> {
        self.feeds.iter().find(|feed| feed.camera() == camera).map(|feed| feed.tally().into())
    }

    pub(crate) fn feeds(&self) -> &[Feed] {
        &self.feeds
    }
}

/// As [`Readers::poll`], at a time of the model's choice.
#[cfg(loom)]
impl Readers {
    pub(crate) fn poll_at(&mut self, now: u64) -> Vec<Frame> {
        self.take_newcomers();
        let pause = self.pause;
        let looks = self.feeds.iter_mut().map(|feed| feed.look(pause, || now));
        looks
            .filter_map(|look| match look {
                Look::Frame(frame) => Some(frame),
                _ => None,
            })
            .collect()
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("rate", &self.rate).field("feeds", &self.feeds).finish_non_exhaustive()
    }
}

/// Frames that are there: one of each camera at most.
#[derive(Debug)]
#[must_use = "frames are handed out as the iterator goes on"]
pub struct Frames<'a> {
    first: Option<Frame>,
    /// Cameras that have not been looked at.
    left: usize,
    readers: &'a mut Readers,
}

impl Iterator for Frames<'_> {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let mut frame = self.first.take();
        while frame.is_none() && self.left != 0 {
            self.left -= 1;
            frame = self.readers.next_in_turn(|_| true);
        }
        frame
    }
}
