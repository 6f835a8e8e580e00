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
//! # Which FFmpeg, and which binding
//!
//! FFmpeg 4.3 to 9. With the feature `ffmpeg-next`, on by default, the frames of the crate `ffmpeg-next`, in whichever
//! version from 7 to 9 the host has. For any other binding that bindgen made, switch the feature off, so that no second
//! binding comes into the host, and add one line to it: see [`binding!`].
//!
//! ```toml
//! vas-tap = { version = "0.2", default-features = false }
//! ```
//!
//! ```rust
//! # mod rsmpeg { // A stand-in: `ffmpeg-next`'s module, and a wrapper of its own.
//! #     pub use ffmpeg_next::ffi;
//! #     pub mod avutil {
//! #         pub struct AVFrame(ffmpeg_next::frame::Video);
//! #         impl AVFrame {
//! #             pub fn new() -> Self { Self(ffmpeg_next::frame::Video::new(ffmpeg_next::format::Pixel::GRAY8, 64, 2)) }
//! #             pub fn as_ptr(&self) -> *const super::ffi::AVFrame { unsafe { self.0.as_ptr() } }
//! #         }
//! #     }
//! # }
//! // Once, anywhere in the host: the binding's module, and the types of frames that `offer` is to take.
//! vas_tap::binding!(crate::rsmpeg::ffi, unsafe crate::rsmpeg::avutil::AVFrame);
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use vas_ring::{HeapMemory, Identity, Ring, RingSpec};
//! # let spec = RingSpec::new(2, 3, 1, 128)?;
//! # let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
//! # let _reader = ring.subscribe()?;
//! # let (time_base, frame) = (rsmpeg::ffi::AVRational { num: 1, den: 90_000 }, rsmpeg::avutil::AVFrame::new());
//! let mut tap = vas_tap::Tap::new(writer).with_time_base((time_base.num, time_base.den));
//! assert_eq!(tap.offer(&frame), vas_tap::Offer::Published(0));
//! # Ok(()) }
//! ```
//!
//! What wraps something else than that binding's `AVFrame` does not compile:
//!
//! ```compile_fail,E0277
//! struct Pixels(Vec<u8>);
//!
//! impl Pixels {
//!     fn as_ptr(&self) -> *const u8 {
//!         self.0.as_ptr()
//!     }
//! }
//!
//! vas_tap::binding!(ffmpeg_next::ffi, unsafe crate::Pixels);
//! # fn main() {}
//! ```
//!
//! # What it promises
//!
//! * **It never hurts the decoder.** An offer does not fail, block, allocate, call the system or unwind; it says what
//!   became of the frame. It does not write to the frame, and keeps no reference to it or its buffers.
//! * **It is right for any frame that FFmpeg hands out.** Every software format with byte-addressed planes, as its
//!   descriptor says it is laid out; flipped frames the right way up; cropped frames cropped. What it cannot read, it
//!   refuses by cause: hardware frames, formats that put several pixels into a byte, fields that make no sense.
//! * **It costs one copy, and without readers none.** See [`CopyMode`] for how the copy is done.
//! * **Off, it is a compare and a branch.**
//!
//! # Where to start reading
//!
//! `tap.rs` is an offer from its beginning to its end. What is read of an AVFrame goes through `Fields` and the macro in
//! `binding.rs`; `plan.rs` turns these into what is copied where, `bounds.rs` holds that against the frame's buffers,
//! `picture.rs` makes the entry, and `copy` has the kernels. `unsafe` rests on `bounds.rs` and `plan.rs`: who changes
//! those runs `cargo test -p vas-tap --test random` with ten million frames (`VAS_FUZZ_FRAMES`).
//!
//! # What it is not
//!
//! It converts, scales and downloads nothing: a reader gets the samples that the decoder made. A frame's pointers
//! have to be what FFmpeg promises; see [`Tap::offer_ptr`] for which lies are noticed.

mod binding;
mod bounds;
mod clock;
mod copy;
#[cfg(feature = "ffmpeg-next")]
mod ffmpeg_next_binding;
mod format;
mod orientation;
mod picture;
mod plan;
#[cfg(feature = "ffmpeg-next")]
mod spec;
mod tap;

pub use binding::{Frame, TimeBase};
#[cfg(feature = "ffmpeg-next")]
pub use spec::{StreamSpecError, stream_spec, stream_spec_of};
pub use tap::{Offer, Tap};
pub use vas_ring::CopyMode;

/// What [`binding!`] expands to, and nothing else, may use.
#[doc(hidden)]
pub mod __private {
    pub use core::ffi::{CStr, c_int, c_uint, c_void};

    pub use vas_ring::Rational;

    pub use crate::binding::{
        Binding, Descriptor, Fields, Frame, PointerTo, RawFrame, TimeBase, field_bytes, flag_fields,
    };
    #[cfg(feature = "ffmpeg-next")]
    pub use crate::ffmpeg_next_binding::FfmpegNext;
}
