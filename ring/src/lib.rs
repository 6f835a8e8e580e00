//! A ring of video frames: one writer that is never slowed down, blocked or made to drop a frame, and any
//! number of readers, up to a stated one, that borrow frames in place.
//!
//! ```
//! use vas_ring::{FrameEntry, HeapMemory, Identity, Ring, RingSpec};
//!
//! // 2 newest frames stay readable, 3 readers may hold 1 frame each, a frame takes up to 64 bytes.
//! let spec = RingSpec::new(2, 3, 1, 64)?;
//! let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
//!
//! let mut reader = ring.subscribe()?;
//! assert!(reader.latest()?.is_none());
//!
//! let mut claim = writer.claim()?;
//! claim.pixels_mut()[..3].copy_from_slice(b"rgb");
//! claim.publish(&FrameEntry { bytes: 3, ..FrameEntry::default() });
//!
//! let frame = reader.latest()?.expect("one was published");
//! assert_eq!(frame.pixels(), b"rgb");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//!
//! * **The writer is wait-free.** [`Writer::claim`] and [`Claim::publish`] together take a number of atomic
//!   operations that is bounded by the slot count, whatever readers do.
//! * **Readers cannot make the writer drop.** With `depth + readers * budget + 1` slots a claim always finds one,
//!   also when leases are leaked, held for ever, or their holder is stopped between any two instructions.
//! * **A lease is immutable while it lives.** There is no torn frame, and no data race in the memory model.
//! * **Readers are isolated.** The newest `depth` frames stay leasable for each reader, whatever the others hold.
//! * **Loss is exact.** What a reader was delivered and what it missed, by cause, add up to what was offered.
//! * **Nothing is allocated after [`Ring::new`]**, and no lock or system call is made by writer or readers.
//!
//! Why that holds is argued in the source, at the state word (`word.rs`), and is
//! explored by the models in `tests/loom.rs`.
//!
//! # What it is not
//!
//! It is not a queue: a slow reader misses frames. It does not wait or wake: a reader polls, and an idle poll
//! is one load. It knows nothing of FFmpeg, cameras, or time.

#![cfg_attr(not(any(test, loom)), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

#[allow(unsafe_code)]
mod entry;
mod head;
#[allow(unsafe_code)]
mod lease;
#[allow(unsafe_code)]
mod memory;
#[allow(unsafe_code)]
mod pixel_format;
mod plane;
mod pod;
#[allow(unsafe_code)]
mod reader;
#[allow(unsafe_code)]
mod retired;
mod ring;
mod seats;
#[allow(unsafe_code)]
mod shared;
mod sink;
mod spec;
mod stats;
mod sync;
mod word;
#[allow(unsafe_code)]
mod writer;

pub use entry::{CameraId, CameraIdError, ColorRange, FrameEntry, FrameFlags, Geometry, Orientation, Plane, Rational};
pub use lease::Lease;
pub use memory::{HeapMemory, PixelMemory};
pub use pixel_format::{Component, PixelFormat};
pub use plane::{ComponentView, PlaneView, SampleError, Samples};
pub use reader::{ReadError, Reader};
pub use retired::Retired;
pub use ring::{Identity, Ring, RingError, SubscribeError};
pub use sink::{CopyMode, FrameSink, StreamSpec};
pub use spec::{MAX_BUDGET, MAX_DEPTH, MAX_FRAME_BYTES, MAX_READERS, RingSpec, SpecError};
pub use stats::{DropCause, Dropped, Missed, ReaderStats, RingStats};
pub use writer::{Claim, ClaimError, Writer};

#[cfg(loom)]
#[doc(hidden)]
pub use sync::operations;
