//! The figures of a run: what the table shows, what the JSON file holds, and whether they add up.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::account::Account;
use crate::process;

/// A run of the host.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// How long it played.
    pub seconds: f64,
    pub export: ExportFigures,
    pub process: process::Memory,
    pub cameras: Vec<CameraFigures>,
    /// What does not add up.
    pub faults: Vec<String>,
}

/// Frame export as a whole.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ExportFigures {
    pub state: ExportState,
    /// Bytes taken from the memory budget.
    pub bytes: usize,
    /// Bytes that may be taken.
    pub budget: usize,
    /// Bytes that are still taken once all cameras have stopped and all readers have left.
    pub left: usize,
    /// Threads of this process that export started, by name.
    pub threads: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportState {
    /// The host was built without it.
    #[default]
    Absent,
    Off,
    On,
}

/// One camera.
#[derive(Debug, Serialize)]
pub struct CameraFigures {
    pub name: String,
    pub input: String,
    pub width: u32,
    pub height: u32,
    /// Frames that came out of the decoder.
    pub decoded: u64,
    pub fps: f64,
    /// Packets that could not be decoded.
    pub damaged: u64,
    /// How often the input was opened.
    pub opened: u64,
    /// From a packet's arrival to the frame's, in microseconds.
    pub decode_us: Times,
    /// Of that, what the thread was running.
    pub decode_cpu_us: Times,
    /// From one frame to the next, in microseconds.
    pub interval_us: Times,
    /// From a frame's handing to the branches until the next one is asked for, the tap included, in microseconds.
    pub hold_us: Times,
    /// By how much packets of a file at its own pace were taken up too late, in microseconds.
    pub late_us: Times,
    /// Of these, the share that was later than 5 ms.
    pub late: f64,
    /// Per frame, after the first pass if there are several: what the camera's thread ran for, and what it was neither running
    /// nor waiting for a core, in microseconds; none where the kernel does not say.
    pub ran_us: Option<f64>,
    pub blocked_us: Option<f64>,
    /// Buffers that the decoder needed.
    pub buffers: usize,
    /// What the tap took per frame, in microseconds; none without export.
    pub copy_us: Option<Times>,
    pub branches: Vec<Account>,
    pub exported: Option<Exported>,
    pub warning: Option<String>,
}

/// What became of a camera's frames at the tap, and with the readers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exported {
    pub offered: u64,
    pub published: u64,
    pub dropped: Causes,
    pub readers: Vec<ReaderFigures>,
}

impl Exported {
    /// What whoever runs the host should know.
    pub fn warning(&self) -> Option<String> {
        let frames = self.dropped.get("suspended")?;
        Some(format!("there was no memory for {frames} of {} frames", self.offered))
    }
}

/// One reader.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReaderFigures {
    pub name: &'static str,
    /// Frames offered while it was subscribed, by their ids.
    pub span: u64,
    /// Of these, frames published.
    pub published: u64,
    pub seen: u64,
    /// Frames that it missed, those that nobody got included.
    pub missed: Causes,
    /// How often it asked with all its leases out.
    pub refusals: u64,
    /// How often it panicked with a frame in its hands.
    pub panics: u64,
    /// Starts of the camera that it has read frames of.
    pub epochs: u64,
    /// Rings that it has read frames of, over all starts.
    pub generations: u64,
    /// Frames offered since the last one that it saw.
    pub lag: u64,
}

/// Counts by cause, without those that are 0.
pub type Causes = BTreeMap<&'static str, u64>;

/// Percentiles of a time, and its mean.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Times {
    pub mean: f64,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Times {
    pub fn of(nanoseconds: &Histogram<u64>) -> Self {
        let at = |quantile| nanoseconds.value_at_quantile(quantile) as f64 / 1e3;
        Self { mean: nanoseconds.mean() / 1e3, p50: at(0.5), p99: at(0.99), max: nanoseconds.max() as f64 / 1e3 }
    }
}

impl CameraFigures {
    /// What does not add up. A camera that runs without export has nothing to add up.
    fn faults(&self) -> Vec<String> {
        let name = &self.name;
        let mut faults = Vec::new();
        for branch in &self.branches {
            if let Some(failure) = &branch.failure {
                faults.push(format!("{name}, {}: {failure}", branch.name));
            }
            if branch.frames != self.decoded {
                faults
                    .push(format!("{name}: {} decoded, but {} handed to {}", self.decoded, branch.frames, branch.name));
            }
        }
        let Some(exported) = &self.exported else { return faults };
        let Exported { offered, published, dropped, readers } = exported;
        let dropped: u64 = dropped.values().sum();
        if self.decoded != *offered {
            faults.push(format!("{name}: {} decoded, but {offered} offered", self.decoded));
        }
        if *offered != published + dropped {
            faults.push(format!("{name}: {offered} offered, but {published} published and {dropped} dropped"));
        }
        for ReaderFigures { name: reader, span, published, seen, missed, .. } in readers {
            let of = |cause| missed.get(cause).copied().unwrap_or(0);
            let (unpublished, unwanted) = (of("dropped"), of("not wanted"));
            let missed: u64 = missed.values().sum();
            if *span != seen + missed {
                faults.push(format!("{name}, {reader}: {span} offered, but {seen} seen and {missed} missed"));
            }
            // What this reader did not want, others may have: some of it was published, or none.
            let most = seen + missed - unpublished;
            if !(most - unwanted..=most).contains(published) {
                let missed = missed - unpublished;
                faults.push(format!(
                    "{name}, {reader}: {published} published, but {seen} seen and {missed} missed, {unwanted} of them not wanted"
                ));
            }
        }
        faults
    }
}

impl Figures {
    /// Finds what does not add up.
    pub fn check(&mut self) {
        let found: Vec<_> = self.cameras.iter().flat_map(CameraFigures::faults).collect();
        self.faults.extend(found);
        let ExportFigures { state, bytes, threads, .. } = &self.export;
        if *state != ExportState::On && (*bytes != 0 || !threads.is_empty()) {
            self.faults.push(format!("export is not on, but has {bytes} bytes and the threads {threads:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Figures {
        let times = Times { mean: 1.5, p50: 1.0, p99: 2.0, max: 3.0 };
        let reader = ReaderFigures {
            name: "slow",
            span: 9,
            published: 8,
            seen: 3,
            missed: [("skipped", 5), ("dropped", 1)].into(),
            ..ReaderFigures::default()
        };
        let exported = Exported {
            offered: 10,
            published: 8,
            dropped: [("no reader", 1), ("resizing", 1)].into(),
            readers: vec![reader],
        };
        let camera = CameraFigures {
            name: "gate".into(),
            input: "gate.mp4".into(),
            width: 2,
            height: 2,
            decoded: 10,
            fps: 25.0,
            damaged: 0,
            opened: 1,
            decode_us: times,
            decode_cpu_us: times,
            interval_us: times,
            hold_us: times,
            late_us: times,
            late: 0.0,
            ran_us: None,
            blocked_us: None,
            buffers: 3,
            copy_us: Some(times),
            branches: vec![Account { name: "digest", frames: 10, ..Account::default() }],
            exported: Some(exported),
            warning: None,
        };
        let export = ExportFigures {
            state: ExportState::On,
            bytes: 1,
            budget: 2,
            left: 0,
            threads: vec!["frame-export".into()],
        };
        Figures { seconds: 1.0, export, process: process::Memory::default(), cameras: vec![camera], faults: Vec::new() }
    }

    /// What does not add up after `change`.
    fn faults(change: fn(&mut Figures)) -> Vec<String> {
        let mut figures = run();
        change(&mut figures);
        figures.check();
        figures.faults
    }

    fn exported(figures: &mut Figures) -> &mut Exported {
        figures.cameras[0].exported.as_mut().expect("it is on")
    }

    #[test]
    fn a_sound_run_adds_up() {
        assert!(faults(|_| {}).is_empty());
    }

    #[test]
    fn each_number_that_is_off_is_found() {
        let changes: [fn(&mut Figures); 8] = [
            |run| run.cameras[0].decoded += 1,
            |run| run.cameras[0].branches[0].frames -= 1,
            |run| exported(run).offered += 1,
            |run| exported(run).published -= 1,
            |run| exported(run).readers[0].seen += 1,
            |run| exported(run).readers[0].span -= 1,
            |run| exported(run).readers[0].published += 1,
            |run| exported(run).readers[0].missed.clear(),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            assert!(!faults(change).is_empty(), "change {n}");
        }
    }

    #[test]
    fn what_a_reader_does_not_want_others_may_have() {
        for (published, faults) in [(2, 1), (3, 0), (8, 0), (9, 1)] {
            let mut run = run();
            let reader = &mut exported(&mut run).readers[0];
            reader.missed = [("not wanted", 5), ("dropped", 1)].into();
            reader.published = published;
            run.check();
            assert_eq!(run.faults.len(), faults, "{published}: {:?}", run.faults);
        }
    }

    #[test]
    fn export_that_is_off_has_nothing() {
        let off: fn(&mut Figures) = |run| {
            run.export = ExportFigures::default();
            run.cameras[0].exported = None;
        };
        assert!(faults(off).is_empty());
        for state in [ExportState::Off, ExportState::Absent] {
            let mut figures = run();
            figures.export.state = state;
            figures.check();
            assert_eq!(figures.faults.len(), 1, "{state:?}");
        }
    }
}
