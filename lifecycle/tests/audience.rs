//! Readers at a rate keep to it whoever else reads: others that come and go, and cameras that restart. At invented times.

use std::thread;
use std::time::Duration;

use vas_lifecycle::{
    CameraWriter, FrameEntry, FrameExport, FrameSink, HugePages, Rate, Reader, Settings, StreamSpec, Watch,
    monotonic_ns,
};

const BYTES: usize = 64;
const SECOND: u64 = 1_000_000_000;
const INTERVAL: u64 = SECOND / 25;

fn export() -> FrameExport {
    FrameExport::new(Settings {
        memory_budget: 64 << 20,
        memory_reserve: 0,
        huge_pages: HugePages::Off,
        ..Settings::default()
    })
}

fn offer(writer: &mut CameraWriter, at: u64) {
    match writer.demand(|| at) {
        Ok(()) => {
            if let Ok(claim) = writer.claim(BYTES) {
                claim.publish(&FrameEntry { bytes: BYTES as u32, monotonic_ns: at, ..FrameEntry::default() });
            }
        }
        Err(cause) => writer.skip(cause),
    }
}

/// A camera with a ring.
fn camera(export: &FrameExport, name: &str) -> CameraWriter {
    let stream = StreamSpec { frame_bytes: BYTES, ..StreamSpec::default() };
    let mut writer = export.camera(name).expecting(stream);
    for _ in 0..5_000 {
        // The claim is dropped at once: a frame that is abandoned.
        let has_ring = writer.claim(BYTES).is_ok();
        if has_ring {
            return writer;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("no ring within 5 s: {}", export.stats());
}

fn take(reader: &mut Reader, times: &mut Vec<u64>) {
    times.extend(reader.poll().map(|frame| frame.monotonic_ns));
}

/// Most that came in any second.
fn most(times: &[u64]) -> usize {
    let within = |start: u64| times.iter().filter(|&&time| (start..start + SECOND).contains(&time)).count();
    times.iter().map(|&start| within(start)).max().unwrap_or(0)
}

#[test]
fn a_faster_reader_comes_and_goes() {
    let export = export();
    let mut writer = camera(&export, "gate");
    let mut slow = export.subscribe(Watch::camera("gate").rate(Rate::PerSecond(5.0)));
    let (start, mut times) = (monotonic_ns(), Vec::new());
    for n in 0..250 {
        let fast = export.subscribe(Watch::camera("gate").rate(Rate::PerSecond(25.0)));
        offer(&mut writer, start + n * INTERVAL);
        drop(fast);
        take(&mut slow, &mut times);
    }
    assert!(most(&times) <= 6, "{} in a second", most(&times));
    assert!((48..=52).contains(&times.len()), "{} in ten seconds", times.len());
}

#[test]
fn a_reader_of_every_frame_comes_and_goes() {
    let export = export();
    let mut writer = camera(&export, "gate");
    let mut slow = export.subscribe(Watch::camera("gate").rate(Rate::PerSecond(1.0)));
    let (start, mut times, mut all) = (monotonic_ns(), Vec::new(), None);
    for n in 0..2_500 {
        if n / 27 % 2 == 1 {
            all = None;
        } else if all.is_none() {
            all = Some(export.subscribe("gate"));
        }
        offer(&mut writer, start + n * INTERVAL);
        take(&mut slow, &mut times);
    }
    assert!(most(&times) <= 2, "{} in a second", most(&times));
    assert!((80..=101).contains(&times.len()), "{} in a hundred seconds", times.len());
}

#[test]
fn a_camera_restarts_all_the_time() {
    let export = export();
    let mut slow = export.subscribe(Watch::camera("gate").rate(Rate::PerSecond(5.0)));
    let (mut at, mut times) = (monotonic_ns(), Vec::new());
    for _ in 0..20 {
        let mut writer = camera(&export, "gate");
        for _ in 0..2 {
            at += INTERVAL;
            offer(&mut writer, at);
            take(&mut slow, &mut times);
        }
        drop(writer);
        take(&mut slow, &mut times);
    }
    assert!(most(&times) <= 6, "{} in a second", most(&times));
    assert!(times.len() >= 5, "{} in 1.6 s", times.len());
}
