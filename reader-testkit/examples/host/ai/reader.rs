//! One reader on a thread of its own, which checks what it gets and keeps some of it as pictures.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use vas_lifecycle::{CameraId, CameraStats, Counts, Lease};
use vas_reader_testkit::check::{Loss, Order};
use vas_reader_testkit::readers::{Brisk, Slow, Step, Stepped};
use vas_reader_testkit::snapshot::Picture;

use super::audience::camera_stats;
use super::sheet;
use crate::vas::Vas;

/// How long the slow reader holds each frame.
const HOLD: Duration = Duration::from_millis(300);
/// How long readers sleep between two looks.
const POLL: Duration = Duration::from_millis(1);
/// What goes wrong again and again is told this often.
const MOST_WRONG: usize = 5;

/// How a reader behaves.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Gives each frame back at once.
    Brisk,
    /// Holds each frame for 300 ms.
    Slow,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Brisk, Self::Slow];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Brisk => "brisk",
            Self::Slow => "slow",
        }
    }

    fn reader(self, source: vas_lifecycle::Reader) -> Box<dyn Step> {
        match self {
            Self::Brisk => Box::new(Brisk::new(source)),
            Self::Slow => Box::new(Slow::new(source, HOLD)),
        }
    }
}

/// A reader's place.
pub(super) struct Seat {
    pub(super) camera: String,
    pub(super) kind: Kind,
    /// Time from one picture to the next.
    shot_every: Duration,
    notes: Mutex<Notes>,
}

/// What a reader notes down.
#[derive(Default)]
pub(super) struct Notes {
    /// Of the subscriptions that have ended.
    past: Counts,
    /// Of this subscription.
    present: Counts,
    /// Frames offered and published in the spans of subscriptions that have ended, as the camera counts them.
    span: Offered,
    last_id: Option<u64>,
    pub(super) shots: Vec<Shot>,
    pub(super) wrong: Vec<String>,
}

/// A picture of a borrowed frame, small.
pub(super) struct Shot {
    pub(super) picture: Picture,
    pub(super) frame_id: u64,
    /// The frame's presentation time in seconds.
    pub(super) seconds: Option<f64>,
}

/// Where a camera is in its count.
#[derive(Clone, Copy, Default)]
struct Offered {
    offered: u64,
    published: u64,
}

impl From<&CameraStats> for Offered {
    fn from(stats: &CameraStats) -> Self {
        Self { offered: stats.offered, published: stats.published }
    }
}

impl Notes {
    pub(super) fn counts(&self) -> Counts {
        let mut sum = self.past;
        sum.seen += self.present.seen;
        sum.missed += self.present.missed;
        sum.refusals += self.present.refusals;
        sum
    }

    /// Frames offered in the reader's spans.
    pub(super) fn span(&self) -> u64 {
        self.span.offered
    }

    /// Frames published in the reader's spans.
    pub(super) fn published(&self) -> u64 {
        self.span.published
    }

    pub(super) fn last_id(&self) -> Option<u64> {
        self.last_id
    }

    fn complain(&mut self, result: Result<(), impl ToString>) {
        if let Err(error) = result {
            if self.wrong.len() < MOST_WRONG {
                self.wrong.push(error.to_string());
            }
        }
    }

    /// Ends a subscription that began when the camera was between two counts, and ended at a third.
    fn close(&mut self, [before, after]: [Offered; 2], end: Offered) {
        let counts = std::mem::take(&mut self.present);
        // The camera went on while the reader subscribed, so the span's start is only known to lie between the two.
        // Where it lies there, the reader's own count says.
        let span =
            |end: u64, counted: u64, before: u64, after: u64| end - end.saturating_sub(counted).clamp(before, after);
        self.span.offered += span(end.offered, counts.seen + counts.missed.total(), before.offered, after.offered);
        self.span.published +=
            span(end.published, counts.seen + counts.missed.published(), before.published, after.published);
        self.past.seen += counts.seen;
        self.past.missed += counts.missed;
        self.past.refusals += counts.refusals;
    }
}

impl Seat {
    /// A place at a camera, for a run that takes `playing`.
    pub(super) fn new(camera: &str, kind: Kind, playing: Duration) -> Self {
        let shot_every = playing / sheet::COLUMNS as u32;
        Self { camera: camera.to_owned(), kind, shot_every, notes: Mutex::default() }
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the camera, over all its starts, until the host ends.
    pub(super) fn attend(&self, vas: &Vas) {
        let Ok(id) = self.camera.parse() else { return };
        let start = Instant::now();
        let (mut order, mut loss) = (Order::default(), Loss::default());
        while let Some((before, source, after)) = subscribed(vas, &id) {
            let epoch = source.epoch();
            let mut reader = self.kind.reader(source);
            loop {
                let mut frame = None;
                let stepped = reader.step(start.elapsed(), &mut |lease| {
                    frame = Some(*lease.entry());
                    self.look(lease, start.elapsed());
                });
                let mut notes = self.notes();
                notes.present = reader.counts();
                if let Some(entry) = frame {
                    notes.complain(order.check(&entry));
                    let counts = notes.counts();
                    notes.complain(loss.check(&entry, &counts));
                    notes.last_id = Some(entry.frame_id);
                }
                if stepped == Stepped::Closed {
                    break;
                }
                drop(notes);
                if stepped != Stepped::Took {
                    thread::sleep(POLL);
                }
            }
            let end = camera_stats(&vas.export, &id).filter(|stats| stats.epoch == epoch);
            let mut notes = self.notes();
            let counts = notes.counts();
            let end = match end {
                Some(stats) => {
                    notes.complain(loss.close(&counts, stats.offered).map(drop));
                    Offered::from(&stats)
                }
                // It was started again already; where it was in between, only the reader's count says.
                None => Offered {
                    offered: before.offered + notes.present.seen + notes.present.missed.total(),
                    published: before.published + notes.present.seen + notes.present.missed.published(),
                },
            };
            notes.close([before, after], end);
            // Frames that pass by before the next subscription are not this reader's loss.
            loss = Loss::default();
        }
    }

    /// Looks at a borrowed frame: takes a picture when it is time for one.
    fn look(&self, frame: &Lease, passed: Duration) {
        let taken = self.notes().shots.len();
        if taken < sheet::COLUMNS && passed >= self.shot_every * taken as u32 {
            let picture = Picture::of(frame).map(|picture| sheet::thumbnail(&picture));
            let seconds =
                frame.pts().map(|pts| pts as f64 * f64::from(frame.time_base.num) / f64::from(frame.time_base.den));
            let mut notes = self.notes();
            match picture {
                Ok(picture) => notes.shots.push(Shot { picture, frame_id: frame.frame_id, seconds }),
                Err(error) => notes.complain(Err(error)),
            }
        }
    }
}

/// Subscribes as soon as the camera runs; none when the host ends before. With the reader comes where the camera was
/// before it subscribed, and after.
fn subscribed(vas: &Vas, id: &CameraId) -> Option<(Offered, vas_lifecycle::Reader, Offered)> {
    let now = || camera_stats(&vas.export, id).map_or_else(Offered::default, |stats| Offered::from(&stats));
    while !vas.stop.is_set() {
        let before = now();
        if let Ok(reader) = vas.export.subscribe(id) {
            return Some((before, reader, now()));
        }
        vas.stop.wait(POLL);
    }
    None
}
