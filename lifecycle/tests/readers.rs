//! Readers for life: over starts, stops and resizes, at any rate, many at once, with exact counts.

#![cfg(not(loom))]

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::{check, eventually, id, offer_at, start, state};
use vas_lifecycle::{
    CameraState, CameraWriter, DropCause, FrameEntry, FrameExport, FrameSink, Rate, Reader, ReaderStats, Settings,
    Watch,
};

const SMALL: usize = 1000;
const LARGE: usize = 5000;
const SECOND: u64 = 1_000_000_000;
const SOON: Duration = Duration::from_secs(10);

fn export() -> FrameExport {
    FrameExport::new(Settings { max_readers: 4, depth: 4, ..Settings::default() })
}

fn offer(writer: &mut CameraWriter, bytes: usize) -> Result<u64, DropCause> {
    offer_at(writer, bytes, vas_lifecycle::monotonic_ns())
}

fn offer_until_published(writer: &mut CameraWriter, bytes: usize) -> u64 {
    let mut published = None;
    eventually("published", || {
        published = offer(writer, bytes).ok();
        published.is_some()
    });
    published.unwrap()
}

fn stats_of(export: &FrameExport, camera: &str, reader: usize) -> ReaderStats {
    export.camera_stats(camera).unwrap().readers[reader].clone()
}

/// A reader is there before its camera, over two starts of it, and a resize; every frame is accounted for.
#[test]
fn a_reader_for_life() {
    let export = export();
    let mut reader = export.subscribe(Watch::camera("a").name("faces"));
    assert!(reader.poll().is_none() && reader.at().is_none());
    assert_eq!(reader.news().unwrap().state, CameraState::Expected);
    assert_eq!(state(&export, "a"), CameraState::Expected);

    let mut writer = export.camera("a");
    let first = offer_until_published(&mut writer, SMALL);
    let frame = reader.poll().unwrap();
    check(&frame);
    assert_eq!((frame.frame_id, frame.epoch, frame.generation), (first, 0, 0));
    assert!(frame.is_restart() && frame.is_resized());
    assert_eq!((frame.missed().dropped, frame.missed().total()), (first, first));
    eventually("told", || reader.news().is_some_and(|news| news.state == CameraState::Running));

    let second = offer_until_published(&mut writer, LARGE);
    // The lease of the first is one of the former ring's.
    let (former, frame) = (frame, reader.wait(SOON).unwrap());
    check(&former);
    assert_eq!((frame.frame_id, frame.epoch, frame.generation), (second, 0, 1));
    assert!(!frame.is_restart());
    drop(frame);
    drop(writer);
    eventually("told", || {
        let news = reader.news();
        news.is_some_and(|news| news.state == CameraState::Stopped && news.to_string() == "camera a: stopped")
    });
    assert!(reader.poll().is_none() && reader.at().is_none());

    // Frames of a start that never gets a ring are missed as well.
    let mut writer = export.camera("a");
    assert_eq!(offer(&mut writer, SMALL), Err(DropCause::Starting));
    drop(writer);
    eventually("stopped", || state(&export, "a") == CameraState::Stopped);

    let mut writer = start(&export, "a", SMALL);
    let third = offer_until_published(&mut writer, SMALL);
    let frame = reader.wait(SOON).unwrap();
    assert_eq!((frame.frame_id, frame.epoch, frame.is_restart()), (third, 2, true));
    let counts = reader.counts();
    assert_eq!((counts.seen, counts.seen + counts.missed.total()), (3, third + 1));
    let stats = stats_of(&export, "a", 0);
    assert_eq!((&*stats.name, stats.first_frame_id, stats.seen, stats.leases), ("faces", 0, 3, 1));
    assert_eq!(stats.missed, counts.missed);
}

/// All cameras that there are and will be: the first frame of one that starts later is not missed.
#[test]
fn all_cameras_that_will_be() {
    let export = export();
    let mut a = start(&export, "a", SMALL);
    let mut cameras = export.watch(Watch::all());
    assert_eq!(cameras.cameras().collect::<Vec<_>>(), [&id("a")]);
    let changes = export.changes();
    let mut b = start(&export, "b", SMALL);
    assert_ne!(export.changes(), changes);
    offer_at(&mut b, SMALL, 5).unwrap();
    offer_at(&mut a, SMALL, 6).unwrap();
    let mut got: Vec<_> = cameras.wait(SOON).map(|frame| (frame.camera_id, frame.frame_id)).collect();
    got.sort_unstable();
    assert_eq!(got, [(id("a"), 0), (id("b"), 0)]);
    assert_eq!(cameras.poll().count(), 0);
    assert_eq!(cameras.news().map(|news| news.camera).collect::<Vec<_>>(), [id("a"), id("b")]);
    assert_eq!((cameras.counts().seen, cameras.counts_of(&id("b")).unwrap().seen), (2, 1));
    assert_eq!(cameras.counts_of(&id("c")), None);
    // A camera that somebody waits for is none yet.
    let _waiting = export.subscribe("c");
    assert_eq!(cameras.cameras().count(), 2);
    let mut c = export.camera("c");
    offer_until_published(&mut c, SMALL);
    assert_eq!(cameras.wait(SOON).next().unwrap().camera_id, id("c"));
}

/// Frames are handed out in turn, also to one that takes one frame at a time.
#[test]
fn cameras_take_turns() {
    let export = export();
    let names = ["a", "b", "c"];
    let mut writers = names.map(|name| start(&export, name, SMALL));
    let mut cameras = export.watch(Watch::cameras(names));
    let mut taken = Vec::new();
    for n in 0..6 {
        writers.iter_mut().for_each(|writer| {
            offer_at(writer, SMALL, n + 1).unwrap();
        });
        taken.extend(cameras.wait(SOON).next().map(|frame| frame.camera_id.to_string()));
    }
    for names in taken.chunks(3) {
        let mut names = names.to_vec();
        names.sort_unstable();
        assert_eq!(names, ["a", "b", "c"], "{taken:?}");
    }
}

/// While all leases are out a wait waits, until one is back, and does not spin.
#[test]
fn a_wait_waits_for_a_lease() {
    let export = export();
    let mut writer = start(&export, "a", SMALL);
    let mut reader = export.subscribe("a");
    offer(&mut writer, SMALL).unwrap();
    let held = reader.wait(SOON).unwrap();
    offer(&mut writer, SMALL).unwrap();
    let began = Instant::now();
    assert!(reader.wait(Duration::from_millis(50)).is_none());
    assert!(began.elapsed() >= Duration::from_millis(50));
    let refusals = reader.counts().refusals;
    assert!((1..=60).contains(&refusals), "{refusals} looks in 50 ms");
    let giving_back = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        drop(held);
    });
    assert_eq!(reader.wait(SOON).unwrap().frame_id, 1);
    giving_back.join().unwrap();
}

#[test]
fn waiting_ends_at_the_deadline() {
    let export = export();
    let writer = start(&export, "a", SMALL);
    let mut reader = export.subscribe("a");
    for _ in 0..2 {
        let began = Instant::now();
        assert!(reader.wait(Duration::from_millis(20)).is_none());
        assert!(reader.wait(Duration::ZERO).is_none());
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(20), "{took:?}");
        // The other time, the camera is gone.
        reader.set_poll(Duration::from_secs(1));
    }
    drop(writer);
    assert!(reader.wait(Duration::from_millis(20)).is_none());
    let mut none = export.watch(Watch::cameras([""; 0]));
    assert_eq!(none.wait(Duration::from_millis(5)).count(), 0);
    let mut off = FrameExport::disabled().watch(Watch::all());
    assert_eq!((off.wait(Duration::from_millis(5)).count(), off.cameras().count(), off.news().count()), (0, 0, 0));
}

/// A reader for which there is no place says so, and gets frames when there is one.
#[test]
fn places_run_out() {
    let export = FrameExport::new(Settings { max_readers: 1, ..Settings::default() });
    let mut writer = start(&export, "a", SMALL);
    let first = export.subscribe("a");
    let mut second = export.subscribe("a");
    let news = second.news().unwrap();
    assert!(!news.has_place && news.to_string().contains("AI_FRAME_EXPORT_MAX_READERS"), "{news}");
    offer(&mut writer, SMALL).unwrap();
    assert!(second.poll().is_none());
    drop(first);
    eventually("a place", || second.news().is_some_and(|news| news.has_place));
    let id = offer_until_published(&mut writer, SMALL);
    assert_eq!(second.wait(SOON).unwrap().frame_id, id);
}

/// Offers so many seconds of a stream, and has the reader poll after each frame. Returns how many frames were published.
fn play(writer: &mut CameraWriter, fps: u64, seconds: u64, mut after_each: impl FnMut(u64)) -> u64 {
    let mut published = 0;
    for n in 0..fps * seconds {
        let now = SECOND + n * SECOND / fps;
        published += u64::from(offer_at(writer, SMALL, now).is_ok());
        after_each(now);
    }
    published
}

fn all(reader: &Reader) -> u64 {
    let counts = reader.counts();
    counts.seen + counts.missed.total()
}

/// Five per second of any stream: so many are copied, all of them are handed out, and the others are no loss.
#[test]
fn five_per_second() {
    for fps in [6, 12, 25, 30, 100] {
        let export = export();
        let mut writer = start(&export, "a", SMALL);
        let mut reader = export.subscribe(Watch::camera("a").rate(Rate::PerSecond(5.0)));
        let mut seen = Vec::new();
        let published = play(&mut writer, fps, 20, |_| seen.extend(reader.poll().map(|frame| frame.monotonic_ns)));
        assert!((100..=101).contains(&published), "{published} of {fps}");
        assert_eq!(seen.len() as u64, published);
        let counts = reader.counts();
        assert_eq!((counts.seen, counts.missed.lost()), (published, 0));
        let stats = export.stats();
        assert_eq!(stats.cameras[0].dropped.get(DropCause::Unwanted), fps * 20 - published);
        drop(writer);
        assert!(reader.poll().is_none());
        assert_eq!(all(&reader), fps * 20);
    }
}

/// The fastest reader decides; a slower one takes its share, and has lost none of what others got.
#[test]
fn the_fastest_decides() {
    let export = export();
    let mut writer = start(&export, "a", SMALL);
    let rates = [Rate::PerSecond(3.0), Rate::PerSecond(5.0), Rate::PerSecond(0.5)];
    let mut readers = rates.map(|rate| export.subscribe(Watch::camera("a").rate(rate)));
    let poll = |readers: &mut [Reader]| readers.iter_mut().for_each(|reader| drop(reader.poll()));
    let published = play(&mut writer, 25, 20, |_| poll(&mut readers));
    assert!((100..=101).contains(&published), "{published}");
    let seen = readers.each_ref().map(|reader| reader.counts().seen);
    assert!((57..=61).contains(&seen[0]) && seen[1] == published && (10..=11).contains(&seen[2]), "{seen:?}");
    assert!(readers.iter().all(|reader| reader.counts().missed.lost() == 0));

    // One that takes all: the clock is not looked at.
    let mut every = export.subscribe("a");
    for n in 0..500 {
        assert_eq!(writer.demand(|| panic!("the clock is read")), Ok(()), "{n}");
        let now = 21 * SECOND + n * SECOND / 25;
        writer.claim(SMALL).unwrap().publish(&FrameEntry { monotonic_ns: now, ..FrameEntry::default() });
        poll(&mut readers);
        assert!(every.poll().is_some());
    }
    let more = readers.each_ref().map(|reader| reader.counts().seen);
    let more: Vec<_> = more.iter().zip(seen).map(|(more, seen)| more - seen).collect();
    assert!((59..=61).contains(&more[0]) && (99..=102).contains(&more[1]) && (9..=11).contains(&more[2]), "{more:?}");
    assert!(readers.iter().all(|reader| reader.counts().missed.lost() == 0));
    assert_eq!(every.counts().seen, 500);
}

/// A reader that is slower than its rate loses what was due, and no more than that.
#[test]
fn due_and_lost() {
    let export = export();
    let mut writer = start(&export, "a", SMALL);
    let mut reader = export.subscribe(Watch::camera("a").rate(Rate::PerSecond(5.0)));
    let _all = export.subscribe("a");
    let mut last = 0;
    play(&mut writer, 25, 20, |now| {
        if now >= last + SECOND {
            last = now;
            assert!(reader.poll().is_some());
        }
    });
    let counts = reader.counts();
    // Between two that are a second apart, four more were due.
    assert_eq!(counts.seen, 20);
    let before = counts.seen + counts.missed.total();
    assert_eq!((counts.missed.lost(), before), (19 * 4, 19 * 25 + 1));
}

/// On request one frame is copied for each request, offered after it, and none while nobody asks.
#[test]
fn on_request() {
    let export = export();
    let mut writer = start(&export, "a", SMALL);
    let mut reader = export.subscribe(Watch::camera("a").rate(Rate::OnRequest));
    let mut offer = |n: u64| offer_at(&mut writer, SMALL, n + 1);
    assert_eq!(offer(0), Err(DropCause::Unwanted));
    for round in 0..10 {
        let at = 1 + 3 * round;
        reader.request();
        assert!(reader.poll().is_none(), "nothing from before");
        assert_eq!(
            [offer(at), offer(at + 1), offer(at + 2)],
            [Ok(at), Err(DropCause::Unwanted), Err(DropCause::Unwanted)]
        );
        assert_eq!(reader.poll().unwrap().frame_id, at);
        assert!(reader.poll().is_none());
    }
    // One that is asked for anew is another one.
    reader.request();
    assert_eq!(offer(31), Ok(31));
    reader.request();
    assert!(reader.poll().is_none());
    assert_eq!((offer(32), offer(33)), (Ok(32), Err(DropCause::Unwanted)));
    assert_eq!(reader.poll().unwrap().frame_id, 32);
    let counts = reader.counts();
    assert_eq!((counts.seen, counts.missed.lost(), counts.missed.total()), (11, 0, 22));

    // Beside one that takes all, it gets the first that comes after the request.
    let mut every = export.subscribe("a");
    for round in 0..10 {
        let at = 34 + 3 * round;
        assert_eq!(offer(at), Ok(at));
        reader.request();
        assert!(reader.poll().is_none(), "nothing from before");
        assert_eq!((offer(at + 1), offer(at + 2)), (Ok(at + 1), Ok(at + 2)));
        assert_eq!(reader.poll().unwrap().frame_id, at + 1);
        assert!(reader.poll().is_none());
        (0..3).for_each(|_| drop(every.poll().unwrap()));
    }
    assert_eq!(reader.counts().missed.lost(), 0);
    drop(writer);
    assert!(reader.poll().is_none());
    assert_eq!(all(&reader), 64);
}

/// A request that comes before the camera does, or while it is being restarted, is answered by its first frame.
#[test]
fn a_request_outlives_a_restart() {
    let export = export();
    let mut reader = export.subscribe(Watch::camera("a").rate(Rate::OnRequest));
    for _ in 0..3 {
        reader.request();
        assert!(reader.poll().is_none());
        let mut writer = start(&export, "a", SMALL);
        let first = offer_until_published(&mut writer, SMALL);
        assert_eq!(offer(&mut writer, SMALL), Err(DropCause::Unwanted));
        assert_eq!(reader.wait(SOON).unwrap().frame_id, first);
        // This one is asked for, copied, and never looked at by the time that the camera is gone.
        reader.request();
        assert!(offer(&mut writer, SMALL).is_ok());
        drop(writer);
        eventually("stopped", || state(&export, "a") == CameraState::Stopped);
        assert!(reader.wait(SOON).is_some(), "readable to the end");
    }
}

/// The clock is read only when so many frames per second are wanted, and nobody wants all.
#[test]
fn the_clock_is_read_when_it_decides() {
    let export = export();
    let mut writer = start(&export, "a", SMALL);
    let mut looks = 0;
    let mut demand = || {
        looks = 0;
        let result = writer.demand(|| {
            looks += 1;
            SECOND
        });
        (result, looks)
    };
    assert_eq!(demand(), (Err(DropCause::NoReader), 0));
    let mut asking = export.subscribe(Watch::camera("a").rate(Rate::OnRequest));
    assert_eq!(demand(), (Err(DropCause::Unwanted), 0));
    asking.request();
    assert_eq!(demand(), (Ok(()), 0));
    let rated = export.subscribe(Watch::camera("a").rate(Rate::PerSecond(5.0)));
    assert_eq!(demand(), (Ok(()), 1));
    let mut every = export.subscribe("a");
    assert_eq!(demand(), (Ok(()), 0));
    every.set_rate(Rate::Newest);
    assert_eq!(demand(), (Ok(()), 0));
    every.set_rate(Rate::OnRequest);
    drop(rated);
    drop(asking);
    drop(every);
    assert_eq!(demand(), (Err(DropCause::NoReader), 0));
}
