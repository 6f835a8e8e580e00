//! Two cameras without FFmpeg: each plays a moving gradient on a decode thread of its own, outgrows its slots half-way,
//! and is read by a brisk reader and a slow one.
//!
//! `cargo run -p vas-lifecycle --example two_cameras`; `AI_FRAME_EXPORT_ENABLED=false` shows what off is like.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use vas_lifecycle::{
    CameraId, CameraWriter, FrameEntry, FrameExport, FrameSink, ReadError, Reader, Settings, monotonic_ns,
};

const SECONDS: u64 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let on = std::env::var_os("AI_FRAME_EXPORT_ENABLED").is_none();
    let export = if on { FrameExport::new(Settings::default()) } else { FrameExport::from_env() };

    let mut threads = Vec::new();
    for (name, fps) in [("gate", 25), ("yard", 12)] {
        let id: CameraId = name.parse()?;
        let writer = export.camera(name);
        if !writer.is_off() {
            for hold in [Duration::ZERO, Duration::from_millis(300)] {
                let reader = export.subscribe(&id)?;
                threads.push(thread::spawn(move || read(reader, hold)));
            }
        }
        threads.push(thread::spawn(move || decode(writer, fps)));
    }
    thread::sleep(Duration::from_secs(SECONDS) / 2);
    println!("{}", export.stats());
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")?;
    }
    println!("{}", export.stats());
    Ok(())
}

/// Stands in for a camera's decode thread and its tap. The camera stops when it returns.
fn decode(mut writer: CameraWriter, fps: u32) {
    let began = Instant::now();
    for n in 0..fps * SECONDS as u32 {
        thread::sleep((Duration::from_secs(1) * n / fps).saturating_sub(began.elapsed()));
        let (width, height) = if n < fps * SECONDS as u32 / 2 { (640, 360) } else { (1280, 720) };
        let bytes = width * height;
        if writer.is_off() {
            continue;
        }
        if let Err(cause) = writer.demand(monotonic_ns) {
            writer.skip(cause);
            continue;
        }
        // A frame that is not taken is counted; the decode loop goes on.
        let Ok(mut claim) = writer.claim(bytes) else { continue };
        for (row, pixels) in claim.pixels_mut()[..bytes].chunks_exact_mut(width).enumerate() {
            pixels.fill((row as u32 + n) as u8);
        }
        claim.publish(&FrameEntry { bytes: bytes as u32, monotonic_ns: monotonic_ns(), ..FrameEntry::default() });
    }
}

/// Takes the newest frame, holds it for a while, until the camera stops.
fn read(mut reader: Reader, hold: Duration) {
    let mut generation = reader.generation();
    loop {
        match reader.wait_latest(Duration::from_secs(1)) {
            Ok(Some(frame)) => {
                if frame.generation != generation {
                    generation = frame.generation;
                    println!("{}: frame {} has {} bytes", frame.camera_id, frame.frame_id, frame.bytes);
                }
                thread::sleep(hold);
            }
            Ok(None) => println!("{} stalls", reader.camera()),
            Err(ReadError::Closed) => break,
            Err(error) => println!("{}: {error}", reader.camera()),
        }
    }
    let counts = reader.stats();
    println!("{}: saw {} of {} frames", reader.camera(), counts.seen, counts.seen + counts.missed.total());
}
