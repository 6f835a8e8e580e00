//! What a run shows while it plays: live lines on a terminal, one line a second elsewhere.

use std::collections::VecDeque;
use std::io::{IsTerminal as _, stderr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use vas_host::ai::Audience;
use vas_host::camera::Camera;
use vas_host::figures::{Exported, ReaderFigures, Times};
use vas_host::process::Memory;

/// Over how long the rate of frames is taken.
const WINDOW: Duration = Duration::from_secs(2);

/// The display.
pub(crate) struct Progress {
    start: Instant,
    seconds: f64,
    rates: Vec<Rate>,
    screen: Option<Screen>,
    /// Seconds that have been told of, without a terminal.
    told: u64,
}

/// Lines on a terminal.
struct Screen {
    lines: Vec<ProgressBar>,
    all: MultiProgress,
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(cameras: &[Arc<Camera>], seconds: f64) -> Self {
        let start = Instant::now();
        let rates = cameras.iter().map(|_| Rate::from(start)).collect();
        let screen = stderr().is_terminal().then(|| Screen::new(seconds));
        Self { start, seconds, rates, screen, told: 0 }
    }

    /// Shows how things are.
    pub(crate) fn show(&mut self, cameras: &[Arc<Camera>], audience: &Audience) {
        let passed = self.start.elapsed();
        let due = passed.as_secs();
        if self.screen.is_none() && due == self.told {
            return;
        }
        let mut lines = Vec::new();
        let mut short = Vec::new();
        for (camera, rate) in cameras.iter().zip(&mut self.rates) {
            let exported = audience.exported(camera);
            let readings = camera.gauge.readings();
            let fps = rate.now(readings.frames);
            let copy = Times::of(&readings.offer);
            let decoded = readings.frames;
            drop(readings);
            lines.push(format!(
                "{:<30} {fps:5.1} fps  decoded {decoded:>6}{}",
                camera.name,
                tap(exported.as_ref(), copy)
            ));
            lines.extend(exported.iter().flat_map(|exported| &exported.readers).map(reader));
            short.push(format!(
                "{} {fps:.1} fps, {decoded} decoded{}",
                camera.name,
                exported
                    .map(|exported| {
                        let seen: Vec<_> =
                            exported.readers.iter().map(|r| format!("{} by the {} reader", r.seen, r.name)).collect();
                        format!(", {} published, seen {}", exported.published, seen.join(" and "))
                    })
                    .unwrap_or_default()
            ));
        }
        match &mut self.screen {
            Some(screen) => {
                let (export, process) = (audience.export().bytes as u64, Memory::now().resident);
                lines.push(format!("{:<30} export {}, process {}", "memory", bytes(export), bytes(process)));
                screen.show(lines, passed.as_secs_f64().min(self.seconds));
            }
            None => {
                self.told = due;
                eprintln!("{due} s: {}", short.join("; "));
            }
        }
    }

    /// Clears the terminal for what comes next.
    pub(crate) fn finish(self) {
        if let Some(screen) = self.screen {
            // A terminal that cannot be cleared keeps the last lines, which are right.
            _ = screen.all.clear();
        }
    }
}

impl Screen {
    fn new(seconds: f64) -> Self {
        let all = MultiProgress::new();
        let style = ProgressStyle::with_template("{bar:40} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = all.add(ProgressBar::new((seconds * 1e3) as u64).with_style(style));
        Self { lines: Vec::new(), all, bar }
    }

    fn show(&mut self, lines: Vec<String>, passed: f64) {
        while self.lines.len() < lines.len() {
            let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            self.lines.push(self.all.insert_before(&self.bar, ProgressBar::no_length().with_style(style)));
        }
        for (line, text) in self.lines.iter().zip(lines) {
            line.set_message(text);
        }
        self.bar.set_position((passed * 1e3) as u64);
        self.bar.set_message(format!("{passed:.1} s"));
    }
}

fn tap(exported: Option<&Exported>, copy: Times) -> String {
    exported.map_or_else(String::new, |exported| {
        let dropped: u64 = exported.dropped.values().sum();
        let causes: Vec<_> = exported.dropped.iter().map(|(cause, n)| format!("{cause} {n}")).collect();
        let causes = if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
        let (published, Times { p50, p99, .. }) = (exported.published, copy);
        format!("  published {published:>6}  dropped {dropped}{causes}  copy p50 {p50:.0} us, p99 {p99:.0} us")
    })
}

fn reader(reader: &ReaderFigures) -> String {
    let missed: u64 = reader.missed.values().sum();
    format!("  {:<28} seen {:>6}  missed {missed:>6}  lag {}", reader.name, reader.seen, reader.lag)
}

/// Bytes as a person reads them.
pub(crate) fn bytes(bytes: u64) -> String {
    if bytes < 1 << 20 {
        format!("{:.0} KiB", bytes as f64 / 1024.0)
    } else {
        format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
    }
}

/// Frames per second of late.
struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    fn from(start: Instant) -> Self {
        Self { samples: [(start, 0)].into() }
    }

    fn now(&mut self, frames: u64) -> f64 {
        let now = Instant::now();
        self.samples.push_back((now, frames));
        while self.samples.len() > 2 && self.samples.front().is_some_and(|(then, _)| now - *then > WINDOW) {
            self.samples.pop_front();
        }
        let (then, before) = self.samples.front().copied().unwrap_or((now, frames));
        let seconds = (now - then).as_secs_f64();
        if seconds > 0.0 { (frames - before) as f64 / seconds } else { 0.0 }
    }
}
