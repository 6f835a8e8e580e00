//! For tests of whatever reads the frame ring: readers that behave well and badly, checkers of what a reader is
//! promised, and pictures of borrowed frames.
//!
//! * [`readers`]: brisk, slow, rated, stalled, leaking, panicking and spinning ones, each a plain step without a thread of
//!   its own, so that models, tests and programs share them.
//! * [`check`]: that frames come in order, that the loss is exact, that no picture is torn.
//! * `snapshot`, with the feature of that name: a borrowed frame as RGB and as a PNG file.
//!
//! ```
//! use std::time::Duration;
//! use vas_reader_testkit::check::{Loss, Order};
//! use vas_reader_testkit::readers::{Brisk, Step, Stepped};
//! use vas_ring::{FrameEntry, HeapMemory, Identity, Ring, RingSpec};
//!
//! let spec = RingSpec::new(2, 1, 1, 64)?;
//! let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
//! let mut reader = Brisk::new(ring.subscribe()?);
//! let (mut order, mut loss) = (Order::default(), Loss::default());
//!
//! for _ in 0..3 {
//!     writer.claim()?.publish(&FrameEntry { bytes: 1, ..FrameEntry::default() });
//! }
//! let mut newest = None;
//! let stepped = reader.step(Duration::ZERO, &mut |frame| newest = Some(*frame.entry()));
//! assert_eq!(stepped, Stepped::Took);
//!
//! let newest = newest.expect("a frame was taken");
//! assert_eq!(newest.frame_id, 2);
//! order.check(&newest)?;
//! loss.check(&newest, &reader.counts())?;
//! assert_eq!(reader.counts().missed.total(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod check;
pub mod readers;
#[cfg(feature = "snapshot")]
pub mod snapshot;
mod source;

pub use source::{Source, Taken};
