//! Cameras start, stop, resize and are suspended; readers follow, and every frame is accounted for.

#![cfg(not(loom))]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{check, eventually, id, offer, offer_until_published, room_for, start, stream};
use vas_lifecycle::{
    CameraId, CameraState, CameraWriter, DropCause, FrameExport, FrameSink, Rate, Settings, SuspendReason, Watch,
};

const SMALL: usize = 1000;
const LARGE: usize = 5000;

fn export() -> FrameExport {
    FrameExport::new(Settings::default())
}

/// A camera that is started again while it runs waits until its former writer is dropped. What it is offered meanwhile
/// is counted, and so is what one that stops before its turn was offered.
#[test]
fn started_twice() {
    let export = export();
    let mut first = start(&export, "a", SMALL);
    let mut second = export.camera("a").expecting(stream(SMALL));
    let mut third = export.camera("a");
    let _b = start(&export, "b", SMALL);
    assert_eq!(export.cameras(), [id("a"), id("b")]);
    offer(&mut first, SMALL).unwrap();
    assert_eq!(offer(&mut second, SMALL), Err(DropCause::Starting));
    assert_eq!(offer(&mut third, SMALL), Err(DropCause::Starting));
    drop(third);
    let stats = export.stats();
    let camera = &stats.cameras[0];
    assert_eq!((camera.epoch, camera.waiting, camera.state), (0, 1, CameraState::Running));
    assert_eq!((camera.offered, camera.published, camera.dropped.get(DropCause::Starting)), (3, 1, 2));
    drop(first);
    let next = offer_until_published(&mut second, SMALL);
    let stats = export.stats();
    let camera = &stats.cameras[0];
    assert_eq!((camera.epoch, camera.waiting, camera.offered), (1, 0, next + 1));
    drop(second);
    assert_eq!(export.cameras(), [id("b")]);
    let mut again = start(&export, "a", SMALL);
    assert_eq!(offer(&mut again, SMALL), Ok(next + 1));
}

/// Any name is a camera's, and a long one is the same camera each time.
#[test]
fn any_name() {
    let export = export();
    let url = "rtsp://admin:secret@192.168.100.20:554/Streaming/Channels/101";
    for name in [
        "",
        " ",
        "x",
        url,
        "\u{1f4f7}\u{1f4f7}\u{1f4f7}\u{1f4f7}\u{1f4f7}\u{1f4f7}\u{1f4f7}\u{1f4f7}\u{1f4f7}\u{1f4f7}",
    ] {
        for epoch in 0..2 {
            let mut writer = start(&export, name, SMALL);
            assert_eq!(offer(&mut writer, SMALL), Ok(epoch));
            assert_eq!(export.cameras(), [CameraId::from_name(name)]);
        }
    }
    assert_eq!(export.stats().cameras.len(), 5);
}

/// Without a word of what is to come, the first frame asks for the ring. What is offered before that is there is counted,
/// for the camera and for a reader that was there from the start.
#[test]
fn the_first_frame_asks() {
    let export = export();
    let mut writer = export.camera("a");
    writer.skip(DropCause::Malformed);
    // What was offered before it subscribed is not this reader's.
    let mut reader = export.subscribe(id("a"));
    assert!(reader.poll().is_none());
    assert!(reader.wait(Duration::from_millis(20)).is_none());
    let before = export.stats();
    assert_eq!((before.cameras[0].state, before.bytes_in_use), (CameraState::Starting, 0), "nobody has asked");
    writer.skip(DropCause::Malformed);
    assert_eq!(writer.demand(|| 0), Ok(()));
    assert_eq!(offer(&mut writer, LARGE), Err(DropCause::Starting));
    let first = offer_until_published(&mut writer, LARGE);
    assert_eq!(offer(&mut writer, SMALL), Ok(first + 1));
    let frame = reader.poll().unwrap();
    check(&frame);
    assert_eq!((frame.frame_id, frame.epoch, frame.generation), (first, 0, 0));
    let stats = export.stats();
    let camera = &stats.cameras[0];
    assert_eq!((camera.state, camera.generation, camera.published), (CameraState::Running, 0, 2));
    assert_eq!(camera.dropped.get(DropCause::Malformed), 2);
    assert_eq!(camera.dropped.get(DropCause::Starting), first - 2);
    let counts = reader.counts();
    assert_eq!((counts.seen, counts.missed.dropped), (1, first - 1));
    assert_eq!((camera.readers[0].missed, camera.readers[0].first_frame_id), (counts.missed, 1));
}

/// A camera that stops before it had a ring: its frames are counted all the same, and its reader is told.
#[test]
fn stopped_before_the_first_ring() {
    let export = FrameExport::new(room_for(Settings::default(), &[SMALL]));
    for round in 1..=3 {
        let mut writer = export.camera("a");
        let mut reader = export.subscribe(id("a"));
        for _ in 0..10 {
            assert!(matches!(offer(&mut writer, LARGE), Err(DropCause::Starting | DropCause::Suspended)));
        }
        assert!(reader.poll().is_none());
        drop(writer);
        eventually("told", || reader.news().is_some_and(|news| news.state == CameraState::Stopped));
        assert!(reader.poll().is_none());
        let counts = reader.counts();
        assert_eq!((counts.seen, counts.missed.total()), (0, 10));
        let stats = export.stats();
        assert_eq!((stats.cameras[0].offered, stats.cameras[0].published), (10 * round, 0));
        assert_eq!((stats.cameras[0].state, stats.bytes_in_use), (CameraState::Stopped, 0));
    }
}

/// The budget has no room for the first frame: the camera says so, and takes smaller ones when they come.
#[test]
fn the_first_frame_is_too_large() {
    let settings = room_for(Settings::default(), &[SMALL]);
    let export = FrameExport::new(settings);
    let mut writer = export.camera("a");
    eventually("suspended", || offer(&mut writer, LARGE) == Err(DropCause::Suspended));
    let reason = SuspendReason::Budget {
        needed: settings.ring_bytes(LARGE).unwrap(),
        in_use: 0,
        budget: settings.memory_budget,
    };
    assert_eq!(common::state(&export, "a"), CameraState::Suspended(reason));
    offer_until_published(&mut writer, SMALL);
    assert_eq!(common::state(&export, "a"), CameraState::Running);
    eventually("suspended again", || offer(&mut writer, LARGE) == Err(DropCause::Suspended));
    offer(&mut writer, SMALL).unwrap();
}

#[test]
fn off_is_a_writer_that_does_nothing() {
    for mut writer in [FrameExport::disabled().camera("a").expecting(stream(SMALL)), CameraWriter::off()] {
        assert!(writer.is_off());
        writer.skip(DropCause::NoReader);
        assert_eq!(writer.demand(|| 0), Err(DropCause::Suspended));
        assert_eq!(writer.claim(SMALL).unwrap_err(), DropCause::Suspended);
    }
    assert_eq!(FrameExport::disabled().settings(), None);
}

/// Frame ids go on over a restart, and epochs count starts; the reader goes on.
#[test]
fn ids_go_on_over_a_restart() {
    let export = export();
    let mut writer = start(&export, "a", SMALL);
    let mut reader = export.subscribe(id("a"));
    for n in 0..5 {
        assert_eq!(offer(&mut writer, SMALL), Ok(n));
    }
    writer.skip(DropCause::Hardware);
    drop(writer);

    for n in 1..5 {
        let frame = reader.poll().unwrap();
        check(&frame);
        assert_eq!((frame.frame_id, frame.epoch, frame.camera_id), (n, 0, id("a")));
    }
    assert!(reader.poll().is_none());
    let counts = reader.counts();
    assert_eq!((counts.seen, counts.missed.overwritten, counts.missed.dropped), (4, 1, 1));

    let mut writer = start(&export, "a", SMALL);
    assert_eq!(offer(&mut writer, SMALL), Ok(6));
    let frame = reader.poll().unwrap();
    assert_eq!((frame.frame_id, frame.epoch, frame.generation), (6, 1, 0));
}

#[test]
fn a_reader_waits_for_the_restart() {
    let export = export();
    let writer = start(&export, "a", SMALL);
    let mut reader = export.subscribe(id("a"));
    drop(writer);
    let waiting = thread::spawn(move || {
        let frame = reader.wait(Duration::from_secs(10)).expect("a frame in time");
        (frame.epoch, frame.frame_id)
    });
    thread::sleep(Duration::from_millis(20));
    let mut writer = start(&export, "a", SMALL);
    offer(&mut writer, SMALL).unwrap();
    assert_eq!(waiting.join().unwrap(), (1, 0));
}

/// A frame that does not fit is dropped and counted until the control thread has made room; the reader goes over by
/// itself, an old lease keeps its pixels, smaller frames fit in place, and nothing is lost track of.
#[test]
fn frames_outgrow_their_slots() {
    let export = export();
    let mut writer = start(&export, "a", SMALL);
    let mut reader = export.subscribe(id("a"));
    offer(&mut writer, SMALL).unwrap();
    let old = reader.poll().unwrap();
    assert_eq!(offer(&mut writer, LARGE), Err(DropCause::Resizing));
    let first = offer_until_published(&mut writer, LARGE);
    assert_eq!(offer(&mut writer, SMALL), Ok(first + 1), "absorbed");

    let frame = reader.poll().unwrap();
    check(&frame);
    assert_eq!((frame.frame_id, frame.epoch, frame.generation), (first, 0, 1));
    assert_eq!(reader.at(), Some((0, 1)));
    let counts = reader.counts();
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
    let mut writer = start(&export, "a", SMALL);
    let mut reader = export.subscribe(Watch::from(id("a")).rate(Rate::Newest));
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

    assert_eq!(reader.poll().unwrap().frame_id, back);
    let counts = reader.counts();
    assert_eq!(counts.seen + counts.missed.total(), back + 1);
    assert_eq!(counts.missed.dropped, back - 1);
}

/// A camera that is suspended gets its larger ring when another camera makes room for it.
#[test]
fn suspended_until_there_is_room() {
    let export = FrameExport::new(room_for(Settings::default(), &[SMALL, LARGE]));
    let mut writer = start(&export, "a", SMALL);
    let other = start(&export, "b", SMALL);
    eventually("suspended", || offer(&mut writer, LARGE).is_err_and(|cause| cause == DropCause::Suspended));
    drop(other);
    offer_until_published(&mut writer, LARGE);
    assert_eq!(export.stats().cameras[0].generation, 1);
}

/// Sizes that alternate while rings are asked for, and grow each time: the writer waits for the answer with the small ones
/// too, and goes on with whatever comes.
#[test]
fn the_stream_changes_its_mind() {
    let export = export();
    let mut writer = start(&export, "a", SMALL);
    let mut reader = export.subscribe(Watch::from(id("a")).rate(Rate::Newest));
    let mut seen = 0;
    for round in 0..200 {
        let grown = offer(&mut writer, SMALL + 100 * round);
        // Now and then the offer comes before, between and after these.
        thread::sleep(Duration::from_micros(round as u64 * 61 % 9000));
        let small = offer(&mut writer, SMALL);
        assert!(small.is_ok() || grown.is_err() && small == Err(DropCause::Resizing), "{grown:?}, {small:?}");
        seen += u64::from(reader.poll().is_some_and(|frame| {
            check(&frame);
            true
        }));
    }
    drop(writer);
    assert!(reader.poll().is_none());
    let counts = reader.counts();
    assert_eq!(counts.seen, seen);
    assert_eq!(counts.seen + counts.missed.total(), 400);
    let stats = export.stats();
    assert_eq!(stats.cameras[0].offered, 400);
    assert!(stats.cameras[0].generation > 0, "{stats}");
}

/// A stream whose frames are small and large in turn comes to one large ring: once the large one is there, none is lost.
#[test]
fn sizes_in_turn_end_in_one_ring() {
    let export = export();
    let mut writer = start(&export, "a", SMALL);
    let mut lost = Vec::new();
    for frame in 0..400 {
        let size = if frame % 2 == 0 { SMALL } else { LARGE };
        if let Err(cause) = offer(&mut writer, size) {
            assert_eq!(cause, DropCause::Resizing);
            lost.push(frame);
        }
        thread::sleep(Duration::from_micros(500));
    }
    // From the first large one until the answer, without a hole.
    let until = lost.last().map_or(1, |last| last + 1);
    assert_eq!(lost, (1..until).collect::<Vec<_>>());
    assert!(until < 400, "no answer in 200 ms");
    assert_eq!(export.stats().cameras[0].generation, 1);
}

/// A reader that does not look holds the ring that it is at, and none of those that it has not come to.
#[test]
fn a_reader_that_sleeps_holds_one_ring() {
    let export = export();
    let mut writer = start(&export, "a", SMALL);
    let mut reader = export.subscribe(id("a"));
    offer(&mut writer, SMALL).unwrap();
    let mut last = 0;
    for step in 1..=5 {
        last = offer_until_published(&mut writer, SMALL + 100 * step);
    }
    let stats = export.stats();
    assert_eq!(stats.retired.iter().map(|ring| ring.generation).collect::<Vec<_>>(), [0], "{stats}");
    assert_eq!((stats.cameras[0].generation, stats.cameras[0].readers[0].lag), (5, 1));
    let frame = reader.poll().unwrap();
    assert_eq!((frame.frame_id, frame.generation), (0, 0));
    drop(frame);
    let frame = reader.poll().unwrap();
    assert_eq!((frame.frame_id, frame.generation), (last, 5));
    let counts = reader.counts();
    assert_eq!((counts.seen, counts.missed.skipped, counts.seen + counts.missed.total()), (2, 4, last + 1));
    assert!(export.stats().retired.is_empty());
}

/// Readers come and go while rings change: whatever they got and missed adds up to what was offered to them.
#[test]
fn readers_join_while_rings_change() {
    let settings = Settings { max_readers: 8, ..Settings::default() };
    let export = FrameExport::new(settings);
    let mut writer = start(&export, "a", SMALL);
    let over = Arc::new(AtomicBool::new(false));
    let reading = |rate: Rate| {
        let (export, over) = (export.clone(), over.clone());
        thread::spawn(move || {
            let mut readers = 0;
            while !over.load(Ordering::Relaxed) {
                let mut reader = export.subscribe(Watch::from(id("a")).rate(rate));
                readers += 1;
                // The id at which the reader's span begins, known from its first frame on.
                let (mut begin, mut last) = (None, None);
                for _ in 0..20 {
                    let Some(frame) = reader.wait(Duration::from_millis(2)) else { continue };
                    check(&frame);
                    assert!(last < Some(frame.frame_id));
                    last = Some(frame.frame_id);
                    let counts = reader.counts();
                    let span = counts.seen + counts.missed.total();
                    assert_eq!(*begin.get_or_insert(frame.frame_id + 1 - span), frame.frame_id + 1 - span);
                }
            }
            readers
        })
    };
    let threads = [reading(Rate::Newest), reading(Rate::EveryFrame), reading(Rate::PerSecond(300.0))];
    for size in 0..100 {
        for _ in 0..5 {
            let _ = offer(&mut writer, SMALL + 64 * size);
            thread::sleep(Duration::from_millis(1));
        }
    }
    drop(writer);
    over.store(true, Ordering::Relaxed);
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
    let mut writer = start(&export, "gate", SMALL);
    assert_eq!(export.stats().cameras[0].newest_age, None);
    let [mut brisk, mut holding, _still] = [(); 3].map(|()| export.subscribe(Watch::camera("gate").rate(Rate::Newest)));
    offer(&mut writer, SMALL).unwrap();
    let held = holding.poll();
    thread::sleep(Duration::from_millis(5));
    for _ in 0..9 {
        offer(&mut writer, SMALL).unwrap();
    }
    assert!(brisk.poll().is_some());
    assert!(holding.poll().is_none());
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

/// Everything is dropped while everything else is still out.
#[test]
fn any_order_of_drops() {
    let build = || {
        let export = export();
        let mut writer = start(&export, "a", SMALL);
        let mut reader = export.subscribe(id("a"));
        offer(&mut writer, SMALL).unwrap();
        let lease = reader.poll().unwrap();
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
    assert!(reader.poll().is_none());
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
    let mut gate = start(&export, "gate", SMALL);
    let _yard = start(&export, "yard-camera", SMALL);
    let mut reader = export.subscribe(Watch::camera("gate").name("faces"));
    offer(&mut gate, SMALL).unwrap();
    let _held = reader.poll();
    gate.skip(DropCause::Hardware);
    let table = export.stats().to_string();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 6, "{table}");
    assert!(lines[1].starts_with("camera       state    epoch  generation  offered  published  dropped"), "{table}");
    assert!(lines[2].starts_with("gate         running      0           0        2          1        1"), "{table}");
    assert!(lines[2].ends_with(" s  hardware 1"), "{table}");
    assert!(lines[3].starts_with("yard-camera  running      0           0        0          0        0"), "{table}");
    assert!(lines[4].starts_with("reader of  no  name   seen  missed  lag  lag time  leases  oldest"), "{table}");
    assert!(lines[5].starts_with("gate        0  faces     1       0    0   0.000 s       1       0"), "{table}");
}
