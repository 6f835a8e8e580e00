//! Readers good and bad, which read their camera over all its starts and check all that they get.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::thread;
use std::time::{Duration, Instant};

use vas_lifecycle::{Counts, FrameExport, Lease, Missed, Rate, Reader, Watch};
use vas_reader_testkit::check::{Loss, Order};
use vas_reader_testkit::readers::{Brisk, Leaking, Panicking, Pick, Rated, Slow, Spinning, Stalled, Step, Stepped};

use crate::Sabotage;
use crate::camera::Camera;

/// How long the slow reader holds each frame.
const HOLD: Duration = Duration::from_millis(120);
/// How long the stalled reader keeps its frames after its camera has stopped.
const LINGER: Duration = Duration::from_millis(50);
/// On which of its frames the panicking reader panics.
const PANIC_EVERY: u64 = 7;
/// Frames per second that the rated reader wants, and how often the asking one asks.
pub(crate) const RATE: f64 = 20.0;
pub(crate) const ASK_EVERY: Duration = Duration::from_millis(100);
/// How often the spinning reader asks in a step.
const SPINS: u32 = 1000;
/// In how many starts the leaking reader leaks.
const LEAKY_STARTS: u64 = 2;
/// How long readers sleep between two looks.
const POLL: Duration = Duration::from_millis(1);
/// After how many looks without a frame a held one is looked at again.
const AGAIN: u32 = 32;
/// What goes wrong again and again is told this often.
const MOST_FAULTS: usize = 5;

/// How a reader behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One frame after the other, given back at once.
    Brisk,
    /// The newest, held for a while.
    Slow,
    /// As many as it may, held beyond its camera's stop.
    Stalled,
    /// Leaks what it gets, in its first starts.
    Leaking,
    /// Panics with a frame in its hands.
    Panicking,
    /// Asks a thousand times in a row.
    Spinning,
    /// Wants some frames a second.
    Rated,
    /// Wants frames on request, and asks now and then.
    Asking,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Brisk,
        Self::Slow,
        Self::Stalled,
        Self::Leaking,
        Self::Panicking,
        Self::Spinning,
        Self::Rated,
        Self::Asking,
    ];
    /// Those that do not want each frame.
    pub(crate) const THRIFTY: [Self; 2] = [Self::Rated, Self::Asking];

    fn rate(self) -> Rate {
        match self {
            Self::Rated => Rate::PerSecond(RATE),
            Self::Asking => Rate::OnRequest,
            _ => Rate::EveryFrame,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Brisk => "brisk",
            Self::Slow => "slow",
            Self::Stalled => "stalled",
            Self::Leaking => "leaking",
            Self::Panicking => "panicking",
            Self::Spinning => "spinning",
            Self::Rated => "rated",
            Self::Asking => "asking",
        }
    }
}

/// What a reader counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// Starts of the camera that it saw frames of.
    pub(crate) starts: u64,
    /// Frames offered from its subscription to the end.
    pub(crate) spans: u64,
    pub(crate) seen: u64,
    pub(crate) missed: Missed,
    pub(crate) refusals: u64,
    pub(crate) panics: u64,
    pub(crate) leaked: u64,
    /// Times that a frame's samples were compared with what was decoded.
    pub(crate) compared: u64,
    /// Times that they were others.
    pub(crate) torn: u64,
    pub(crate) faults: Vec<String>,
}

impl Notes {
    /// Of a thread that panicked where it should not.
    pub(crate) fn panicked() -> Self {
        Self { faults: vec!["its thread panicked".into()], ..Self::default() }
    }

    fn fault(&mut self, fault: impl ToString) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault.to_string());
        }
    }

    fn complain(&mut self, result: Result<(), impl ToString>) {
        if let Err(error) = result {
            self.fault(error);
        }
    }

    /// Compares a borrowed frame with what was decoded.
    fn compare(&mut self, camera: &Camera, frame: &Lease) {
        self.compared += 1;
        match camera.ledger.sum(frame.frame_id) {
            Some(sum) if sum == checksum(frame) => {}
            Some(_) => {
                self.torn += 1;
                self.fault(format!("frame {} is not what was decoded", frame.frame_id));
            }
            None => self.fault(format!("frame {} was never decoded, or is far too old", frame.frame_id)),
        }
    }
}

/// CRC-32 of a borrowed frame's samples, in the order of `rawvideo`.
fn checksum(frame: &Lease) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for plane in (0..frame.planes().len()).filter_map(|plane| frame.plane(plane)) {
        plane.rows().for_each(|row| sum.update(row));
    }
    sum.finalize()
}

/// One reader of one camera.
pub(crate) struct Seat<'a> {
    pub(crate) camera: &'a Camera,
    pub(crate) kind: Kind,
    pub(crate) sabotage: Option<Sabotage>,
}

impl Seat<'_> {
    /// Reads the camera, over all its starts, until it is not started again.
    pub(crate) fn attend(&self, export: &FrameExport) -> Notes {
        let mut notes = Notes::default();
        let (mut order, mut loss) = (Order::default(), Loss::default());
        let start = Instant::now();
        let source = export.subscribe(Watch::from(self.camera.id).name(self.kind.name()).rate(self.kind.rate()));
        let mut reader = Behaviour::new(self.kind, source);
        let (mut waits, mut epoch) = (0, None);
        loop {
            // Before it looks: a camera that is over now has nothing left to read then.
            let over = self.camera.ledger.is_over();
            if over {
                // The control side takes note of the end by now, and of frames that went to no ring.
                drop(export.stats());
            }
            let mut taken = None;
            let step = || {
                reader.step().step(start.elapsed(), &mut |frame| {
                    notes.compare(self.camera, frame);
                    notes.complain(order.check(frame.entry()));
                    taken = Some(*frame.entry());
                })
            };
            let stepped = catch_unwind(AssertUnwindSafe(step));
            notes.panics += u64::from(stepped.is_err());
            let stepped = stepped.unwrap_or(Stepped::Took);
            if let Some(entry) = taken {
                let leaks = matches!(reader, Behaviour::Leaking(_)) && self.sabotage != Some(Sabotage::Leak);
                notes.leaked += u64::from(leaks);
                notes.complain(loss.check(&entry, &reader.step().counts()));
                if epoch.replace(entry.epoch) != Some(entry.epoch) {
                    notes.starts += 1;
                    // What was held beyond the camera's stop has to be what it was.
                    self.look_again(&reader, &mut notes);
                    reader = reader.in_start(notes.starts);
                }
            }
            if over && stepped == Stepped::Closed {
                self.close(&mut reader, &loss, &mut notes);
                return notes;
            }
            if stepped == Stepped::Took {
                waits = 0;
                continue;
            }
            waits += 1;
            if waits % AGAIN == 0 && self.kind == Kind::Slow {
                self.look_again(&reader, &mut notes);
            }
            thread::sleep(POLL);
        }
    }

    fn look_again(&self, reader: &Behaviour, notes: &mut Notes) {
        reader.held().iter().for_each(|frame| notes.compare(self.camera, frame));
    }

    /// The last sums.
    fn close(&self, reader: &mut Behaviour, loss: &Loss, notes: &mut Notes) {
        let counts = reader.step().counts();
        match loss.close(&counts, self.camera.ledger.end_of_all()) {
            Ok(span) => notes.spans += span,
            Err(error) => notes.fault(error),
        }
        if !reader.held().is_empty() {
            thread::sleep(LINGER);
            self.look_again(reader, notes);
        }
        let Counts { seen, missed, refusals } = counts;
        notes.seen += seen;
        notes.missed += missed;
        notes.refusals += refusals;
    }
}

/// One of the testkit's readers, and what it holds.
enum Behaviour {
    Plain(Box<dyn Step>),
    Slow(Slow<Reader>),
    Stalled(Stalled<Reader>),
    Leaking(Leaking<Reader>),
}

impl Behaviour {
    fn new(kind: Kind, reader: Reader) -> Self {
        match kind {
            Kind::Slow => Self::Slow(Slow::new(reader, HOLD)),
            Kind::Stalled => Self::Stalled(Stalled::new(reader)),
            Kind::Leaking => Self::Leaking(Leaking::new(reader)),
            Kind::Brisk => Self::Plain(Box::new(Brisk::picking(reader, Pick::Oldest))),
            Kind::Panicking => Self::Plain(Box::new(Panicking::new(reader, PANIC_EVERY))),
            Kind::Spinning => Self::Plain(Box::new(Spinning::new(reader, SPINS))),
            Kind::Rated | Kind::Asking => Self::Plain(Box::new(Rated::new(reader, ASK_EVERY))),
        }
    }

    /// As it goes on in the n-th start of the camera that it sees.
    fn in_start(mut self, start: u64) -> Self {
        match self {
            Self::Leaking(reader) if start > LEAKY_STARTS => {
                Self::Plain(Box::new(Brisk::picking(reader.into_source(), Pick::Oldest)))
            }
            Self::Stalled(ref mut reader) => {
                reader.let_go();
                self
            }
            _ => self,
        }
    }

    fn step(&mut self) -> &mut dyn Step {
        match self {
            Self::Plain(reader) => &mut **reader,
            Self::Slow(reader) => reader,
            Self::Stalled(reader) => reader,
            Self::Leaking(reader) => reader,
        }
    }

    fn held(&self) -> &[Lease] {
        match self {
            Self::Plain(_) | Self::Leaking(_) => &[],
            Self::Slow(reader) => reader.held().map_or(&[], slice::from_ref),
            Self::Stalled(reader) => reader.held(),
        }
    }
}
