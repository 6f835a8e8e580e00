//! The kernels, and how a plane goes through one.

use std::ptr;

use vas_ring::Plane;

use super::fast_string::FastString;
use super::streaming::Streaming;
use crate::plan::Source;

/// One way of copying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// `rep movsb`, for planes in one piece.
    FastString(FastString),
    /// The ordinary copy.
    Cached,
    /// Stores that bypass the cache.
    Streaming(Streaming),
}

impl Kernel {
    pub(super) const COUNT: usize = 3;

    /// Below `COUNT`.
    #[inline]
    pub(super) fn index(self) -> usize {
        match self {
            Self::FastString(_) => 0,
            Self::Cached => 1,
            Self::Streaming(_) => 2,
        }
    }

    /// Copies a plane.
    ///
    /// # Safety
    ///
    /// The rows may be read and written, the latter for their whole stride, and do not overlap. If this is `Streaming`,
    /// those that are written start on line boundaries.
    #[inline]
    pub(super) unsafe fn copy(self, rows: &Rows) {
        let Rows { mut from, mut to, bytes, count, .. } = *rows;
        for _ in 0..count {
            match self {
                // SAFETY: a row on either side.
                Self::FastString(kernel) => unsafe { kernel.run(from, to, bytes) },
                // SAFETY: a row on either side.
                Self::Cached => unsafe { ptr::copy_nonoverlapping(from, to, bytes) },
                // SAFETY: a row on either side; the destination's is aligned, and padded to whole lines.
                Self::Streaming(kernel) => unsafe { kernel.row(from, to, bytes, rows.ahead) },
            }
            // The step beyond the last row may leave the buffer, which a wrapping one may.
            from = from.wrapping_offset(rows.from_stride);
            to = to.wrapping_add(rows.to_stride);
        }
    }
}

/// Where a plane's rows are and where they go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    from: *const u8,
    to: *mut u8,
    bytes: usize,
    count: usize,
    from_stride: isize,
    to_stride: usize,
    /// How far ahead the source is to be fetched.
    ahead: isize,
}

impl Rows {
    /// Of a plane that starts at `data` and goes to `slot`. Rows that lie alike on both sides are one.
    ///
    /// # Safety
    ///
    /// The first row lies within what `data` points into, and the plane within what `slot` does.
    #[inline]
    pub(super) unsafe fn new(data: *const u8, source: &Source, slot: *mut u8, plane: &Plane) -> Self {
        /// The processor fetches ahead by itself within a page, but not beyond.
        const PAGE: isize = 4096;
        let (bytes, count, to_stride) = (plane.row_bytes as usize, plane.rows as usize, plane.stride as usize);
        let alike = source.stride == to_stride as isize;
        let (bytes, count) = if alike { (bytes + to_stride * (count - 1), 1) } else { (bytes, count) };
        Self {
            // SAFETY: to the first byte of the top row on either side.
            from: unsafe { data.offset(source.first) },
            // SAFETY: as above.
            to: unsafe { slot.add(plane.offset as usize) },
            bytes,
            count,
            from_stride: source.stride,
            to_stride,
            // With gaps between the rows, the processor does not find the next one in time.
            ahead: if count == 1 { PAGE } else { 2 * source.stride },
        }
    }

    /// Whether `FastString` is good for them.
    #[inline]
    pub(super) fn suit(&self, kernel: FastString) -> bool {
        self.count == 1 && kernel.is_good(self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::super::streaming::LINE;
    use super::*;

    /// Each kernel copies what `copy_from_slice` does, whatever the strides and the alignment of the source are, and
    /// leaves alone what lies beyond the rows' strides.
    #[test]
    fn kernels_agree() {
        let source: Vec<u8> = (0..100_000).map(|n| (n * 37 % 251) as u8 | 1).collect();
        let kernels = [
            FastString::find().map(Kernel::FastString),
            Some(Kernel::Cached),
            Streaming::AVAILABLE.map(Kernel::Streaming),
        ];
        for kernel in kernels.into_iter().flatten() {
            for (row_bytes, rows, from_stride, first) in [
                (1, 1, 64, 0),
                (64, 3, 64, 5),
                (64, 3, 65, 1),
                (100, 7, 128, 16),
                (100, 7, 101, 3),
                (640, 20, 640, 0),
                (640, 20, 640, 48),
                (640, 20, 704, 32),
                (640, 20, -640, 40_000),
                (1000, 9, 0, 7),
                (4097, 4, 4160, 63),
            ] {
                let stride = usize::next_multiple_of(row_bytes, LINE);
                let plane = Plane { offset: 64, stride: stride as u32, row_bytes: row_bytes as u32, rows: rows as u32 };
                let at = Source { first, stride: from_stride, ..Source::default() };
                let mut memory = vec![0xaa_u8; 200_000];
                let slot = memory.as_ptr().align_offset(4096);
                let mut expected = memory[slot..].to_vec();
                // SAFETY: all rows lie within 100,000 bytes on either side.
                unsafe {
                    kernel.copy(&Rows::new(source.as_ptr(), &at, memory[slot..].as_mut_ptr(), &plane));
                }
                if let Kernel::Streaming(kernel) = kernel {
                    kernel.fence();
                }
                for y in 0..rows {
                    let from = (first + from_stride * y as isize) as usize;
                    let to = 64 + stride * y;
                    expected[to..][..row_bytes].copy_from_slice(&source[from..][..row_bytes]);
                    // What pads a row may hold anything.
                    let padding = to + row_bytes..to + stride;
                    expected[padding.clone()].copy_from_slice(&memory[slot..][padding]);
                }
                assert!(memory[slot..] == expected, "{kernel:?}: {rows} rows of {row_bytes}, stride {from_stride}");
            }
        }
    }
}
