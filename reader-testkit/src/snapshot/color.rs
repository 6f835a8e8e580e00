//! From luma and chroma to red, green and blue.

use vas_ring::{ColorRange, FrameEntry};

/// Fractions are kept in this many bits.
const SHIFT: u32 = 24;

/// A conversion in whole numbers, for samples of one depth, range and matrix.
pub(super) struct Matrix {
    black: i64,
    middle: i64,
    luma: i64,
    red_of_cr: i64,
    green_of_cb: i64,
    green_of_cr: i64,
    blue_of_cb: i64,
}

impl Matrix {
    /// For a frame with chroma; none when its matrix is not one of those that weigh red, green and blue.
    pub(super) fn yuv(entry: &FrameEntry) -> Option<Self> {
        let format = &entry.geometry.pixel_format;
        let full = match entry.color_range {
            ColorRange::FULL => true,
            ColorRange::LIMITED => false,
            // FFmpeg's older way to say full range.
            _ => format.name().starts_with("yuvj"),
        };
        Some(Self::new(weights(entry)?, format.depth(), full))
    }

    /// For a frame of luma alone.
    pub(super) fn gray(entry: &FrameEntry) -> Self {
        let full = entry.color_range != ColorRange::LIMITED;
        Self::new((0.0, 0.0), entry.geometry.pixel_format.depth(), full)
    }

    /// For samples of so many bits that fill their range.
    pub(super) fn full(bits: u8) -> Self {
        Self::new((0.0, 0.0), bits, true)
    }

    fn new((red, blue): (f64, f64), bits: u8, full: bool) -> Self {
        let green = 1.0 - red - blue;
        let codes = (1_u64 << bits.min(63)) as f64;
        let most = codes - 1.0;
        let unit = codes / 256.0;
        let (black, luma_span, chroma_span) =
            if full { (0.0, most, most) } else { (16.0 * unit, 219.0 * unit, 224.0 * unit) };
        let fraction = |factor: f64| (255.0 * factor * f64::from(1_u32 << SHIFT)).round() as i64;
        Self {
            black: black as i64,
            middle: (128.0 * unit) as i64,
            luma: fraction(1.0 / luma_span),
            red_of_cr: fraction(2.0 * (1.0 - red) / chroma_span),
            green_of_cb: fraction(-2.0 * blue * (1.0 - blue) / green / chroma_span),
            green_of_cr: fraction(-2.0 * red * (1.0 - red) / green / chroma_span),
            blue_of_cb: fraction(2.0 * (1.0 - blue) / chroma_span),
        }
    }

    #[inline]
    pub(super) fn yuv_to_rgb(&self, y: i64, cb: i64, cr: i64) -> [u8; 3] {
        let luma = (y - self.black) * self.luma;
        let (cb, cr) = (cb - self.middle, cr - self.middle);
        [
            sample(luma + self.red_of_cr * cr),
            sample(luma + self.green_of_cb * cb + self.green_of_cr * cr),
            sample(luma + self.blue_of_cb * cb),
        ]
    }

    #[inline]
    pub(super) fn gray_to_rgb(&self, y: i64) -> [u8; 3] {
        [sample((y - self.black) * self.luma); 3]
    }
}

#[inline]
fn sample(value: i64) -> u8 {
    ((value + (1 << (SHIFT - 1))) >> SHIFT).clamp(0, 255) as u8
}

/// What red and blue weigh in luma, by the matrix's number in ITU-T H.273.
fn weights(entry: &FrameEntry) -> Option<(f64, f64)> {
    const BT709: (f64, f64) = (0.2126, 0.0722);
    const BT601: (f64, f64) = (0.299, 0.114);
    match entry.color_matrix {
        1 => Some(BT709),
        // Unspecified; frames that nobody described have 0.
        0 | 2 if entry.geometry.height > 576 || entry.geometry.width > 1024 => Some(BT709),
        0 | 2 | 5 | 6 => Some(BT601),
        4 => Some((0.3, 0.11)),
        7 => Some((0.212, 0.087)),
        9 => Some((0.2627, 0.0593)),
        _ => None,
    }
}
