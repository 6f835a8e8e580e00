//! Models of readers that want some frames only, and of readers over starts and stops, explored in every order that matters.
//!
//! Run by `cargo xtask loom`. Times are invented, and no clock decides anything.

#![cfg(loom)]

use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::AtomicU8;
use loom::thread;
use vas_lifecycle::model::{poll, turn};
use vas_lifecycle::{
    CameraWriter, DropCause, FrameEntry, FrameExport, FrameSink, HugePages, Rate, Readers, Settings, StreamSpec, Watch,
};

const SMALL: usize = 64;
const LARGE: usize = 65;

/// `LOOM_MAX_PREEMPTIONS` goes deeper, or less deep.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.max_branches = 100_000;
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = Some(preemptions);
    }
    let executions = StdArc::new(AtomicUsize::new(0));
    let count = executions.clone();
    builder.check(move || {
        count.fetch_add(1, Relaxed);
        model();
    });
    println!("{} executions", executions.load(Relaxed));
}

fn export(readers: usize) -> FrameExport {
    FrameExport::new(Settings {
        depth: 1,
        max_readers: readers,
        reader_leases: 1,
        memory_budget: 1 << 20,
        huge_pages: HugePages::Off,
        ..Settings::default()
    })
}

/// A camera with its ring.
fn start(export: &FrameExport) -> CameraWriter {
    let writer = export.camera("a").expecting(StreamSpec { width: 8, height: 8, frame_bytes: SMALL });
    turn(export);
    writer
}

fn reader(export: &FrameExport, rate: Rate) -> Readers {
    export.watch(Watch::camera("a").rate(rate))
}

/// What the tap does, at an invented time. What the camera sees is in the pixels. Returns whether the frame was published.
fn offer(writer: &mut CameraWriter, bytes: usize, now: u64, scene: &AtomicU8) -> bool {
    if let Err(cause) = writer.demand(|| now) {
        writer.skip(cause);
        return false;
    }
    // Decoded when it is offered, as far as the model goes.
    let seen = scene.load(loom::sync::atomic::Ordering::Relaxed);
    let Ok(mut claim) = writer.claim(bytes) else { return false };
    claim.pixels_mut()[0] = seen;
    claim.publish(&FrameEntry { bytes: bytes as u32, monotonic_ns: now, ..FrameEntry::default() });
    true
}

/// Everything is accounted for, and given back.
fn settled(export: &FrameExport, readers: &mut [Readers], offered: u64) {
    turn(export);
    let stats = export.stats();
    assert_eq!(stats.cameras[0].offered, offered);
    for (n, readers) in readers.iter_mut().enumerate() {
        while !poll(readers, 1_000).is_empty() {}
        let counts = readers.counts();
        let first = stats.cameras[0].readers[n].first_frame_id;
        assert_eq!(first + counts.seen + counts.missed.total(), offered, "{counts:?}");
    }
    turn(export);
    let stats = export.stats();
    assert_eq!(stats.retired, []);
    assert_eq!(stats.bytes_in_use, stats.bytes_idle);
}

/// A request while frames are offered: one frame is copied, it is from after the request, and it is handed out.
#[test]
fn one_frame_for_one_request() {
    explore(3, || {
        let export = export(1);
        let mut writer = start(&export);
        let mut readers = reader(&export, Rate::OnRequest);
        let scene = Arc::new(AtomicU8::new(0));
        let decode = thread::spawn({
            let scene = scene.clone();
            move || {
                let published = (1..4).map(|now| usize::from(offer(&mut writer, SMALL, now, &scene))).sum::<usize>();
                (writer, published)
            }
        });
        scene.store(1, loom::sync::atomic::Ordering::Relaxed);
        readers.request();
        let mut frames = poll(&mut readers, 10);
        let (mut writer, mut published) = decode.join().unwrap();
        published += usize::from(offer(&mut writer, SMALL, 4, &scene));
        assert_eq!(published, 1);
        assert!(!offer(&mut writer, SMALL, 5, &scene));
        frames.extend(poll(&mut readers, 10));
        assert_eq!(frames.iter().map(|frame| frame.pixels()[0]).collect::<Vec<_>>(), [1]);
        frames.clear();
        drop(writer);
        assert_eq!((readers.counts().seen, readers.counts().missed.lost()), (1, 0));
        settled(&export, &mut [readers], 5);
    });
}

/// Two that ask, one of them while frames are offered: each gets one from after its request, and two are copied at most.
#[test]
fn two_that_ask() {
    explore(2, || {
        let export = export(2);
        let mut writer = start(&export);
        let mut first = reader(&export, Rate::OnRequest);
        let mut second = reader(&export, Rate::OnRequest);
        let scene = Arc::new(AtomicU8::new(0));
        first.request();
        let decode = thread::spawn({
            let scene = scene.clone();
            move || {
                let published = (1..4).map(|now| usize::from(offer(&mut writer, SMALL, now, &scene))).sum::<usize>();
                (writer, published)
            }
        });
        let asking = thread::spawn({
            let scene = scene.clone();
            move || {
                scene.store(1, loom::sync::atomic::Ordering::Relaxed);
                second.request();
                let frames = poll(&mut second, 10);
                (second, frames)
            }
        });
        let mut firsts = poll(&mut first, 10);
        let (mut writer, mut published) = decode.join().unwrap();
        let (mut second, mut seconds) = asking.join().unwrap();
        published += usize::from(offer(&mut writer, SMALL, 4, &scene));
        assert!((1..=2).contains(&published), "{published}");
        firsts.extend(poll(&mut first, 10));
        seconds.extend(poll(&mut second, 10));
        assert_eq!((firsts.len(), seconds.len(), seconds[0].pixels()[0]), (1, 1, 1));
        drop((firsts, seconds, writer));
        settled(&export, &mut [first, second], 4);
    });
}

/// Frames that are copied for another reader before the request are none for the one that asks: the first from after it is.
#[test]
fn a_request_beside_one_that_takes_all() {
    explore(2, || {
        let export = export(2);
        let mut writer = start(&export);
        let every = reader(&export, Rate::EveryFrame);
        let mut asking = reader(&export, Rate::OnRequest);
        let scene = Arc::new(AtomicU8::new(0));
        let decode = thread::spawn({
            let scene = scene.clone();
            move || {
                (1..4).for_each(|now| assert!(offer(&mut writer, SMALL, now, &scene)));
                writer
            }
        });
        scene.store(1, loom::sync::atomic::Ordering::Relaxed);
        asking.request();
        let mut frames = poll(&mut asking, 10);
        let mut writer = decode.join().unwrap();
        assert!(offer(&mut writer, SMALL, 4, &scene));
        frames.extend(poll(&mut asking, 10));
        assert_eq!(frames.iter().map(|frame| frame.pixels()[0]).collect::<Vec<_>>(), [1]);
        assert!(offer(&mut writer, SMALL, 5, &scene));
        assert!(poll(&mut asking, 10).is_empty());
        drop((frames, writer));
        assert_eq!(asking.counts().missed.lost(), 0);
        settled(&export, &mut [every, asking], 5);
    });
}

/// The answer is given at one ring, and the writer goes over to the next: it is there all the same, and not given twice.
#[test]
fn a_request_during_a_resize() {
    explore(2, || {
        let export = export(1);
        let mut writer = start(&export);
        let mut readers = reader(&export, Rate::OnRequest);
        let scene = Arc::new(AtomicU8::new(1));
        let decode = thread::spawn({
            let scene = scene.clone();
            move || {
                let mut published = 0;
                for (now, bytes) in [(1, SMALL), (2, LARGE), (3, LARGE)] {
                    published += usize::from(offer(&mut writer, bytes, now, &scene));
                }
                (writer, published)
            }
        });
        readers.request();
        turn(&export);
        let mut frames = poll(&mut readers, 10);
        let (mut writer, mut published) = decode.join().unwrap();
        for now in 4..6 {
            turn(&export);
            published += usize::from(offer(&mut writer, LARGE, now, &scene));
        }
        frames.extend(poll(&mut readers, 10));
        assert_eq!((frames.len(), published), (1, 1));
        drop((frames, writer));
        settled(&export, &mut [readers], 5);
    });
}

/// A reader that comes before its camera, over a stop and a start on other threads: nothing is missed by being late, and
/// every frame is accounted for.
#[test]
fn a_reader_over_a_restart() {
    explore(2, || {
        let export = export(1);
        let mut readers = reader(&export, Rate::EveryFrame);
        let mut writer = start(&export);
        let scene = Arc::new(AtomicU8::new(0));
        let decode = thread::spawn({
            let (scene, export) = (scene.clone(), export.clone());
            move || {
                let first = offer(&mut writer, SMALL, 1, &scene);
                drop(writer);
                let mut writer = export.camera("a");
                // Before its ring is there, or after.
                let second = offer(&mut writer, SMALL, 2, &scene);
                (writer, first, second)
            }
        });
        let mut seen = poll(&mut readers, 10).len();
        turn(&export);
        seen += poll(&mut readers, 10).len();
        let (mut writer, first, second) = decode.join().unwrap();
        turn(&export);
        turn(&export);
        let third = offer(&mut writer, SMALL, 3, &scene);
        let mut last = None;
        while let [frame] = &poll(&mut readers, 10)[..] {
            seen += 1;
            last = Some(frame.frame_id);
        }
        assert!(first && third, "{first} {second} {third}");
        // None of the two or three is lost: depth and leases are enough for a reader that looks in between.
        assert_eq!((seen, last), (2 + usize::from(second), Some(2)));
        drop(writer);
        settled(&export, &mut [readers], 3);
    });
}

/// Readers at two rates come and go while frames are offered: what each got and missed adds up.
#[test]
fn rates_come_and_go() {
    explore(2, || {
        let export = export(2);
        let mut writer = start(&export);
        let mut steady = reader(&export, Rate::PerSecond(1e6));
        let scene = Arc::new(AtomicU8::new(0));
        let decode = thread::spawn({
            let scene = scene.clone();
            move || {
                // Due, not due, due for the one that wants a million per second.
                for now in [10_000, 10_100, 12_000] {
                    offer(&mut writer, SMALL, now, &scene);
                }
                writer
            }
        });
        let coming = thread::spawn({
            let export = export.clone();
            move || drop(reader(&export, Rate::EveryFrame))
        });
        drop(poll(&mut steady, 20_000));
        coming.join().unwrap();
        let writer = decode.join().unwrap();
        drop(poll(&mut steady, 20_000));
        let lost = steady.counts().missed.dropped;
        assert_eq!(lost, 0);
        drop(writer);
        settled(&export, &mut [steady], 3);
    });
}

/// A frame that finds no slot answers nothing: the next one does.
#[test]
fn a_frame_without_a_slot_answers_nothing() {
    explore(2, || {
        let export = export(1);
        let mut writer = start(&export);
        let mut readers = reader(&export, Rate::OnRequest);
        let scene = Arc::new(AtomicU8::new(1));
        let decode = thread::spawn({
            let scene = scene.clone();
            move || {
                match writer.demand(|| 1) {
                    Ok(()) => assert_eq!(writer.claim(usize::MAX).err(), Some(DropCause::TooLarge)),
                    Err(cause) => writer.skip(cause),
                }
                (offer(&mut writer, SMALL, 2, &scene), writer)
            }
        });
        readers.request();
        let (published, mut writer) = decode.join().unwrap();
        let again = offer(&mut writer, SMALL, 3, &scene);
        assert!(published != again);
        assert_eq!(poll(&mut readers, 10).len(), 1);
        drop(writer);
        drop(readers);
        drop(export);
    });
}
