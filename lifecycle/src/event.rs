//! What is told to `tracing`, if that feature is on: what happens to a camera, never what happens to a frame.

#![cfg_attr(not(feature = "tracing"), allow(unused_variables, reason = "nothing is told then"))]

use vas_ring::StreamSpec;

use crate::stats::SuspendReason;
use crate::{CameraId, StartError};

pub(crate) fn started(camera: &CameraId, stream: &StreamSpec) {
    #[cfg(feature = "tracing")]
    tracing::info!(%camera, stream.width, stream.height, stream.frame_bytes, "frame export started");
}

pub(crate) fn refused(camera: &CameraId, error: &StartError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%camera, %error, "frame export did not start");
}

/// The generation that a camera was at, and the one that it is at; none when it does not run.
pub(crate) fn changed(camera: &CameraId, was: Option<u32>, is: Option<u32>) {
    #[cfg(feature = "tracing")]
    match (was, is) {
        (Some(_), None) => tracing::info!(%camera, "frame export stopped"),
        (Some(was), Some(is)) if was != is => tracing::info!(%camera, generation = is, "frame export resized"),
        _ => {}
    }
}

pub(crate) fn suspended(camera: &CameraId, reason: &SuspendReason) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%camera, %reason, "frame export suspended");
}
