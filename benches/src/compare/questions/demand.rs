//! Question 7: what copies cost that follow what readers want, and what it costs to wait for frames.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use vas_lifecycle::{
    CameraId, CameraWriter, FrameEntry, FrameExport, FrameSink, Rate, Readers, Settings, StreamSpec, Watch,
    monotonic_ns,
};

use super::decode::{Film, Way, clip};
use super::order;
use crate::compare::contender::Kind;
use crate::compare::contenders::camera::{Camera, FPS, Wanted, started};
use crate::compare::contenders::ffmpeg::{MutexRing, Nothing, rows};
use crate::compare::lab::Lab;
use crate::compare::report::{Section, Table};
use crate::compare::spread::median;

/// A fifth of a second of film, at the speed at which it is decoded.
const SLOW: Duration = Duration::from_millis(20);

/// What a reader gets is what was decoded, row by row, and nothing from before.
fn check(way: &mut Way, film: &mut Film) -> Result<()> {
    let Way { export, readers, name, .. } = way;
    let (mut n, mut wrong, mut shown) = (0, None, 0);
    film.play(|frame| {
        export.offer(frame);
        let mut expected = Vec::new();
        rows(frame, &mut |plane, row| expected.push((plane, row.to_vec())));
        for reader in &mut *readers {
            let (mut place, mut same) = (0, true);
            let looked = reader.look(&mut |plane, row| {
                same &= expected.get(place).is_some_and(|(p, r)| *p == plane && r == row);
                place += 1;
            });
            shown += u64::from(looked);
            if looked && (!same || place != expected.len()) {
                wrong.get_or_insert(n);
            }
        }
        n += 1;
    })?;
    ensure!(wrong.is_none(), "{name} shows frame {} otherwise than it was decoded", wrong.unwrap_or_default());
    ensure!(readers.is_empty() || shown > 0, "{name} shows no frame");
    Ok(())
}

fn copies(lab: &Lab, out: &Path, source: &Path) -> Result<(Table, String)> {
    let mut film = Film::open(&clip(out, source)?, lab.or_quick(usize::MAX, 24))?;
    let stream = vas_tap::stream_spec_of(&film.decoder)?;
    let camera = |wanted| Camera::new(stream, wanted).map_err(anyhow::Error::msg);
    let every = Wanted::At(Rate::Newest);
    let mut ways = [
        Way::new("decoding alone", Kind::Limit, Nothing, 0),
        Way::new("no reader", Kind::Ours, camera(every)?, 0),
        Way::new("5 per second", Kind::Ours, camera(Wanted::At(Rate::PerSecond(5.0)))?, 1),
        Way::new("on request, as slow as 200 ms", Kind::Ours, camera(Wanted::Slowly(SLOW))?, 1),
        Way::new("every frame", Kind::Ours, camera(every)?, 1),
        Way::new("every frame, 4 of 5 skipped by hand", Kind::Peer, camera(Wanted::SkippedByHand)?, 1),
        Way::new("av_frame_clone + copy + Mutex ring, all taken", Kind::Peer, MutexRing::of_copies(), 1),
    ];
    film.play(|_| ())?;
    for way in &mut ways[1..] {
        check(way, &mut film)?;
    }
    let before: Vec<_> = ways.iter().map(|way| way.export.copies()).collect();
    for round in 0..lab.or_quick(11, 1) {
        for n in order(round, ways.len()) {
            ways[n].pass(lab, &mut film)?;
        }
        eprintln!("  round {}", round + 1);
    }
    let mut table = Table::new("Decode and export by demand", &["copies/s", "wall to none", "CPU to none"]);
    let (wall, cpu) = (ways[0].wall_ns.clone(), ways[0].cpu_ns.clone());
    let to = |values: &[f64], base: &[f64]| {
        median(&values.iter().zip(base).map(|(value, base)| value / base).collect::<Vec<_>>())
    };
    for (way, before) in ways.iter().zip(before) {
        let per_second = match (before, way.export.copies()) {
            (Some(before), Some(now)) => (now.0 - before.0) as f64 / ((now.1 - before.1) as f64 / FPS as f64),
            _ if way.kind == Kind::Peer => FPS as f64,
            _ => 0.0,
        };
        table.push(way.name, way.kind, vec![Some(per_second), to(&way.wall_ns, &wall), to(&way.cpu_ns, &cpu)]);
    }
    let note = format!(
        "1920x1080 H.264, {} frames, played in turns as in question 5, as fast as it decodes. Rates count in the film's own \
         time, {FPS} frames a second: the tap's demand is given that time, and pays for the reading of the clock all the \
         same. So 5 per second are one frame in five. The reader on request waits {SLOW:?} between two requests, about as \
         long as five frames take. Who takes all is like an `appsink`.",
        film.packets.len()
    );
    Ok((table, note))
}

/// What waiting took.
#[derive(Default)]
struct Waiting {
    cpu: f64,
    wake_ups: u64,
    late_ns: Vec<u64>,
}

/// Processor time of the calling thread in seconds, and how often it slept.
fn usage() -> Result<(f64, u64)> {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let status = fs::read_to_string("/proc/thread-self/status").context("Linux tells how often a thread slept")?;
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let switches = line.and_then(|n| n.trim().parse().ok()).context("voluntary_ctxt_switches")?;
    Ok((time.tv_sec as f64 + time.tv_nsec as f64 / 1e9, switches))
}

/// Reads until `stop`, from when `measured` says so on.
fn wait(mut readers: Readers, measured: &AtomicBool, stop: &AtomicBool) -> Result<Waiting> {
    let mut waiting = Waiting::default();
    // Ordering: Relaxed, here and below: a frame more or less does not matter.
    while !measured.load(Ordering::Relaxed) {
        let _ = readers.wait(Duration::from_millis(100)).count();
    }
    let before = usage()?;
    while !stop.load(Ordering::Relaxed) {
        for frame in readers.wait(Duration::from_millis(500)) {
            waiting.late_ns.push(monotonic_ns().saturating_sub(frame.monotonic_ns));
        }
    }
    let after = usage()?;
    (waiting.cpu, waiting.wake_ups) = (after.0 - before.0, after.1 - before.1);
    Ok(waiting)
}

fn publish(writer: &mut CameraWriter, bytes: usize) {
    let Ok(mut claim) = writer.claim(bytes) else { return };
    claim.pixels_mut()[..8].fill(1);
    let monotonic_ns = monotonic_ns();
    claim.publish(&FrameEntry { bytes: bytes as u32, monotonic_ns, ..FrameEntry::default() });
}

/// Cameras of small frames at 25 a second each, or idle, read by a thread each or by one.
fn waiting(lab: &Lab, cameras: usize, plays: bool, one_set: bool) -> Result<Waiting> {
    const BYTES: usize = 1024;
    let seconds = lab.or_quick(4.0, 0.5);
    let export = FrameExport::new(Settings { memory_reserve: 0, ..Settings::default() });
    let names: Vec<_> = (0..cameras).map(|n| CameraId::from_name(&format!("camera {n}"))).collect();
    let stream = StreamSpec { width: 32, height: 32, frame_bytes: BYTES };
    let writers: Result<Vec<_>, _> = names.iter().map(|name| started(&export, name.as_str(), stream)).collect();
    let mut writers = writers.map_err(anyhow::Error::msg)?;
    let sets: Vec<_> = match one_set {
        true => vec![export.watch(Watch::all())],
        false => names.iter().map(|name| export.watch(name)).collect(),
    };
    let (measured, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let threads = sets.into_iter().enumerate().map(|(n, set)| {
            let (measured, stop) = (&measured, &stop);
            scope.spawn(move || {
                lab.pin_reader(n);
                wait(set, measured, stop)
            })
        });
        let threads: Vec<_> = threads.collect();
        let start = Instant::now();
        let learning = Duration::from_secs_f64(lab.or_quick(1.5, 0.2));
        let end = learning + Duration::from_secs_f64(seconds);
        // Cameras are apart by equal times.
        let interval = Duration::from_secs(1) / FPS as u32;
        let mut n = 0_u32;
        while start.elapsed() < end {
            let due = if plays { interval * n / cameras as u32 } else { start.elapsed() + Duration::from_millis(50) };
            thread::sleep(due.saturating_sub(start.elapsed()));
            if plays {
                publish(&mut writers[n as usize % cameras], BYTES);
            }
            n += 1;
            measured.store(start.elapsed() >= learning, Ordering::Relaxed);
        }
        stop.store(true, Ordering::Relaxed);
        let mut sum = Waiting::default();
        for thread in threads {
            let one = thread.join().map_err(|_| anyhow::anyhow!("a reader panicked"))??;
            sum.cpu += one.cpu / seconds;
            sum.wake_ups += one.wake_ups;
            sum.late_ns.extend(one.late_ns);
        }
        Ok(sum)
    })
}

fn wait_tables(lab: &Lab) -> Result<[Table; 2]> {
    let mut playing = Table::new(
        "Waiting for cameras at 25 frames a second",
        &["% of a core", "wake-ups per frame", "added p50 us", "added p99 us"],
    );
    let mut idle = Table::new("Waiting for cameras that are idle", &["% of a core", "wake-ups/s"]);
    let seconds = lab.or_quick(4.0, 0.5);
    for (cameras, each, set) in [
        (1, "1 camera", "1 camera, a set"),
        (16, "16 cameras, a thread each", "16 cameras, one set"),
        (64, "64 cameras, a thread each", "64 cameras, one set"),
    ] {
        for (name, one_set) in [(each, false), (set, true)] {
            let Waiting { cpu, wake_ups, mut late_ns } = waiting(lab, cameras, true, one_set)?;
            late_ns.sort_unstable();
            let at = |share: usize| late_ns.get(late_ns.len() * share / 100).map(|&ns| ns as f64 / 1e3);
            let per_frame = wake_ups as f64 / late_ns.len().max(1) as f64;
            playing.push(name, Kind::Ours, vec![Some(cpu * 100.0), Some(per_frame), at(50), at(99)]);
            let Waiting { cpu, wake_ups, .. } = waiting(lab, cameras, false, one_set)?;
            idle.push(name, Kind::Ours, vec![Some(cpu * 100.0), Some(wake_ups as f64 / seconds)]);
            eprintln!("  {name}");
        }
    }
    Ok([playing, idle])
}

/// The answer.
///
/// # Errors
///
/// When the clip cannot be made or decoded, when a camera gets no ring, or when other frames are shown than were decoded.
pub fn ask(lab: &Lab, out: &Path, source: &Path) -> Result<Section> {
    let (table, note) = copies(lab, out, source)?;
    let [playing, idle] = wait_tables(lab)?;
    let waits = "Waiting: readers of every frame sleep in `wait`. *Added* is the time from the frame's stamp, which is made \
                 just before it is published, to its being handed out. Wake-ups are the thread's voluntary context switches.";
    Ok(Section {
        number: 7,
        question: "Copies that follow demand, and what it costs to wait",
        notes: vec![note, waits.into()],
        tables: vec![table, playing, idle],
    })
}
