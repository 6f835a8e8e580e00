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
//! * **The writer is wait-free.** [`Writer::claim`] and [`Claim::publish`] together take a number of atomic operations that
//!   is bounded by the slot count, whatever readers do. (Where a processor has no atomic addition and goes by load-linked and
//!   store-conditional, each operation is as wait-free as the processor makes that loop.)
//! * **Readers cannot make the writer drop.** With `depth + readers * leases + 1` slots a claim always finds one,
//!   also when leases are leaked, held for ever, or their holder is stopped between any two instructions.
//! * **A lease is immutable while it lives.** There is no torn frame, and no data race in the memory model.
//! * **Readers are isolated.** The newest `depth` frames stay leasable for each reader, by [`Reader::latest`] and by
//!   [`Reader::next`], whatever the others hold and wherever the writer is stopped.
//! * **Loss is exact.** What a reader was delivered and what it missed, by cause, add up to what was offered.
//! * **Nothing is allocated after [`Ring::new`]** but the list that [`Ring::readers`] returns, and no lock or system call is
//!   made.
//!
//! # What it knows of
//!
//! Of frames: each carries a [`FrameEntry`], which names its camera and describes its samples, and the time of its offer,
//! from which statistics tell ages. The ring passes that on and decides nothing by it. [`FrameSink`] is what a tap writes to;
//! it is here because the tap and what manages cameras know the ring and not each other.
//!
//! It knows nothing of FFmpeg, and reads no clock. It is not a queue: a slow reader misses frames. It does not wait or wake:
//! a reader polls, and an idle poll is one load.
//!
//! # Words
//!
//! | word        | what it is                                                                                    |
//! |-------------|-----------------------------------------------------------------------------------------------|
//! | *writer*    | the end that publishes frames: at most one per ring                                           |
//! | *reader*    | a subscribed end that leases frames; its *index* is below the number of readers R             |
//! | *slot*      | room for one frame: state word, position, entry and pixels                                    |
//! | *claim*     | a slot that the writer fills; publishing consumes it, dropping it abandons the frame          |
//! | *lease*     | a reader's hold of a published frame; the slot is not overwritten until it is dropped         |
//! | *depth*     | K: how many of the newest frames stay leasable                                                |
//! | *limit*     | B: how many leases one reader may hold at once, its lease limit                               |
//! | *position*  | a frame's number among those published, while `frame_id` counts those that were offered       |
//! | *head*      | the word that tells the newest frame; beside it the *list* of the slots of the newest K       |
//! | *retired*   | of a slot: not among the newest K. Of a ring: without a writer for good                       |
//! | *shut*      | of a slot: takes no new lease                                                                 |
//! | *orphan*    | a lease that outlived its reader                                                              |
//! | *drop*      | a frame that was offered and not published; each has a [`DropCause`]                          |
//!
//! # Where to start reading
//!
//! `writer.rs` and `reader.rs` are the two ends, about 200 lines each. `word.rs` holds the state word of a slot and the
//! proof; `head.rs` and `subscriptions.rs` are the other two words that threads meet at. `writer_state.rs` and
//! `reader_state.rs` are private to their threads, `shared.rs` and `slot.rs` hold it all together. `unsafe` is in the files
//! that the crate root allows it in. `tests/loom` has the models, `tests/sequences` an oracle for everything else.
//!
//! Without touching the proof one may change `entry.rs`, `pixel_format.rs`, `plane.rs`, `sink.rs`, `spec.rs` but for
//! the number of slots, `stats.rs`, `memory.rs`, and the counters of `reader_state.rs`. Whoever changes `word.rs`,
//! `head.rs`, `subscriptions.rs`, `drops.rs`, the order in which `writer_state.rs` looks at slots, or the steps of
//! `Claim::publish` and `Reader::read_new`, changes the proof as well, and runs `cargo xtask loom`, `cargo xtask
//! orderings` and `cargo xtask views`.

#![cfg_attr(not(any(test, loom)), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod drops;
#[allow(unsafe_code)]
mod entry;
mod head;
mod identity;
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
mod reader_state;
#[allow(unsafe_code)]
mod retired;
mod ring;
#[allow(unsafe_code)]
mod shared;
mod sink;
#[allow(unsafe_code)]
mod slot;
mod spec;
mod stats;
mod subscriptions;
mod sync;
mod word;
#[allow(unsafe_code)]
mod writer;
mod writer_state;

pub use entry::{CameraId, CameraIdError, ColorRange, FrameEntry, FrameFlags, Geometry, Orientation, Plane, Rational};
pub use identity::Identity;
pub use lease::Lease;
pub use memory::{HeapMemory, PixelMemory};
pub use pixel_format::{Component, PixelFormat};
pub use plane::{ComponentView, LengthError, PlaneView, SampleError, Samples};
pub use reader::{ReadError, Reader};
pub use retired::Retired;
pub use ring::{Ring, RingError, SubscribeError};
pub use sink::{CopyMode, FrameSink, StreamSpec};
pub use spec::{MAX_DEPTH, MAX_FRAME_BYTES, MAX_LEASES, MAX_READERS, RingSpec, SpecError};
pub use stats::{DropCause, Dropped, Missed, ReaderStats, RingStats};
pub use writer::{Claim, ClaimError, Writer};

#[cfg(loom)]
#[doc(hidden)]
pub use sync::operations;
