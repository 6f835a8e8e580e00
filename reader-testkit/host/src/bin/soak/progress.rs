//! What a run shows while it plays: a bar per camera on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal as _, stderr};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::camera::Camera;

/// How often there is a line where there is no terminal.
const LINE: Duration = Duration::from_secs(10);

pub(crate) struct Progress {
    start: Instant,
    goal: Goal,
    bars: Option<(MultiProgress, Vec<ProgressBar>)>,
    told: Duration,
}

/// When a run is over: when it has gone on for so long, and each camera has had so many frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    pub(crate) time: Duration,
    pub(crate) frames: u64,
}

impl Goal {
    pub(crate) fn is_reached(&self, passed: Duration, frames: u64) -> bool {
        passed >= self.time && frames >= self.frames
    }

    /// The part that is done, from 0 to 1.
    fn done(&self, passed: Duration, frames: u64) -> f64 {
        let part = |done: f64, all: f64| if all > 0.0 { (done / all).min(1.0) } else { 1.0 };
        part(passed.as_secs_f64(), self.time.as_secs_f64()).min(part(frames as f64, self.frames as f64))
    }
}

impl Progress {
    pub(crate) fn new(cameras: &[Camera], goal: Goal) -> Self {
        let bars = stderr().is_terminal().then(|| {
            let all = MultiProgress::new();
            let style = ProgressStyle::with_template("{prefix:<8} {bar:40} {percent:>3} % {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = |camera: &Camera| {
                all.add(ProgressBar::new(1000).with_style(style.clone()).with_prefix(camera.id.to_string()))
            };
            let bars = cameras.iter().map(bar).collect();
            (all, bars)
        });
        Self { start: Instant::now(), goal, bars, told: Duration::ZERO }
    }

    pub(crate) fn show(&mut self, cameras: &[Camera]) {
        let passed = self.start.elapsed();
        // Ordering: Relaxed, it is shown and nothing follows from it.
        let frames: Vec<_> = cameras.iter().map(|camera| camera.offered.load(Ordering::Relaxed)).collect();
        let rate = |frames: u64| frames as f64 / passed.as_secs_f64().max(0.001);
        match &self.bars {
            Some((_, bars)) => {
                for (bar, &frames) in bars.iter().zip(&frames) {
                    bar.set_position((self.goal.done(passed, frames) * 1e3) as u64);
                    bar.set_message(format!("{frames} frames, {:.0} a second", rate(frames)));
                }
            }
            None if passed >= self.told + LINE => {
                self.told = passed;
                let least = frames.iter().min().copied().unwrap_or(0);
                let done = self.goal.done(passed, least) * 100.0;
                let frames: Vec<_> = cameras
                    .iter()
                    .zip(&frames)
                    .map(|(camera, &frames)| format!("{} {frames} frames, {:.0} a second", camera.id, rate(frames)))
                    .collect();
                eprintln!("{:.0} s, {done:.0} %: {}", passed.as_secs_f64(), frames.join("; "));
            }
            None => {}
        }
    }

    /// Clears the terminal for what comes next.
    pub(crate) fn finish(self) {
        if let Some((all, _)) = self.bars {
            // A terminal that cannot be cleared keeps the last lines, which are right.
            _ = all.clear();
        }
    }
}
