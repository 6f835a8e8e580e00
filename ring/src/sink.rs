//! What a tap writes to: a ring's writer itself, or something that chooses the ring.

use core::fmt;

use crate::stats::DropCause;
use crate::writer::{Claim, Writer};

/// Takes the frames of one camera, one after the other, on the thread that decodes them.
///
/// It is what keeps a tap and a camera's life apart: neither knows the other, both know the ring. Nothing here may
/// block, allocate, lock or call the system.
///
/// ```
/// use vas_ring::{DropCause, FrameEntry, FrameSink};
///
/// /// What a tap does, in short.
/// fn offer(sink: &mut impl FrameSink, pixels: &[u8]) -> Option<u64> {
///     if sink.is_off() {
///         return None;
///     }
///     if let Err(cause) = sink.demand(now_ns) {
///         sink.skip(cause);
///         return None;
///     }
///     let mut claim = sink.claim(pixels.len()).ok()?;
///     claim.pixels_mut()[..pixels.len()].copy_from_slice(pixels);
///     Some(claim.publish(&FrameEntry { bytes: pixels.len() as u32, ..FrameEntry::default() }))
/// }
/// # fn now_ns() -> u64 { 1 }
/// # use vas_ring::{HeapMemory, Identity, Ring, RingSpec};
/// # let spec = RingSpec::new(1, 1, 1, 64)?;
/// # let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// # assert_eq!(offer(&mut writer, &[1; 64]), None);
/// # let _reader = ring.subscribe()?;
/// # assert_eq!(offer(&mut writer, &[1; 64]), Some(1));
/// # assert_eq!(offer(&mut writer, &[1; 65]), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait FrameSink {
    /// Whether export is off: then nothing else is asked, and frames are not counted.
    fn is_off(&self) -> bool;

    /// How pixels are to be copied into the ring. Asked once, when the tap is made.
    fn copy_mode(&self) -> CopyMode {
        CopyMode::Auto
    }

    /// Whether the frame that is offered now is to be copied.
    ///
    /// `now` gives `CLOCK_MONOTONIC` in nanoseconds. It is called only where the decision needs the time, and gives the same
    /// time however often it is called for one frame.
    ///
    /// # Errors
    ///
    /// The cause under which the frame is to be counted: the caller passes it on to [`skip`](Self::skip).
    fn demand(&mut self, now: impl FnMut() -> u64) -> Result<(), DropCause>;

    /// Counts a frame that is not going to be published.
    fn skip(&mut self, cause: DropCause);

    /// Claims a slot for a frame of `frame_bytes` bytes.
    ///
    /// # Errors
    ///
    /// The cause under which the frame has been counted, as [`skip`](Self::skip) does.
    fn claim(&mut self, frame_bytes: usize) -> Result<Claim<'_>, DropCause>;
}

impl FrameSink for Writer {
    #[inline]
    fn is_off(&self) -> bool {
        false
    }

    #[inline]
    fn demand(&mut self, _: impl FnMut() -> u64) -> Result<(), DropCause> {
        if self.has_readers() { Ok(()) } else { Err(DropCause::NoReader) }
    }

    #[inline]
    fn skip(&mut self, cause: DropCause) {
        Self::skip(self, cause);
    }

    #[inline]
    fn claim(&mut self, frame_bytes: usize) -> Result<Claim<'_>, DropCause> {
        if frame_bytes > self.slot_bytes() {
            Self::skip(self, DropCause::TooLarge);
            return Err(DropCause::TooLarge);
        }
        // A refusal has been counted by the claim.
        Self::claim(self).map_err(|_| DropCause::Refused)
    }
}

/// What a camera's frames are expected to be like when it starts, as the decoder says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamSpec {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes that a frame takes in a slot, with its planes on 64-byte boundaries.
    pub frame_bytes: usize,
}

/// How pixels are copied into a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CopyMode {
    /// Whichever the tap finds to be the cheapest, while it copies: on this processor, for frames of this size, with
    /// readers where they run at the time.
    #[default]
    Auto,
    /// Ordinary stores, through the cache.
    Cached,
    /// Stores that bypass the cache, on processors that have them: x86-64. Ordinary ones on others.
    Streaming,
}

impl CopyMode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Cached, Self::Streaming];

    /// As it is written in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cached => "cached",
            Self::Streaming => "streaming",
        }
    }
}

impl fmt::Display for CopyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
