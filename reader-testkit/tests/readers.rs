//! The readers do what their names say, against a ring and with each other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use vas_reader_testkit::check::{Loss, Order, paint, read_back};
use vas_reader_testkit::readers::{
    Brisk, Leaking, PANIC_MESSAGE, Panicking, Pick, Slow, Spinning, Stalled, Step, Stepped,
};
use vas_ring::{
    Component, DropCause, FrameEntry, Geometry, HeapMemory, Identity, PixelFormat, Plane, Ring, RingSpec, Writer,
};

const WIDTH: usize = 64;
const ROWS: usize = 8;

fn ring(readers: usize, budget: usize) -> (Ring, Writer) {
    let spec = RingSpec::new(3, readers, budget, WIDTH * ROWS).expect("small");
    Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).expect("enough memory")
}

/// Publishes a frame with its own number painted on it.
fn publish(writer: &mut Writer) -> u64 {
    let number = writer.next_frame_id() as u32;
    let mut claim = writer.claim().expect("a slot");
    paint(number, claim.pixels_mut(), WIDTH, WIDTH, ROWS).expect("it fits");
    let mut geometry = Geometry { width: WIDTH as u32, height: ROWS as u32, ..Geometry::default() };
    geometry.pixel_format = PixelFormat::new("gray", 8, 1, &[Component::alone(0, 8)], (0, 0), 0);
    geometry.planes[0] = Plane { offset: 0, stride: WIDTH as u32, row_bytes: WIDTH as u32, rows: ROWS as u32 };
    claim.publish(&FrameEntry { bytes: (WIDTH * ROWS) as u32, geometry, ..FrameEntry::default() })
}

fn leases(ring: &Ring) -> Vec<usize> {
    ring.readers().iter().map(|reader| reader.leases).collect()
}

fn step(reader: &mut impl Step, at_ms: u64) -> (Stepped, Vec<u64>) {
    let mut seen = Vec::new();
    let stepped = reader.step(Duration::from_millis(at_ms), &mut |frame| seen.push(frame.frame_id));
    (stepped, seen)
}

#[test]
fn brisk_picks_the_newest_or_the_oldest() {
    let (ring, mut writer) = ring(2, 1);
    let mut newest = Brisk::new(ring.subscribe().expect("a place"));
    let mut oldest = Brisk::picking(ring.subscribe().expect("a place"), Pick::Oldest);
    assert_eq!(step(&mut newest, 0), (Stepped::Waited, vec![]));
    for _ in 0..3 {
        publish(&mut writer);
    }
    assert_eq!(step(&mut newest, 0), (Stepped::Took, vec![2]));
    assert_eq!(step(&mut oldest, 0), (Stepped::Took, vec![0]));
    assert_eq!(step(&mut oldest, 0), (Stepped::Took, vec![1]));
    drop(writer);
    assert_eq!(step(&mut newest, 0), (Stepped::Closed, vec![]));
    assert_eq!(step(&mut oldest, 0), (Stepped::Took, vec![2]));
    assert_eq!(step(&mut oldest, 0), (Stepped::Closed, vec![]));
}

#[test]
fn slow_holds_as_long_as_it_was_told() {
    let (ring, mut writer) = ring(1, 1);
    let mut slow = Slow::new(ring.subscribe().expect("a place"), Duration::from_millis(300));
    publish(&mut writer);
    assert_eq!(step(&mut slow, 1000), (Stepped::Took, vec![0]));
    publish(&mut writer);
    assert_eq!(step(&mut slow, 1299), (Stepped::Waited, vec![]));
    assert_eq!(slow.held().map(|frame| frame.frame_id), Some(0));
    publish(&mut writer);
    assert_eq!(step(&mut slow, 1300), (Stepped::Took, vec![2]));
    assert_eq!(slow.counts().missed.total(), 1);
    // It gives its frame back when its time has come, also when there is no other.
    assert_eq!(step(&mut slow, 1600), (Stepped::Waited, vec![]));
    assert!(slow.held().is_none());
    assert_eq!(leases(&ring), [0]);
}

#[test]
fn hostile_readers_take_what_they_may_and_nobody_else_notices() {
    let (ring, mut writer) = ring(6, 2);
    let reader = || ring.subscribe().expect("a place");
    let mut brisk = Brisk::picking(reader(), Pick::Oldest);
    let mut stalled = Stalled::new(reader());
    let mut leaking = Leaking::new(reader());
    let mut panicking = Panicking::new(reader(), 3);
    let mut spinning = Spinning::new(reader(), 5);
    let mut held_for_ever = Slow::new(reader(), Duration::MAX);
    let (mut order, mut loss) = (Order::default(), Loss::default());
    let (mut panics, mut refused) = (0, 0);
    for n in 0..100 {
        assert_eq!(publish(&mut writer), n, "the writer is never refused a slot");
        let mut entry = None;
        brisk.step(Duration::ZERO, &mut |frame| {
            assert_eq!(read_back(frame.plane(0).expect("luma").rows()), Ok(frame.frame_id as u32));
            entry = Some(*frame.entry());
        });
        let entry = entry.expect("the isolated reader gets each frame");
        assert_eq!(order.check(&entry), Ok(()));
        assert_eq!(loss.check(&entry, &brisk.counts()), Ok(()));
        refused += u32::from(step(&mut stalled, n).0 == Stepped::Refused);
        refused += u32::from(step(&mut leaking, n).0 == Stepped::Refused);
        step(&mut held_for_ever, n);
        assert_eq!(step(&mut spinning, n).0, Stepped::Took);
        let caught = catch_unwind(AssertUnwindSafe(|| step(&mut panicking, n)));
        if let Err(panic) = caught {
            assert_eq!(
                panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(|s| &**s)),
                Some(PANIC_MESSAGE)
            );
            panics += 1;
        }
    }
    assert_eq!((panics, refused), (33, 2 * 98));
    assert_eq!(stalled.held().iter().map(|frame| frame.frame_id).collect::<Vec<_>>(), [0, 1]);
    for frame in stalled.held() {
        assert_eq!(read_back(frame.plane(0).expect("luma").rows()), Ok(frame.frame_id as u32));
    }
    // In the order of their subscriptions; unwinding gave the panicking one's frames back.
    assert_eq!(leases(&ring), [0, 2, 2, 0, 0, 1]);
    assert_eq!((brisk.counts().seen, spinning.counts().seen), (100, 100));
    let stats = ring.stats();
    assert_eq!((stats.published, stats.dropped.get(DropCause::Refused)), (100, 0));
    drop(writer);
    assert_eq!(step(&mut brisk, 0).0, Stepped::Closed);
    assert_eq!(loss.close(&brisk.counts(), stats.next_frame_id), Ok(100));
}
