//! A plane of a borrowed frame, read by rows.

use core::fmt;

use bytemuck::PodCastError;

use crate::{FrameEntry, PixelFormat, Plane};

/// One plane of a borrowed frame.
///
/// ```
/// use vas_ring::{FrameEntry, Geometry, HeapMemory, Identity, PixelFormat, Plane, Ring, RingSpec};
///
/// let spec = RingSpec::new(1, 1, 1, 128)?;
/// let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// let mut reader = ring.subscribe()?;
///
/// // Two rows of three samples of 10 bits, each row on 64 bytes.
/// let mut entry = FrameEntry { bytes: 70, ..FrameEntry::default() };
/// entry.geometry = Geometry { width: 3, height: 2, ..Geometry::default() };
/// entry.geometry.pixel_format = PixelFormat::new("gray10le", -1, 1, 10, (0, 0), 0);
/// entry.geometry.planes[0] = Plane { offset: 0, stride: 64, row_bytes: 6, rows: 2 };
/// let mut claim = writer.claim()?;
/// claim.pixels_mut()[64..70].copy_from_slice(&[1, 0, 2, 0, 3, 0]);
/// claim.publish(&entry);
///
/// let frame = reader.latest()?.expect("published");
/// let plane = frame.plane(0).expect("one plane");
/// assert_eq!(plane.rows().map(<[u8]>::len).collect::<Vec<_>>(), [6, 6]);
/// # #[cfg(target_endian = "little")]
/// assert_eq!(plane.row_u16(1)?, [1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PlaneView<'a> {
    bytes: &'a [u8],
    plane: Plane,
    format: PixelFormat,
}

impl<'a> PlaneView<'a> {
    /// Plane `index` of the frame with `entry` in `slot`; none when there is no such plane, or when the entry's
    /// numbers lead outside the slot.
    pub(crate) fn new(entry: &FrameEntry, slot: &'a [u8], index: usize) -> Option<Self> {
        let plane = *entry.planes().get(index)?;
        let bytes = match plane.rows.checked_sub(1) {
            None => 0,
            Some(last) => u64::from(plane.stride) * u64::from(last) + u64::from(plane.row_bytes),
        };
        let start = usize::try_from(plane.offset).ok()?;
        let bytes = slot.get(start..)?.get(..usize::try_from(bytes).ok()?)?;
        (plane.row_bytes <= plane.stride).then_some(Self { bytes, plane, format: entry.geometry.pixel_format })
    }

    /// From the first byte of the first row to the last byte of the last: `stride * (rows - 1) + row_bytes`.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes from one row to the next.
    pub fn stride(&self) -> usize {
        self.plane.stride as usize
    }

    /// Bytes of a row that carry samples.
    pub fn row_bytes(&self) -> usize {
        self.plane.row_bytes as usize
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.plane.rows as usize
    }

    /// Row `y` without its padding, 0 being the top; none below the bottom.
    pub fn row(&self, y: usize) -> Option<&'a [u8]> {
        if y >= self.height() {
            return None;
        }
        let start = y * self.stride();
        self.bytes.get(start..start + self.row_bytes())
    }

    /// All rows from the top, without their padding.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let this = *self;
        (0..this.height()).map(move |y| this.row(y).unwrap_or_default())
    }

    /// Row `y` as samples of 16 bits, for formats of 9 to 16 bits.
    ///
    /// # Errors
    ///
    /// When samples have another size or the other byte order, when the row is not aligned to 2 bytes, or when
    /// there is no such row.
    pub fn row_u16(&self, y: usize) -> Result<&'a [u16], SampleError> {
        if self.format.sample_bytes() != 2 {
            return Err(SampleError::Size { bits: self.format.bits });
        }
        if self.format.has(PixelFormat::BIG_ENDIAN) != cfg!(target_endian = "big") {
            return Err(SampleError::ByteOrder);
        }
        let row = self.row(y).ok_or(SampleError::NoSuchRow { row: y, rows: self.height() })?;
        bytemuck::try_cast_slice(row).map_err(|error| match error {
            PodCastError::TargetAlignmentGreaterAndInputNotAligned => SampleError::Alignment,
            _ => SampleError::Size { bits: self.format.bits },
        })
    }
}

/// Why a row cannot be read as 16-bit samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SampleError {
    /// Samples are not of two bytes.
    Size {
        /// Significant bits of a sample.
        bits: u8,
    },
    /// Samples have the other byte order than this machine: read the bytes and swap them.
    ByteOrder,
    /// The row does not start on an even address.
    Alignment,
    /// The plane has fewer rows.
    NoSuchRow {
        /// The row asked for.
        row: usize,
        /// Rows of the plane.
        rows: usize,
    },
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { bits } => write!(f, "samples of {bits} bits do not take two bytes each"),
            Self::ByteOrder => f.write_str("samples have the other byte order than this machine"),
            Self::Alignment => f.write_str("the row does not start on an even address"),
            Self::NoSuchRow { row, rows } => write!(f, "row {row} of a plane of {rows} rows"),
        }
    }
}

impl core::error::Error for SampleError {}
