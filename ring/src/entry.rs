//! What travels with each frame.

use core::fmt::{self, Write as _};
use core::str;

use bytemuck::{Pod, Zeroable};
use static_assertions::{assert_impl_all, const_assert_eq};

use crate::pixel_format::PixelFormat;
use crate::pod::plain_old_data;

/// Everything that is known of one frame except its pixels: 216 bytes, no padding, no pointers.
///
/// The writer of the ring sets [`frame_id`](Self::frame_id), [`epoch`](Self::epoch),
/// [`generation`](Self::generation) and [`camera_id`](Self::camera_id) when it publishes; the rest is what the
/// publisher gives.
///
/// ```
/// use vas_ring::{FrameEntry, FrameFlags, Rational};
///
/// let entry = FrameEntry {
///     raw_pts: 180_000,
///     time_base: Rational { num: 1, den: 90_000 },
///     flags: FrameFlags::KEY,
///     ..FrameEntry::default()
/// };
/// let seconds = entry.pts().map(|pts| pts as f64 * f64::from(entry.time_base.num) / f64::from(entry.time_base.den));
/// assert_eq!(seconds, Some(2.0));
/// // It is plain data without padding.
/// assert_eq!(bytemuck::bytes_of(&entry).len(), 216);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FrameEntry {
    /// Counts the frames that the decoder offered for this camera, over restarts and resizes: a gap is a loss.
    pub frame_id: u64,
    /// Presentation time in units of [`time_base`](Self::time_base), [`NO_PTS`](Self::NO_PTS) when there is none;
    /// see [`pts`](Self::pts). It may go back, as cameras set their clocks.
    pub raw_pts: i64,
    /// `CLOCK_MONOTONIC` in nanoseconds when the frame was offered.
    pub monotonic_ns: u64,
    /// Which start of the camera: the first is 0.
    pub epoch: u32,
    /// Which allocation within the epoch: a resize makes the next.
    pub generation: u32,
    /// Seconds per unit of the presentation time.
    pub time_base: Rational,
    /// The camera.
    pub camera_id: CameraId,
    /// Picture and planes.
    pub geometry: Geometry,
    /// Bytes of the slot that the planes cover, counted from its start.
    pub bytes: u32,
    /// Key frame, interlaced, corrupt and so on.
    pub flags: FrameFlags,
    /// Range of the sample values.
    pub color_range: ColorRange,
    /// Matrix coefficients by their number in ITU-T H.273, 2 when unspecified.
    pub color_matrix: u8,
    /// Colour primaries by their number in ITU-T H.273, 2 when unspecified.
    pub color_primaries: u8,
    /// Transfer characteristics by their number in ITU-T H.273, 2 when unspecified.
    pub color_transfer: u8,
    /// Where chroma samples are, by FFmpeg's `AVChromaLocation`: 0 unspecified, 1 left, 2 centre, 3 top left.
    pub chroma_location: u8,
    /// How the picture is to be turned for display.
    pub orientation: Orientation,
    /// Always 0. It fills the entry up to a multiple of 8 bytes.
    pub reserved: u8,
}

const_assert_eq!(size_of::<FrameEntry>(), 216);
const_assert_eq!(align_of::<FrameEntry>(), 8);
const_assert_eq!(core::mem::offset_of!(FrameEntry, camera_id), 40);
const_assert_eq!(core::mem::offset_of!(FrameEntry, geometry), 80);
const_assert_eq!(core::mem::offset_of!(FrameEntry, bytes), 204);
assert_impl_all!(FrameEntry: Send, Sync, Copy);

impl FrameEntry {
    /// [`raw_pts`](Self::raw_pts) of a frame without presentation time: FFmpeg's `AV_NOPTS_VALUE`.
    pub const NO_PTS: i64 = i64::MIN;

    /// Presentation time in units of [`time_base`](Self::time_base).
    pub fn pts(&self) -> Option<i64> {
        (self.raw_pts != Self::NO_PTS).then_some(self.raw_pts)
    }

    /// Takes over `from`, all but what is the same for all frames of a ring and is in `self` already, and with this id.
    ///
    /// Field by field, straight into the slot: an entry that is put together aside would be copied twice. Every field is
    /// named, so that one that is added and forgotten here does not compile; that each is taken over is tested.
    #[inline]
    pub(crate) fn set(&mut self, frame_id: u64, from: &Self) {
        let Self {
            frame_id: _,
            raw_pts,
            monotonic_ns,
            epoch: _,
            generation: _,
            time_base,
            camera_id: _,
            geometry,
            bytes,
            flags,
            color_range,
            color_matrix,
            color_primaries,
            color_transfer,
            chroma_location,
            orientation,
            reserved,
        } = *from;
        (self.frame_id, self.raw_pts, self.monotonic_ns, self.time_base) = (frame_id, raw_pts, monotonic_ns, time_base);
        (self.geometry, self.bytes, self.flags) = (geometry, bytes, flags);
        (self.color_range, self.color_matrix, self.color_primaries) = (color_range, color_matrix, color_primaries);
        (self.color_transfer, self.chroma_location) = (color_transfer, chroma_location);
        (self.orientation, self.reserved) = (orientation, reserved);
    }

    /// The planes in use.
    pub fn planes(&self) -> &[Plane] {
        &self.geometry.planes[..usize::from(self.geometry.pixel_format.planes).min(4)]
    }
}

/// Size, format and planes of a picture. One camera's frames share it until the stream changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Geometry {
    /// Visible width in pixels.
    pub width: u32,
    /// Visible height in pixels.
    pub height: u32,
    /// Width of a pixel over its height; 0/1 when unknown.
    pub sample_aspect_ratio: Rational,
    /// How samples are laid out.
    pub pixel_format: PixelFormat,
    /// Where each plane is. A palette is a plane of one row.
    pub planes: [Plane; 4],
}

const_assert_eq!(size_of::<Geometry>(), 124);

/// One plane of a picture within its slot, top row first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Plane {
    /// Bytes from the start of the slot to the first row; a multiple of 64.
    pub offset: u32,
    /// Bytes from one row to the next, at least [`row_bytes`](Self::row_bytes).
    pub stride: u32,
    /// Bytes of a row that carry samples.
    pub row_bytes: u32,
    /// Rows.
    pub rows: u32,
}

/// A fraction, as FFmpeg's `AVRational`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Rational {
    /// Numerator.
    pub num: i32,
    /// Denominator; 0 when the fraction is undefined.
    pub den: i32,
}

impl Default for Rational {
    fn default() -> Self {
        Self { num: 0, den: 1 }
    }
}

/// What the decoder said of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct FrameFlags(pub u8);

impl FrameFlags {
    /// A key frame.
    pub const KEY: Self = Self(1);
    /// Two fields, row by row.
    pub const INTERLACED: Self = Self(1 << 1);
    /// Of two fields, the upper one is the earlier.
    pub const TOP_FIELD_FIRST: Self = Self(1 << 2);
    /// Damaged or concealed: the picture may show what was never there.
    pub const CORRUPT: Self = Self(1 << 3);

    /// Whether all of `flags` are set.
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These flags, and `flags` when `on`.
    #[must_use]
    pub const fn with(self, flags: Self, on: bool) -> Self {
        if on { Self(self.0 | flags.0) } else { self }
    }
}

/// Range of luma and chroma samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct ColorRange(pub u8);

impl ColorRange {
    /// Not said.
    pub const UNSPECIFIED: Self = Self(0);
    /// 16 to 235 at 8 bits: FFmpeg's `AVCOL_RANGE_MPEG`.
    pub const LIMITED: Self = Self(1);
    /// 0 to 255 at 8 bits: FFmpeg's `AVCOL_RANGE_JPEG`.
    pub const FULL: Self = Self(2);
}

/// How a picture is to be turned for display, as the stream says it: cameras that hang sideways or upside down, and
/// phones. The pixels are as they were decoded, so a detector that knows what is up may want to turn them, or its boxes.
/// Some streams say it with their key frames only.
///
/// The number is that of the orientation in EXIF, plus 0 and 255.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Orientation(pub u8);

impl Orientation {
    /// The frame says nothing: to be shown as it is.
    pub const UNSPECIFIED: Self = Self(0);
    /// To be shown as it is.
    pub const UPRIGHT: Self = Self(1);
    /// To be mirrored, left for right.
    pub const MIRRORED: Self = Self(2);
    /// To be turned by half a turn.
    pub const TURNED_180: Self = Self(3);
    /// To be flipped, top for bottom.
    pub const FLIPPED: Self = Self(4);
    /// Rows are to be shown as columns: mirrored at the diagonal from the top left.
    pub const TRANSPOSED: Self = Self(5);
    /// To be turned by a quarter turn clockwise.
    pub const TURNED_90: Self = Self(6);
    /// To be mirrored at the diagonal from the top right.
    pub const TRANSVERSED: Self = Self(7);
    /// To be turned by a quarter turn counterclockwise.
    pub const TURNED_270: Self = Self(8);
    /// Another transformation than these eight, or one that makes no sense.
    pub const OTHER: Self = Self(255);

    /// Whether width and height change places.
    pub const fn swaps_sides(self) -> bool {
        matches!(self.0, 5..=8)
    }
}

/// A camera's name, inline: 1 to 39 bytes of UTF-8, enough for a UUID in its 36 characters.
///
/// ```
/// # use vas_ring::CameraId;
/// let id: CameraId = "0e6f3f5c-9d55-4b57-9a5a-0a9b8c6d7e1f".parse()?;
/// assert_eq!(id.as_str().len(), 36);
/// # Ok::<(), vas_ring::CameraIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct CameraId {
    bytes: [u8; 39],
    len: u8,
}

const_assert_eq!(size_of::<CameraId>(), 40);

impl CameraId {
    /// Longest name, in bytes.
    pub const MAX_LEN: usize = 39;

    /// A camera called `name`.
    ///
    /// # Errors
    ///
    /// When the name is empty or longer than [`MAX_LEN`](Self::MAX_LEN).
    pub fn new(name: &str) -> Result<Self, CameraIdError> {
        if name.is_empty() || name.len() > Self::MAX_LEN {
            return Err(CameraIdError { len: name.len() });
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        // The length is at most 39.
        Ok(Self { bytes, len: name.len() as u8 })
    }

    /// A camera called `name`, whatever that is: a name of up to [`MAX_LEN`](Self::MAX_LEN) bytes as it is. A longer one keeps
    /// its head, up to 22 bytes, and is told from others by 16 hexadecimal digits of a hash over all of it. The same name
    /// gives the same id in every process; two long names give the same id with a probability of 2^-64.
    ///
    /// An empty name is a camera called `unnamed`.
    ///
    /// ```
    /// # use vas_ring::CameraId;
    /// assert_eq!(CameraId::from_name("front door").as_str(), "front door");
    /// let long = CameraId::from_name("rtsp://192.168.100.20:554/Streaming/Channels/101");
    /// assert_eq!(long.as_str(), "rtsp://192.168.100.20:~c2193799b712a5c4");
    /// ```
    pub fn from_name(name: &str) -> Self {
        if name.is_empty() {
            return Self::from_name("unnamed");
        }
        Self::new(name).unwrap_or_else(|_| {
            let mut head = Self::MAX_LEN - "~0123456789abcdef".len();
            while !name.is_char_boundary(head) {
                head -= 1;
            }
            let mut bytes = [0; Self::MAX_LEN];
            let hash = fnv_1a(name.as_bytes());
            let digits = (0..16).map(|n| b"0123456789abcdef"[(hash >> (60 - 4 * n)) as usize & 15]);
            let whole = name.as_bytes()[..head].iter().copied().chain([b'~']).chain(digits);
            let len = bytes.iter_mut().zip(whole).map(|(at, byte)| *at = byte).count();
            // The length is at most 39.
            Self { bytes, len: len as u8 }
        })
    }

    /// The name; empty for the default, which no camera has.
    pub fn as_str(&self) -> &str {
        let len = usize::from(self.len).min(Self::MAX_LEN);
        str::from_utf8(&self.bytes[..len]).unwrap_or_default()
    }
}

/// FNV-1a with 64 bits, and its bits mixed at the end so that each depends on all of the last byte.
fn fnv_1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ hash >> 33
}

impl Default for CameraId {
    fn default() -> Self {
        Self::zeroed()
    }
}

impl str::FromStr for CameraId {
    type Err = CameraIdError;

    fn from_str(name: &str) -> Result<Self, CameraIdError> {
        Self::new(name)
    }
}

impl fmt::Display for CameraId {
    /// The name, in one line whatever it holds: control characters are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.as_str();
        if !name.contains(char::is_control) {
            return f.pad(name);
        }
        name.chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) })
    }
}

impl fmt::Debug for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A camera's name that is empty or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameraIdError {
    /// Bytes of the refused name.
    pub len: usize,
}

impl fmt::Display for CameraIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a camera id has 1 to {} bytes, this one has {}", CameraId::MAX_LEN, self.len)
    }
}

impl core::error::Error for CameraIdError {}

plain_old_data! {
    FrameEntry {
        frame_id: u64, raw_pts: i64, monotonic_ns: u64, epoch: u32, generation: u32, time_base: Rational,
        camera_id: CameraId, geometry: Geometry, bytes: u32, flags: FrameFlags, color_range: ColorRange,
        color_matrix: u8, color_primaries: u8, color_transfer: u8, chroma_location: u8, orientation: Orientation,
        reserved: u8
    }
    Geometry {
        width: u32, height: u32, sample_aspect_ratio: Rational, pixel_format: PixelFormat, planes: [Plane; 4]
    }
    Plane { offset: u32, stride: u32, row_bytes: u32, rows: u32 }
    Rational { num: i32, den: i32 }
    CameraId { bytes: [u8; 39], len: u8 }
}

// SAFETY: one integer, `repr(transparent)`.
unsafe impl Zeroable for FrameFlags {}
// SAFETY: one integer, `repr(transparent)`.
unsafe impl Pod for FrameFlags {}
// SAFETY: one integer, `repr(transparent)`.
unsafe impl Zeroable for Orientation {}
// SAFETY: one integer, `repr(transparent)`.
unsafe impl Pod for Orientation {}
// SAFETY: one integer, `repr(transparent)`.
unsafe impl Zeroable for ColorRange {}
// SAFETY: one integer, `repr(transparent)`.
unsafe impl Pod for ColorRange {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_every_length() {
        assert_eq!(CameraId::new(""), Err(CameraIdError { len: 0 }));
        assert_eq!(CameraId::new(&"x".repeat(40)), Err(CameraIdError { len: 40 }));
        for n in 1..=39 {
            let name = "y".repeat(n);
            assert_eq!(CameraId::new(&name).unwrap().as_str(), name);
        }
    }

    /// Any name is a camera's: long ones stay readable and unique, are cut between characters, and never change.
    #[test]
    fn names_of_every_length() {
        for n in 1..200 {
            let name = "z".repeat(n);
            let id = CameraId::from_name(&name);
            assert_eq!(CameraId::new(id.as_str()), Ok(id), "an id that could have been given");
            assert_eq!(id.as_str() == name, n <= 39, "{id}");
            assert!(id.as_str().starts_with(&name[..n.min(22)]), "{id}");
        }
        let url = "rtsp://192.168.100.20:554/Streaming/Channels/";
        let ids: alloc::collections::BTreeSet<_> =
            (0..10_000).map(|n| CameraId::from_name(&std::format!("{url}{n}"))).collect();
        assert_eq!(ids.len(), 10_000);
        // 21 bytes and a character of three.
        let wide = CameraId::from_name(&("x".repeat(21) + &"\u{20ac}".repeat(20)));
        assert!(wide.as_str().starts_with(&("x".repeat(21) + "~")) && wide.as_str().len() == 38, "{wide}");
        assert_eq!(CameraId::from_name(""), CameraId::from_name("unnamed"));
        assert_ne!(CameraId::from_name(""), CameraId::default());
    }

    /// All of an entry but what the ring knows itself.
    #[test]
    fn every_byte_is_taken_over() {
        let from: FrameEntry = bytemuck::pod_read_unaligned(&[0x5a; size_of::<FrameEntry>()]);
        let mut to = FrameEntry::default();
        to.set(7, &from);
        let common = FrameEntry::default();
        let (epoch, generation, camera_id) = (common.epoch, common.generation, common.camera_id);
        assert_eq!(to, FrameEntry { frame_id: 7, epoch, generation, camera_id, ..from });
    }

    #[test]
    fn a_name_is_shown_in_one_line() {
        assert_eq!(CameraId::from_name("a\nb\u{1b}[2J").to_string(), "a\\nb\\u{1b}[2J");
        assert_eq!(format!("{:>6}", CameraId::from_name("gate")), "  gate");
    }

    /// The entry is plain old data: any bytes are one, and none of its accessors panics on them.
    #[test]
    fn hostile_bytes() {
        let entry: FrameEntry = bytemuck::pod_read_unaligned(&[0xff; size_of::<FrameEntry>()]);
        assert_eq!(entry.camera_id.as_str(), "");
        assert_eq!(entry.geometry.pixel_format.name(), "");
        assert_eq!(entry.planes().len(), 4);
        assert_eq!(entry.pts(), Some(-1));
    }

    #[test]
    fn no_pts_is_none() {
        assert_eq!(FrameEntry { raw_pts: FrameEntry::NO_PTS, ..FrameEntry::default() }.pts(), None);
        assert_eq!(FrameEntry { raw_pts: -5, ..FrameEntry::default() }.pts(), Some(-5));
    }
}
