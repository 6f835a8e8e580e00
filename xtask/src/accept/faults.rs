//! Criterion 7: cameras that are killed, frozen, and change their size in mid-stream.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Signal;

use super::camera::Camera;
use super::host::{Export, Figures, Host, Moment, Running, timeline};
use super::stage;
use super::verdict::Criterion;
use super::{Bench, Form};

/// Silence that the hosts take for the loss of a camera.
const TIMEOUT: &str = "2";
/// How long a killed camera is away, and how long a frozen one stays frozen: longer than the timeout.
const AWAY: Duration = Duration::from_millis(300);
const FROZEN: Duration = Duration::from_millis(3200);
/// How long a host may take to be back.
const BACK: Duration = Duration::from_secs(20);
/// Frames that show that it is.
const FRAMES: u64 = 10;
const MOST: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// What the allocator makes of the same history twice differs by some MiB. One ring left behind is over nine.
const SLACK: i64 = 8 << 20;

/// A host with a camera to be killed and frozen.
struct Watched {
    export: Export,
    running: Running,
    camera: Camera,
    timeline: PathBuf,
    /// Threads and open files, once it is back for the first time and at the end.
    counts: Vec<(usize, usize)>,
    resident: Vec<u64>,
}

pub(super) fn criterion(bench: &mut Bench) -> Result<Vec<Criterion>> {
    let mut criterion = Criterion::new(7);
    let times = match bench.form {
        Form::Full => 5,
        Form::Quick => 1,
        // What is left of each start shows from the first to the second.
        Form::Saboteur(_) => 2,
    };
    let mut hosts =
        [Export::Absent, Export::On].map(|export| watch(bench, export)).into_iter().collect::<Result<Vec<_>>>()?;
    for host in &mut hosts {
        host.wait_for(1)?;
    }
    let mut opened = 1;
    for n in 0..times {
        for host in &mut hosts {
            host.camera.kill()?;
        }
        thread::sleep(AWAY);
        opened += 1;
        for host in &mut hosts {
            host.camera.restart()?;
        }
        for host in &mut hosts {
            host.wait_for(opened)?;
        }
        for host in &hosts {
            host.camera.freeze()?;
        }
        thread::sleep(FROZEN);
        opened += 1;
        for host in &hosts {
            host.camera.thaw()?;
        }
        for host in &mut hosts {
            host.wait_for(opened)?;
            if n == 0 || n + 1 == times {
                host.count();
            }
        }
    }
    let mut figures = Vec::new();
    for host in hosts {
        host.running.child.signal(Signal::INT)?;
        let (counts, resident) = (host.counts, host.resident);
        figures.push((host.export, host.running.finish(MOST)?, counts, resident));
    }
    let both = format!("{} kills, {} freezes", times, times);
    criterion.tell("to each host's camera", &both);
    for (export, figures, counts, _) in &figures {
        judge(&mut criterion, *export, opened, figures, counts);
    }
    if let [absent, on] = figures.iter().filter_map(|(.., resident)| growth(resident)).collect::<Vec<_>>()[..] {
        let mib = |bytes: i64| format!("{:+.1} MiB", bytes as f64 / f64::from(1 << 20));
        let figure = format!("{}, absent {}", mib(on), mib(absent));
        criterion.judge("on: resident memory", figure, "at most 8 MiB beyond absent", on - absent <= SLACK);
    }
    if !matches!(bench.form, Form::Saboteur(_)) {
        sizes(bench, &mut criterion)?;
    }
    Ok(vec![criterion])
}

fn watch(bench: &Bench, export: Export) -> Result<Watched> {
    let folder = bench.folder(&format!("faults-{}", export.name()))?;
    let camera = Camera::start(&bench.children, &bench.clips.long, &folder.join("camera.log"))?;
    let host = Host::new(bench, export, &folder);
    let host = host.args(["--timeout", TIMEOUT, "--record", "recordings", "--timeline", "timeline.jsonl"]);
    let running = host.args([&camera.url]).start(&bench.children)?;
    let timeline = folder.join("timeline.jsonl");
    Ok(Watched { export, running, camera, timeline, counts: Vec::new(), resident: Vec::new() })
}

impl Watched {
    /// Waits until the host has opened its camera so often, and has had frames since.
    fn wait_for(&mut self, opened: u64) -> Result<()> {
        let deadline = Instant::now() + BACK;
        loop {
            let moments = timeline(&self.timeline);
            let since = moments.iter().find(|moment| moment.opened >= opened);
            let decoded = |moment: Option<&Moment>| moment.map_or(0, |moment| moment.decoded);
            if since.is_some() && decoded(moments.last()) >= decoded(since) + FRAMES {
                return Ok(());
            }
            let name = self.export.name();
            ensure!(
                self.running.child.is_running()?,
                "the host with export {name} ended; see {}",
                self.timeline.display()
            );
            ensure!(
                Instant::now() < deadline,
                "the host with export {name} is not back after {} s: opened {} times, not {opened}; see {}",
                BACK.as_secs(),
                moments.last().map_or(0, |moment| moment.opened),
                self.timeline.display()
            );
            thread::sleep(POLL);
        }
    }

    fn count(&mut self) {
        let process = PathBuf::from(format!("/proc/{}", self.running.child.id()));
        let count = |what: &str| fs::read_dir(process.join(what)).map_or(0, Iterator::count);
        self.counts.push((count("task"), count("fd")));
        self.resident.extend(timeline(&self.timeline).last().map(|moment| moment.resident));
    }
}

/// From the first look to the last.
fn growth(resident: &[u64]) -> Option<i64> {
    let [first, .., last] = resident else { return None };
    Some(*last as i64 - *first as i64)
}

fn judge(criterion: &mut Criterion, export: Export, opened: u64, figures: &Figures, counts: &[(usize, usize)]) {
    let name = export.name();
    let camera = &figures.cameras[0];
    criterion.judge(format!("{name}: opened"), camera.opened, opened, camera.opened == opened);
    let faults = figures.faults.join("; ");
    // Order and loss are checked by the readers as they go.
    let figure = if faults.is_empty() { "add up, in order" } else { &faults };
    criterion.judge(format!("{name}: sums, ids and losses"), figure, "add up, in order", faults.is_empty());
    if let [first, .., last] = counts {
        let figure = format!("{} and {}, then {} and {}", first.0, first.1, last.0, last.1);
        criterion.judge(
            format!("{name}: threads and open files"),
            figure,
            "no more",
            last.0 <= first.0 && last.1 <= first.1,
        );
    }
    if export == Export::On {
        for reader in ["brisk", "slow"] {
            let epochs = camera.reader(reader).map_or(0, |reader| reader.epochs);
            criterion.judge(format!("{name}: epochs that reader {reader} saw"), epochs, opened, epochs == opened);
        }
        criterion.judge(format!("{name}: bytes left"), figures.export.left, 0, figures.export.left == 0);
        let warning = camera.warning.as_deref().unwrap_or("none");
        criterion.judge(format!("{name}: warnings"), warning, "none", camera.warning.is_none());
    }
}

/// Sizes that change five times in mid-stream.
fn sizes(bench: &Bench, criterion: &mut Criterion) -> Result<()> {
    let hosts = stage::rtsp(bench, "sizes", &[&bench.clips.sizes], &[Export::Absent, Export::On])?;
    for (export, shown) in &hosts {
        let camera = &shown.figures.cameras[0];
        let name = format!("{}, five changes of size", export.name());
        let files = camera.branch("recording").map_or(0, |branch| branch.files.len());
        criterion.judge(format!("{name}: recordings"), files, 6, files == 6);
        let faults = shown.figures.faults.join("; ");
        let figure = if faults.is_empty() { "add up, in order" } else { &faults };
        criterion.judge(format!("{name}: sums"), figure, "add up, in order", faults.is_empty());
    }
    let (absent, on) = (&hosts[&Export::Absent].figures, &hosts[&Export::On].figures);
    let (before, camera) = (&absent.cameras[0], &on.cameras[0]);
    let name = "on, five changes of size";
    let same = before.decoded == camera.decoded && before.decoded > 0;
    criterion.judge(format!("{name}: frames"), camera.decoded, format!("{}, as absent", before.decoded), same);
    // The larger size outgrows the first ring once; from then on all fit.
    let rings = camera.reader("brisk").map_or(0, |reader| reader.generations);
    criterion.judge(format!("{name}: rings that reader brisk saw"), rings, 2, rings == 2);
    criterion.judge(format!("{name}: bytes left"), on.export.left, 0, on.export.left == 0);
    let dropped = camera.exported.as_ref().map(|exported| &exported.dropped);
    let sum: u64 = dropped.into_iter().flat_map(|dropped| dropped.values()).sum();
    let causes: Vec<_> = dropped.into_iter().flatten().map(|(cause, n)| format!("{cause} {n}")).collect();
    // How long a ring is in the making depends on what else the machine does.
    let (what, full) = (format!("{name}: dropped"), bench.form == Form::Full);
    criterion.weigh(full, what, causes.join(", "), "less than a second's", sum < 25);
    Ok(())
}
