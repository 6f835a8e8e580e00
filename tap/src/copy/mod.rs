//! The copy of a plane into its slot.

use std::error::Error;
use std::fmt;
use std::ptr;
use std::str::FromStr;

use vas_ring::Plane;

use crate::plan::Source;

/// How pixels are copied into a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CopyMode {
    /// Whichever is faster, chosen for each frame.
    #[default]
    Auto,
    /// Ordinary stores, through the cache.
    Cached,
    /// Stores that bypass the cache, on processors that have them.
    Streaming,
}

impl CopyMode {
    /// The name that [`from_str`](Self::from_str) takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cached => "cached",
            Self::Streaming => "streaming",
        }
    }
}

impl fmt::Display for CopyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CopyMode {
    type Err = CopyModeError;

    fn from_str(name: &str) -> Result<Self, CopyModeError> {
        [Self::Auto, Self::Cached, Self::Streaming].into_iter().find(|mode| mode.name() == name).ok_or(CopyModeError)
    }
}

/// A name that is not one of a [`CopyMode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyModeError;

impl fmt::Display for CopyModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a way of copying is one of auto, cached, streaming")
    }
}

impl Error for CopyModeError {}

/// Copies a plane with ordinary stores.
///
/// # Safety
///
/// The source's rows, counted from `data`, may be read; the plane's rows, counted from `slot`, may be written; and
/// they do not overlap.
pub(crate) unsafe fn cached(data: *const u8, source: &Source, slot: *mut u8, plane: &Plane) {
    let (row_bytes, stride, rows) = (plane.row_bytes as usize, plane.stride as usize, plane.rows as usize);
    // SAFETY: to the first byte of the top row on either side.
    let (mut from, mut to) = unsafe { (data.offset(source.first), slot.add(plane.offset as usize)) };
    if source.stride == stride as isize {
        // SAFETY: rows lie alike on both sides, so this covers the first byte of the first to the last of the last.
        unsafe { ptr::copy_nonoverlapping(from, to, stride * (rows - 1) + row_bytes) };
        return;
    }
    for _ in 0..rows {
        // SAFETY: a row on either side.
        unsafe { ptr::copy_nonoverlapping(from, to, row_bytes) };
        // The step beyond the last row may leave the buffer, which a wrapping one may.
        from = from.wrapping_offset(source.stride);
        to = to.wrapping_add(stride);
    }
}
