//! The copy of a plane into its slot: two kernels, and which of them copies a frame.
//!
//! *Cached* is the ordinary copy. It brings the slot's lines into this core's cache, from wherever they are.
//! *Streaming* stores past the cache: it is slower where the slot's lines are in this core's cache already, and
//! spares the way where they are not.
//!
//! Slots whose last frame a reader had are in the reader's cache. To take their lines back costs a way from core to
//! core for each, which depends on where the two cores are; past the cache it is the same everywhere. Large frames do
//! not stay in this core's share of the cache until their slot's turn comes again. Hence the rule of
//! [`CopyMode::Auto`]; `cargo bench -p vas-benches --bench tap` measures both kernels on either side of it.

use std::ptr;

use vas_ring::{CopyMode, Plane};

use crate::plan::Source;

mod streaming;

use streaming::Streaming;

/// Bytes of a frame from which `CopyMode::Auto` streams into any slot: just below 1920x1080 in 4:2:0 at 8 bits.
///
/// Measured on 32 MiB of third-level cache, shared with others: with 5 slots in turn an ordinary copy of 1.4 MB takes
/// 0.6 to 1.0 of a streaming one's time, of 3.1 MB 1.0 to 1.4, of 8 MB and more 1.2 to 1.6.
const LARGE: usize = 3_000_000;

/// One way of copying, for all planes of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel(Option<Streaming>);

impl Kernel {
    /// The kernel for a frame of `bytes` bytes into a slot at `slot`, of which another core may hold the lines.
    #[inline]
    pub(crate) fn choose(mode: CopyMode, slot: *const u8, bytes: usize, was_leased: bool) -> Self {
        let wanted = match mode {
            CopyMode::Auto => was_leased || bytes >= LARGE,
            CopyMode::Cached => false,
            CopyMode::Streaming => true,
        };
        // A ring's slots are aligned; other sinks are not taken at their word.
        Self(Streaming::AVAILABLE.filter(|_| wanted && slot.addr().is_multiple_of(streaming::LINE)))
    }

    /// Copies a plane.
    ///
    /// # Safety
    ///
    /// The source's rows, counted from `data`, may be read. The plane's rows, counted from `slot`, may be written for
    /// their whole stride, and overlap none that is read. The plane is one of a layout: offset and stride are whole
    /// lines, and there is a row.
    #[inline]
    pub(crate) unsafe fn copy(self, data: *const u8, source: &Source, slot: *mut u8, plane: &Plane) {
        let (mut row_bytes, mut rows) = (plane.row_bytes as usize, plane.rows as usize);
        let stride = plane.stride as usize;
        if source.stride == stride as isize {
            // Rows lie alike on both sides: as if they were one.
            row_bytes += stride * (rows - 1);
            rows = 1;
        }
        // With gaps between the rows, the processor does not find the next one in time.
        let ahead = if rows == 1 { 4096 } else { 2 * source.stride };
        // SAFETY: to the first byte of the top row on either side.
        let (mut from, mut to) = unsafe { (data.offset(source.first), slot.add(plane.offset as usize)) };
        for _ in 0..rows {
            match self.0 {
                // SAFETY: a row on either side.
                None => unsafe { ptr::copy_nonoverlapping(from, to, row_bytes) },
                // SAFETY: a row on either side; the destination's is aligned, and padded to whole lines.
                Some(streaming) => unsafe { streaming.row(from, to, row_bytes, ahead) },
            }
            // The step beyond the last row may leave the buffer, which a wrapping one may.
            from = from.wrapping_offset(source.stride);
            to = to.wrapping_add(stride);
        }
    }

    /// To be called after the last plane, before anybody is told of the frame.
    #[inline]
    pub(crate) fn finish(self) {
        if let Some(streaming) = self.0 {
            streaming.fence();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_rule() {
        let aligned = ptr::without_provenance::<u8>(4096);
        let streams = |mode, slot, bytes, leased| Kernel::choose(mode, slot, bytes, leased).0.is_some();
        assert!(!streams(CopyMode::Auto, aligned, LARGE - 1, false));
        assert!(streams(CopyMode::Auto, aligned, LARGE, false));
        assert!(streams(CopyMode::Auto, aligned, 64, true));
        assert!(!streams(CopyMode::Cached, aligned, LARGE, true));
        assert!(streams(CopyMode::Streaming, aligned, 64, false));
        assert!(!streams(CopyMode::Streaming, ptr::without_provenance(4096 + 32), LARGE, true));
    }
}
