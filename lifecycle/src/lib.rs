//! Cameras come and go, memory stays bounded, and off means off.
//!
//! A host starts a camera where it opens the decoder, writes its frames through a [`CameraWriter`] on the decode thread,
//! and stops it by dropping that. AI code in the same process subscribes a [`Reader`] and borrows frames in place.
//! Beneath is one [ring](vas_ring) per camera; this crate gives it memory, and another one when frames outgrow it.
//!
//! ```
//! use vas_lifecycle::{CameraWriter, FrameEntry, FrameExport, FrameSink, Settings, StreamSpec};
//!
//! let export = FrameExport::new(Settings::default()); // or FrameExport::from_env()
//!
//! // Camera start. When export cannot start, the camera goes on without.
//! let id = "gate".parse()?;
//! let spec = StreamSpec { width: 64, height: 2, frame_bytes: 192 };
//! let mut writer = export.start_camera(id, spec).unwrap_or_else(|error| {
//!     eprintln!("{id}: {error}");
//!     CameraWriter::off()
//! });
//!
//! // AI side, any thread.
//! let mut reader = export.subscribe(&id)?;
//!
//! // Decode loop; the tap does this.
//! if let Ok(mut claim) = writer.claim(192) {
//!     claim.pixels_mut().fill(128);
//!     claim.publish(&FrameEntry { bytes: 192, ..FrameEntry::default() });
//! }
//!
//! let frame = reader.latest()?.expect("just published");
//! assert_eq!((frame.frame_id, frame.pixels().len()), (0, 192));
//!
//! // Camera stop. The frame stays as long as it is borrowed.
//! drop(writer);
//! assert_eq!(frame.pixels()[0], 128);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//!
//! * **Off is off.** No buffer, no thread, no allocation; a writer that does nothing is one test of one field.
//! * **The decode thread never allocates, frees, locks, waits or calls the system here**, not even when it stops or
//!   when its frames outgrow their slots.
//! * **Memory has a bound.** Rings that are written, rings that readers still hold, and mappings kept for reuse never
//!   exceed [`Settings::memory_budget`] together, which is checked before anything is mapped. Beside them are a few
//!   hundred bytes per camera id. Memory is touched in full at the start, so that running out of it shows there.
//! * **A stopped camera waits for nobody.** Leases outlive stop, restart, resize and export itself; memory goes back
//!   when the last one does.
//! * **Frames are counted.** Ids go on over restarts and resizes; what a reader got and missed is what was offered.
//!
//! The control side works in the calls of [`FrameExport`] and on one thread, called `frame-export`, which is there while
//! cameras run or memory is left to give back. Nobody wakes it: it looks every 5 ms, which takes less
//! than a microsecond per camera.
//!
//! # What it is not
//!
//! It does not wake readers or share memory with other processes. A forked child has no frames: rings are not mapped
//! there, and touching a lease ends it. To fork and exec is fine.
//!
//! # Features
//!
//! * `tracing`: events at start, stop, resize, suspension and refusal, and none per frame.

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
pub use settings::{HugePages, PREFIX, Settings, SettingsError};
pub use stats::{CameraState, CameraStats, ExportStats, ReaderStats, RetiredStats, SuspendReason};
pub use vas_ring::{
    CameraId, CameraIdError, Claim, ColorRange, Component, ComponentView, CopyMode, DropCause, Dropped, FrameEntry,
    FrameFlags, FrameSink, Geometry, Lease, Missed, Orientation, PixelFormat, Plane, PlaneView, Rational, ReadError,
    SampleError, Samples, SpecError, StreamSpec,
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
