//! Cameras come and go, memory stays bounded, and off means off.
//!
//! A host starts a camera where it opens the decoder, writes its frames through a [`CameraWriter`] on the decode thread,
//! and stops it by dropping that. AI code in the same process subscribes a [`Reader`] and borrows frames in place.
//! Beneath is one [ring](vas_ring) per camera; this crate gives it memory, and another one when frames outgrow it.
//!
//! ```
//! use vas_lifecycle::{FrameEntry, FrameExport, FrameSink, Settings};
//!
//! let export = FrameExport::new(Settings::default()); // or FrameExport::from_env()
//!
//! // Camera start: cannot fail, waits for nothing.
//! let mut writer = export.camera("gate");
//!
//! // AI side, any thread.
//! let mut reader = export.subscribe(&"gate".parse()?)?;
//!
//! // Decode loop; the tap does this. The first frame asks for the ring, and is dropped with those before it is there.
//! let mut frames = 0;
//! while frames < 3 {
//!     if let Ok(mut claim) = writer.claim(192) {
//!         claim.pixels_mut().fill(128);
//!         claim.publish(&FrameEntry { bytes: 192, ..FrameEntry::default() });
//!         frames += 1;
//!     }
//!     std::thread::sleep(std::time::Duration::from_millis(1));
//! }
//!
//! let frame = reader.latest()?.expect("just published");
//! assert_eq!(frame.pixels().len(), 192);
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
//! * **Nothing stops the host.** What a host calls cannot fail, panic or block. What was wrong with the settings is in
//!   [`FrameExport::problems`], what a camera could not have in [`FrameExport::stats`].
//! * **A camera starts in microseconds.** Nothing is mapped, touched or waited for on the thread that starts it.
//! * **The decode thread never allocates, frees, locks, waits or calls the system here**, not even when it stops or
//!   when its frames outgrow their slots.
//! * **Memory has a bound.** Rings that are written, rings that readers still hold, and mappings kept for reuse never
//!   exceed [`Settings::memory_budget`] together, which is checked before anything is mapped. Beside them are some
//!   250 bytes per camera id. Memory is touched in full on the control side, never beyond what the system, its
//!   cgroups and the process's limits have beside [`Settings::memory_reserve`].
//! * **A stopped camera waits for nobody.** Leases outlive stop, restart, resize and export itself; memory goes back
//!   when the last one does.
//! * **Frames are counted.** Ids go on over restarts and resizes; what a reader got and missed is what was offered.
//!
//! The control side works in the calls of [`FrameExport`] and on one thread, called `frame-export`, which sleeps while no
//! camera runs, and then looks every 5 ms, which takes less than a microsecond per camera. Memory is mapped on up to four
//! threads called `frame-memory`, which end when there is no more to map. All of these block every signal, and are
//! scheduled as the process's first thread but never in real time.
//!
//! # What it is not
//!
//! It does not wake readers or share memory with other processes. A forked child has no frames: rings are not mapped
//! there, and touching a lease ends it. To fork and exec is fine. Frames are in no core dump.
//!
//! # Features
//!
//! * `tracing`: events at start, stop, resize, suspension and refusal, and none per frame.

#![deny(unsafe_code)]

mod available;
mod camera;
mod clock;
#[cfg(not(loom))]
mod control;
mod event;
mod export;
#[allow(unsafe_code)]
#[allow(unreachable_pub, reason = "the models reach it")]
mod handover;
mod inbox;
#[allow(unsafe_code)]
mod memory;
mod pool;
mod problem;
mod reader;
mod registry;
mod settings;
mod stats;
mod sync;
#[cfg(not(loom))]
#[allow(unsafe_code)]
mod thread;
mod work;
mod writer;

pub use available::MemoryLimit;
pub use clock::monotonic_ns;
pub use export::{FrameExport, SubscribeError};
pub use problem::Problem;
pub use reader::{Counts, Reader};
pub use settings::{HugePages, PREFIX, Settings};
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
