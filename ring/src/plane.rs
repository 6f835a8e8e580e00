//! A borrowed frame's samples: a plane by rows, in place, and a component by values.

use core::fmt;

use bytemuck::{Pod, PodCastError};

use crate::entry::{FrameEntry, Plane};
use crate::pixel_format::{Component, PixelFormat};

/// One plane of a borrowed frame, in place.
///
/// [`row`](Self::row) gives a row's bytes, whatever they mean. [`row_u8`](Self::row_u8), [`row_u16`](Self::row_u16),
/// [`row_u32`](Self::row_u32) and [`row_f32`](Self::row_f32) give its samples where each word of the row is the value
/// of one, and an error where that is not so. [`Lease::component`](crate::Lease::component) gives the values of one
/// component in any format of integers.
///
/// ```
/// use vas_ring::{Component, FrameEntry, Geometry, HeapMemory, Identity, PixelFormat, Plane, Ring, RingSpec};
///
/// let spec = RingSpec::new(1, 1, 1, 128)?;
/// let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// let mut reader = ring.subscribe()?;
///
/// // Two rows of three samples of 10 bits, each row on 64 bytes.
/// let mut entry = FrameEntry { bytes: 70, ..FrameEntry::default() };
/// entry.geometry = Geometry { width: 3, height: 2, ..Geometry::default() };
/// entry.geometry.pixel_format = PixelFormat::new("gray10le", -1, 1, &[Component::alone(0, 10)], (0, 0), 0);
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
    words: Result<Words, SampleError>,
}

/// The words of a plane of which each is the value of a sample, or padding.
#[derive(Clone, Copy, Debug)]
struct Words {
    depth: u8,
    bytes: usize,
    float: bool,
    native: bool,
}

impl Words {
    /// Those of plane `index`.
    fn of(format: &PixelFormat, index: usize) -> Result<Self, SampleError> {
        let here = || format.components().iter().filter(|component| usize::from(component.plane) == index);
        let Some(&first) = here().next() else {
            // A palette's entries, or nothing that is known.
            return Err(SampleError::NotSamples);
        };
        let bytes = first.word_bytes();
        for (n, component) in here().enumerate() {
            if here().skip(n + 1).any(|other| component.shares_words_with(other)) {
                return Err(SampleError::Packed);
            }
            if component.shift > 0 {
                return Err(SampleError::Shifted { depth: component.depth, shift: component.shift });
            }
            let even = [component.offset, component.step].iter().all(|&n| usize::from(n) % bytes == 0);
            if component.word_bytes() != bytes || component.depth != first.depth || !even {
                return Err(SampleError::Packed);
            }
        }
        let native = bytes == 1 || format.has(PixelFormat::BIG_ENDIAN) == cfg!(target_endian = "big");
        Ok(Self { depth: first.depth, bytes, float: format.has(PixelFormat::FLOAT), native })
    }
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
        let words = Words::of(&entry.geometry.pixel_format, index);
        (plane.row_bytes <= plane.stride).then_some(Self { bytes, plane, words })
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

    /// The bytes of row `y` without its padding, 0 being the top; none below the bottom. They are samples where
    /// [`row_u8`](Self::row_u8) says so.
    pub fn row(&self, y: usize) -> Option<&'a [u8]> {
        if y >= self.height() {
            return None;
        }
        let start = y * self.stride();
        self.bytes.get(start..start + self.row_bytes())
    }

    /// The bytes of all rows from the top, without their padding.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let this = *self;
        (0..this.height()).map(move |y| this.row(y).unwrap_or_default())
    }

    /// Bytes of all rows without their padding: `row_bytes * height`.
    pub fn packed_bytes(&self) -> usize {
        self.row_bytes() * self.height()
    }

    /// Copies all rows into `to`, one right after the other, without their padding.
    ///
    /// # Errors
    ///
    /// When `to` is not [`packed_bytes`](Self::packed_bytes) long. Nothing is copied then.
    pub fn copy_into(&self, to: &mut [u8]) -> Result<(), LengthError> {
        let (needed, given) = (self.packed_bytes(), to.len());
        if given != needed {
            return Err(LengthError { needed, given });
        }
        if self.stride() == self.row_bytes() || self.height() <= 1 {
            to.copy_from_slice(self.bytes);
            return Ok(());
        }
        for (to, row) in to.chunks_exact_mut(self.row_bytes().max(1)).zip(self.rows()) {
            to.copy_from_slice(row);
        }
        Ok(())
    }

    /// Row `y` as samples of up to 8 bits, one for each byte.
    ///
    /// The samples of a plane that several components share follow each other as in the row, with the byte of padding
    /// that some formats have, such as `rgb0`.
    ///
    /// # Errors
    ///
    /// When a byte of the row is not the value of one sample, or when there is no such row.
    pub fn row_u8(&self, y: usize) -> Result<&'a [u8], SampleError> {
        self.words(y, false)
    }

    /// Row `y` as samples of 9 to 16 bits, one for each word of two bytes, in the row's order as for
    /// [`row_u8`](Self::row_u8). The bits of the word above the sample are as the decoder left them, which for all of
    /// FFmpeg's is 0; [`ComponentView::row`] leaves them out.
    ///
    /// # Errors
    ///
    /// When a word of the row is not the value of one sample or has the other byte order than this machine, when the
    /// row is not aligned to 2 bytes, or when there is no such row.
    pub fn row_u16(&self, y: usize) -> Result<&'a [u16], SampleError> {
        self.words(y, false)
    }

    /// Row `y` as samples of 17 to 32 bits, one for each word of four bytes; otherwise as [`row_u16`](Self::row_u16).
    ///
    /// # Errors
    ///
    /// As [`row_u16`](Self::row_u16), the alignment being to 4 bytes.
    pub fn row_u32(&self, y: usize) -> Result<&'a [u32], SampleError> {
        self.words(y, false)
    }

    /// Row `y` as floating-point samples of 32 bits; otherwise as [`row_u32`](Self::row_u32).
    ///
    /// # Errors
    ///
    /// As [`row_u32`](Self::row_u32), and when samples are not floating-point numbers.
    pub fn row_f32(&self, y: usize) -> Result<&'a [f32], SampleError> {
        self.words(y, true)
    }

    fn words<T: Pod>(&self, y: usize, float: bool) -> Result<&'a [T], SampleError> {
        let words = self.words?;
        if words.float != float {
            return Err(if words.float { SampleError::Float } else { SampleError::NotFloat });
        }
        if words.bytes != size_of::<T>() {
            return Err(SampleError::Size { depth: words.depth, needed: words.bytes });
        }
        if !words.native {
            return Err(SampleError::ByteOrder);
        }
        let row = self.row(y).ok_or(SampleError::NoSuchRow { row: y, rows: self.height() })?;
        bytemuck::try_cast_slice(row).map_err(|error| match error {
            PodCastError::TargetAlignmentGreaterAndInputNotAligned => SampleError::Alignment,
            _ => SampleError::Irregular,
        })
    }
}

/// The samples of one component of a borrowed frame, as values: luma or red, whatever plane, bits and byte order they
/// are in.
///
/// ```
/// use vas_ring::{Component, FrameEntry, Geometry, HeapMemory, Identity, PixelFormat, Plane, Ring, RingSpec};
///
/// let spec = RingSpec::new(1, 1, 1, 64)?;
/// let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// let mut reader = ring.subscribe()?;
///
/// // Two pixels of which red has the upper five bits, green six, blue the lower five.
/// let components = [
///     Component { plane: 0, offset: 1, step: 2, shift: 3, depth: 5 },
///     Component { plane: 0, offset: 0, step: 2, shift: 5, depth: 6 },
///     Component { plane: 0, offset: 0, step: 2, shift: 0, depth: 5 },
/// ];
/// let mut entry = FrameEntry { bytes: 4, ..FrameEntry::default() };
/// entry.geometry = Geometry { width: 2, height: 1, ..Geometry::default() };
/// entry.geometry.pixel_format = PixelFormat::new("rgb565le", -1, 1, &components, (0, 0), PixelFormat::RGB);
/// entry.geometry.planes[0] = Plane { offset: 0, stride: 64, row_bytes: 4, rows: 1 };
/// let mut claim = writer.claim()?;
/// claim.pixels_mut()[..2].copy_from_slice(&(1_u16 << 11 | 2 << 5 | 3).to_le_bytes());
/// claim.pixels_mut()[2..4].copy_from_slice(&(31_u16 << 11 | 63 << 5).to_le_bytes());
/// claim.publish(&entry);
///
/// let frame = reader.latest()?.expect("published");
/// let [red, green, blue] = [0, 1, 2].map(|n| frame.component(n).expect("three"));
/// assert_eq!((red.depth(), green.depth()), (5, 6));
/// assert_eq!(red.row(0)?.collect::<Vec<_>>(), [1, 31]);
/// assert_eq!(green.row(0)?.collect::<Vec<_>>(), [2, 63]);
/// assert_eq!(blue.row(0)?.collect::<Vec<_>>(), [3, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ComponentView<'a> {
    plane: PlaneView<'a>,
    component: Component,
    width: usize,
    big_endian: bool,
    float: bool,
}

impl<'a> ComponentView<'a> {
    /// Component `index` of the frame with `entry` in `slot`; none when there is no such component, or as for
    /// [`PlaneView::new`].
    pub(crate) fn new(entry: &FrameEntry, slot: &'a [u8], index: usize) -> Option<Self> {
        let format = &entry.geometry.pixel_format;
        let component = *format.components().get(index)?;
        let plane = PlaneView::new(entry, slot, component.plane.into())?;
        Some(Self {
            plane,
            component,
            width: entry.geometry.width.div_ceil(1 << format.shift_across(index)) as usize,
            big_endian: format.has(PixelFormat::BIG_ENDIAN),
            float: format.has(PixelFormat::FLOAT),
        })
    }

    /// Samples of a row: the picture's width, for subsampled chroma divided and rounded up.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of samples.
    pub fn height(&self) -> usize {
        self.plane.height()
    }

    /// Bits of a sample: values are below `1 << depth`.
    pub fn depth(&self) -> u8 {
        self.component.depth
    }

    /// The values of row `y`, 0 being the top.
    ///
    /// # Errors
    ///
    /// When samples are floating-point numbers, when they do not follow each other at one distance, when the row has
    /// fewer than [`width`](Self::width), or when there is no such row.
    pub fn row(&self, y: usize) -> Result<Samples<'a>, SampleError> {
        if self.float {
            return Err(SampleError::Float);
        }
        let (component, word_bytes) = (self.component, self.component.word_bytes());
        let row = self.plane.row(y).ok_or(SampleError::NoSuchRow { row: y, rows: self.height() })?;
        let (offset, step) = (usize::from(component.offset), usize::from(component.step));
        let Some(last) = self.width.checked_sub(1) else { return Ok(Samples { words: &[], ..self.none() }) };
        // A step of one byte or more, at most 255, and less than 2^32 samples.
        let end = (last as u64) * step as u64 + (offset + word_bytes) as u64;
        if step == 0 || word_bytes > 4 || end > row.len() as u64 {
            return Err(SampleError::Irregular);
        }
        let words = row.get(offset..).unwrap_or_default();
        Ok(Samples { words, left: self.width, ..self.none() })
    }

    /// No samples, otherwise as the component says.
    fn none(&self) -> Samples<'a> {
        let component = self.component;
        Samples {
            words: &[],
            left: 0,
            step: component.step.into(),
            word_bytes: component.word_bytes(),
            shift: component.shift,
            mask: u32::MAX.checked_shr(32_u32.saturating_sub(component.depth.into())).unwrap_or(0),
            big_endian: self.big_endian,
        }
    }
}

/// The values of a row of one component, from the left.
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    /// From the next sample's word on.
    words: &'a [u8],
    left: usize,
    step: usize,
    word_bytes: usize,
    shift: u8,
    mask: u32,
    big_endian: bool,
}

impl Iterator for Samples<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let word = match (self.word_bytes, self.big_endian) {
            (1, _) => u32::from(*self.words.first()?),
            (2, false) => u16::from_le_bytes(*self.words.first_chunk()?).into(),
            (2, true) => u16::from_be_bytes(*self.words.first_chunk()?).into(),
            (_, false) => u32::from_le_bytes(*self.words.first_chunk()?),
            (_, true) => u32::from_be_bytes(*self.words.first_chunk()?),
        };
        // Beyond the last sample there may be less than a step.
        self.words = self.words.get(self.step..).unwrap_or_default();
        Some(word >> self.shift & self.mask)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Samples<'_> {}

/// A buffer of another length than what is to be copied into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthError {
    /// Bytes needed.
    pub needed: usize,
    /// Bytes given.
    pub given: usize,
}

impl fmt::Display for LengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rows take {} bytes, and the buffer has {}", self.needed, self.given)
    }
}

impl core::error::Error for LengthError {}

/// Why a row cannot be read as samples in the way that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SampleError {
    /// Samples take words of another size.
    Size {
        /// Bits of a sample.
        depth: u8,
        /// Bytes of the word that each takes.
        needed: usize,
    },
    /// Words hold several samples each, or samples of several sizes.
    Packed,
    /// Samples are not in the low end of their words.
    Shifted {
        /// Bits of a sample.
        depth: u8,
        /// Bits below it.
        shift: u8,
    },
    /// Samples are floating-point numbers.
    Float,
    /// Samples are integers.
    NotFloat,
    /// Samples have the other byte order than this machine.
    ByteOrder,
    /// The plane holds no samples: it is a palette.
    NotSamples,
    /// Samples do not follow each other at one distance, or the row has too few.
    Irregular,
    /// The row does not start at a multiple of the word's size.
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
            Self::Size { depth, needed } => {
                write!(f, "samples of {depth} bits take {needed} bytes each: read them by the accessor of that size")
            }
            Self::Packed => f.write_str("words hold several samples each: read them by component"),
            Self::Shifted { depth, shift } => {
                write!(f, "samples are {depth} bits above {shift} others of their words: read them by component")
            }
            Self::Float => {
                f.write_str("samples are floating-point numbers: read them with row_f32, or the row's bytes")
            }
            Self::NotFloat => f.write_str("samples are integers"),
            Self::ByteOrder => {
                f.write_str("samples have the other byte order than this machine: read them by component")
            }
            Self::NotSamples => f.write_str("the plane is a palette: read the row's bytes"),
            Self::Irregular => f.write_str(
                "samples do not follow each other at one distance: read the row's bytes, by the format's name",
            ),
            Self::Alignment => f.write_str("the row is not aligned to its words: read them by component"),
            Self::NoSuchRow { row, rows } => write!(f, "row {row} of a plane of {rows} rows"),
        }
    }
}

impl core::error::Error for SampleError {}
