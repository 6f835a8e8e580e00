//! Borrowed frames as pictures: RGB in memory, and PNG files.
//!
//! Pictures are for eyes and for comparisons in tests. Chroma is repeated, not interpolated, alpha is left out, and a
//! pixel that is not square stays so.

mod color;
mod png;

use std::error::Error;
use std::fmt;

use vas_ring::{Component, FrameEntry, Lease, PixelFormat, PlaneView, SampleError};

use self::color::Matrix;
pub use self::png::PngError;

/// A picture of 8-bit RGB samples, the top row first, without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    /// A picture of one colour.
    pub fn plain(width: usize, height: usize, color: [u8; 3]) -> Self {
        Self { width, height, rgb: color.repeat(width * height) }
    }

    /// A borrowed frame, in the colours that its entry says it has. Where the entry doesn't say, matrix and range are
    /// what players take them to be: BT.709 for high definition and BT.601 below, limited range for luma and chroma,
    /// full range for grey.
    ///
    /// # Errors
    ///
    /// See [`SnapshotError`].
    pub fn of(frame: &Lease) -> Result<Self, SnapshotError> {
        Self::convert(frame.entry(), |index| frame.plane(index))
    }

    fn convert<'a>(entry: &FrameEntry, plane: impl Fn(usize) -> Option<PlaneView<'a>>) -> Result<Self, SnapshotError> {
        let geometry = &entry.geometry;
        let format = geometry.pixel_format;
        let (width, height) = (geometry.width as usize, geometry.height as usize);
        let samples = |index, across, rows| Samples::new(plane(index), index, &format, across, rows);
        let mut picture = Self::plain(width, height, [0; 3]);
        match Layout::of(&format).ok_or(SnapshotError::Format(format))? {
            Layout::Rgb { step, order } => {
                let rgb = samples(0, step * width, height)?;
                for (y, pixels) in picture.rows_mut().enumerate() {
                    for (pixel, from) in pixels.chunks_exact_mut(3).zip(rgb.bytes(y)?.chunks_exact(step)) {
                        pixel.copy_from_slice(&order.map(|at| from[at]));
                    }
                }
            }
            Layout::Gray => {
                let luma = samples(0, width, height)?;
                let matrix = Matrix::gray(entry);
                for (y, pixels) in picture.rows_mut().enumerate() {
                    let luma = luma.row(y)?;
                    for (x, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                        pixel.copy_from_slice(&matrix.gray_to_rgb(luma.at(x)));
                    }
                }
            }
            Layout::Gbr => {
                let planes = [samples(2, width, height)?, samples(0, width, height)?, samples(1, width, height)?];
                let matrix = Matrix::full(format.depth());
                for (y, pixels) in picture.rows_mut().enumerate() {
                    let [red, green, blue] = &planes;
                    let rows = [red.row(y)?, green.row(y)?, blue.row(y)?];
                    for (x, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                        pixel.copy_from_slice(&rows.each_ref().map(|row| matrix.gray_to_rgb(row.at(x))[0]));
                    }
                }
            }
            Layout::Palette => {
                let (indices, palette) = (samples(0, width, height)?, samples(1, PALETTE, 1)?.bytes(0)?);
                let palette: Vec<_> = palette.chunks_exact(4).map(argb).collect();
                for (y, pixels) in picture.rows_mut().enumerate() {
                    for (pixel, &index) in pixels.chunks_exact_mut(3).zip(indices.bytes(y)?) {
                        pixel.copy_from_slice(&palette[usize::from(index)]);
                    }
                }
            }
            Layout::GrayFloat => {
                // Samples of 4 bytes, of which a plane's row is known to have as many as there are pixels.
                let luma = samples(0, width, height)?;
                for (y, pixels) in picture.rows_mut().enumerate() {
                    let luma = luma.bytes(y)?.chunks_exact(4).filter_map(|bytes| bytes.try_into().ok());
                    for (pixel, luma) in pixels.chunks_exact_mut(3).zip(luma.map(f32::from_le_bytes)) {
                        // What is no number is black.
                        pixel.fill((luma.clamp(0.0, 1.0) * 255.0).round() as u8);
                    }
                }
            }
            Layout::Packed { luma, cb, cr } => {
                let matrix = Matrix::yuv(entry).ok_or(SnapshotError::Matrix(entry.color_matrix))?;
                let packed = samples(0, 4 * width.div_ceil(2), height)?;
                for (y, pixels) in picture.rows_mut().enumerate() {
                    for (pixels, pair) in pixels.chunks_mut(6).zip(packed.bytes(y)?.chunks_exact(4)) {
                        let at = |at: usize| i64::from(pair[at]);
                        for (pixel, luma) in pixels.chunks_exact_mut(3).zip(luma) {
                            pixel.copy_from_slice(&matrix.yuv_to_rgb(at(luma), at(cb), at(cr)));
                        }
                    }
                }
            }
            Layout::Yuv { chroma } => {
                let matrix = Matrix::yuv(entry).ok_or(SnapshotError::Matrix(entry.color_matrix))?;
                let (across, down) = format.chroma_shift();
                let (columns, rows) = (width.div_ceil(1 << across), height.div_ceil(1 << down));
                let luma = samples(0, width, height)?;
                // Where the samples of Cb and Cr are: plane, samples from one to the next, first sample.
                let [cb_at, cr_at] = match chroma {
                    Chroma::Planes => [(1, 1, 0), (2, 1, 0)],
                    Chroma::Pairs { cb, cr } => [(1, 2, cb), (1, 2, cr)],
                };
                let cb_plane = samples(cb_at.0, columns * cb_at.1, rows)?;
                let cr_plane = samples(cr_at.0, columns * cr_at.1, rows)?;
                for (y, pixels) in picture.rows_mut().enumerate() {
                    let (luma, cb, cr) = (luma.row(y)?, cb_plane.row(y >> down)?, cr_plane.row(y >> down)?);
                    for (x, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                        let [cb, cr] =
                            [cb.at((x >> across) * cb_at.1 + cb_at.2), cr.at((x >> across) * cr_at.1 + cr_at.2)];
                        pixel.copy_from_slice(&matrix.yuv_to_rgb(luma.at(x), cb, cr));
                    }
                }
            }
        }
        Ok(picture)
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All samples: red, green and blue of each pixel, row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// All samples, to be painted over.
    pub fn rgb_mut(&mut self) -> &mut [u8] {
        &mut self.rgb
    }

    fn rows_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.rgb.chunks_exact_mut((3 * self.width).max(1))
    }

    /// The picture at a smaller size, each pixel the mean of those that it stands for. No side grows.
    #[must_use]
    pub fn shrunk_to(&self, width: usize, height: usize) -> Self {
        let (width, height) = (width.clamp(1, self.width.max(1)), height.clamp(1, self.height.max(1)));
        let mut small = Self::plain(width, height, [0; 3]);
        if self.rgb.is_empty() {
            return small;
        }
        for (y, pixels) in small.rows_mut().enumerate() {
            let (top, bottom) = (y * self.height / height, (y + 1) * self.height / height);
            for (x, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                let (left, right) = (x * self.width / width, (x + 1) * self.width / width);
                let mut sums = [0; 3];
                for row in top..bottom {
                    let from = &self.rgb[3 * (row * self.width + left)..3 * (row * self.width + right)];
                    for (n, &sample) in from.iter().enumerate() {
                        sums[n % 3] += usize::from(sample);
                    }
                }
                let area = (bottom - top) * (right - left);
                pixel.copy_from_slice(&sums.map(|sum| ((sum + area / 2) / area) as u8));
            }
        }
        small
    }

    /// Puts `other` on top, its upper left corner at column `x` of row `y`. What lies outside is cut off.
    pub fn put(&mut self, other: &Self, x: usize, y: usize) {
        let columns = other.width.min(self.width.saturating_sub(x));
        let rows = other.height.min(self.height.saturating_sub(y));
        if columns == 0 {
            return;
        }
        for row in 0..rows {
            let (to, from) = (3 * ((y + row) * self.width + x), 3 * row * other.width);
            self.rgb[to..to + 3 * columns].copy_from_slice(&other.rgb[from..from + 3 * columns]);
        }
    }

    /// Mean absolute difference of the samples, 0 to 255; none when the sizes differ or there are no samples.
    pub fn difference(&self, other: &Self) -> Option<f64> {
        if (self.width, self.height) != (other.width, other.height) || self.rgb.is_empty() {
            return None;
        }
        let sum: u64 = self.rgb.iter().zip(&other.rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        Some(sum as f64 / self.rgb.len() as f64)
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture").field("width", &self.width).field("height", &self.height).finish_non_exhaustive()
    }
}

/// Bytes of a palette: 256 colours in native-endian ARGB.
const PALETTE: usize = 1024;

/// Red, green and blue of a colour of a palette.
fn argb(bytes: &[u8]) -> [u8; 3] {
    let color = bytes.try_into().map_or(0, u32::from_ne_bytes);
    [16, 8, 0].map(|shift| (color >> shift) as u8)
}

/// How a format lays its samples out, of those that are understood here.
enum Layout {
    /// One plane, `step` bytes per pixel, red, green and blue at these.
    Rgb { step: usize, order: [usize; 3] },
    /// A plane each of green, blue and red.
    Gbr,
    /// A plane of indices, and the colours that they stand for.
    Palette,
    /// One plane of luma.
    Gray,
    /// The same, from 0.0 to 1.0.
    GrayFloat,
    /// Four bytes for two pixels, which share their chroma.
    Packed { luma: [usize; 2], cb: usize, cr: usize },
    /// A plane of luma, and chroma.
    Yuv { chroma: Chroma },
}

enum Chroma {
    /// A plane each.
    Planes,
    /// One plane of pairs, these of a pair being Cb and Cr.
    Pairs { cb: usize, cr: usize },
}

impl Layout {
    fn of(format: &PixelFormat) -> Option<Self> {
        let rgb = |step, order| Some(Self::Rgb { step, order });
        match format.name() {
            "rgb24" => rgb(3, [0, 1, 2]),
            "bgr24" => rgb(3, [2, 1, 0]),
            "rgba" | "rgb0" => rgb(4, [0, 1, 2]),
            "bgra" | "bgr0" => rgb(4, [2, 1, 0]),
            "pal8" => Some(Self::Palette),
            "grayf32le" => Some(Self::GrayFloat),
            "uyvy422" => Some(Self::Packed { luma: [1, 3], cb: 0, cr: 2 }),
            "yuyv422" => Some(Self::Packed { luma: [0, 2], cb: 1, cr: 3 }),
            "yvyu422" => Some(Self::Packed { luma: [0, 2], cb: 3, cr: 1 }),
            "nv12" | "nv16" | "nv24" => Some(Self::Yuv { chroma: Chroma::Pairs { cb: 0, cr: 1 } }),
            "nv21" | "nv42" => Some(Self::Yuv { chroma: Chroma::Pairs { cb: 1, cr: 0 } }),
            name if format.depth() > 16 || format.has(PixelFormat::FLOAT) || name.ends_with("be") => None,
            name if name.starts_with("gbrp") || name.starts_with("gbrap") => Some(Self::Gbr),
            "gray" => Some(Self::Gray),
            name if name.starts_with("gray") && name.ends_with("le") => Some(Self::Gray),
            name if name.starts_with("yuv") && format.has(PixelFormat::PLANAR) && format.planes >= 3 => {
                Some(Self::Yuv { chroma: Chroma::Planes })
            }
            _ => None,
        }
    }
}

/// The samples of a plane that is known to have as many as are wanted of it.
struct Samples<'a> {
    plane: PlaneView<'a>,
    wide: bool,
}

impl<'a> Samples<'a> {
    fn new(
        plane: Option<PlaneView<'a>>,
        index: usize,
        format: &PixelFormat,
        across: usize,
        rows: usize,
    ) -> Result<Self, SnapshotError> {
        let has = plane.map_or((0, 0), |plane| (plane.row_bytes() / sample_bytes(format), plane.height()));
        match plane {
            Some(plane) if has.0 >= across && has.1 >= rows => Ok(Self { plane, wide: sample_bytes(format) == 2 }),
            _ => Err(SnapshotError::Incomplete { plane: index, needed: (across, rows), has }),
        }
    }

    fn bytes(&self, y: usize) -> Result<&'a [u8], SnapshotError> {
        let rows = self.plane.height();
        self.plane.row(y).ok_or(SnapshotError::Samples(SampleError::NoSuchRow { row: y, rows }))
    }

    fn row(&self, y: usize) -> Result<Row<'a>, SnapshotError> {
        if self.wide {
            self.plane.row_u16(y).map(Row::Words).map_err(SnapshotError::Samples)
        } else {
            self.bytes(y).map(Row::Bytes)
        }
    }
}

/// Bytes of a sample of the first component.
fn sample_bytes(format: &PixelFormat) -> usize {
    format.components().first().map_or(1, Component::word_bytes)
}

enum Row<'a> {
    Bytes(&'a [u8]),
    Words(&'a [u16]),
}

impl Row<'_> {
    #[inline]
    fn at(&self, x: usize) -> i64 {
        match self {
            Self::Bytes(row) => row[x].into(),
            Self::Words(row) => row[x].into(),
        }
    }
}

/// Why a frame was not made a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Frames of this format are not understood.
    Format(PixelFormat),
    /// Colours of this matrix, a number of ITU-T H.273, are not understood.
    Matrix(u8),
    /// A plane is missing or too small.
    Incomplete {
        /// Which plane.
        plane: usize,
        /// Samples of a row, and rows, that the picture needs.
        needed: (usize, usize),
        /// What the plane has of them.
        has: (usize, usize),
    },
    /// A row is not what its format says.
    Samples(SampleError),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(format) => write!(
                f,
                "no picture of pixel format '{format}': understood are planar yuv, gbr and gray of 8 bits, or up to 16 \
                 in little-endian order, nv12 and its kin, uyvy422, yuyv422, yvyu422, pal8, grayf32le, and rgb24, bgr24, \
                 rgba, bgra"
            ),
            Self::Matrix(number) => write!(
                f,
                "no picture in colours of matrix {number} of ITU-T H.273: understood are BT.601, BT.709, FCC, \
                 SMPTE 240M and BT.2020"
            ),
            Self::Incomplete { plane, needed, has } => write!(
                f,
                "plane {plane} has {} rows of {} samples, the picture needs {} of {}",
                has.1, has.0, needed.1, needed.0
            ),
            Self::Samples(error) => error.fmt(f),
        }
    }
}

impl Error for SnapshotError {}

#[cfg(test)]
mod tests;
