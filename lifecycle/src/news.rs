//! What a reader is told beside frames.

use std::fmt;

use crate::{CameraId, CameraState};

/// How a camera is doing, told to its readers when it changes. Nothing has to be done about it: readers go on by themselves.
///
/// Changes that come and go between two looks are told as the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct News {
    /// The camera.
    pub camera: CameraId,
    /// How it is doing now.
    pub state: CameraState,
    /// Its last start; the first is 0.
    pub epoch: u32,
    /// Whether the reader has a place at the camera's ring. Without one it gets no frames until another reader of the
    /// camera is dropped: `AI_FRAME_EXPORT_MAX_READERS` says how many a camera may have.
    pub has_place: bool,
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { camera, state, .. } = self;
        write!(f, "camera {camera}: {state}")?;
        if let CameraState::Suspended(reason) = state {
            write!(f, ": {reason}")?;
        }
        if !self.has_place {
            f.write_str("; all reader places are taken: drop a reader or raise AI_FRAME_EXPORT_MAX_READERS")?;
        }
        Ok(())
    }
}
