//! What all frames of a ring have in common.

use crate::entry::CameraId;

/// What all frames of a ring have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The camera.
    pub camera_id: CameraId,
    /// Which start of the camera.
    pub epoch: u32,
    /// Which ring within the epoch.
    pub generation: u32,
    /// The id that the first frame gets.
    pub first_frame_id: u64,
}
