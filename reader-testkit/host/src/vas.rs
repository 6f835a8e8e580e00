//! What VAS starts once per process, and what its cameras share.

use crate::input::Playback;
use crate::stop::Stop;

/// The process.
#[rustfmt::skip] // Each line of frame export stays one line.
pub struct Vas {
    pub stop: Stop,
    pub playback: Playback,
    #[cfg(feature = "export")] pub export: vas_lifecycle::FrameExport, // frame export
}

impl Vas {
    #[rustfmt::skip] // As above.
    pub fn start(stop: Stop, playback: Playback) -> Self {
        Self {
            stop,
            playback,
            #[cfg(feature = "export")] export: vas_lifecycle::FrameExport::from_env(), // frame export
        }
    }
}
