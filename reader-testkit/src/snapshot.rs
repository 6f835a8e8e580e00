//! Borrowed frames as pictures: RGB in memory, and PNG files.
//!
//! Pictures are for eyes and for comparisons in tests. Chroma is repeated, not interpolated, alpha is left out, and a
//! pixel that is not square stays so.

mod color;
mod png;

use std::error::Error;
use std::fmt;

use vas_ring::{ComponentView, Lease, PixelFormat, SampleError};

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
        let geometry = &frame.geometry;
        let mut picture = Self::plain(geometry.width as usize, geometry.height as usize, [0; 3]);
        match Kind::of(&geometry.pixel_format).ok_or(SnapshotError::Format(geometry.pixel_format))? {
            Kind::Rgb => picture.paint_rgb(frame)?,
            Kind::Yuv => picture.paint_yuv(frame)?,
            Kind::Gray => picture.paint_gray(frame)?,
            Kind::FloatRgb => picture.paint_floats(frame, [0, 1, 2])?,
            Kind::FloatGray => picture.paint_floats(frame, [0; 3])?,
            Kind::Palette => picture.paint_palette(frame)?,
        }
        Ok(picture)
    }

    fn paint_rgb(&mut self, frame: &Lease) -> Result<(), SnapshotError> {
        let height = self.height;
        let channels = [component(frame, 0, height)?, component(frame, 1, height)?, component(frame, 2, height)?];
        for (channel, samples) in channels.iter().enumerate() {
            let scale = Matrix::full(samples.depth());
            for (y, pixels) in self.rows_mut().enumerate() {
                for (pixel, value) in pixels.chunks_exact_mut(3).zip(samples.row(y)?) {
                    pixel[channel] = scale.gray_to_rgb(value.into())[0];
                }
            }
        }
        Ok(())
    }

    fn paint_gray(&mut self, frame: &Lease) -> Result<(), SnapshotError> {
        let luma = component(frame, 0, self.height)?;
        let matrix = Matrix::gray(frame);
        for (y, pixels) in self.rows_mut().enumerate() {
            for (pixel, value) in pixels.chunks_exact_mut(3).zip(luma.row(y)?) {
                pixel.copy_from_slice(&matrix.gray_to_rgb(value.into()));
            }
        }
        Ok(())
    }

    fn paint_yuv(&mut self, frame: &Lease) -> Result<(), SnapshotError> {
        let matrix = Matrix::yuv(frame).ok_or(SnapshotError::Matrix(frame.color_matrix))?;
        let (across, down) = frame.geometry.pixel_format.chroma_shift();
        let rows = self.height.div_ceil(1 << down);
        let (luma, cb, cr) =
            (component(frame, 0, self.height)?, component(frame, 1, rows)?, component(frame, 2, rows)?);
        for (y, pixels) in self.rows_mut().enumerate() {
            // As wide as luma divided by 2^across and rounded up, as the row of a component is.
            let [cb, cr] = [cb.row(y >> down)?, cr.row(y >> down)?].map(Iterator::collect::<Vec<_>>);
            for ((x, pixel), value) in pixels.chunks_exact_mut(3).enumerate().zip(luma.row(y)?) {
                let chroma = |samples: &[u32]| samples[x >> across].into();
                pixel.copy_from_slice(&matrix.yuv_to_rgb(value.into(), chroma(&cb), chroma(&cr)));
            }
        }
        Ok(())
    }

    /// Samples from 0.0 to 1.0, those of red, green and blue in the planes of these components.
    fn paint_floats(&mut self, frame: &Lease, components: [usize; 3]) -> Result<(), SnapshotError> {
        let format = &frame.geometry.pixel_format;
        for (channel, index) in components.into_iter().enumerate() {
            let incomplete = SnapshotError::Incomplete { component: index, rows: self.height };
            let plane = format.components().get(index).and_then(|component| frame.plane(component.plane.into()));
            let plane = plane.filter(|plane| plane.height() >= self.height).ok_or(incomplete)?;
            for (y, pixels) in self.rows_mut().enumerate() {
                for (pixel, value) in pixels.chunks_exact_mut(3).zip(plane.row_f32(y)?) {
                    // What is no number is black.
                    pixel[channel] = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
                }
            }
        }
        Ok(())
    }

    fn paint_palette(&mut self, frame: &Lease) -> Result<(), SnapshotError> {
        let indices = component(frame, 0, self.height)?;
        let palette = frame.plane(1).and_then(|palette| palette.row(0));
        let palette = palette.ok_or(SnapshotError::Incomplete { component: 1, rows: 1 })?;
        let colors: Vec<_> = palette.chunks_exact(4).map(argb).collect();
        for (y, pixels) in self.rows_mut().enumerate() {
            for (pixel, index) in pixels.chunks_exact_mut(3).zip(indices.row(y)?) {
                pixel.copy_from_slice(colors.get(index as usize).unwrap_or(&[0; 3]));
            }
        }
        Ok(())
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

/// Red, green and blue of a colour of a palette, which is in native-endian ARGB.
fn argb(bytes: &[u8]) -> [u8; 3] {
    let color = bytes.try_into().map_or(0, u32::from_ne_bytes);
    [16, 8, 0].map(|shift| (color >> shift) as u8)
}

/// What the components of a format are, of those that are drawn.
enum Kind {
    /// Red, green and blue.
    Rgb,
    /// Luma and chroma.
    Yuv,
    /// Luma.
    Gray,
    FloatRgb,
    FloatGray,
    /// Indices of colours.
    Palette,
}

impl Kind {
    fn of(format: &PixelFormat) -> Option<Self> {
        let has = |traits| format.has(traits);
        match format.components().len() {
            0 => None,
            _ if format.mosaic().is_some() || format.name().starts_with("xyz") => None,
            _ if has(PixelFormat::PALETTE) => Some(Self::Palette),
            3.. if has(PixelFormat::RGB | PixelFormat::FLOAT) => Some(Self::FloatRgb),
            3.. if has(PixelFormat::RGB) => Some(Self::Rgb),
            1 if has(PixelFormat::FLOAT) => Some(Self::FloatGray),
            _ if has(PixelFormat::FLOAT) => None,
            3.. => Some(Self::Yuv),
            _ => Some(Self::Gray),
        }
    }
}

/// A component that has as many rows as are wanted of it.
fn component(frame: &Lease, index: usize, rows: usize) -> Result<ComponentView<'_>, SnapshotError> {
    let view = frame.component(index).filter(|view| view.height() >= rows);
    view.ok_or(SnapshotError::Incomplete { component: index, rows })
}

/// Why a frame was not made a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Frames of this format are not understood.
    Format(PixelFormat),
    /// Colours of this matrix, a number of ITU-T H.273, are not understood.
    Matrix(u8),
    /// A component is missing, or has too few rows.
    Incomplete {
        /// Which component.
        component: usize,
        /// Rows that the picture needs.
        rows: usize,
    },
    /// A row is not what its format says.
    Samples(SampleError),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(format) => write!(
                f,
                "no picture of pixel format '{format}': drawn are yuv, rgb and gray of up to 32 bits, planar or packed, gray \
                 and rgb of floating-point numbers, and palettes"
            ),
            Self::Matrix(number) => write!(
                f,
                "no picture in colours of matrix {number} of ITU-T H.273: understood are BT.601, BT.709, FCC, \
                 SMPTE 240M and BT.2020"
            ),
            Self::Incomplete { component, rows } => {
                write!(f, "component {component} is missing or has not the {rows} rows that the picture needs")
            }
            Self::Samples(error) => error.fmt(f),
        }
    }
}

impl Error for SnapshotError {}

impl From<SampleError> for SnapshotError {
    fn from(error: SampleError) -> Self {
        Self::Samples(error)
    }
}

#[cfg(test)]
mod tests;
