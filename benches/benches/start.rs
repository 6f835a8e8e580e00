//! What it takes to start a camera: the thread that starts it, until its first frame is published, and sixteen at once.
//!
//! First a table, of which the largest figure matters as much as the median, since each start delays one video. Then the
//! start by itself under criterion.

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use vas_lifecycle::{CameraWriter, FrameEntry, FrameExport, FrameSink, Settings, StreamSpec};

const SIZES: [(&str, u32, u32); 4] =
    [("360p", 640, 360), ("720p", 1280, 720), ("1080p", 1920, 1080), ("4K", 3840, 2160)];
/// Starts of each size.
const STARTS: usize = 300;
/// Cameras that are started at once, how often, and how often each decodes a frame.
const TOGETHER: usize = 16;
const ROUNDS: usize = 20;
const EVERY: Duration = Duration::from_millis(1);
/// When a frame is not published by then, something is wrong.
const LONGEST: Duration = Duration::from_secs(10);

fn stream(width: u32, height: u32) -> StreamSpec {
    StreamSpec { width, height, frame_bytes: (width * height * 3 / 2) as usize }
}

fn export() -> FrameExport {
    let export = FrameExport::new(Settings { memory_budget: 2 << 30, ..Settings::default() });
    assert!(export.is_enabled(), "{:?}", export.problems());
    export
}

/// Offers a frame. Whether it was published.
fn offer(writer: &mut CameraWriter, bytes: usize) -> bool {
    let Ok(claim) = writer.claim(bytes) else { return false };
    claim.publish(&FrameEntry { bytes: bytes as u32, ..FrameEntry::default() });
    true
}

/// Offers frames until one is published. Returns how long after the first one that was.
fn until_published(writer: &mut CameraWriter, bytes: usize, every: Duration) -> Duration {
    let first = Instant::now();
    while !offer(writer, bytes) {
        assert!(first.elapsed() < LONGEST, "no frame is published");
        thread::sleep(every);
    }
    first.elapsed()
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

fn line(what: &str, times: &[Duration]) {
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let at = |percent: usize| us(times[(times.len() - 1) * percent / 100]);
    println!("| {what} | {:.1} | {:.1} | {:.1} |", at(50), at(99), at(100));
}

/// One camera after the other: each has its ring before the next one starts, so that the control side works meanwhile.
fn one_by_one() {
    println!("\n| one camera, us | median | p99 | at most |\n|---|---:|---:|---:|");
    for (name, width, height) in SIZES {
        for told in [true, false] {
            let export = export();
            let stream = stream(width, height);
            let (mut starting, mut publishing) = (Vec::new(), Vec::new());
            for n in 0..STARTS {
                // Another name each time, and another size, so that none finds memory that has just gone back.
                let id = format!("camera {n}");
                let stream = StreamSpec { frame_bytes: stream.frame_bytes + 4096 * n, ..stream };
                let began = Instant::now();
                let writer = export.camera(&id);
                let mut writer = if told { writer.expecting(stream) } else { writer };
                starting.push(began.elapsed());
                publishing.push(until_published(&mut writer, stream.frame_bytes, Duration::from_micros(200)));
            }
            let how = if told { "its size told" } else { "its size from the first frame" };
            line(&format!("{name}, {how}: start"), &sorted(starting));
            line(&format!("{name}, {how}: first frame to first published"), &sorted(publishing));
        }
    }
}

/// Sixteen cameras of 1080p, each on a thread of its own that starts it and decodes, all at the same moment.
fn together() {
    println!("\n| {TOGETHER} cameras of 1080p at once, us | median | p99 | at most |\n|---|---:|---:|---:|");
    let stream = stream(1920, 1080);
    let (mut starting, mut publishing) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // A new one each time, so that no memory waits for them.
        let export = export();
        let barrier = Arc::new(Barrier::new(TOGETHER));
        let cameras: Vec<_> = (0..TOGETHER)
            .map(|n| {
                let (export, barrier) = (export.clone(), barrier.clone());
                thread::spawn(move || {
                    let id = format!("camera {n}");
                    barrier.wait();
                    let began = Instant::now();
                    let mut writer = export.camera(&id);
                    let started = began.elapsed();
                    (started, until_published(&mut writer, stream.frame_bytes, EVERY), writer)
                })
            })
            .collect();
        // All of them run until all have published.
        let cameras: Vec<_> = cameras.into_iter().map(|camera| camera.join().expect("no camera panics")).collect();
        for (started, published, _) in &cameras {
            starting.push(*started);
            publishing.push(*published);
        }
    }
    line("start", &sorted(starting));
    line("first frame to first published", &sorted(publishing));
}

fn alone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start");
    for (name, width, height) in [SIZES[0], SIZES[3]] {
        let export = export();
        group.bench_function(name, |b| {
            b.iter_batched(
                || (),
                // Dropped by the bench, outside of what it times.
                |()| black_box(export.camera("front door").expecting(stream(width, height))),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn main() {
    // As a test it only has to run.
    if !std::env::args().any(|argument| argument == "--test") {
        one_by_one();
        together();
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    alone(&mut criterion);
    criterion.final_summary();
}
