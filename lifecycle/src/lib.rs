//! Camera start and stop, the flag and the memory budget, mapped onto rings.

#![deny(unsafe_code)]

mod camera;
mod clock;
mod control;
mod event;
mod export;
#[allow(unsafe_code)]
#[allow(unreachable_pub, reason = "the models reach it")]
mod handover;
mod inbox;
#[allow(unsafe_code)]
mod memory;
mod reader;
mod registry;
mod settings;
mod stats;
mod sync;
mod writer;

pub use clock::monotonic_ns;
pub use export::{FrameExport, StartError, SubscribeError};
pub use reader::{Counts, Reader};
pub use settings::{CopyMode, HugePages, PREFIX, Settings, SettingsError};
pub use stats::{CameraState, CameraStats, ExportStats, ReaderStats, RetiredStats, SuspendReason};
pub use vas_ring::{
    CameraId, Claim, DropCause, Dropped, FrameEntry, FrameSink, Lease, Missed, PlaneView, ReadError, StreamSpec,
};
pub use writer::CameraWriter;

/// For the models in `tests/loom.rs`: the parts, and the control thread's work as plain steps.
#[cfg(loom)]
#[doc(hidden)]
pub mod model {
    pub use crate::handover::{ControlEnd, WriterEnd, handover};

    /// One turn of the control thread, which no model has.
    pub fn turn(export: &crate::FrameExport) {
        export.turn();
    }
}
