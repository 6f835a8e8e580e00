//! What the tests share: a stand-in for the tap, whose pixels tell which frame they belong to.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use vas_lifecycle::{
    CameraId, CameraState, CameraWriter, DropCause, FrameEntry, FrameExport, FrameSink, Lease, Settings, StreamSpec,
    monotonic_ns,
};

pub const P720: usize = 1280 * 720 * 3 / 2;
pub const P1080: usize = 1920 * 1080 * 3 / 2;

/// Whether the machine is an emulator, as `cargo xtask arm` says: what is measured would be the emulator's own. Says so.
pub fn emulated(what: &str) -> bool {
    let emulated = std::env::var_os("VAS_EMULATED").is_some();
    if emulated {
        eprintln!("not looked at, as the machine is emulated: {what}");
    }
    emulated
}

pub fn id(name: &str) -> CameraId {
    name.parse().unwrap()
}

pub fn stream(frame_bytes: usize) -> StreamSpec {
    StreamSpec { width: 16, height: 16, frame_bytes }
}

/// Starts a camera that has its ring: frames of this size are published from the first on.
pub fn start(export: &FrameExport, name: &str, frame_bytes: usize) -> CameraWriter {
    let writer = export.camera(name).expecting(stream(frame_bytes));
    eventually("the camera has its ring", || state(export, name) == CameraState::Running);
    writer
}

/// What a camera's state is.
pub fn state(export: &FrameExport, name: &str) -> CameraState {
    let stats = export.stats();
    let camera = stats.cameras.iter().find(|camera| camera.id == CameraId::from_name(name));
    camera.expect("the camera was started").state
}

/// Room for so many rings of frames of this size, and not for one more page.
pub fn room_for(settings: Settings, rings: &[usize]) -> Settings {
    let bytes = rings.iter().map(|&frame_bytes| settings.ring_bytes(frame_bytes).unwrap()).sum();
    Settings { memory_budget: bytes, ..settings }
}

/// What the tap does, at an invented time: offers a frame, if somebody wants it.
pub fn offer_at(writer: &mut CameraWriter, bytes: usize, now: u64) -> Result<u64, DropCause> {
    if let Err(cause) = writer.demand(|| now) {
        writer.skip(cause);
        return Err(cause);
    }
    publish(writer, bytes, now)
}

/// Offers a frame, whoever wants it.
pub fn offer(writer: &mut CameraWriter, bytes: usize) -> Result<u64, DropCause> {
    publish(writer, bytes, monotonic_ns())
}

/// The frame's id is at the start and at the end of its pixels.
fn publish(writer: &mut CameraWriter, bytes: usize, now: u64) -> Result<u64, DropCause> {
    let mut claim = writer.claim(bytes)?;
    let id = claim.frame_id();
    let pixels = &mut claim.pixels_mut()[..bytes];
    pixels[..8].copy_from_slice(&id.to_ne_bytes());
    pixels[bytes - 8..].copy_from_slice(&id.to_ne_bytes());
    let entry = FrameEntry { bytes: bytes as u32, monotonic_ns: now, ..FrameEntry::default() };
    assert_eq!(claim.publish(&entry), id);
    Ok(id)
}

/// Offers frames until one is published. Returns its id.
pub fn offer_until_published(writer: &mut CameraWriter, bytes: usize) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match offer(writer, bytes) {
            Ok(id) => return id,
            Err(dropped) => assert!(Instant::now() < deadline, "still {dropped:?}"),
        }
        thread::sleep(Duration::from_micros(500));
    }
}

/// A frame holds what `offer` put in.
pub fn check(frame: &Lease) {
    let pixels = frame.pixels();
    assert_eq!(pixels[..8], frame.frame_id.to_ne_bytes());
    assert_eq!(pixels[pixels.len() - 8..], frame.frame_id.to_ne_bytes());
}

/// Waits up to 10 s for something to become true.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within 10 s");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Names of this process's threads.
pub fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok()).collect()
}

/// Whether export's control thread is there.
pub fn control_threads() -> usize {
    threads().iter().filter(|name| name.trim() == "frame-export").count()
}

/// Bytes of memory that are present: exact, unlike `/proc/self/statm`, whose per-processor counts lag behind.
pub fn resident() -> usize {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// A small generator of numbers that look random (xorshift64*), from a seed that a failure can name.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}
