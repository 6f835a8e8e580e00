//! The size of a ring, checked before anything is allocated.

use core::fmt;

/// Most frames that a ring keeps readable.
pub const MAX_DEPTH: usize = if cfg!(loom) { 4 } else { 32 };
/// Most readers of a ring: each has a LEASE bit and an ORPHAN bit in the 64-bit slot word.
pub const MAX_READERS: usize = 31;
/// Most leases that one reader may hold at once.
pub const MAX_LEASES: usize = 32;
/// Most bytes of one frame: offsets in a frame entry are 32 bits wide.
pub const MAX_FRAME_BYTES: usize = u32::MAX as usize - LINE;

/// Alignment of each slot's pixels, in bytes.
pub(crate) const LINE: usize = 64;

/// No ring takes more bytes beside its pixels: asserted in `shared.rs`, where its parts are known.
pub(crate) const MAX_OVERHEAD: usize = 1 << 20;

const _: () = assert!(LINE >= align_of::<u64>());

/// How many frames a ring keeps, for how many readers, and how large a frame may be.
///
/// ```
/// # use vas_ring::RingSpec;
/// let spec = RingSpec::new(4, 2, 1, 1920 * 1080 * 3 / 2)?;
/// assert_eq!(spec.slots(), 4 + 2 * 1 + 1);
/// assert!(spec.total_bytes() < 8 * spec.frame_bytes());
/// # Ok::<(), vas_ring::SpecError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSpec {
    depth: usize,
    readers: usize,
    lease_limit: usize,
    frame_bytes: usize,
}

impl RingSpec {
    /// A ring that keeps the newest `depth` frames readable for up to `readers` readers, each of which may hold
    /// up to `lease_limit` leases at once; a frame takes at most `frame_bytes` bytes of pixels.
    ///
    /// # Errors
    ///
    /// When a number is zero or beyond its limit, or when the total does not fit into the address space.
    pub const fn new(depth: usize, readers: usize, lease_limit: usize, frame_bytes: usize) -> Result<Self, SpecError> {
        const fn in_range(what: &'static str, value: usize, max: usize) -> Result<(), SpecError> {
            if value == 0 || value > max { Err(SpecError::OutOfRange { what, value, max }) } else { Ok(()) }
        }
        macro_rules! check {
            ($what:literal, $value:expr, $max:expr) => {
                if let Err(error) = in_range($what, $value, $max) {
                    return Err(error);
                }
            };
        }
        check!("depth", depth, MAX_DEPTH);
        check!("readers", readers, MAX_READERS);
        check!("lease limit", lease_limit, MAX_LEASES);
        check!("frame_bytes", frame_bytes, MAX_FRAME_BYTES);
        let spec = Self { depth, readers, lease_limit, frame_bytes };
        // The limits above keep the slot count far from overflow; the bytes may still exceed what can be allocated.
        match spec.slots().checked_mul(spec.slot_stride()) {
            Some(pixels) if pixels <= isize::MAX as usize - MAX_OVERHEAD => Ok(spec),
            _ => Err(SpecError::TooLarge { slots: spec.slots(), frame_bytes }),
        }
    }

    /// Frames that stay readable: K.
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Readers that may be subscribed at once: R.
    pub const fn readers(&self) -> usize {
        self.readers
    }

    /// Leases that one reader may hold at once: B.
    pub const fn lease_limit(&self) -> usize {
        self.lease_limit
    }

    /// Bytes of pixels that fit into one slot.
    pub const fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// Slots of the ring: K readable, R * B that readers may stand in, and one to write into.
    pub const fn slots(&self) -> usize {
        self.depth + self.readers * self.lease_limit + 1
    }

    /// Bytes from one slot's pixels to the next slot's: an odd number of 64-byte lines.
    ///
    /// Odd, so that 64 neighbouring slots all start at different offsets within a page. Were they to share one, a
    /// source buffer with that offset would meet 4 KiB aliasing, which costs a copy up to 40 %, in every slot.
    pub const fn slot_stride(&self) -> usize {
        (self.frame_bytes.div_ceil(LINE) | 1) * LINE
    }

    /// Bytes of pixel memory that [`Ring::new`](crate::Ring::new) asks for.
    pub const fn pixel_bytes(&self) -> usize {
        self.slots() * self.slot_stride()
    }
}

/// Why a [`RingSpec`] cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecError {
    /// A number is zero or beyond its limit.
    OutOfRange {
        /// The parameter's name.
        what: &'static str,
        /// What was given.
        value: usize,
        /// The largest accepted value; the smallest is 1.
        max: usize,
    },
    /// The ring would not fit into the address space.
    TooLarge {
        /// Slots that the depth, readers and leases call for.
        slots: usize,
        /// Bytes of one frame.
        frame_bytes: usize,
    },
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { what, value, max } => {
                write!(f, "ring {what} is {value}, accepted is 1 to {max}")
            }
            Self::TooLarge { slots, frame_bytes } => {
                write!(f, "{slots} slots of {frame_bytes} bytes do not fit into the address space")
            }
        }
    }
}

impl core::error::Error for SpecError {}
