//! What is told to `tracing`, if that feature is on: what happens to a camera, never what happens to a frame. Problems of
//! the set-up are told to somebody in any case.

#![cfg_attr(not(feature = "tracing"), allow(dead_code, unused_variables, reason = "nothing is told then"))]

use crate::CameraId;
use crate::problem::Problem;
use crate::stats::SuspendReason;

/// What happened to a camera. Told when no lock is held: whoever listens may take their time, and may ask for stats.
#[derive(Debug)]
pub(crate) enum Event {
    Started,
    /// It runs already: the second writer waits until the first is dropped.
    StartedTwice,
    /// Its first ring is there.
    Exporting {
        bytes: usize,
    },
    Resized {
        generation: u32,
    },
    Suspended(SuspendReason),
    Stopped,
}

impl Event {
    pub(crate) fn tell(&self, camera: &CameraId) {
        #[cfg(feature = "tracing")]
        match self {
            Self::Started => tracing::info!(%camera, "frame export started"),
            Self::StartedTwice => tracing::warn!(
                %camera,
                "the camera runs already: its frames are exported when the writer that was made before is dropped"
            ),
            Self::Exporting { bytes } => tracing::info!(%camera, bytes, "frame export has its memory"),
            Self::Resized { generation } => tracing::info!(%camera, generation, "frame export resized"),
            Self::Suspended(reason) => tracing::warn!(%camera, %reason, "frame export suspended"),
            Self::Stopped => tracing::info!(%camera, "frame export stopped"),
        }
    }
}

/// Tells of problems, once: whoever is to see them may have no subscriber.
pub(crate) fn problems(problems: &[Problem]) {
    for problem in problems {
        #[cfg(feature = "tracing")]
        if tracing::enabled!(tracing::Level::WARN) {
            tracing::warn!(%problem, "frame export");
            continue;
        }
        // Not `eprintln`, which panics when standard error is closed.
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "frame export: {problem}");
    }
}
