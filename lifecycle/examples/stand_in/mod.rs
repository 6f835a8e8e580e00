//! Stands in for the host in examples: cameras without FFmpeg, each with a decode thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use vas_lifecycle::{
    CameraWriter, Component, FrameEntry, FrameExport, FrameSink, Geometry, PixelFormat, Plane, monotonic_ns,
};

const WIDTH: usize = 640;
const HEIGHT: usize = 360;

/// Cameras that play until this is dropped.
pub(crate) struct Cameras {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Cameras {
    /// Starts cameras: a name and the frames per second of each.
    pub(crate) fn start(export: &FrameExport, cameras: &[(&str, u32)]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |&(name, fps): &(&str, u32)| {
            let (writer, stop) = (export.camera(name), stop.clone());
            thread::spawn(move || decode(writer, fps, &stop))
        };
        Self { threads: cameras.iter().map(start).collect(), stop }
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A decode loop and its tap: a gradient that moves. The camera stops when it returns.
fn decode(mut writer: CameraWriter, fps: u32, stop: &AtomicBool) {
    let mut entry = FrameEntry { bytes: (WIDTH * HEIGHT) as u32, ..FrameEntry::default() };
    entry.geometry = Geometry { width: WIDTH as u32, height: HEIGHT as u32, ..Geometry::default() };
    entry.geometry.pixel_format = PixelFormat::new("gray", -1, 1, &[Component::alone(0, 8)], (0, 0), 0);
    entry.geometry.planes[0] = Plane { offset: 0, stride: WIDTH as u32, row_bytes: WIDTH as u32, rows: HEIGHT as u32 };
    let began = Instant::now();
    for n in 0.. {
        thread::sleep((Duration::from_secs(1) * n / fps).saturating_sub(began.elapsed()));
        if stop.load(Ordering::Relaxed) {
            return;
        }
        offer(&mut writer, &mut entry, n as u8);
    }
}

/// What `vas_tap::Tap::offer` does with a frame of FFmpeg's.
fn offer(writer: &mut CameraWriter, entry: &mut FrameEntry, shade: u8) {
    if writer.is_off() {
        return;
    }
    entry.monotonic_ns = monotonic_ns();
    let now = entry.monotonic_ns;
    if let Err(cause) = writer.demand(|| now) {
        return writer.skip(cause);
    }
    // A frame that is not taken is counted; the decode loop goes on.
    let Ok(mut claim) = writer.claim(WIDTH * HEIGHT) else { return };
    for (y, row) in claim.pixels_mut()[..WIDTH * HEIGHT].chunks_exact_mut(WIDTH).enumerate() {
        row.fill(shade.wrapping_add(y as u8));
    }
    claim.publish(entry);
}
