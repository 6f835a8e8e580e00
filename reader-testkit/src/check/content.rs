//! That a picture is one frame's and no other's: its number is painted all over it.
//!
//! Each row of the plane holds the number in full, in upright bars as wide as fit: 32 bits, and 8 that check them.
//! A picture made of two frames thus has rows of two numbers, or a row whose check fails. The bars are black and
//! white and read at their middle, so that they outlive a video encoder if they are a few samples wide.

use std::error::Error;
use std::fmt;
use std::ops::Range;

/// Bars in a row, and the least width of a plane that takes them.
pub const CELLS: usize = 40;

const BLACK: u8 = 16;
const WHITE: u8 = 235;
const THRESHOLD: u8 = 126;

/// Paints `number` into a plane of 8-bit samples: `rows` rows of `width` samples, `stride` bytes apart.
///
/// # Errors
///
/// When the plane is too narrow, or does not fit into `plane`.
pub fn paint(number: u32, plane: &mut [u8], stride: usize, width: usize, rows: usize) -> Result<(), PaintError> {
    if width < CELLS || stride < width {
        return Err(PaintError::Narrow { width, stride });
    }
    let needed = rows.checked_sub(1).map_or(Some(0), |above| above.checked_mul(stride)?.checked_add(width));
    if needed.is_none_or(|needed| needed > plane.len()) {
        return Err(PaintError::Small { given: plane.len(), rows, stride });
    }
    let word = word(number);
    for row in plane.chunks_mut(stride).take(rows) {
        for cell in 0..CELLS {
            let sample = if word >> cell & 1 == 1 { WHITE } else { BLACK };
            row[bar(cell, width)].fill(sample);
        }
    }
    Ok(())
}

/// Reads the number back that is painted into the rows of a plane, all of them.
///
/// # Errors
///
/// When there is no number, or not the same one in each row.
pub fn read_back<'a>(rows: impl IntoIterator<Item = &'a [u8]>) -> Result<u32, ContentError> {
    let mut number = None;
    for (y, row) in rows.into_iter().enumerate() {
        let here = read_row(row).ok_or(ContentError::Unreadable { row: y })?;
        let above = *number.get_or_insert(here);
        if here != above {
            return Err(ContentError::Torn { row: y, above, here });
        }
    }
    number.ok_or(ContentError::Empty)
}

fn read_row(row: &[u8]) -> Option<u32> {
    if row.len() < CELLS {
        return None;
    }
    let read = (0..CELLS).fold(0, |read, cell| {
        let bar = bar(cell, row.len());
        read | u64::from(row[bar.start.midpoint(bar.end)] > THRESHOLD) << cell
    });
    let number = read as u32;
    (word(number) == read).then_some(number)
}

/// Where the bar of bit `cell` is in a row of `width` samples.
fn bar(cell: usize, width: usize) -> Range<usize> {
    cell * width / CELLS..(cell + 1) * width / CELLS
}

/// The number in the low 32 bits, and its check in the 8 above.
fn word(number: u32) -> u64 {
    u64::from(crc8(number)) << 32 | u64::from(number)
}

/// CRC-8 with the polynomial x^8 + x^2 + x + 1, started with ones so that a black picture is no number.
fn crc8(number: u32) -> u8 {
    number.to_be_bytes().into_iter().fold(0xff, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 != 0 { crc << 1 ^ 0x07 } else { crc << 1 })
    })
}

/// Why a number was not painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PaintError {
    /// The rows are too short.
    Narrow {
        /// Samples of a row.
        width: usize,
        /// Bytes from one row to the next.
        stride: usize,
    },
    /// The bytes end before the last row does.
    Small {
        /// Bytes given.
        given: usize,
        /// Rows to be painted.
        rows: usize,
        /// Bytes from one row to the next.
        stride: usize,
    },
}

impl fmt::Display for PaintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Narrow { width, stride } => {
                write!(f, "a number needs rows of {CELLS} samples, these have {width}, {stride} bytes apart")
            }
            Self::Small { given, rows, stride } => {
                write!(f, "{rows} rows that are {stride} bytes apart do not fit into {given} bytes")
            }
        }
    }
}

impl Error for PaintError {}

/// Why a number was not read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentError {
    /// There are no rows.
    Empty,
    /// A row has no number, or one whose check fails.
    Unreadable {
        /// The row, from the top.
        row: usize,
    },
    /// A row has another number than those above it.
    Torn {
        /// The row, from the top.
        row: usize,
        /// The number above.
        above: u32,
        /// The number in this row.
        here: u32,
    },
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the plane has no rows to read a number from"),
            Self::Unreadable { row } => write!(f, "row {row} holds no number"),
            Self::Torn { row, above, here } => {
                write!(f, "the picture is torn at row {row}: frame {above}, then {here}")
            }
        }
    }
}

impl Error for ContentError {}

#[cfg(test)]
mod tests {
    use super::*;

    const STRIDE: usize = 64;

    fn painted(number: u32, width: usize, rows: usize) -> Vec<u8> {
        let mut plane = vec![77; STRIDE * rows];
        paint(number, &mut plane, STRIDE, width, rows).expect("it fits");
        plane
    }

    fn rows(plane: &[u8], width: usize) -> impl Iterator<Item = &[u8]> {
        plane.chunks(STRIDE).map(move |row| &row[..width])
    }

    #[test]
    fn numbers_come_back_at_any_width() {
        for width in [CELLS, 41, 63, STRIDE] {
            for number in [0, 1, 0x8000_0000, 0x1234_5678, u32::MAX] {
                let plane = painted(number, width, 3);
                assert_eq!(read_back(rows(&plane, width)), Ok(number), "{number} in {width}");
                assert!(plane.chunks(STRIDE).all(|row| row[width..].iter().all(|&byte| byte == 77)));
            }
        }
    }

    #[test]
    fn a_tear_between_rows_is_found() {
        let mut plane = painted(7, STRIDE, 4);
        plane[2 * STRIDE..].copy_from_slice(&painted(8, STRIDE, 2));
        assert_eq!(read_back(rows(&plane, STRIDE)), Err(ContentError::Torn { row: 2, above: 7, here: 8 }));
    }

    #[test]
    fn a_tear_within_a_row_is_found() {
        // Wherever the first row ends and the other frame begins, that is seen in this row or in the next.
        for end in 1..STRIDE {
            let mut plane = painted(7, STRIDE, 2);
            plane[end..].copy_from_slice(&painted(8, STRIDE, 2)[end..]);
            assert!(read_back(rows(&plane, STRIDE)).is_err() || plane[..STRIDE] == painted(8, STRIDE, 1), "at {end}");
        }
    }

    #[test]
    fn pictures_without_a_number_are_told_apart() {
        assert_eq!(read_back([]), Err(ContentError::Empty));
        for sample in [0, 16, 128, 255] {
            assert_eq!(read_back([&[sample; STRIDE][..]]), Err(ContentError::Unreadable { row: 0 }), "{sample}");
        }
        assert_eq!(read_back([&[WHITE; CELLS - 1][..]]), Err(ContentError::Unreadable { row: 0 }));
    }

    #[test]
    fn samples_may_be_off_by_what_an_encoder_does() {
        let mut plane = painted(0x00c0_ffee, STRIDE, 2);
        for (n, sample) in plane.iter_mut().enumerate() {
            *sample = if n % 2 == 0 { sample.saturating_add(40) } else { sample.saturating_sub(40) };
        }
        assert_eq!(read_back(rows(&plane, STRIDE)), Ok(0x00c0_ffee));
    }

    #[test]
    fn a_plane_that_is_too_small_is_refused() {
        assert!(matches!(paint(1, &mut [0; 64], 64, 39, 1), Err(PaintError::Narrow { .. })));
        assert!(matches!(paint(1, &mut [0; 64], 40, 48, 1), Err(PaintError::Narrow { .. })));
        assert!(matches!(paint(1, &mut [0; 127], 64, 64, 2), Err(PaintError::Small { .. })));
        assert!(matches!(paint(1, &mut [0; 64], 64, 64, usize::MAX), Err(PaintError::Small { .. })));
        // The last row may end where the plane ends.
        assert_eq!(paint(1, &mut [0; 64 + 48], 64, 48, 2), Ok(()));
    }
}
