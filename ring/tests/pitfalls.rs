//! Mistakes that other rings were shipped with, one test each or more, and the typed errors.
#![cfg(not(loom))]

#[path = "common/mod.rs"]
mod common;

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use common::{Counted, assert_whole, entry, fill, publish, ring, ring_from};
use vas_ring::{
    CameraId, ClaimError, Component, DropCause, FrameEntry, FrameFlags, FrameSink, Geometry, HeapMemory, Identity,
    MAX_DEPTH, MAX_FRAME_BYTES, MAX_LEASES, MAX_READERS, Missed, PixelFormat, PixelMemory, Plane, ReadError, Reader,
    Ring, RingError, RingSpec, SpecError, SubscribeError, Writer,
};

const BYTES: usize = 100;

/// Publishes so many, and returns the last id.
fn publish_many(writer: &mut Writer, n: usize) -> u64 {
    (0..n).map(|_| publish(writer)).last().expect("at least one")
}

#[track_caller]
fn read(read: Result<Option<vas_ring::Lease>, ReadError>) -> vas_ring::Lease {
    read.expect("no error").expect("a frame")
}

/// A lease that is leaked costs its reader one of its leases for good, shows, and costs nobody else anything.
#[test]
fn leaked_lease() {
    let (ring, mut writer) = ring(2, 2, 2, BYTES);
    let mut leaky = ring.subscribe().unwrap();
    let mut tidy = ring.subscribe().unwrap();
    publish(&mut writer);
    mem::forget(read(leaky.latest()));
    for n in 1..=50 {
        publish(&mut writer);
        let one = read(leaky.latest());
        publish(&mut writer);
        assert_eq!(leaky.latest().unwrap_err(), ReadError::LeasesOut { limit: 2 });
        drop(one);
        assert_eq!((leaky.stats().leases, leaky.stats().oldest_lease), (1, 2 * n));
        let both = [read(tidy.next()), read(tidy.next())];
        both.iter().for_each(assert_whole);
    }
    assert_eq!(ring.stats().published, 101);
    assert_eq!(ring.readers()[0], leaky.stats());
    // It left with a lease out, and whoever looks can see why.
    drop(leaky);
    assert_eq!((ring.stats().readers, ring.stats().leaving), (1, 1));
    assert_eq!((ring.readers()[0].leases, ring.readers()[0].oldest_lease), (1, 100));
    assert_eq!(ring.subscribe().unwrap_err(), SubscribeError::Full { limit: 2, readers: 1, leaving: 1 });
    publish(&mut writer);
    assert_whole(&read(tidy.latest()));
}

/// Leases that are given back are given back, though the reader has not looked since, and though the same slot is
/// leased again meanwhile.
#[test]
fn returned_lease_counts_once() {
    let (ring, mut writer) = ring(1, 1, 2, BYTES);
    let mut reader = ring.subscribe().unwrap();
    publish(&mut writer);
    drop(read(reader.latest()));
    // Two buffers take turns: this frame is where the first was.
    publish(&mut writer);
    publish(&mut writer);
    let held = read(reader.latest());
    publish(&mut writer);
    let other = reader.latest().expect("one of two leases is out").expect("there is a new frame");
    assert_eq!(reader.stats().leases, 2);
    drop((held, other));
}

/// As above, seen by who comes next: its index is free when the last lease is back.
#[test]
fn departed_reader_leaves_its_place() {
    let (ring, mut writer) = ring(1, 1, 2, BYTES);
    let mut reader = ring.subscribe().unwrap();
    publish(&mut writer);
    drop(read(reader.latest()));
    publish(&mut writer);
    publish(&mut writer);
    let held = read(reader.latest());
    drop(reader);
    assert_eq!(ring.subscribe().unwrap_err(), SubscribeError::Full { limit: 1, readers: 0, leaving: 1 });
    drop(held);
    ring.subscribe().expect("its index is free");
}

/// Whatever is leaked or held, the writer goes on, and each reader still gets the newest frames.
#[test]
fn all_leases_out() {
    let (ring, mut writer) = ring(3, 3, 2, BYTES);
    let mut readers: Vec<Reader> = (0..3).map(|_| ring.subscribe().unwrap()).collect();
    let mut held = Vec::new();
    for n in 0..6 {
        publish_many(&mut writer, 5);
        let lease = read(readers[n % 3].next());
        if n < 3 { mem::forget(lease) } else { held.push(lease) }
    }
    let newest = publish_many(&mut writer, 1000);
    held.iter().for_each(assert_whole);
    for reader in &mut readers {
        assert_eq!(reader.latest().unwrap_err(), ReadError::LeasesOut { limit: 2 });
        assert_eq!((reader.stats().refusals, reader.stats().leases), (1, 2));
    }
    held.pop();
    let lease = read(readers[2].latest());
    assert_eq!(lease.frame_id, newest);
    assert_whole(&lease);
}

/// A panic while the frame is being filled: it is never seen, and counted.
#[test]
fn panic_while_filling() {
    let (ring, mut writer) = ring(1, 1, 1, BYTES);
    let mut reader = ring.subscribe().unwrap();
    let filling = catch_unwind(AssertUnwindSafe(|| {
        let mut claim = writer.claim().unwrap();
        let pixels = claim.pixels_mut();
        pixels[0] = 1;
        pixels[BYTES] = 1;
    }));
    filling.expect_err("beyond the end");
    assert!(reader.latest().unwrap().is_none());
    assert_eq!((ring.stats().published, ring.stats().dropped.get(DropCause::Abandoned)), (0, 1));
    assert_eq!(publish(&mut writer), 1);
    let lease = read(reader.latest());
    assert_eq!(*reader.missed(), Missed { dropped: 1, ..Missed::default() });
    assert_whole(&lease);
}

/// The same when the writer goes down with it.
#[test]
fn panic_takes_the_writer_along() {
    let (ring, mut writer) = ring(1, 1, 1, BYTES);
    let mut reader = ring.subscribe().unwrap();
    publish(&mut writer);
    let decoding = std::thread::spawn(move || {
        let claim = writer.claim().unwrap();
        let _unfinished = claim;
        std::panic::resume_unwind(Box::new("the decoder is broken"));
    });
    decoding.join().unwrap_err();
    assert!(ring.is_closed());
    assert_whole(&read(reader.next()));
    assert_eq!(reader.next().unwrap_err(), ReadError::Closed);
    assert_eq!(reader.stats().missed, Missed { dropped: 1, ..Missed::default() });
    let mut writer = ring.writer().expect("there is no writer");
    assert_eq!(publish(&mut writer), 2);
    assert_whole(&read(reader.latest()));
}

/// A claim that is leaked is found again by the next claim, and by the writer's end.
#[test]
fn leaked_claim() {
    let (ring, mut writer) = ring(1, 1, 1, BYTES);
    for n in 1..=20 {
        mem::forget(writer.claim().unwrap());
        publish(&mut writer);
        assert_eq!((ring.stats().published, ring.stats().dropped.get(DropCause::Abandoned)), (n, n));
    }
    mem::forget(writer.claim().unwrap());
    drop(writer);
    assert_eq!(ring.stats().dropped.get(DropCause::Abandoned), 21);
    assert_eq!(ring.stats().dropped.get(DropCause::Refused), 0);
}

/// Limits are typed errors that name the number, and are told before anything is allocated.
#[test]
fn limits() {
    let of = RingSpec::new;
    let out_of_range = |what, value, max| Err(SpecError::OutOfRange { what, value, max });
    assert_eq!(of(0, 1, 1, 1), out_of_range("depth", 0, MAX_DEPTH));
    assert_eq!(of(MAX_DEPTH + 1, 1, 1, 1), out_of_range("depth", MAX_DEPTH + 1, MAX_DEPTH));
    assert_eq!(of(1, 0, 1, 1), out_of_range("readers", 0, MAX_READERS));
    assert_eq!(of(1, MAX_READERS + 1, 1, 1), out_of_range("readers", MAX_READERS + 1, MAX_READERS));
    assert_eq!(of(1, usize::MAX, 1, 1), out_of_range("readers", usize::MAX, MAX_READERS));
    assert_eq!(of(1, 1, 0, 1), out_of_range("lease limit", 0, MAX_LEASES));
    assert_eq!(of(1, 1, MAX_LEASES + 1, 1), out_of_range("lease limit", MAX_LEASES + 1, MAX_LEASES));
    assert_eq!(of(1, 1, 1, 0), out_of_range("frame_bytes", 0, MAX_FRAME_BYTES));
    assert_eq!(of(1, 1, 1, usize::MAX), out_of_range("frame_bytes", usize::MAX, MAX_FRAME_BYTES));
    let message = of(1, MAX_READERS + 1, 1, 1).unwrap_err().to_string();
    assert_eq!(message, "ring readers is 32, accepted is 1 to 31");

    let largest = of(MAX_DEPTH, MAX_READERS, MAX_LEASES, MAX_FRAME_BYTES);
    if cfg!(target_pointer_width = "64") {
        let spec = largest.unwrap();
        assert_eq!(spec.slots(), MAX_DEPTH + MAX_READERS * MAX_LEASES + 1);
        assert!(spec.pixel_bytes() >= spec.slots() * MAX_FRAME_BYTES);
        assert!(spec.total_bytes() > spec.pixel_bytes());
    } else {
        assert!(matches!(largest, Err(SpecError::TooLarge { .. })));
    }
}

/// The largest ring in each direction works: every reader can hold all its leases, and the writer goes on.
#[test]
fn largest_ring() {
    let (ring, mut writer) = ring(MAX_DEPTH, MAX_READERS, MAX_LEASES, 8);
    let mut readers: Vec<Reader> = (0..MAX_READERS).map(|_| ring.subscribe().unwrap()).collect();
    let full = SubscribeError::Full { limit: MAX_READERS, readers: MAX_READERS, leaving: 0 };
    assert_eq!(ring.subscribe().unwrap_err(), full);
    let mut held = Vec::new();
    for n in 0..MAX_LEASES * MAX_READERS {
        publish(&mut writer);
        held.push(read(readers[n % MAX_READERS].latest()));
    }
    publish_many(&mut writer, 100);
    held.iter().for_each(assert_whole);
    assert!(readers.iter_mut().all(|it| it.next().unwrap_err() == ReadError::LeasesOut { limit: MAX_LEASES }));
    assert!(ring.readers().iter().all(|it| it.leases == MAX_LEASES));
    drop(readers);
    assert_eq!((ring.stats().readers, ring.stats().leaving), (0, MAX_READERS));
    drop(held);
    assert_eq!((ring.stats().readers, ring.stats().leaving), (0, 0));
}

/// Slots' pixels start on 64-byte boundaries, at offsets within a page that all differ.
#[test]
fn slots_are_aligned_and_staggered() {
    for frame_bytes in [1, 64, 4096, 4097, 640 * 360 * 3 / 2, 65536] {
        let (ring, mut writer) = ring(3, 3, 4, frame_bytes);
        let mut readers: Vec<Reader> = (0..3).map(|_| ring.subscribe().unwrap()).collect();
        let held: Vec<_> = (0..12).map(|n| (publish(&mut writer), read(readers[n % 3].latest()))).collect();
        let mut offsets: Vec<usize> = held.iter().map(|(_, lease)| lease.pixels().as_ptr().addr() % 4096).collect();
        assert!(offsets.iter().all(|offset| offset % 64 == 0));
        offsets.sort_unstable();
        offsets.dedup();
        assert_eq!(offsets.len(), held.len(), "two slots of {frame_bytes} bytes at the same offset within a page");
    }
}

/// Without leases depth + 1 buffers take turns, whatever the ring could do.
#[test]
fn few_buffers_are_in_use() {
    let (ring, mut writer) = ring(2, 3, 3, BYTES);
    let mut reader = ring.subscribe().unwrap();
    let mut addresses: Vec<usize> = (0..100)
        .map(|_| {
            publish(&mut writer);
            read(reader.latest()).pixels().as_ptr().addr()
        })
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
}

/// Ids and positions wrap: a reader that is there all the time notices nothing.
#[test]
fn numbers_wrap() {
    for first in [u64::MAX - 5, u64::MAX, (1 << 52) - 5, (1 << 63) - 5, (3 << 52) - 1] {
        let (ring, mut writer) = ring_from(RingSpec::new(3, 1, 1, BYTES).unwrap(), first);
        let mut reader = ring.subscribe().unwrap();
        let mut next = first;
        for _ in 0..20 {
            assert_eq!(publish(&mut writer), next);
            writer.skip(DropCause::Malformed);
            assert_eq!(writer.next_frame_id(), next.wrapping_add(2));
            let lease = read(reader.next());
            assert_eq!(lease.frame_id, next);
            assert_eq!(reader.missed().total(), u64::from(next != first));
            assert_whole(&lease);
            next = next.wrapping_add(2);
        }
        // Three are readable of four, and each had a dropped one before it.
        publish_many(&mut writer, 4);
        read(reader.next());
        assert_eq!(*reader.missed(), Missed { overwritten: 1, dropped: 1, ..Missed::default() });
        let stats = ring.stats();
        assert_eq!((stats.published, stats.offered(), stats.next_frame_id), (24, 44, first.wrapping_add(44)));
        assert_eq!(reader.first_frame_id(), first);
    }
}

/// A camera that was elsewhere for most of the numbers there are.
#[test]
fn resume_far_ahead() {
    let (ring, mut writer) = ring_from(RingSpec::new(1, 1, 1, BYTES).unwrap(), 7);
    writer.resume_at(1 << 62, DropCause::Suspended);
    writer.resume_at(7, DropCause::Suspended);
    assert_eq!(publish(&mut writer), 1 << 62);
    assert_eq!(ring.stats().dropped.get(DropCause::Suspended), (1 << 62) - 7);
    assert_eq!(ring.stats().offered(), (1 << 62) - 6);
    // Once round: every sum wraps, none panics.
    for quarter in 2..=4u64 {
        writer.resume_at(quarter.wrapping_mul(1 << 62), DropCause::Resizing);
    }
    let stats = ring.stats();
    assert_eq!(
        (stats.next_frame_id, stats.offered(), stats.dropped.total()),
        (0, 0u64.wrapping_sub(7), 0u64.wrapping_sub(8))
    );
    writer.resume_at(1 << 62, DropCause::Hardware);
    assert_eq!(ring.stats().dropped.total(), (1 << 62) - 8);
}

/// A gap in the ids is a loss of as many frames, to the reader as to the ring, however wide it is.
#[test]
fn wide_gaps_are_exact() {
    for gap in [1, 1 << 20, (1 << 52) - 1, 1 << 52, (1 << 52) + 1, 1 << 53, u64::MAX / 2] {
        for cause in [DropCause::Suspended, DropCause::Unwanted] {
            let (ring, mut writer) = ring(2, 1, 1, BYTES);
            let mut reader = ring.subscribe().unwrap();
            publish(&mut writer);
            read(reader.latest());
            writer.skip(DropCause::Malformed);
            writer.resume_at(2 + gap, cause);
            assert_eq!(publish(&mut writer), 2 + gap);
            let lease = read(reader.next());
            assert_eq!(lease.frame_id, 2 + gap);
            let unwanted = if cause == DropCause::Unwanted { gap } else { 0 };
            let expected = Missed { dropped: 1 + gap - unwanted, unwanted, ..Missed::default() };
            assert_eq!((*reader.missed(), reader.stats().missed), (expected, expected));
            assert_eq!((expected.total(), expected.lost()), (1 + gap, 1 + gap - unwanted));
            let stats = ring.stats();
            assert_eq!((stats.dropped.get(cause), stats.dropped.lost()), (gap, 1 + gap - unwanted));
            // One that subscribes now begins behind it, and at the end everyone knows of the rest.
            drop(lease);
            drop(reader);
            let mut late = ring.subscribe().unwrap();
            writer.resume_at(gap.wrapping_mul(2).wrapping_add(3), cause);
            drop(writer);
            assert_eq!(late.next().unwrap_err(), ReadError::Closed);
            assert_eq!((late.first_frame_id(), late.missed().total()), (3 + gap, gap));
        }
    }
}

/// Readers that come and go leave nothing behind that would grow, and the writer's path does not change.
#[test]
fn come_and_go() {
    let (ring, mut writer) = ring(1, 2, 1, BYTES);
    for _ in 0..10_000 {
        let mut reader = ring.subscribe().unwrap();
        assert_eq!(reader.stats().reader, 0);
        publish(&mut writer);
        let lease = read(reader.latest());
        drop(reader);
        assert_eq!((ring.stats().readers, ring.stats().leaving), (0, 1));
        drop(lease);
    }
    assert_eq!((ring.stats().readers, ring.stats().leaving), (0, 0));
    assert!(!writer.has_readers());
}

/// A new reader starts with nothing of the old one's: not its counts, not its refusals, not its frames.
#[test]
fn place_is_cleared() {
    let (ring, mut writer) = ring(1, 1, 1, BYTES);
    let mut reader = ring.subscribe().unwrap();
    publish(&mut writer);
    let lease = read(reader.latest());
    publish(&mut writer);
    reader.latest().unwrap_err();
    drop((reader, lease));
    let mut reader = ring.subscribe().unwrap();
    assert!(reader.latest().unwrap().is_none(), "a stale frame is shown as fresh");
    let stats = reader.stats();
    assert_eq!(
        (stats.seen, stats.missed, stats.refusals, stats.lag, stats.first_frame_id),
        (0, Missed::default(), 0, 0, 2)
    );
    publish(&mut writer);
    read(reader.latest());
    assert_eq!(*reader.missed(), Missed::default());
}

/// History comes in order and without holes; a hole is reported with its size.
#[test]
fn history_has_no_holes() {
    for depth in 1..=MAX_DEPTH {
        let (ring, mut writer) = ring(depth, 1, 1, BYTES);
        let mut reader = ring.subscribe().unwrap();
        for behind in 0..=depth as u64 + 3 {
            let before = ring.stats().next_frame_id;
            (0..behind).for_each(|_| _ = publish(&mut writer));
            let lost = behind.saturating_sub(depth as u64);
            for id in before + lost..before + behind {
                let lease = read(reader.next());
                assert_eq!(lease.frame_id, id);
                let overwritten = if id == before + lost { lost } else { 0 };
                assert_eq!(*reader.missed(), Missed { overwritten, ..Missed::default() });
            }
            assert!(reader.next().unwrap().is_none());
        }
    }
}

/// The newest K are there for each reader, whatever another one holds.
#[test]
fn readers_are_isolated() {
    const DEPTH: usize = 4;
    let (ring, mut writer) = ring(DEPTH, 2, 3, BYTES);
    let mut hoarder = ring.subscribe().unwrap();
    let mut reader = ring.subscribe().unwrap();
    let mut hoard = Vec::new();
    for _ in 0..3 {
        publish_many(&mut writer, 2);
        hoard.push(read(hoarder.latest()));
    }
    for _ in 0..20 {
        let newest = publish_many(&mut writer, DEPTH + 3);
        for id in newest + 1 - DEPTH as u64..=newest {
            let lease = read(reader.next());
            assert_eq!(lease.frame_id, id);
            assert_whole(&lease);
        }
    }
    hoard.iter().for_each(assert_whole);
}

/// "Nothing yet" is not a frame, at any number.
#[test]
fn nothing_yet() {
    for first in [0, 1, u64::MAX, u64::MAX - 1, 1 << 52] {
        let (ring, mut writer) = ring_from(RingSpec::new(2, 2, 1, BYTES).unwrap(), first);
        let mut reader = ring.subscribe().unwrap();
        assert!(reader.latest().unwrap().is_none() && reader.next().unwrap().is_none());
        writer.skip(DropCause::TooLarge);
        assert!(reader.latest().unwrap().is_none() && reader.next().unwrap().is_none());
        publish(&mut writer);
        assert_eq!(read(reader.latest()).frame_id, first.wrapping_add(1));
        assert!(reader.latest().unwrap().is_none() && reader.next().unwrap().is_none());
        let mut late = ring.subscribe().unwrap();
        assert!(late.latest().unwrap().is_none() && late.next().unwrap().is_none());
    }
}

/// A picture of one plane, filled with one value.
fn picture(width: u32, height: u32) -> FrameEntry {
    let stride = width.next_multiple_of(64);
    let plane = Plane { offset: 0, stride, row_bytes: width, rows: height };
    let pixel_format = PixelFormat::new("gray", 8, 1, &[Component::alone(0, 8)], (0, 0), 0);
    let planes = [plane, Plane::default(), Plane::default(), Plane::default()];
    let geometry = Geometry { width, height, pixel_format, planes, ..Geometry::default() };
    FrameEntry { geometry, bytes: stride * (height - 1) + width, ..FrameEntry::default() }
}

/// Geometry travels with the frame: a lease keeps its own when the stream changes.
#[test]
fn geometry_of_old_leases() {
    let (ring, mut writer) = ring(2, 1, 3, 128 * 100);
    let mut reader = ring.subscribe().unwrap();
    let sizes = [(100, 80), (33, 100), (128, 1)];
    let leases: Vec<_> = sizes
        .iter()
        .zip(1..)
        .map(|(&(width, height), value)| {
            let mut claim = writer.claim().unwrap();
            claim.pixels_mut().fill(value);
            claim.publish(&FrameEntry { flags: FrameFlags(value), ..picture(width, height) });
            read(reader.latest())
        })
        .collect();
    publish_many(&mut writer, 10);
    for ((lease, (width, height)), value) in leases.iter().zip(sizes).zip(1..) {
        assert_eq!((lease.geometry, lease.bytes), (picture(width, height).geometry, picture(width, height).bytes));
        assert_eq!(lease.flags, FrameFlags(value));
        let plane = lease.plane(0).unwrap();
        assert_eq!(plane.rows().len(), height as usize);
        assert!(plane.rows().all(|row| row.len() == width as usize && row.iter().all(|&byte| byte == value)));
        assert!(lease.plane(1).is_none());
    }
}

/// The same across rings: what a reader holds of the old generation outlives it.
#[test]
fn leases_outlive_a_resize() {
    let spec = RingSpec::new(1, 1, 1, BYTES).unwrap();
    let camera_id = CameraId::new("gate").unwrap();
    let identity = Identity { camera_id, epoch: 1, generation: 0, first_frame_id: 40 };
    let (memory, drops) = Counted::new(&spec);
    let (old, mut writer) = Ring::new(spec, identity, memory).unwrap();
    let mut reader = old.subscribe().unwrap();
    publish(&mut writer);
    let lease = read(reader.latest());
    let first_frame_id = writer.next_frame_id();
    drop((writer, old, reader));

    let larger = RingSpec::new(1, 1, 1, 4 * BYTES).unwrap();
    let identity = Identity { generation: 1, first_frame_id, ..identity };
    let (new, mut writer) = Ring::new(larger, identity, HeapMemory::for_spec(&larger)).unwrap();
    let mut reader = new.subscribe().unwrap();
    publish_many(&mut writer, 5);
    let newer = read(reader.latest());
    assert_eq!((lease.generation, lease.frame_id, newer.generation, newer.frame_id), (0, 40, 1, 45));
    assert_eq!((lease.epoch, lease.camera_id, newer.camera_id), (1, camera_id, camera_id));
    assert_whole(&lease);
    assert_whole(&newer);
    assert_eq!(drops.get(), 0);
    drop(lease);
    assert_eq!(drops.get(), 1);
}

/// Memory that is elsewhere, or shorter, than it should be.
struct Askew {
    memory: HeapMemory,
    offset: usize,
    len: usize,
}

// SAFETY: a part of what `HeapMemory` promises; where it is not, the ring must not touch it.
unsafe impl PixelMemory for Askew {
    fn base(&self) -> NonNull<u8> {
        // SAFETY: the tests keep the offset within the memory.
        unsafe { self.memory.base().add(self.offset) }
    }

    fn len(&self) -> usize {
        self.len
    }
}

#[test]
fn unfit_memory() {
    let spec = RingSpec::new(2, 1, 1, BYTES).unwrap();
    let needed = spec.pixel_bytes();
    let new = |offset, len| {
        let room = RingSpec::new(3, 1, 1, BYTES).unwrap();
        let askew = Askew { memory: HeapMemory::for_spec(&room), offset, len };
        let address = askew.base().as_ptr().addr();
        (Ring::new(spec, Identity::default(), askew).map(drop), address)
    };
    for given in [0, 1, needed - 1] {
        let error = new(0, given).0.unwrap_err();
        assert_eq!(error, RingError::MemoryTooSmall { needed, given });
        assert!(error.to_string().contains(&needed.to_string()) && error.to_string().contains(&given.to_string()));
    }
    for offset in [1, 8, 63] {
        let (error, address) = new(offset, needed);
        assert_eq!(error.unwrap_err(), RingError::MemoryMisaligned { address, alignment: 64 });
    }
    new(64, needed).0.unwrap();
    new(0, needed + 1).0.unwrap();
}

/// What a frame sink says of its frames, when it is a writer.
#[test]
fn writer_as_a_sink() {
    let (ring, mut writer) = ring(1, 1, 1, BYTES);
    let no_clock = || -> u64 { panic!("a writer decides without the time") };
    assert!(!writer.is_off());
    assert_eq!(writer.demand(no_clock), Err(DropCause::NoReader));
    FrameSink::skip(&mut writer, DropCause::NoReader);
    assert_eq!(FrameSink::claim(&mut writer, BYTES + 1).map(drop).unwrap_err(), DropCause::TooLarge);
    let mut reader = ring.subscribe().unwrap();
    assert_eq!(writer.demand(no_clock), Ok(()));
    let mut claim = FrameSink::claim(&mut writer, BYTES).unwrap();
    fill(claim.pixels_mut(), 2);
    claim.publish(&entry(2, BYTES, 0));
    let lease = read(reader.latest());
    assert_whole(&lease);
    assert_eq!(*reader.missed(), Missed::default());
    assert_eq!(ring.stats().dropped.total(), 2);
}

/// Errors say what was needed and what there was.
#[test]
fn errors_say_why() {
    let texts = [
        (SubscribeError::Full { limit: 13, readers: 11, leaving: 2 }.to_string(), &["13", "11", "2"][..]),
        (ReadError::LeasesOut { limit: 17 }.to_string(), &["17", "drop"]),
        (ReadError::Closed.to_string(), &["no writer"]),
        (ReadError::Overtaken.to_string(), &["ask again"]),
        (ClaimError::Refused.to_string(), &["every slot"]),
        (RingError::MemoryTooSmall { needed: 19, given: 23 }.to_string(), &["19", "23"]),
        (RingError::MemoryMisaligned { address: 0x29, alignment: 64 }.to_string(), &["0x29", "64"]),
        (SpecError::OutOfRange { what: "depth", value: 31, max: 37 }.to_string(), &["depth", "31", "37"]),
        (SpecError::TooLarge { slots: 41, frame_bytes: 43 }.to_string(), &["41", "43"]),
    ];
    for (text, parts) in texts {
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
    let mut names: Vec<&str> = DropCause::ALL.iter().map(|cause| cause.name()).collect();
    assert!(DropCause::ALL.iter().all(|cause| cause.to_string() == cause.name() && !cause.name().is_empty()));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), DropCause::ALL.len());
}

/// An entry that says more bytes than a slot has shows no more than the slot.
#[test]
fn entry_that_lies() {
    let (ring, mut writer) = ring(1, 1, 1, BYTES);
    let mut reader = ring.subscribe().unwrap();
    let wide = picture(5000, 5000);
    writer.claim().unwrap().publish(&FrameEntry { bytes: u32::MAX, ..wide });
    let lease = read(reader.latest());
    assert_eq!(lease.pixels().len(), BYTES);
    assert!(lease.plane(0).is_none());
}
