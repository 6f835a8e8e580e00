//! Cameras start, stop, resize and are suspended; readers follow, and every frame is accounted for.

#![cfg(not(loom))]

mod common;

use std::thread;
use std::time::Duration;

use common::{check, eventually, id, offer, offer_until_published, room_for, stream};
use vas_lifecycle::{
    CameraState, CameraWriter, DropCause, FrameExport, FrameSink, ReadError, Settings, StartError, SubscribeError,
    SuspendReason,
};

const SMALL: usize = 1000;
const LARGE: usize = 5000;

fn export() -> FrameExport {
    FrameExport::new(Settings::default())
}

#[test]
fn one_start_at_a_time() {
    let export = export();
    let writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let again = export.start_camera(id("a"), stream(SMALL));
    assert!(matches!(again, Err(StartError::AlreadyRunning { camera }) if camera == id("a")));
    assert_eq!(again.unwrap_err().to_string(), "camera a is running: drop its writer first");
    let _b = export.start_camera(id("b"), stream(SMALL)).unwrap();
    assert_eq!(export.cameras(), [id("a"), id("b")]);
    drop(writer);
    assert_eq!(export.cameras(), [id("b")]);
    export.start_camera(id("a"), stream(SMALL)).unwrap();
}

#[test]
fn a_camera_needs_a_name_and_frames() {
    let export = export();
    assert!(matches!(export.start_camera(Default::default(), stream(SMALL)), Err(StartError::Unnamed)));
    let error = export.start_camera(id("a"), stream(0)).unwrap_err();
    assert_eq!(error.to_string(), "no ring can be made: ring frame_bytes is 0, accepted is 1 to 4294967231");
    assert!(export.stats().cameras.is_empty());
    let unknown = export.subscribe(&id("a")).unwrap_err();
    assert_eq!(unknown, SubscribeError::NotRunning { camera: id("a") });
}

#[test]
fn off_is_a_writer_that_does_nothing() {
    for mut writer in [FrameExport::disabled().start_camera(id("a"), stream(SMALL)).unwrap(), CameraWriter::off()] {
        assert!(writer.is_off());
        writer.skip(DropCause::NoReader);
        assert_eq!(writer.demand(|| 0), Err(DropCause::Suspended));
        assert_eq!(writer.claim(SMALL).unwrap_err(), DropCause::Suspended);
    }
    assert_eq!(FrameExport::disabled().subscribe(&id("a")).unwrap_err(), SubscribeError::Off);
    assert_eq!(FrameExport::disabled().settings(), None);
}

/// Frame ids go on over a restart, epochs count starts, and a reader has to ask for the next.
#[test]
fn ids_go_on_over_a_restart() {
    let export = export();
    let mut writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let mut reader = export.subscribe(&id("a")).unwrap();
    for n in 0..5 {
        assert_eq!(offer(&mut writer, SMALL), Ok(n));
    }
    writer.skip(DropCause::Hardware);
    drop(writer);

    for n in 1..5 {
        let frame = reader.next().unwrap().unwrap();
        check(&frame);
        assert_eq!((frame.frame_id, frame.epoch, frame.camera_id), (n, 0, id("a")));
    }
    assert_eq!(reader.next().unwrap_err(), ReadError::Closed);
    assert_eq!(reader.latest().unwrap_err(), ReadError::Closed);
    let counts = reader.stats();
    assert_eq!((counts.seen, counts.missed.overwritten, counts.missed.dropped), (4, 1, 1));
    assert_eq!(reader.resubscribe(), Err(SubscribeError::NotRunning { camera: id("a") }));
    assert_eq!(reader.wait_next_epoch(Duration::from_millis(3)), Err(SubscribeError::NotRunning { camera: id("a") }));

    let mut writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    assert_eq!(reader.latest().unwrap_err(), ReadError::Closed, "not by itself");
    reader.wait_next_epoch(Duration::ZERO).unwrap();
    assert_eq!(reader.epoch(), 1);
    assert_eq!(offer(&mut writer, SMALL), Ok(6));
    let frame = reader.latest().unwrap().unwrap();
    assert_eq!((frame.frame_id, frame.epoch, frame.generation), (6, 1, 0));
}

#[test]
fn a_reader_waits_for_the_restart() {
    let export = export();
    let writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let mut reader = export.subscribe(&id("a")).unwrap();
    drop(writer);
    let waiting = thread::spawn(move || {
        reader.wait_next_epoch(Duration::from_secs(10)).unwrap();
        let frame = reader.wait_latest(Duration::from_secs(10)).unwrap().expect("a frame in time");
        (frame.epoch, frame.frame_id)
    });
    thread::sleep(Duration::from_millis(20));
    let mut writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    while writer.demand(|| 0).is_err() {
        thread::yield_now();
    }
    offer(&mut writer, SMALL).unwrap();
    assert_eq!(waiting.join().unwrap(), (1, 0));
}

#[test]
fn waiting_ends_at_the_deadline() {
    let export = export();
    let _writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let mut reader = export.subscribe(&id("a")).unwrap();
    let began = std::time::Instant::now();
    assert!(reader.wait_latest(Duration::from_millis(20)).unwrap().is_none());
    assert!(reader.wait_next(Duration::ZERO).unwrap().is_none());
    let took = began.elapsed();
    assert!((20..500).contains(&took.as_millis()), "{took:?}");
}

/// A frame that does not fit is dropped and counted until the control thread has made room; the reader goes over by
/// itself, an old lease keeps its pixels, smaller frames fit in place, and nothing is lost track of.
#[test]
fn frames_outgrow_their_slots() {
    let export = export();
    let mut writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let mut reader = export.subscribe(&id("a")).unwrap();
    offer(&mut writer, SMALL).unwrap();
    let old = reader.latest().unwrap().unwrap();
    assert_eq!(offer(&mut writer, LARGE), Err(DropCause::Resizing));
    let first = offer_until_published(&mut writer, LARGE);
    assert_eq!(offer(&mut writer, SMALL), Ok(first + 1), "absorbed");

    let frame = reader.next().unwrap().unwrap();
    check(&frame);
    assert_eq!((frame.frame_id, frame.epoch, frame.generation), (first, 0, 1));
    assert_eq!((reader.generation(), reader.epoch()), (1, 0));
    let counts = reader.stats();
    assert_eq!((counts.seen, counts.missed.total(), counts.missed.dropped), (2, first - 1, first - 1));
    check(&old);
    assert_eq!((old.frame_id, old.generation), (0, 0));

    let stats = export.stats();
    let camera = &stats.cameras[0];
    assert_eq!((camera.generation, camera.state, camera.offered), (1, CameraState::Running, first + 2));
    assert_eq!(camera.dropped.get(DropCause::Resizing), first - 1);
    assert_eq!((camera.published, camera.dropped.total()), (3, first - 1));
    assert_eq!((stats.retired.len(), stats.retired[0].leases), (1, 1));
    assert_eq!(stats.bytes_in_use, camera.bytes + stats.retired[0].bytes + stats.bytes_idle);
    drop(old);
    assert!(export.stats().retired.is_empty());
}

/// Without room for a larger ring export is suspended, says why, and goes on when the frames fit again.
#[test]
fn suspended_and_back() {
    let settings = room_for(Settings::default(), &[SMALL, SMALL]);
    let export = FrameExport::new(settings);
    let mut writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let mut reader = export.subscribe(&id("a")).unwrap();
    offer(&mut writer, SMALL).unwrap();
    assert_eq!(offer(&mut writer, LARGE), Err(DropCause::Resizing));
    eventually("suspended", || offer(&mut writer, LARGE).unwrap_err() == DropCause::Suspended);
    let stats = export.stats();
    let (needed, in_use) = (settings.ring_bytes(LARGE).unwrap(), settings.ring_bytes(SMALL).unwrap());
    let reason = SuspendReason::Budget { needed, in_use, budget: settings.memory_budget };
    assert_eq!(stats.cameras[0].state, CameraState::Suspended(reason));
    assert!(stats.to_string().contains(&format!("a is suspended: the camera takes {needed} bytes")), "{stats}");
    writer.skip(DropCause::Malformed);
    assert_eq!(export.stats().cameras[0].offered, stats.cameras[0].offered + 1);

    let back = offer(&mut writer, SMALL).unwrap();
    let stats = export.stats();
    let camera = &stats.cameras[0];
    assert_eq!((camera.offered, camera.published, camera.generation), (back + 1, 2, 0));
    let [resizing, suspended, malformed] =
        [DropCause::Resizing, DropCause::Suspended, DropCause::Malformed].map(|cause| camera.dropped.get(cause));
    assert!(resizing >= 1 && suspended >= 1 && malformed == 1);
    assert_eq!(resizing + suspended + malformed, back - 1);
    eventually("running", || export.stats().cameras[0].state == CameraState::Running);

    assert_eq!(reader.latest().unwrap().unwrap().frame_id, back);
    let counts = reader.stats();
    assert_eq!(counts.seen + counts.missed.total(), back + 1);
    assert_eq!(counts.missed.dropped, back - 1);
}

/// A camera that is suspended gets its larger ring when another camera makes room for it.
#[test]
fn suspended_until_there_is_room() {
    let export = FrameExport::new(room_for(Settings::default(), &[SMALL, LARGE]));
    let mut writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let other = export.start_camera(id("b"), stream(SMALL)).unwrap();
    eventually("suspended", || offer(&mut writer, LARGE).is_err_and(|cause| cause == DropCause::Suspended));
    drop(other);
    offer_until_published(&mut writer, LARGE);
    assert_eq!(export.stats().cameras[0].generation, 1);
}

/// A stream that goes back before the larger ring is there goes on in the old one; the next time it is there at last.
#[test]
fn the_stream_changes_its_mind() {
    let export = export();
    let mut writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let mut reader = export.subscribe(&id("a")).unwrap();
    let mut seen = 0;
    for round in 0..200 {
        let _ = offer(&mut writer, SMALL + 100 * round);
        // Now and then the offer comes before, between and after these.
        thread::sleep(Duration::from_micros(round as u64 * 61 % 9000));
        offer(&mut writer, SMALL).unwrap();
        seen += u64::from(reader.latest().unwrap().is_some_and(|frame| {
            check(&frame);
            true
        }));
    }
    drop(writer);
    assert_eq!(reader.latest().unwrap_err(), ReadError::Closed);
    let counts = reader.stats();
    assert_eq!(counts.seen, seen);
    assert_eq!(counts.seen + counts.missed.total(), 400);
    let stats = export.stats();
    assert_eq!(stats.cameras[0].offered, 400);
    assert!(stats.cameras[0].generation > 0, "{stats}");
}

/// A reader that does not look holds the ring that it is at, and none of those that it has not come to.
#[test]
fn a_reader_that_sleeps_holds_one_ring() {
    let export = export();
    let mut writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let mut reader = export.subscribe(&id("a")).unwrap();
    offer(&mut writer, SMALL).unwrap();
    let mut last = 0;
    for step in 1..=5 {
        last = offer_until_published(&mut writer, SMALL + 100 * step);
    }
    let stats = export.stats();
    assert_eq!(stats.retired.iter().map(|ring| ring.generation).collect::<Vec<_>>(), [0], "{stats}");
    assert_eq!((stats.cameras[0].generation, stats.cameras[0].readers[0].lag), (5, 1));
    let frame = reader.next().unwrap().unwrap();
    assert_eq!((frame.frame_id, frame.generation), (0, 0));
    drop(frame);
    let frame = reader.next().unwrap().unwrap();
    assert_eq!((frame.frame_id, frame.generation), (last, 5));
    let counts = reader.stats();
    assert_eq!((counts.seen, counts.missed.skipped, counts.seen + counts.missed.total()), (2, 4, last + 1));
    assert!(export.stats().retired.is_empty());
}

/// Readers come and go while rings change: whatever they got and missed adds up to what was offered to them.
#[test]
fn readers_join_while_rings_change() {
    let settings = Settings { max_readers: 8, ..Settings::default() };
    let export = FrameExport::new(settings);
    let mut writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let reading = |next: bool| {
        let export = export.clone();
        thread::spawn(move || {
            let mut readers = 0;
            while let Ok(mut reader) = export.subscribe(&id("a")) {
                readers += 1;
                // The id at which the reader's span begins, known from its first frame on.
                let (mut begin, mut last) = (None, None);
                for _ in 0..20 {
                    let timeout = Duration::from_millis(2);
                    match if next { reader.wait_next(timeout) } else { reader.wait_latest(timeout) } {
                        Ok(Some(frame)) => {
                            check(&frame);
                            assert!(last < Some(frame.frame_id));
                            last = Some(frame.frame_id);
                            let counts = reader.stats();
                            let span = counts.seen + counts.missed.total();
                            assert_eq!(*begin.get_or_insert(frame.frame_id + 1 - span), frame.frame_id + 1 - span);
                        }
                        Ok(None) => {}
                        Err(error) => {
                            assert_eq!(error, ReadError::Closed);
                            let counts = reader.stats();
                            assert!(begin.is_none_or(|begin| begin + counts.seen + counts.missed.total() == 500));
                            break;
                        }
                    }
                }
            }
            readers
        })
    };
    let threads = [reading(false), reading(true), reading(true)];
    for size in 0..100 {
        for _ in 0..5 {
            let _ = offer(&mut writer, SMALL + 64 * size);
            thread::sleep(Duration::from_millis(1));
        }
    }
    drop(writer);
    let readers: Vec<u32> = threads.map(|thread| thread.join().unwrap()).into();
    assert!(readers.iter().all(|&n| n > 3), "{readers:?}");
    let stats = export.stats();
    assert_eq!(stats.cameras[0].offered, 500);
    assert!(stats.cameras[0].generation > 10, "{stats}");
}

/// A stalled camera is told from a stopped one, a reader that stands still from one that reads.
#[test]
fn stats_tell_who_stalls() {
    let settings = Settings { max_readers: 3, ..Settings::default() };
    let export = FrameExport::new(settings);
    let mut writer = export.start_camera(id("gate"), stream(SMALL)).unwrap();
    assert_eq!(export.stats().cameras[0].newest_age, None);
    let [mut brisk, mut holding, _still] = [(); 3].map(|()| export.subscribe(&id("gate")).unwrap());
    offer(&mut writer, SMALL).unwrap();
    let held = holding.latest().unwrap();
    thread::sleep(Duration::from_millis(5));
    for _ in 0..9 {
        offer(&mut writer, SMALL).unwrap();
    }
    brisk.latest().unwrap();
    assert!(matches!(holding.latest(), Err(ReadError::Budget { budget: 1 })));
    let stats = export.stats();
    let readers = &stats.cameras[0].readers;
    assert_eq!(
        readers.iter().map(|r| (r.seen, r.lag, r.leases)).collect::<Vec<_>>(),
        [(1, 0, 0), (1, 9, 1), (0, 10, 0)]
    );
    assert_eq!((readers[1].oldest_lease, readers[1].refusals), (9, 1));
    assert!(readers[1].lag_time >= Duration::from_millis(5));
    assert!(readers[1].oldest_lease_time >= Duration::from_millis(5));
    assert_eq!(readers[0].oldest_lease_time, Duration::ZERO);
    let age = stats.cameras[0].newest_age.unwrap();
    thread::sleep(Duration::from_millis(5));
    assert!(export.stats().cameras[0].newest_age.unwrap() >= age + Duration::from_millis(5));
    assert_eq!(export.stats().cameras[0].state, CameraState::Running);
    drop(writer);
    assert_eq!(export.stats().cameras[0].state, CameraState::Stopped);
    drop(held);
}

#[test]
fn places_run_out() {
    let export = export();
    let _writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
    let _readers = [(); 2].map(|()| export.subscribe(&id("a")).unwrap());
    assert_eq!(
        export.subscribe(&id("a")).unwrap_err(),
        SubscribeError::Full { camera: id("a"), places: 2, readers: 2, leaving: 0 }
    );
}

/// Everything is dropped while everything else is still out.
#[test]
fn any_order_of_drops() {
    let build = || {
        let export = export();
        let mut writer = export.start_camera(id("a"), stream(SMALL)).unwrap();
        let mut reader = export.subscribe(&id("a")).unwrap();
        offer(&mut writer, SMALL).unwrap();
        let lease = reader.latest().unwrap().unwrap();
        (export, writer, reader, lease)
    };
    let (export, mut writer, reader, lease) = build();
    drop(export);
    offer(&mut writer, SMALL).unwrap();
    drop(writer);
    drop(reader);
    check(&lease);

    let (export, writer, mut reader, lease) = build();
    drop(writer);
    drop(export);
    assert_eq!(reader.latest().unwrap_err(), ReadError::Closed);
    assert_eq!(reader.resubscribe(), Err(SubscribeError::NotRunning { camera: id("a") }));
    drop(reader);
    check(&lease);

    let (export, writer, reader, lease) = build();
    drop(reader);
    drop(export);
    drop(lease);
    drop(writer);
}

#[test]
fn displayed_as_a_table() {
    let export = FrameExport::new(Settings { memory_budget: 1 << 20, ..Settings::default() });
    assert_eq!(export.stats().to_string(), "frame export: 0 of 1048576 bytes in use, 0 of them idle\n");
    let mut gate = export.start_camera(id("gate"), stream(SMALL)).unwrap();
    let _yard = export.start_camera(id("yard-camera"), stream(SMALL)).unwrap();
    let mut reader = export.subscribe(&id("gate")).unwrap();
    offer(&mut gate, SMALL).unwrap();
    let _held = reader.latest().unwrap();
    gate.skip(DropCause::Hardware);
    let table = export.stats().to_string();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 6, "{table}");
    assert!(lines[1].starts_with("camera       state    epoch  generation  offered  published  dropped"), "{table}");
    assert!(lines[2].starts_with("gate         running      0           0        2          1        1"), "{table}");
    assert!(lines[2].ends_with(" s  hardware 1"), "{table}");
    assert!(lines[3].starts_with("yard-camera  running      0           0        0          0        0"), "{table}");
    assert!(lines[4].starts_with("reader of  no  epoch  seen  missed  lag  lag time  leases  oldest"), "{table}");
    assert!(lines[5].starts_with("gate        0      0     1       0    0   0.000 s       1       0"), "{table}");
}
