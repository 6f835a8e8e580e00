//! What VAS starts once per process, and what its cameras share.

use crate::input::Playback;
use crate::stop::Stop;

/// The process.
#[rustfmt::skip] // Each line of frame export stays one line.
pub(crate) struct Vas {
    pub(crate) stop: Stop,
    pub(crate) playback: Playback,
    #[cfg(feature = "export")] pub(crate) export: vas_lifecycle::FrameExport, // frame export
}

impl Vas {
    #[rustfmt::skip] // As above.
    pub(crate) fn start(stop: Stop, playback: Playback) -> Self {
        Self {
            stop,
            playback,
            #[cfg(feature = "export")] export: vas_lifecycle::FrameExport::from_env(), // frame export
        }
    }
}
