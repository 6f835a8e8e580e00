//! Cameras come and go, memory stays bounded, and off means off.
//!
//! A host starts a camera where it opens the decoder, writes its frames through a [`CameraWriter`] on the decode thread,
//! and stops it by dropping that. AI code in the same process [watches](FrameExport::watch) cameras and borrows frames in
//! place.
//! Beneath is one [ring](vas_ring) per camera; this crate gives it memory, and another one when frames outgrow it.
//!
//! ```text
//!  host                                                        AI code
//!  FrameExport::from_env() ------- clone ------------------> FrameExport
//!       | camera("gate")                                          | watch(..), subscribe(..)
//!       v                                                         v
//!  CameraWriter --claim, publish--> [ ring of "gate" ] --lease--> Readers, Reader --> Frame
//!  (in a Tap, on the                      ^
//!   decode thread)                        | maps, touches, resizes, takes back
//!                              thread "frame-export"
//! ```
//!
//! ```
//! use std::time::Duration;
//! use vas_lifecycle::{FrameEntry, FrameExport, FrameSink, Rate, Settings, Watch};
//!
//! let export = FrameExport::new(Settings::default()); // or FrameExport::from_env()
//!
//! // Camera start: cannot fail, waits for nothing.
//! let mut writer = export.camera("gate");
//!
//! // AI side, any thread: all cameras that there are and will be, five frames a second of each.
//! let mut cameras = export.watch(Watch::all().rate(Rate::PerSecond(5.0)));
//!
//! // Decode loop; the tap does this. The first frame asks for the ring, and is dropped with those before it is there.
//! let mut frames = 0;
//! while frames < 3 {
//!     if let Err(cause) = writer.demand(vas_lifecycle::monotonic_ns) {
//!         writer.skip(cause);
//!     } else if let Ok(mut claim) = writer.claim(192) {
//!         claim.pixels_mut().fill(128);
//!         let monotonic_ns = vas_lifecycle::monotonic_ns();
//!         claim.publish(&FrameEntry { bytes: 192, monotonic_ns, ..FrameEntry::default() });
//!         frames += 1;
//!     }
//!     std::thread::sleep(Duration::from_millis(1));
//! }
//!
//! let frame = cameras.wait(Duration::from_secs(1)).next().expect("just published");
//! assert_eq!(frame.pixels().len(), 192);
//!
//! // Camera stop. The frame stays as long as it is borrowed, and the reader waits for the restart.
//! drop(writer);
//! assert_eq!(frame.pixels()[0], 128);
//! ```
//!
//! # The AI side
//!
//! [`FrameExport::watch`] gives [`Readers`] of some cameras or of all, [`FrameExport::subscribe`] a [`Reader`] of one. They
//! live as long as one wants: a camera that is not there yet, stops, restarts or changes its size is no error. How many
//! frames they get is a [`Rate`] of the reader, and copies follow it: a frame that no reader wants is not copied. What each
//! got and missed is counted exactly, over all of that.
//!
//! What one meets, and what to do about it:
//!
//! | what | means | to do |
//! |---|---|---|
//! | a wait gives no frame | none came in time | look at [`News`], if it should have; else wait again |
//! | no camera is there at all | export is off, or the host has started none | [`FrameExport::is_enabled`], [`FrameExport::problems`] |
//! | [`CameraState::Expected`] | the host has never started a camera of this name | check the name against [`FrameExport::cameras`], or wait |
//! | [`CameraState::Starting`], [`Resizing`](CameraState::Resizing) | a ring is being made: milliseconds | nothing |
//! | [`CameraState::Suspended`] | there is no memory for the camera's frames | what its [`SuspendReason`] says; it is tried again |
//! | [`CameraState::Stopped`] | the host stopped the camera | nothing: frames come when it starts again |
//! | [`News::has_place`] is false | all reader places of the camera are taken | drop a reader, or raise `AI_FRAME_EXPORT_MAX_READERS` |
//! | [`Frame::is_restart`] | the first frame of a start | forget what was tracked from frame to frame |
//! | [`Frame::is_resized`] | other geometry than the frame before | look at [`FrameEntry::geometry`], as for each frame |
//! | [`Counts::refusals`] grow | all leases of the reader are out when frames come | drop frames sooner, or raise `AI_FRAME_EXPORT_READER_LEASES` |
//! | `missed.unwanted` | frames that the reader did not ask for | nothing: it is no loss |
//! | `missed.overwritten`, `skipped` | the reader was too slow for frames that it wants | a lower [`Rate`], or raise `AI_FRAME_EXPORT_DEPTH` |
//! | `missed.refused` | frames that passed while all leases were out | as for refusals |
//! | `missed.dropped` | offered and never published, or while the reader had no place | the camera's [`dropped`](CameraStats::dropped), by [`DropCause`]; a frame or so at each start, while the ring is made, is no fault |
//! | [`ReaderStats::oldest_lease_time`] grows | a lease is held for long, or was leaked, under [this name](ReaderStats::name) | find who holds it; nobody else is hurt |
//! | [`SampleError`] | a row is not samples of the kind asked for | [`Lease::component`], which gives values of any format of integers |
//! | [`LengthError`] | the buffer is not as long as the rows | [`PlaneView::packed_bytes`] |
//!
//! Small programs, to be started with `cargo run --example`: `one_camera`, `many_cameras` in batches for worker threads,
//! `on_request`, and `ndarray_image` for the views of those crates.
//!
//! # Memory
//!
//! A ring has K + R * B + 1 slots of one frame: `AI_FRAME_EXPORT_DEPTH`, and `_MAX_READERS` times `_READER_LEASES`.
//! [`Settings::ring_bytes`] is the exact sum, and the table at [`Settings`] has it for usual sizes. A reader that takes
//! every frame one after the other needs as much depth as it is ever late, in frames; one that wants the newest needs little.
//! Give a reader one lease for each frame that its code holds at once, those in its queues included: leases that are out
//! cost other readers nothing.
//!
//! A camera that does not fit is [suspended](CameraState::Suspended), with what it needs and what there is, and tried again
//! when the control side looks; the others are not touched. What stops being used stays mapped for a second, for a camera
//! that reconnects.
//!
//! # Questions
//!
//! * **Does the host fork?** Call [`FrameExport::from_env`] after it became a daemon. Children that exec are fine; a child
//!   that does not has no frames: rings are not mapped there, and touching a lease ends it.
//! * **Containers?** The limits of memory cgroups, of both versions and of all that are above, are looked at before memory is
//!   mapped and while it is touched, and [`Settings::memory_reserve`] is left to the host. What the host takes after that,
//!   running cameras do not give back: size the reserve for its growth.
//! * **Huge pages?** They are asked for where the kernel has them, since copies into large frames are faster then.
//!   `AI_FRAME_EXPORT_HUGE_PAGES=off` if the system is short of them.
//! * **Async?** [`Readers::poll`] does not wait, and [`Readers::next_look`] says when to call it next, for the runtime's
//!   timer. Or wait on a thread and send frames on: they are `Send`, `Sync` and `'static`.
//! * **Metrics?** [`FrameExport::stats`] is plain numbers, [`FrameExport::camera_stats`] those of one camera; neither disturbs
//!   a writer or a reader. `missed.unwanted` is no loss, [`Missed::lost`] is the rest.
//! * **A reader that rests?** As long as it is there, copies are made for it and a ring that ended is kept for it. Drop it, or
//!   set [`Rate::OnRequest`] meanwhile. Counts go up to the last frame that was looked for: poll to the end before a sum.
//! * **Who is told what?** Problems with settings once, at the start; what happens to a camera as events of `tracing`, if that
//!   feature is on; the same to readers as [`News`]. Nothing per frame.
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
//! # Where to start reading
//!
//! `export.rs` is the host's handle, `writer.rs` the decode thread's end, `readers.rs` and `reader.rs` the AI side's. What is
//! behind them: `registry.rs` knows all cameras and takes a look at each that runs, `camera.rs` is one of them, `handover.rs`
//! passes rings to its decode thread, `inbox.rs` to its readers; `demand.rs` and `rate.rs` decide which frames are copied,
//! `cadence.rs` when to look for them; `pool.rs`, `memory.rs` and `available.rs` are about memory. A setting is a line in
//! `settings.rs`. Who changes `handover.rs`, `demand.rs` or `inbox.rs` runs `cargo xtask loom`.
//!
//! # What it is not
//!
//! It does not wake readers or share memory with other processes. Frames are in no core dump.
//!
//! # Features
//!
//! * `tracing`: events at start, stop, resize, suspension and refusal, and none per frame.

#![deny(unsafe_code)]

mod audience;
mod available;
mod cadence;
mod camera;
mod clock;
#[cfg(not(loom))]
mod control;
mod demand;
mod event;
mod export;
mod feed;
#[allow(unsafe_code)]
#[allow(unreachable_pub, reason = "the models reach it")]
mod handover;
mod inbox;
#[allow(unsafe_code)]
mod mapped;
#[allow(unsafe_code)]
mod memory;
mod news;
mod pool;
mod problem;
mod rate;
mod reader;
mod readers;
mod registry;
mod settings;
mod stats;
mod sync;
#[cfg(not(loom))]
#[allow(unsafe_code)]
mod thread;
mod watch;
mod work;
mod writer;

pub use available::MemoryLimit;
pub use clock::monotonic_ns;
pub use export::FrameExport;
pub use feed::Frame;
pub use news::News;
pub use problem::Problem;
pub use rate::Rate;
pub use reader::{Counts, Reader};
pub use readers::{Frames, Readers};
pub use settings::{HugePages, PREFIX, Settings};
pub use stats::{CameraState, CameraStats, ExportStats, ReaderStats, RetiredStats, SuspendReason};
pub use vas_ring::{
    CameraId, CameraIdError, Claim, ColorRange, Component, ComponentView, CopyMode, DropCause, Dropped, FrameEntry,
    FrameFlags, FrameSink, Geometry, Lease, LengthError, Missed, Orientation, PixelFormat, Plane, PlaneView, Rational,
    SampleError, Samples, SpecError, StreamSpec,
};
pub use watch::Watch;
pub use writer::CameraWriter;

/// For the models in `tests/loom.rs`: the parts, and the control thread's work as plain steps.
#[cfg(loom)]
#[doc(hidden)]
pub mod model {
    pub use crate::handover::{ControlEnd, WriterEnd, handover};

    /// As [`Readers::poll`](crate::Readers::poll), at an invented time.
    pub fn poll(readers: &mut crate::Readers, now: u64) -> Vec<crate::Frame> {
        readers.poll_at(now)
    }

    /// One turn of the control thread, which no model has.
    pub fn turn(export: &crate::FrameExport) {
        export.turn();
    }
}
