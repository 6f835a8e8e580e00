//! The ring by itself: what publishing, borrowing and polling cost.
//!
//! Each bench first checks that what it is about to time works.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use vas_ring::{FrameEntry, HeapMemory, Identity, Reader, Ring, RingSpec, Writer};

/// Bytes of a 1920x1080 frame in 4:2:0.
const FULL_HD: usize = 1920 * 1080 * 3 / 2;

fn ring(depth: usize, readers: usize, budget: usize, frame_bytes: usize) -> (Ring, Writer, FrameEntry) {
    let spec = RingSpec::new(depth, readers, budget, frame_bytes).unwrap();
    let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).unwrap();
    (ring, writer, FrameEntry { bytes: frame_bytes as u32, ..FrameEntry::default() })
}

#[inline]
fn publish(writer: &mut Writer, entry: &FrameEntry, frame: &[u8]) -> u64 {
    let mut claim = writer.claim().expect("the writer was refused");
    claim.pixels_mut()[..frame.len()].copy_from_slice(frame);
    claim.publish(entry)
}

/// Asserts that a frame comes through.
fn check(ring: &Ring, writer: &mut Writer, entry: &FrameEntry, frame: &[u8]) {
    let mut reader = ring.subscribe().unwrap();
    let id = publish(writer, entry, frame);
    let lease = reader.latest().unwrap().expect("published");
    assert_eq!((lease.frame_id, lease.pixels()), (id, frame));
    assert!(reader.latest().unwrap().is_none());
}

/// Publishing 64 bytes without a reader, at depths with and without a list of the newest.
fn alone(c: &mut Criterion) {
    let mut group = c.benchmark_group("publish 64 B, no reader");
    for depth in [1, 4] {
        let (ring, mut writer, entry) = ring(depth, 4, 1, 64);
        let frame = [7; 64];
        check(&ring, &mut writer, &entry, &frame);
        group.bench_function(format!("depth {depth}"), |b| {
            b.iter(|| publish(&mut writer, black_box(&entry), black_box(&frame)));
        });
    }
}

/// Borrowing and giving back on the core that publishes, measured as what it adds to publishing.
fn same_core(c: &mut Criterion) {
    let mut group = c.benchmark_group("same core");
    let (ring, mut writer, entry) = ring(1, 1, 1, 64);
    let frame = [7; 64];
    check(&ring, &mut writer, &entry, &frame);
    let mut reader = ring.subscribe().unwrap();
    group.bench_function("publish", |b| b.iter(|| publish(&mut writer, black_box(&entry), black_box(&frame))));
    group.bench_function("publish, lease and release", |b| {
        b.iter(|| {
            publish(&mut writer, black_box(&entry), black_box(&frame));
            black_box(reader.latest().unwrap()).is_some()
        });
    });
    publish(&mut writer, &entry, &frame);
    drop(reader.latest().unwrap().expect("published"));
    group.bench_function("idle poll", |b| b.iter(|| matches!(black_box(&mut reader).latest(), Ok(None))));
}

/// Publishing while readers on other cores poll as fast as they can.
fn contended(c: &mut Criterion) {
    let mut group = c.benchmark_group("publish 64 B, spinning readers");
    for readers in [1, 4] {
        let (ring, mut writer, entry) = ring(1, readers, 1, 64);
        let frame = [7; 64];
        check(&ring, &mut writer, &entry, &frame);
        let stop = AtomicBool::new(false);
        let subscribed: Vec<Reader> = (0..readers).map(|_| ring.subscribe().unwrap()).collect();
        let spin = |mut reader: Reader| {
            while !stop.load(Relaxed) {
                if let Ok(Some(lease)) = reader.latest() {
                    assert_eq!(lease.pixels()[0], 7);
                }
                spin_loop();
            }
            reader.stats().seen
        };
        let seen: u64 = thread::scope(|scope| {
            let reading: Vec<_> = subscribed.into_iter().map(|reader| scope.spawn(move || spin(reader))).collect();
            group.bench_function(readers.to_string(), |b| {
                b.iter(|| publish(&mut writer, black_box(&entry), black_box(&frame)));
            });
            // The newest frame is there for whoever has read none yet.
            publish(&mut writer, &entry, &frame);
            while ring.readers().iter().any(|reader| reader.lag > 0) {
                thread::yield_now();
            }
            stop.store(true, Relaxed);
            reading.into_iter().map(|reader| reader.join().unwrap()).sum()
        });
        assert!(seen >= readers as u64, "nobody read while the bench ran");
    }
}

/// A full-size frame through the ring, beside the copy of the same bytes between as many buffers.
fn full_hd(c: &mut Criterion) {
    let mut group = c.benchmark_group("1080p");
    group.throughput(Throughput::Bytes(FULL_HD as u64));
    let (ring, mut writer, entry) = ring(2, 1, 1, FULL_HD);
    let frame: Vec<u8> = (0..FULL_HD).map(|n| (n * 31) as u8).collect();
    check(&ring, &mut writer, &entry, &frame);
    group.bench_function("publish", |b| b.iter(|| publish(&mut writer, &entry, black_box(&frame))));
    // As many as take turns in the ring.
    let mut buffers = vec![vec![0; FULL_HD]; ring.spec().depth() + 1];
    let mut turn = 0;
    group.bench_function("memcpy", |b| {
        b.iter(|| {
            turn = (turn + 1) % buffers.len();
            black_box(&mut buffers[turn]).copy_from_slice(black_box(&frame));
        });
    });
    assert!(buffers.iter().all(|buffer| buffer[0] == frame[0]));
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for bench in [alone, same_core, contended, full_hd] {
        bench(&mut criterion);
    }
    criterion.final_summary();
}
