//! Frame export as a host has it: a camera, a tap, and readers that want some frames only.

use std::time::{Duration, Instant};

use ffmpeg_next::frame::Video;
use vas_lifecycle::{
    CameraState, CameraWriter, Claim, CopyMode, DropCause, FrameExport, FrameSink, Rate, Reader, Settings, StreamSpec,
    Watch,
};
use vas_tap::Tap;

use super::ffmpeg::{Export, Look};

/// Frames per second of the film, as readers' rates see it.
pub const FPS: u64 = 25;

const NAME: &str = "film";

/// A camera that plays in the film's own time, however fast it is decoded: a rate is so many per second of film.
pub struct Camera {
    export: FrameExport,
    tap: Tap<FilmTime>,
    wanted: Wanted,
}

/// What its readers want.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// Frames at a rate, all that it gives.
    At(Rate),
    /// Every frame, of which the reader looks at one in five.
    SkippedByHand,
    /// One on request, which it is as slow as this about.
    Slowly(Duration),
}

/// The camera's writer, told another time.
struct FilmTime {
    writer: CameraWriter,
    frames: u64,
}

impl FrameSink for FilmTime {
    fn is_off(&self) -> bool {
        self.writer.is_off()
    }

    fn copy_mode(&self) -> CopyMode {
        self.writer.copy_mode()
    }

    #[inline]
    fn demand(&mut self, mut now: impl FnMut() -> u64) -> Result<(), DropCause> {
        self.frames += 1;
        let film = 1_000_000_000 + self.frames * 1_000_000_000 / FPS;
        self.writer.demand(|| {
            // What reading the clock costs is paid all the same.
            std::hint::black_box(now());
            film
        })
    }

    fn skip(&mut self, cause: DropCause) {
        self.writer.skip(cause);
    }

    #[inline]
    fn claim(&mut self, frame_bytes: usize) -> Result<Claim<'_>, DropCause> {
        self.writer.claim(frame_bytes)
    }
}

impl Camera {
    /// Of a stream, with its ring.
    ///
    /// # Errors
    ///
    /// When there is no ring in ten seconds.
    pub fn new(stream: StreamSpec, wanted: Wanted) -> Result<Self, String> {
        let export = FrameExport::new(Settings { memory_reserve: 0, ..Settings::default() });
        let writer = started(&export, NAME, stream)?;
        Ok(Self { tap: Tap::new(FilmTime { writer, frames: 0 }), export, wanted })
    }
}

/// Starts a camera and waits for its ring.
///
/// # Errors
///
/// When there is none in ten seconds.
pub fn started(export: &FrameExport, name: &str, stream: StreamSpec) -> Result<CameraWriter, String> {
    let writer = export.camera(name).expecting(stream);
    let deadline = Instant::now() + Duration::from_secs(10);
    while export.camera_stats(name).is_none_or(|camera| camera.state != CameraState::Running) {
        if Instant::now() >= deadline {
            return Err(format!("no ring in 10 s: {}", export.stats()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(writer)
}

impl Export for Camera {
    #[inline]
    fn offer(&mut self, frame: &Video) {
        self.tap.offer(frame);
    }

    fn reader(&self) -> Box<dyn Look> {
        let watch = Watch::camera(NAME);
        let every = |rate| self.export.subscribe(watch.clone().rate(rate));
        match self.wanted {
            Wanted::At(rate) => Box::new(every(rate)),
            Wanted::SkippedByHand => Box::new(Skipping { reader: every(Rate::Newest), seen: 0 }),
            Wanted::Slowly(pause) => Box::new(Asking { reader: every(Rate::OnRequest), pause, next: Instant::now() }),
        }
    }

    fn copies(&self) -> Option<(u64, u64)> {
        let camera = self.export.camera_stats(NAME)?;
        Some((camera.published, camera.offered))
    }
}

fn show_all(frame: &vas_lifecycle::Lease, show: &mut dyn FnMut(usize, &[u8])) {
    for n in 0..frame.planes().len() {
        for row in frame.plane(n).iter().flat_map(vas_ring::PlaneView::rows) {
            show(n, row);
        }
    }
}

impl Look for Reader {
    fn look(&mut self, show: &mut dyn FnMut(usize, &[u8])) -> bool {
        let frame = self.poll();
        frame.iter().for_each(|frame| show_all(frame, show));
        frame.is_some()
    }
}

/// Takes every frame and looks at one in five.
struct Skipping {
    reader: Reader,
    seen: u64,
}

impl Look for Skipping {
    fn look(&mut self, show: &mut dyn FnMut(usize, &[u8])) -> bool {
        let Some(frame) = self.reader.poll() else { return false };
        self.seen += 1;
        let is_shown = self.seen % 5 == 1;
        if is_shown {
            show_all(&frame, show);
        }
        is_shown
    }
}

/// Asks for a frame, and takes its time about it.
struct Asking {
    reader: Reader,
    pause: Duration,
    next: Instant,
}

impl Look for Asking {
    fn look(&mut self, show: &mut dyn FnMut(usize, &[u8])) -> bool {
        if let Some(frame) = self.reader.poll() {
            show_all(&frame, show);
            return true;
        }
        if Instant::now() >= self.next {
            self.next = Instant::now() + self.pause;
            self.reader.request();
        }
        false
    }
}
