//! One reader on a thread of its own, which checks what it gets and keeps some of it as pictures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use vas_lifecycle::{CameraStats, Counts, FrameExport, Lease, Rate};
use vas_reader_testkit::check::{Loss, Order};
use vas_reader_testkit::readers::{Brisk, Leaking, Panicking, Rated, Slow, Spinning, Stalled, Step, Stepped};
use vas_reader_testkit::snapshot::Picture;

use super::audience::camera_stats;
use super::sheet;
use crate::ai::Kind;

/// How long the slow reader holds each frame.
const HOLD: Duration = Duration::from_millis(300);
/// How long the sluggish reader does.
const LONG_HOLD: Duration = Duration::from_millis(500);
/// Frames per second that the rated reader wants.
const RATE: f64 = 5.0;
/// How often the asking reader asks for one.
const ASK_EVERY: Duration = Duration::from_millis(400);
/// On which of its frames the panicking reader panics.
const PANIC_EVERY: u64 = 3;
/// How often the spinning reader asks in a step.
const SPINS: u32 = 1000;
/// How long readers sleep between two looks.
const POLL: Duration = Duration::from_millis(1);
/// What goes wrong again and again is told this often.
const MOST_WRONG: usize = 5;

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Brisk => "brisk",
            Self::Slow => "slow",
            Self::Rated => "rated",
            Self::Asking => "asking",
            Self::Sluggish => "sluggish",
            Self::Stalled => "stalled",
            Self::Leaking => "leaking",
            Self::Panicking => "panicking",
            Self::Spinning => "spinning",
        }
    }

    /// How many frames of a camera it wants.
    pub(super) fn rate(self) -> Rate {
        match self {
            Self::Rated => Rate::PerSecond(RATE),
            Self::Asking => Rate::OnRequest,
            _ => Rate::EveryFrame,
        }
    }

    fn reader(self, source: vas_lifecycle::Reader) -> Box<dyn Step> {
        match self {
            Self::Brisk => Box::new(Brisk::new(source)),
            Self::Slow => Box::new(Slow::new(source, HOLD)),
            Self::Rated | Self::Asking => Box::new(Rated::new(source, ASK_EVERY)),
            Self::Sluggish => Box::new(Slow::new(source, LONG_HOLD)),
            Self::Stalled => Box::new(Stalled::new(source)),
            Self::Leaking => Box::new(Leaking::new(source)),
            Self::Panicking => Box::new(Panicking::new(source, PANIC_EVERY)),
            Self::Spinning => Box::new(Spinning::new(source, SPINS)),
        }
    }
}

/// A reader's place.
pub(super) struct Seat {
    pub(super) camera: String,
    pub(super) kind: Kind,
    /// Time from one picture to the next; without it there are none.
    shot_every: Option<Duration>,
    notes: Mutex<Notes>,
}

/// What a reader notes down.
#[derive(Default)]
pub(super) struct Notes {
    counts: Counts,
    /// Frames offered and published since the reader came, as the camera counts them; known at the end.
    span: Offered,
    last_id: Option<u64>,
    /// Epoch and generation of the last frame.
    last_ring: Option<(u32, u32)>,
    pub(super) epochs: u64,
    pub(super) generations: u64,
    pub(super) panics: u64,
    pub(super) shots: Vec<Shot>,
    /// Why there is no picture of a frame, the first time.
    pub(super) undrawn: Option<String>,
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

impl Notes {
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Frames offered since the reader came.
    pub(super) fn span(&self) -> u64 {
        self.span.offered
    }

    /// Of these, frames published.
    pub(super) fn published(&self) -> u64 {
        self.span.published
    }

    pub(super) fn last_id(&self) -> Option<u64> {
        self.last_id
    }

    /// The frame is of this ring.
    fn of_ring(&mut self, epoch: u32, generation: u32) {
        let last = self.last_ring.replace((epoch, generation));
        self.epochs += u64::from(last.is_none_or(|last| last.0 != epoch));
        self.generations += u64::from(last != Some((epoch, generation)));
    }

    fn complain(&mut self, result: Result<(), impl ToString>) {
        if let Err(error) = result {
            let error = error.to_string();
            if self.wrong.len() < MOST_WRONG && !self.wrong.contains(&error) {
                self.wrong.push(error);
            }
        }
    }
}

impl Seat {
    /// A place at a camera, for a run that takes `playing` if pictures are to be taken.
    pub(super) fn new(camera: &str, kind: Kind, playing: Option<Duration>) -> Self {
        let shot_every = playing.map(|playing| playing / sheet::COLUMNS as u32);
        Self { camera: camera.to_owned(), kind, shot_every, notes: Mutex::default() }
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the camera, over all its starts, until `over` says that it is not started again.
    pub(super) fn attend(&self, source: vas_lifecycle::Reader, export: &FrameExport, over: &AtomicBool) {
        let id = *source.camera();
        let start = Instant::now();
        let (mut order, mut loss) = (Order::default(), Loss::default());
        let mut reader = self.kind.reader(source);
        loop {
            // Before it looks: a camera that is over now has nothing left to read then. Ordering: Acquire pairs with the
            // Release of `Audience::leave`: the camera has stopped.
            let over = over.load(Ordering::Acquire);
            if over {
                // Export takes note of that by now, and of frames that went to no ring.
                drop(export.stats());
            }
            let mut frame = None;
            let step = || {
                reader.step(start.elapsed(), &mut |lease| {
                    frame = Some(*lease.entry());
                    self.look(lease, start.elapsed());
                })
            };
            let stepped = catch_unwind(AssertUnwindSafe(step));
            let mut notes = self.notes();
            notes.panics += u64::from(stepped.is_err());
            let stepped = stepped.unwrap_or(Stepped::Took);
            notes.counts = reader.counts();
            if let Some(entry) = frame {
                notes.complain(order.check(&entry));
                let counts = notes.counts;
                notes.complain(loss.check(&entry, &counts));
                notes.last_id = Some(entry.frame_id);
                notes.of_ring(entry.epoch, entry.generation);
            }
            if over && stepped == Stepped::Closed {
                if let Some(stats) = camera_stats(export, &id) {
                    let counts = notes.counts;
                    notes.complain(loss.close(&counts, stats.offered).map(drop));
                    notes.span = self.span(&stats);
                }
                return;
            }
            drop(notes);
            if stepped != Stepped::Took && self.kind != Kind::Spinning {
                thread::sleep(POLL);
            }
        }
    }

    /// Frames offered since the reader came. It comes before its camera, so all that were published were since then.
    fn span(&self, camera: &CameraStats) -> Offered {
        let mine = camera.readers.iter().find(|reader| reader.name == self.kind.name());
        let first = mine.map_or(0, |reader| reader.first_frame_id);
        Offered { offered: camera.offered - first, published: camera.published }
    }

    /// Looks at a borrowed frame: takes a picture when it is time for one.
    fn look(&self, frame: &Lease, passed: Duration) {
        let Some(shot_every) = self.shot_every else { return };
        let notes = self.notes();
        let (taken, undrawn) = (notes.shots.len(), notes.undrawn.is_some());
        drop(notes);
        if !undrawn && taken < sheet::COLUMNS && passed >= shot_every * taken as u32 {
            let picture = Picture::of(frame).map(|picture| sheet::thumbnail(&picture));
            let seconds =
                frame.pts().map(|pts| pts as f64 * f64::from(frame.time_base.num) / f64::from(frame.time_base.den));
            let mut notes = self.notes();
            match picture {
                Ok(picture) => notes.shots.push(Shot { picture, frame_id: frame.frame_id, seconds }),
                Err(error) => notes.undrawn = Some(error.to_string()),
            }
        }
    }
}
