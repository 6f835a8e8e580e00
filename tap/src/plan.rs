//! From the numbers in a frame to what is copied where, all of it checked.

use core::ffi::c_int;

use vas_ring::{DropCause, PixelFormat, Plane};

use crate::binding::{ALL_FLAGS_SINCE, Binding, Fields};
use crate::format::Format;

/// Everything that a frame's layout follows from, except where its planes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) format: c_int,
    pub(crate) width: c_int,
    pub(crate) height: c_int,
    pub(crate) linesize: [c_int; 4],
    /// Pixels to leave out at the top, bottom, left and right.
    pub(crate) crop: [usize; 4],
}

impl Shape {
    #[inline]
    pub(crate) fn of(fields: &Fields) -> Self {
        let [linesize @ .., _, _, _, _] = fields.linesize;
        let Fields { format, width, height, crop, .. } = *fields;
        Self { format, width, height, linesize, crop }
    }

    /// Visible width and height, and the pixels to leave out at the left and top.
    fn visible(&self) -> Option<[u32; 4]> {
        let visible = |size: c_int, before: usize, after: usize| {
            let size = u32::try_from(size).ok()?;
            let (before, after) = (u32::try_from(before).ok()?, u32::try_from(after).ok()?);
            let rest = size.checked_sub(before)?.checked_sub(after)?;
            (rest > 0).then_some((rest, before))
        };
        let [top, bottom, left, right] = self.crop;
        let (width, left) = visible(self.width, left, right)?;
        let (height, top) = visible(self.height, top, bottom)?;
        Some([width, height, left, top])
    }
}

/// How a frame of some shape is copied into a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixel_format: PixelFormat,
    pub(crate) full_range: bool,
    /// Whether this FFmpeg has all flags in `AVFrame::flags`.
    pub(crate) has_all_flags: bool,
    /// Where the planes go.
    pub(crate) planes: [Plane; 4],
    /// Where they come from.
    pub(crate) sources: [Source; 4],
    /// Bytes of the slot that they take.
    pub(crate) bytes: u32,
}

/// Where a plane's rows are, from the address in the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// Bytes to the first byte of the top row.
    pub(crate) first: isize,
    /// Bytes from one row to the next one down.
    pub(crate) stride: isize,
    /// Bytes to the lowest byte of any row.
    pub(crate) low: isize,
    /// Bytes beyond the highest byte of any row.
    pub(crate) high: isize,
}

impl Plan {
    /// A plan for frames of this shape, or why there is none.
    #[cold]
    pub(crate) fn new<B: Binding>(shape: &Shape) -> Result<Self, DropCause> {
        let format = Format::new(shape.format, B::descriptor(shape.format))?;
        let [width, height, left, top] = shape.visible().ok_or(DropCause::Malformed)?;
        let mut sources = [Source::default(); 4];
        for ((source, plane), &linesize) in sources.iter_mut().zip(format.planes()).zip(&shape.linesize) {
            // A palette's linesize says nothing. Both sizes are positive, or nothing would be visible.
            let stride = if plane.is_palette() { 0 } else { i64::from(linesize) };
            if !plane.is_palette() && stride.unsigned_abs() < plane.row_bytes(shape.width.unsigned_abs()) {
                return Err(DropCause::Malformed);
            }
            let (across, down) = plane.position(left, top);
            *source = Source::new(stride, across, down, plane.row_bytes(width), plane.rows(height))
                .ok_or(DropCause::Malformed)?;
        }
        let (planes, bytes) = format.layout(width, height)?;
        let (pixel_format, full_range) = (format.pixel_format, format.full_range);
        let has_all_flags = B::version() >= ALL_FLAGS_SINCE;
        Ok(Self { shape: *shape, width, height, pixel_format, full_range, has_all_flags, planes, sources, bytes })
    }

    /// Destination and source of each plane.
    pub(crate) fn copies(&self) -> impl Iterator<Item = (&Plane, &Source)> + Clone {
        let planes = usize::from(self.pixel_format.planes).min(self.planes.len());
        self.planes[..planes].iter().zip(&self.sources[..planes])
    }
}

impl Source {
    fn new(stride: i64, across: u64, down: u32, row_bytes: u64, rows: u32) -> Option<Self> {
        let first = stride.checked_mul(down.into())?.checked_add_unsigned(across)?;
        let last = first.checked_add(stride.checked_mul(rows.checked_sub(1)?.into())?)?;
        let high = first.max(last).checked_add_unsigned(row_bytes)?;
        let pointer_sized = |n: i64| isize::try_from(n).ok();
        Some(Self {
            first: pointer_sized(first)?,
            stride: pointer_sized(stride)?,
            low: pointer_sized(first.min(last))?,
            high: pointer_sized(high)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_downwards_and_upwards() {
        let down = Source { first: 3 + 2 * 100, stride: 100, low: 203, high: 203 + 4 * 100 + 50 };
        assert_eq!(Source::new(100, 3, 2, 50, 5), Some(down));
        let up = Source { first: 3 - 2 * 100, stride: -100, low: -197 - 4 * 100, high: -197 + 50 };
        assert_eq!(Source::new(-100, 3, 2, 50, 5), Some(up));
        let one = Source { first: 0, stride: 0, low: 0, high: 1024 };
        assert_eq!(Source::new(0, 0, 0, 1024, 1), Some(one));
        assert_eq!(Source::new(64, 0, 0, 64, 0), None);
        assert_eq!(Source::new(i64::MAX, 0, 2, 1, 1), None);
        assert_eq!(Source::new(i64::MIN, u64::MAX, 1, 1, 2), None);
    }

    #[test]
    fn what_a_crop_leaves() {
        let shape = |crop| Shape { width: 10, height: 8, crop, ..Shape::default() };
        assert_eq!(shape([0; 4]).visible(), Some([10, 8, 0, 0]));
        assert_eq!(shape([1, 2, 3, 4]).visible(), Some([3, 5, 3, 1]));
        assert_eq!(shape([7, 0, 9, 0]).visible(), Some([1, 1, 9, 7]));
        for crop in [[8, 0, 0, 0], [4, 4, 0, 0], [0, 0, 10, 0], [0, 0, 0, 11], [0, 0, usize::MAX, 2]] {
            assert_eq!(shape(crop).visible(), None, "{crop:?}");
        }
        assert_eq!(Shape { width: -1, ..shape([0; 4]) }.visible(), None);
    }
}
