//! What an offer costs, beside the fastest raw copy of the same bytes, and beside itself while a reader on another
//! core reads every line of every frame.
//!
//! First a table of medians: the contenders take turns within one run, so that a busy machine hits them alike, and
//! only their ratios are to be read. Then the same offers one by one under criterion.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use vas_ring::{CopyMode, HeapMemory, Identity, PixelMemory, Reader, Ring, RingSpec, Writer};
use vas_tap::{Offer, Tap, stream_spec};

/// Frames that stay readable. One more slot takes turns with theirs.
const DEPTH: usize = 4;
/// Offers in a turn, of which the first ones, that find the slots in another contender's state, do not count.
const TURN: usize = 16;
const UNCOUNTED: usize = DEPTH + 2;

const PICTURES: [(&str, Pixel, u32, u32); 6] = [
    ("360p nv12", Pixel::NV12, 640, 360),
    ("360p yuv420p", Pixel::YUV420P, 640, 360),
    ("1080p nv12", Pixel::NV12, 1920, 1080),
    ("1080p yuv420p", Pixel::YUV420P, 1920, 1080),
    ("4K nv12", Pixel::NV12, 3840, 2160),
    ("4K yuv420p", Pixel::YUV420P, 3840, 2160),
];

/// A ring with one reader's place, its tap, and frames as a decoder's pool has them.
struct Stage {
    ring: Ring,
    tap: Tap<Writer>,
    frames: Vec<Video>,
    bytes: usize,
}

impl Stage {
    fn new(format: Pixel, width: u32, height: u32, mode: CopyMode) -> Self {
        let number = ffmpeg_next::ffi::AVPixelFormat::from(format) as i32;
        let bytes = stream_spec(width, height, number).unwrap().frame_bytes;
        let spec = RingSpec::new(DEPTH, 1, 1, bytes).unwrap();
        let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).unwrap();
        let frames = (0..3).map(|n| picture(format, width, height, n)).collect();
        Self { ring, tap: Tap::new(writer).with_copy(mode), frames, bytes }
    }

    fn offer(&mut self, n: usize) {
        let offer = self.tap.offer(&self.frames[n % self.frames.len()]);
        assert!(matches!(offer, Offer::Published(_)));
    }

    /// What an offer does has to be right before it is timed.
    fn check(&mut self, reader: &mut Reader) {
        for n in 0..self.frames.len() {
            self.offer(n);
            let lease = reader.latest().unwrap().expect("just published");
            for (index, (data, linesize)) in planes(&self.frames[n]).into_iter().enumerate() {
                let plane = lease.plane(index).expect("a plane");
                for (y, row) in plane.rows().enumerate() {
                    // SAFETY: a row of a frame that was allocated with this many of them.
                    assert!(row == unsafe { std::slice::from_raw_parts(data.add(y * linesize), row.len()) });
                }
            }
        }
    }
}

fn picture(format: Pixel, width: u32, height: u32, seed: u8) -> Video {
    let mut frame = Video::new(format, width, height);
    for plane in 0..frame.planes() {
        for (n, byte) in frame.data_mut(plane).iter_mut().enumerate() {
            *byte = (n % 251) as u8 ^ seed;
        }
    }
    frame
}

/// Address and linesize of each plane.
fn planes(frame: &Video) -> Vec<(*const u8, usize)> {
    // SAFETY: plain fields of a frame that was allocated here.
    let (data, linesize) = unsafe { ((*frame.as_ptr()).data, (*frame.as_ptr()).linesize) };
    let planes = data.into_iter().zip(linesize).take_while(|(data, _)| !data.is_null());
    planes.map(|(data, linesize)| (data.cast_const(), linesize as usize)).collect()
}

/// The same bytes into as many buffers, at the same distances, by nothing but a copy.
struct Raw {
    memory: HeapMemory,
    slot_stride: usize,
    /// Source, and offset and bytes of the destination, for each plane of each frame.
    copies: Vec<Vec<(*const u8, usize, usize)>>,
    copy: unsafe fn(*const u8, *mut u8, usize),
}

impl Raw {
    fn new(stage: &mut Stage, reader: &mut Reader, copy: unsafe fn(*const u8, *mut u8, usize)) -> Self {
        stage.offer(0);
        let layout = reader.latest().unwrap().expect("just published").planes().to_vec();
        let spec = *stage.ring.spec();
        let copies = stage.frames.iter().map(|frame| {
            let planes = planes(frame).into_iter().zip(&layout);
            planes
                .map(|((data, linesize), plane)| {
                    assert_eq!(linesize, plane.stride as usize, "whole planes");
                    (data, plane.offset as usize, (plane.stride * plane.rows) as usize)
                })
                .collect()
        });
        Self { memory: HeapMemory::for_spec(&spec), slot_stride: spec.slot_stride(), copies: copies.collect(), copy }
    }

    fn run(&self, n: usize) {
        // SAFETY: the slots share out the memory; planes lie within them as they do in the ring's.
        unsafe {
            let slot = self.memory.base().as_ptr().add(n % (DEPTH + 1) * self.slot_stride);
            for &(data, offset, bytes) in &self.copies[n % self.copies.len()] {
                (self.copy)(data, slot.add(offset), bytes);
            }
        }
    }
}

/// # Safety
///
/// As `copy_nonoverlapping`.
unsafe fn ordinary(from: *const u8, to: *mut u8, bytes: usize) {
    // SAFETY: passed on.
    unsafe { std::ptr::copy_nonoverlapping(from, to, bytes) };
}

/// # Safety
///
/// As `copy_nonoverlapping`; `to` is on a line boundary, and `bytes` are whole lines.
#[cfg(target_arch = "x86_64")]
unsafe fn past_the_cache(from: *const u8, to: *mut u8, bytes: usize) {
    use std::arch::x86_64::{_mm_loadu_si128, _mm_sfence, _mm_stream_si128};
    // SAFETY: 64 bytes at a time, of whole lines.
    unsafe {
        for at in (0..bytes).step_by(64) {
            let part = |n: usize| _mm_loadu_si128(from.add(at + 16 * n).cast());
            for (n, part) in [part(0), part(1), part(2), part(3)].into_iter().enumerate() {
                _mm_stream_si128(to.add(at + 16 * n).cast(), part);
            }
        }
    }
    #[allow(unused_unsafe, reason = "safe from Rust 1.87 on")]
    // SAFETY: every x86-64 processor has it.
    unsafe {
        _mm_sfence();
    }
}

#[cfg(not(target_arch = "x86_64"))]
use ordinary as past_the_cache;

fn time(this: impl FnOnce()) -> Duration {
    let start = Instant::now();
    this();
    start.elapsed()
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// The contenders in turns, each as often as the others. Returns their medians in microseconds.
fn in_turns<const N: usize>(turns: usize, mut run: impl FnMut(usize, usize)) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for turn in 0..turns {
        for place in 0..N {
            // Each comes after each other one.
            let contender = if turn % 2 == 0 { place } else { N - 1 - place };
            for n in 0..TURN {
                let took = time(|| run(contender, n));
                if n >= UNCOUNTED {
                    times[contender].push(took);
                }
            }
        }
    }
    times.map(|mut times| median(&mut times))
}

/// Reads one word of every line of each newest frame, on a thread of its own, and tells which frame it has read.
fn with_reader_on_another_core<T>(reader: Reader, body: impl FnOnce(&dyn Fn(u64)) -> T) -> T {
    let (read, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut reader = reader;
            // Ordering: Relaxed, a flag that orders nothing.
            while !stop.load(Ordering::Relaxed) {
                if let Ok(Some(lease)) = reader.latest() {
                    let sum: u64 = lease.pixels().iter().step_by(64).map(|&byte| u64::from(byte)).sum();
                    black_box(sum);
                    let id = lease.frame_id;
                    drop(lease);
                    // Ordering: Release pairs with the Acquire of the wait: the lease is given back before.
                    read.store(id + 1, Ordering::Release);
                }
                std::hint::spin_loop();
            }
        });
        let result = body(&|id| {
            // Ordering: Acquire pairs with the Release of the reader.
            while read.load(Ordering::Acquire) <= id {
                std::hint::spin_loop();
            }
        });
        // Ordering: Relaxed, a flag that orders nothing.
        stop.store(true, Ordering::Relaxed);
        result
    })
}

/// Medians of one picture: raw copies, offers that nobody reads, offers that a reader on another core reads.
fn row(name: &str, format: Pixel, width: u32, height: u32) {
    let turns = if height > 1500 { 8 } else { 24 };
    let modes = CopyMode::ALL;

    let mut stages = modes.map(|mode| Stage::new(format, width, height, mode));
    let mut readers = stages.each_ref().map(|stage| stage.ring.subscribe().unwrap());
    for (stage, reader) in stages.iter_mut().zip(&mut readers) {
        stage.check(reader);
    }
    let kernels: [unsafe fn(*const u8, *mut u8, usize); 2] = [ordinary, past_the_cache];
    let raw = kernels.map(|kernel| Raw::new(&mut stages[0], &mut readers[0], kernel));
    let [copy, stream, auto, cached, streaming] = in_turns(turns, |contender, n| match contender {
        0 | 1 => raw[contender].run(n),
        _ => stages[contender - 2].offer(n),
    });
    let fastest = copy.min(stream);
    print!("{name:14} raw {copy:7.1} {stream:7.1}  unread {auto:7.1} {cached:7.1} {streaming:7.1}");

    let mut read = [0.0; 3];
    for ((stage, reader), read) in stages.iter_mut().zip(readers).zip(&mut read) {
        *read = with_reader_on_another_core(reader, |wait| {
            let mut times = Vec::new();
            for n in 0..turns * TURN {
                let mut offer = Offer::Off;
                let took = time(|| offer = stage.tap.offer(&stage.frames[n % stage.frames.len()]));
                let Offer::Published(id) = offer else { panic!("{offer:?}") };
                if n >= 2 * UNCOUNTED {
                    times.push(took);
                }
                wait(id);
            }
            median(&mut times)
        });
    }
    println!(
        "  read {:7.1} {:7.1} {:7.1}  auto/raw {:.3}  read/unread {:.3}",
        read[0],
        read[1],
        read[2],
        auto / fastest,
        read[0] / auto,
    );
}

fn table() {
    println!("medians in microseconds; raw: ordinary, streaming; unread and read: auto, cached, streaming");
    for (name, format, width, height) in PICTURES {
        row(name, format, width, height);
    }
}

fn single(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("offer");
    for (name, format, width, height) in PICTURES {
        let mut stage = Stage::new(format, width, height, CopyMode::Auto);
        group.throughput(Throughput::Bytes(stage.bytes as u64));
        let mut n = 0;
        group.bench_function(format!("no reader/{name}"), |bencher| {
            bencher.iter(|| {
                n += 1;
                black_box(stage.tap.offer(&stage.frames[n % stage.frames.len()]))
            });
        });
        let _reader = stage.ring.subscribe().unwrap();
        group.bench_function(format!("unread/{name}"), |bencher| {
            bencher.iter(|| {
                n += 1;
                stage.offer(n);
            });
        });
    }
    group.finish();
}

fn main() {
    // `cargo test` runs benches too, to see that they run.
    if std::env::args().any(|argument| argument == "--bench") {
        table();
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    single(&mut criterion);
    criterion.final_summary();
}
