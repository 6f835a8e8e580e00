//! Whatever happens to a camera and its readers: what each reader got and missed is what was offered since it came.

#![cfg(not(loom))]

mod common;

use std::time::Duration;

use common::{check, eventually, offer_at, state};
use proptest::prelude::*;
use vas_lifecycle::{
    CameraState, CameraWriter, DropCause, Frame, FrameExport, FrameSink, Rate, Reader, Settings, Watch,
};

const SIZES: [usize; 3] = [500, 3_000, 9_000];
const READERS: usize = 4;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Frames of a size are offered, so many milliseconds apart in the tap's own time.
    Offer { frames: u8, size: usize, apart: u64 },
    /// The tap counts a frame that it cannot read.
    Malformed,
    /// The camera stops, or starts.
    Switch,
    /// The control side gets its turn.
    Pause,
    /// A reader looks, and holds what it gets or not.
    Look { reader: usize, hold: bool },
    /// A reader asks.
    Request { reader: usize },
    /// A reader wants so many frames.
    Rate { reader: usize, rate: Rate },
    /// A reader gives back what it holds.
    Release { reader: usize },
    /// Another reader takes its place.
    Anew { reader: usize },
}

fn rates() -> impl Strategy<Value = Rate> {
    prop_oneof![
        Just(Rate::EveryFrame),
        Just(Rate::Newest),
        Just(Rate::OnRequest),
        (0.5..100.0_f64).prop_map(Rate::PerSecond)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let reader = 0..READERS;
    prop_oneof![
        8 => (1..12_u8, 0..SIZES.len(), 0..60_u64)
            .prop_map(|(frames, size, apart)| Step::Offer { frames, size: SIZES[size], apart }),
        1 => Just(Step::Malformed),
        1 => Just(Step::Switch),
        2 => Just(Step::Pause),
        8 => (reader.clone(), any::<bool>()).prop_map(|(reader, hold)| Step::Look { reader, hold }),
        3 => reader.clone().prop_map(|reader| Step::Request { reader }),
        2 => (reader.clone(), rates()).prop_map(|(reader, rate)| Step::Rate { reader, rate }),
        3 => reader.clone().prop_map(|reader| Step::Release { reader }),
        1 => reader.prop_map(|reader| Step::Anew { reader }),
    ]
}

/// A reader, what it holds, and how many requests it made since it got a frame.
struct One {
    reader: Reader,
    held: Vec<Frame>,
    last: Option<u64>,
}

impl One {
    fn new(export: &FrameExport) -> Self {
        Self { reader: export.subscribe(Watch::camera("a")), held: Vec::new(), last: None }
    }

    fn look(&mut self, hold: bool) -> bool {
        let Some(frame) = self.reader.poll() else { return false };
        check(&frame);
        assert!(self.last < Some(frame.frame_id));
        self.last = Some(frame.frame_id);
        if hold {
            self.held.push(frame);
        }
        true
    }
}

/// Everything is in the books: of the camera, of each reader, and of who looks at both from outside.
fn settle(export: &FrameExport, ones: &mut [One], offered: u64) {
    eventually("stopped", || state(export, "a") != CameraState::Running || offered == 0);
    for one in &mut *ones {
        one.held.clear();
        while one.look(false) {}
        assert!(one.reader.at().is_none(), "all is seen");
    }
    let Some(camera) = export.camera_stats("a") else { return };
    assert_eq!(camera.offered, offered);
    for one in ones {
        let counts = one.reader.counts();
        let total = counts.seen + counts.missed.total();
        // Numbers tell readers apart only while there are some; the span begins where the reader came.
        let same = camera.readers.iter().find(|stats| {
            stats.first_frame_id + total == offered && (stats.seen, stats.missed) == (counts.seen, counts.missed)
        });
        assert!(same.is_some(), "{counts:?} of {offered}, in {:?}", camera.readers);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn got_and_missed_is_what_was_offered(steps in proptest::collection::vec(step(), 1..80)) {
        let settings = Settings { max_readers: READERS, memory_reserve: 0, ..Settings::default() };
        let export = FrameExport::new(settings);
        let mut ones: Vec<_> = (0..READERS).map(|_| One::new(&export)).collect();
        let (mut writer, mut offered, mut now) = (None::<CameraWriter>, 0, 1_000_000_000);
        for step in steps {
            match step {
                Step::Offer { frames, size, apart } => {
                    let Some(writer) = &mut writer else { continue };
                    for _ in 0..frames {
                        now += apart * 1_000_000;
                        let _ = offer_at(writer, size, now);
                        offered += 1;
                    }
                }
                Step::Malformed => {
                    if let Some(writer) = &mut writer {
                        writer.skip(DropCause::Malformed);
                        offered += 1;
                    }
                }
                Step::Switch => {
                    writer = match writer.take() {
                        Some(writer) => {
                            drop(writer);
                            None
                        }
                        None => Some(export.camera("a")),
                    };
                }
                Step::Pause => std::thread::sleep(Duration::from_millis(6)),
                Step::Look { reader, hold } => {
                    ones[reader].look(hold);
                }
                Step::Request { reader } => ones[reader].reader.request(),
                Step::Rate { reader, rate } => ones[reader].reader.set_rate(rate),
                Step::Release { reader } => ones[reader].held.clear(),
                Step::Anew { reader } => ones[reader] = One::new(&export),
            }
        }
        drop(writer);
        if export.camera_stats("a").is_some() {
            settle(&export, &mut ones, offered);
        }
    }
}
