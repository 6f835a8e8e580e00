//! What an offer costs, beside the fastest raw copy of the same bytes, and beside itself while a reader on another
//! core reads every line of every frame.
//!
//! First a table of medians: the contenders take turns within one run, so that a busy machine hits them alike, and
//! only their ratios are to be read. Then the same offers one by one under criterion.

use std::hint::black_box;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use vas_ring::{Identity, PixelMemory, Plane, Reader, Ring, RingSpec, Writer};
use vas_tap::{CopyMode, Offer, Tap, stream_spec};

/// Frames that stay readable. One more slot takes turns with theirs.
const DEPTH: usize = 4;
/// Offers in a turn, of which the first ones, that find caches and slots as another contender left them and a tap that
/// has yet to learn how to copy, do not count.
const TURN: usize = 180;
const UNCOUNTED: usize = 160;

struct Size {
    name: &'static str,
    format: Pixel,
    width: u32,
    height: u32,
    /// Pixels of each row that are there and not shown, so that rows lie otherwise in the frame than in the ring.
    gap: u32,
}

const fn size(name: &'static str, format: Pixel, width: u32, height: u32, gap: u32) -> Size {
    Size { name, format, width, height, gap }
}

const PICTURES: [Size; 9] = [
    size("360p nv12", Pixel::NV12, 640, 360, 0),
    size("360p yuv420p", Pixel::YUV420P, 640, 360, 0),
    size("360p with gaps", Pixel::YUV420P, 640, 360, 128),
    size("1080p nv12", Pixel::NV12, 1920, 1080, 0),
    size("1080p yuv420p", Pixel::YUV420P, 1920, 1080, 0),
    size("1080p with gaps", Pixel::YUV420P, 1920, 1080, 128),
    size("4K nv12", Pixel::NV12, 3840, 2160, 0),
    size("4K yuv420p", Pixel::YUV420P, 3840, 2160, 0),
    size("4K with gaps", Pixel::YUV420P, 3840, 2160, 256),
];

/// Memory as a camera's ring has it: mapped, in huge pages where the kernel has them, and touched. In small ones, what
/// a copy of 12 MB takes depends on which ones they are, by a fifth.
struct HugePages {
    base: NonNull<u8>,
    len: usize,
}

impl HugePages {
    fn new(len: usize) -> Self {
        const HUGE: usize = 2 << 20;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, with room to start on a boundary within it; the process keeps it to its end.
        unsafe {
            let map = libc::mmap(null_mut(), len + HUGE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
            assert_ne!(map, libc::MAP_FAILED);
            let base = map.cast::<u8>().add(map.cast::<u8>().align_offset(HUGE));
            libc::madvise(base.cast(), len, libc::MADV_HUGEPAGE);
            base.write_bytes(1, len);
            Self { base: NonNull::new(base).unwrap(), len }
        }
    }
}

// SAFETY: memory of the process, which nobody else knows of.
unsafe impl Send for HugePages {}
// SAFETY: as above.
unsafe impl Sync for HugePages {}

/// Memory lent to a ring. The ring gives it back when it goes; until then nobody else may touch it.
struct Lent(Arc<HugePages>);

// SAFETY: as for what is lent, which is used by one at a time.
unsafe impl PixelMemory for Lent {
    fn base(&self) -> NonNull<u8> {
        self.0.base
    }

    fn len(&self) -> usize {
        self.0.len
    }
}

/// Frames as a decoder's pool has them, and memory for a ring of them.
///
/// All contenders copy the same frames into the same memory, one after the other. With memory of their own they differ
/// by up to a fifth at 4K, as do two of the same kind.
struct Stage {
    frames: Vec<Video>,
    spec: RingSpec,
    memory: Arc<HugePages>,
}

/// A ring in the stage's memory, with a tap.
struct Set {
    ring: Ring,
    tap: Tap<Writer>,
}

impl Stage {
    fn new(size: &Size) -> Self {
        let &Size { format, width, height, .. } = size;
        let number = ffmpeg_next::ffi::AVPixelFormat::from(format) as i32;
        let bytes = stream_spec(width, height, number).unwrap().frame_bytes;
        let spec = RingSpec::new(DEPTH, 1, 1, bytes).unwrap();
        let frames = (0..3).map(|n| picture(size, n)).collect();
        Self { frames, spec, memory: Arc::new(HugePages::new(spec.pixel_bytes())) }
    }

    fn set(&self, mode: CopyMode) -> Set {
        assert_eq!(Arc::strong_count(&self.memory), 1, "a former ring has the memory still");
        let memory = Lent(self.memory.clone());
        let (ring, writer) = Ring::new(self.spec, Identity::default(), memory).unwrap();
        Set { ring, tap: Tap::new(writer).with_copy(mode) }
    }

    fn frame(&self, n: usize) -> &Video {
        &self.frames[n % self.frames.len()]
    }

    /// What an offer does has to be right before it is timed. Returns the layout of a slot.
    fn check(&self, mode: CopyMode) -> Vec<Plane> {
        let mut set = self.set(mode);
        let mut reader = set.ring.subscribe().unwrap();
        for frame in &self.frames {
            assert!(matches!(set.tap.offer(frame), Offer::Published(_)));
            let lease = reader.latest().unwrap().expect("just published");
            for (index, (data, linesize)) in planes(frame).into_iter().enumerate() {
                let plane = lease.plane(index).expect("a plane");
                for (y, row) in plane.rows().enumerate() {
                    // SAFETY: a row of a frame that was allocated with this many of them.
                    assert!(row == unsafe { std::slice::from_raw_parts(data.add(y * linesize), row.len()) });
                }
            }
        }
        set.tap.offer(&self.frames[0]);
        reader.latest().unwrap().expect("just published").planes().to_vec()
    }
}

fn picture(size: &Size, seed: u8) -> Video {
    let mut frame = Video::new(size.format, size.width + size.gap, size.height);
    for plane in 0..frame.planes() {
        for (n, byte) in frame.data_mut(plane).iter_mut().enumerate() {
            *byte = (n % 251) as u8 ^ seed;
        }
    }
    // SAFETY: a plain field of a frame that was allocated with rows of at least this many pixels.
    unsafe { (*frame.as_mut_ptr()).width = size.width as i32 };
    frame
}

/// Address and linesize of each plane.
fn planes(frame: &Video) -> Vec<(*const u8, usize)> {
    // SAFETY: plain fields of a frame that was allocated here.
    let (data, linesize) = unsafe { ((*frame.as_ptr()).data, (*frame.as_ptr()).linesize) };
    let planes = data.into_iter().zip(linesize).take_while(|(data, _)| !data.is_null());
    planes.map(|(data, linesize)| (data.cast_const(), linesize as usize)).collect()
}

/// Rows that lie alike in a frame and in a slot are copied as one.
struct Rows {
    data: *const u8,
    linesize: usize,
    /// In the slot.
    offset: usize,
    stride: usize,
    bytes: usize,
    count: usize,
}

/// The same bytes into the same slots in turn, by nothing but a copy.
struct Raw {
    /// For each plane of each frame.
    copies: Vec<Vec<Rows>>,
    base: *mut u8,
    slot_stride: usize,
}

impl Raw {
    fn new(stage: &Stage, layout: &[Plane]) -> Self {
        let rows = |((data, linesize), plane): ((*const u8, usize), &Plane)| {
            let (offset, stride) = (plane.offset as usize, plane.stride as usize);
            let (bytes, count) = (plane.row_bytes as usize, plane.rows as usize);
            let (bytes, count) = if linesize == stride { (stride * count, 1) } else { (bytes, count) };
            Rows { data, linesize, offset, stride, bytes, count }
        };
        let copies = stage.frames.iter().map(|frame| planes(frame).into_iter().zip(layout).map(rows).collect());
        Self { copies: copies.collect(), base: stage.memory.base.as_ptr(), slot_stride: stage.spec.slot_stride() }
    }

    fn run(&self, n: usize, copy: unsafe fn(*const u8, *mut u8, usize)) {
        // SAFETY: no ring has the memory; slots and planes lie within it as a ring's do.
        unsafe {
            let slot = self.base.add(n % (DEPTH + 1) * self.slot_stride);
            for rows in &self.copies[n % self.copies.len()] {
                for y in 0..rows.count {
                    copy(rows.data.add(y * rows.linesize), slot.add(rows.offset + y * rows.stride), rows.bytes);
                }
            }
        }
        fence();
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
    use std::arch::x86_64::{_mm_loadu_si128, _mm_stream_si128};
    // SAFETY: 64 bytes at a time, of whole lines.
    unsafe {
        for at in (0..bytes).step_by(64) {
            let part = |n: usize| _mm_loadu_si128(from.add(at + 16 * n).cast());
            for (n, part) in [part(0), part(1), part(2), part(3)].into_iter().enumerate() {
                _mm_stream_si128(to.add(at + 16 * n).cast(), part);
            }
        }
    }
}

/// Has what was written past the cache arrive before what is written next.
#[cfg(target_arch = "x86_64")]
#[allow(unused_unsafe, reason = "safe from Rust 1.87 on")]
fn fence() {
    // SAFETY: every x86-64 processor has it.
    unsafe { std::arch::x86_64::_mm_sfence() };
}

#[cfg(not(target_arch = "x86_64"))]
use ordinary as past_the_cache;

#[cfg(not(target_arch = "x86_64"))]
fn fence() {}

fn time(this: impl FnOnce()) -> Duration {
    let start = Instant::now();
    this();
    start.elapsed()
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// Runs `this` as often as a turn has it. Keeps what it took once the slots were in its own state.
fn turn(times: &mut Vec<Duration>, mut this: impl FnMut(usize)) {
    for n in 0..TURN {
        let took = time(|| this(n));
        if n >= UNCOUNTED {
            times.push(took);
        }
    }
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

/// The contenders in some order.
fn shuffled<const N: usize>(round: u64) -> [usize; N] {
    let mut order = std::array::from_fn(|n| n);
    let mut random = round.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for n in (1..N).rev() {
        random ^= random >> 29;
        random = random.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        order.swap(n, (random >> 33) as usize % (n + 1));
    }
    order
}

/// Medians of one picture: raw copies, offers that nobody reads, offers that a reader on another core reads.
fn row(size: &Size) {
    let turns = if size.height > 1500 { 14 } else { 30 };
    let modes = [CopyMode::Auto, CopyMode::Cached, CopyMode::Streaming];
    let kernels: [unsafe fn(*const u8, *mut u8, usize); 2] = [ordinary, past_the_cache];
    let stage = Stage::new(size);
    let layouts = modes.map(|mode| stage.check(mode));
    let mut times: [Vec<Duration>; 8] = [const { Vec::new() }; 8];
    for round in 0..turns {
        // In an order that is new each time, so that each comes after each other one: what an ordinary copy leaves in
        // the cache slows the next contender down for longer than a turn.
        for contender in shuffled::<8>(round) {
            let times = &mut times[contender];
            match contender {
                0 | 1 => {
                    let raw = Raw::new(&stage, &layouts[0]);
                    turn(times, |n| raw.run(n, kernels[contender]));
                }
                2..5 => {
                    let mut set = stage.set(modes[contender - 2]);
                    let _reader = set.ring.subscribe().unwrap();
                    turn(times, |n| publish(&mut set.tap, stage.frame(n)));
                }
                _ => {
                    let mut set = stage.set(modes[contender - 5]);
                    let reader = set.ring.subscribe().unwrap();
                    with_reader_on_another_core(reader, |wait| {
                        for n in 0..TURN {
                            let took = time(|| publish(&mut set.tap, stage.frame(n)));
                            if n >= UNCOUNTED {
                                times.push(took);
                            }
                            wait(n as u64);
                        }
                    });
                }
            }
        }
    }
    let [copy, stream, auto, cached, streaming, read_auto, read_cached, read_streaming] =
        times.map(|mut times| median(&mut times));
    println!(
        "{:15} raw {copy:7.1} {stream:7.1}  unread {auto:7.1} {cached:7.1} {streaming:7.1}  \
         read {read_auto:7.1} {read_cached:7.1} {read_streaming:7.1}  auto/raw {:.3}  read/unread {:.3}",
        size.name,
        auto / copy.min(stream),
        read_auto / auto,
    );
}

fn publish(tap: &mut Tap<Writer>, frame: &Video) {
    let offer = tap.offer(frame);
    assert!(matches!(offer, Offer::Published(_)), "{offer:?}");
}

fn table() {
    println!("medians in microseconds; raw: ordinary, streaming; unread and read: auto, cached, streaming");
    for size in &PICTURES {
        row(size);
    }
}

fn single(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("offer");
    for size in &PICTURES {
        let (stage, name) = (Stage::new(size), size.name);
        let mut set = stage.set(CopyMode::Auto);
        group.throughput(Throughput::Bytes(stage.spec.frame_bytes() as u64));
        let mut n = 0;
        group.bench_function(format!("no reader/{name}"), |bencher| {
            bencher.iter(|| {
                n += 1;
                black_box(set.tap.offer(stage.frame(n)))
            });
        });
        let _reader = set.ring.subscribe().unwrap();
        group.bench_function(format!("unread/{name}"), |bencher| {
            bencher.iter(|| {
                n += 1;
                publish(&mut set.tap, stage.frame(n));
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
