//! One AVFrame in, one filled slot of a [`vas_ring`] out: the one new line in a decode loop.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (decoder, frame): (ffmpeg_next::decoder::Video, ffmpeg_next::frame::Video) = unimplemented!();
//! use vas_ring::{HeapMemory, Identity, Ring, RingSpec};
//! use vas_tap::{Offer, Tap};
//!
//! let stream = vas_tap::stream_spec_of(&decoder)?;
//! let spec = RingSpec::new(2, 3, 1, stream.frame_bytes)?;
//! let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
//!
//! let mut tap = Tap::new(writer);
//! match tap.offer(&frame) {
//!     Offer::Published(id) => println!("frame {id}"),
//!     Offer::Dropped(cause) => println!("a frame was dropped: {cause}"),
//!     Offer::Off => {}
//! }
//! # Ok(()) }
//! ```
//!
//! # What it promises
//!
//! * **It never hurts the decoder.** An offer does not fail, block, allocate, call the system or unwind; it says what
//!   became of the frame. It does not write to the frame, and keeps no reference to it or its buffers.
//! * **It is right for any frame that FFmpeg hands out.** Every software format with byte-addressed planes, as its
//!   descriptor says it is laid out; flipped frames the right way up; cropped frames cropped. What it cannot read, it
//!   refuses by cause: hardware frames, bitstream formats, fields that make no sense.
//! * **It costs one copy, and without readers none.** See [`CopyMode`] for how the copy is done.
//! * **Off, it is a compare and a branch.**
//!
//! # What it is not
//!
//! It converts, scales and downloads nothing: a reader gets the samples that the decoder made. A frame's pointers
//! have to be what FFmpeg promises; see [`Tap::offer_raw`] for which lies are noticed.

mod bounds;
mod clock;
mod copy;
mod format;
mod picture;
mod plan;
mod spec;
mod tap;

pub use spec::{StreamSpecError, stream_spec, stream_spec_of};
pub use tap::{Offer, Tap};
pub use vas_ring::CopyMode;
