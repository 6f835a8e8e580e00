//! Pixel formats, as FFmpeg's descriptors describe them, and how a picture of one is laid out in a slot.

use std::ffi::CStr;

use ffmpeg_next::ffi::{
    AV_PIX_FMT_FLAG_ALPHA, AV_PIX_FMT_FLAG_BAYER, AV_PIX_FMT_FLAG_BE, AV_PIX_FMT_FLAG_BITSTREAM, AV_PIX_FMT_FLAG_FLOAT,
    AV_PIX_FMT_FLAG_HWACCEL, AV_PIX_FMT_FLAG_PAL, AV_PIX_FMT_FLAG_RGB, AVPixFmtDescriptor,
};
use libc::c_int;
use vas_ring::{DropCause, PixelFormat, Plane};

/// Planes start at multiples of this, and rows follow each other at multiples of it: one cache line.
pub(crate) const ALIGN: u32 = 64;

/// Bytes of a palette: 256 entries of four bytes.
const PALETTE_BYTES: u32 = 1024;

unsafe extern "C" {
    /// FFmpeg's own, with the number as the integer that a frame holds: as a Rust enum, a number that is not in the
    /// bindings could not even be asked about.
    fn av_pix_fmt_desc_get(number: c_int) -> *const AVPixFmtDescriptor;
}

/// A format whose samples a processor can read by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) pixel_format: PixelFormat,
    /// Whether the name says that samples take the full range (`yuvj420p` and its kin).
    pub(crate) full_range: bool,
    planes: [PlaneFormat; 4],
}

/// One plane of a format. A *group* is the smallest number of pixels of a row that has bytes of its own: one pixel,
/// or as many as share a chroma sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlaneFormat {
    /// Bytes of a group; 0 for a palette.
    step: u32,
    /// `log2` of a group's pixels.
    shift_x: u8,
    /// `log2` of the picture's rows that share a row of the plane.
    shift_y: u8,
    /// `log2` of the pixels, across and down, after which the pattern of samples repeats: a crop may not break it.
    pattern: u8,
}

impl PlaneFormat {
    pub(crate) fn is_palette(self) -> bool {
        self.step == 0
    }

    /// Bytes of a row of a picture `width` pixels wide.
    pub(crate) fn row_bytes(self, width: u32) -> u64 {
        if self.is_palette() {
            return PALETTE_BYTES.into();
        }
        u64::from(width.div_ceil(1 << self.shift_x)) * u64::from(self.step)
    }

    /// Rows of a picture `height` pixels high.
    pub(crate) fn rows(self, height: u32) -> u32 {
        if self.is_palette() { 1 } else { height.div_ceil(1 << self.shift_y) }
    }

    /// Where the sample at column `left` and row `top` is: bytes across, rows down. Rounded to whole groups and
    /// patterns, towards the top left.
    pub(crate) fn position(self, left: u32, top: u32) -> (u64, u32) {
        if self.is_palette() {
            return (0, 0);
        }
        let whole = |n: u32| n >> self.pattern << self.pattern;
        (u64::from(whole(left) >> self.shift_x) * u64::from(self.step), whole(top) >> self.shift_y)
    }
}

impl Format {
    /// The format with FFmpeg's `number`, which may be any.
    pub(crate) fn of(number: c_int) -> Result<Self, DropCause> {
        // SAFETY: takes any number; the result is null, or a description that lives as long as the library.
        let Some(description) = (unsafe { av_pix_fmt_desc_get(number).as_ref() }) else {
            return Err(DropCause::Unsupported);
        };
        Self::from_descriptor(number, description)
    }

    fn from_descriptor(number: c_int, description: &AVPixFmtDescriptor) -> Result<Self, DropCause> {
        let has = |flag: c_int| description.flags & flag as u64 != 0;
        if has(AV_PIX_FMT_FLAG_HWACCEL) {
            return Err(DropCause::Hardware);
        }
        let components = description.comp.get(..usize::from(description.nb_components)).unwrap_or_default();
        // Numbers that FFmpeg no longer uses have a description without a name.
        if has(AV_PIX_FMT_FLAG_BITSTREAM) || description.name.is_null() || components.is_empty() {
            return Err(DropCause::Unsupported);
        }
        let (shift_x, shift_y) = (description.log2_chroma_w, description.log2_chroma_h);
        if shift_x > 8 || shift_y > 8 {
            return Err(DropCause::Unsupported);
        }

        let mut planes = [PlaneFormat::default(); 4];
        let mut owners = [0_u8; 4];
        for (n, component) in components.iter().enumerate() {
            let index = usize::try_from(component.plane).unwrap_or(usize::MAX);
            let step = u32::try_from(component.step).unwrap_or(0);
            let Some(plane) = planes.get_mut(index) else { return Err(DropCause::Unsupported) };
            if step == 0 || step > 64 {
                return Err(DropCause::Unsupported);
            }
            owners[index] += 1;
            // The component with the longest step stands for the plane, as in `av_image_get_linesize`: in packed
            // 4:2:2 that is a chroma component, and its step covers the pixels that share it.
            if step > plane.step {
                let chroma = n == 1 || n == 2;
                *plane = PlaneFormat { step, shift_x: if chroma { shift_x } else { 0 }, shift_y: 0, pattern: 0 };
            }
        }
        for plane in &mut planes[1..3] {
            plane.shift_y = shift_y;
        }
        if has(AV_PIX_FMT_FLAG_BAYER) {
            planes[0].pattern = 1;
        }

        let mut count = planes.iter().take_while(|plane| plane.step > 0).count();
        if planes[count..].iter().any(|plane| plane.step > 0) {
            return Err(DropCause::Unsupported);
        }
        if has(AV_PIX_FMT_FLAG_PAL) {
            if count != 1 {
                return Err(DropCause::Unsupported);
            }
            count = 2;
        }

        let mut traits = 0;
        for (flag, name) in [
            (AV_PIX_FMT_FLAG_BE, PixelFormat::BIG_ENDIAN),
            (AV_PIX_FMT_FLAG_RGB, PixelFormat::RGB),
            (AV_PIX_FMT_FLAG_ALPHA, PixelFormat::ALPHA),
            (AV_PIX_FMT_FLAG_PAL, PixelFormat::PALETTE),
            (AV_PIX_FMT_FLAG_FLOAT, PixelFormat::FLOAT),
            (AV_PIX_FMT_FLAG_BAYER, PixelFormat::BAYER),
        ] {
            if has(flag) {
                traits |= name;
            }
        }
        if owners.iter().all(|&components| components <= 1) {
            traits |= PixelFormat::PLANAR;
        }
        // SAFETY: not null, and a description's name is a string that lives as long as it.
        let name = unsafe { CStr::from_ptr(description.name) }.to_str().unwrap_or_default();
        let bits = u8::try_from(components[0].depth).unwrap_or(0);
        // At most four planes.
        let pixel_format = PixelFormat::new(name, number, count as u8, bits, (shift_x, shift_y), traits);
        Ok(Self { pixel_format, full_range: name.starts_with("yuvj"), planes })
    }

    /// The planes in use.
    pub(crate) fn planes(&self) -> &[PlaneFormat] {
        self.planes.get(..usize::from(self.pixel_format.planes)).unwrap_or_default()
    }

    /// How a picture is laid out in a slot: plane after plane, each row on a 64-byte boundary. Also the bytes that it
    /// takes, whole rows of padding included.
    pub(crate) fn layout(&self, width: u32, height: u32) -> Result<([Plane; 4], u32), DropCause> {
        let mut planes = [Plane::default(); 4];
        let mut end = 0_u32;
        for (plane, format) in planes.iter_mut().zip(self.planes()) {
            let row_bytes = u32::try_from(format.row_bytes(width)).map_err(|_| DropCause::TooLarge)?;
            let stride = row_bytes.checked_next_multiple_of(ALIGN).ok_or(DropCause::TooLarge)?;
            let rows = format.rows(height);
            *plane = Plane { offset: end, stride, row_bytes, rows };
            end = stride.checked_mul(rows).and_then(|bytes| end.checked_add(bytes)).ok_or(DropCause::TooLarge)?;
        }
        if end as usize > vas_ring::MAX_FRAME_BYTES { Err(DropCause::TooLarge) } else { Ok((planes, end)) }
    }
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::ffi::AVPixelFormat;
    use vas_ring::MAX_FRAME_BYTES;

    use super::*;

    fn format(id: AVPixelFormat) -> Format {
        Format::of(id as c_int).unwrap()
    }

    fn planes(id: AVPixelFormat, width: u32, height: u32) -> Vec<[u32; 4]> {
        let format = format(id);
        let (planes, _) = format.layout(width, height).unwrap();
        let used = planes[..usize::from(format.pixel_format.planes)].iter();
        used.map(|plane| [plane.offset, plane.stride, plane.row_bytes, plane.rows]).collect()
    }

    #[test]
    fn layouts() {
        use AVPixelFormat::*;
        let luma = [0, 192, 161, 121];
        assert_eq!(
            planes(AV_PIX_FMT_YUV420P, 161, 121),
            [luma, [192 * 121, 128, 81, 61], [192 * 121 + 128 * 61, 128, 81, 61]]
        );
        assert_eq!(planes(AV_PIX_FMT_NV12, 161, 121), [luma, [192 * 121, 192, 162, 61]]);
        assert_eq!(planes(AV_PIX_FMT_PAL8, 161, 121), [luma, [192 * 121, 1024, 1024, 1]]);
        assert_eq!(planes(AV_PIX_FMT_YUYV422, 161, 121), [[0, 384, 324, 121]]);
        assert_eq!(planes(AV_PIX_FMT_UYYVYY411, 161, 121), [[0, 256, 246, 121]]);
        assert_eq!(planes(AV_PIX_FMT_RGB48BE, 1, 1), [[0, 64, 6, 1]]);
        assert_eq!(planes(AV_PIX_FMT_P010LE, 1, 1), [[0, 64, 2, 1], [64, 64, 4, 1]]);
    }

    #[test]
    fn traits() {
        use AVPixelFormat::*;
        let traits = |id| format(id).pixel_format.traits;
        assert_eq!(traits(AV_PIX_FMT_YUV420P), PixelFormat::PLANAR);
        assert_eq!(traits(AV_PIX_FMT_NV12), 0);
        assert_eq!(traits(AV_PIX_FMT_RGB48BE), PixelFormat::BIG_ENDIAN | PixelFormat::RGB);
        assert_eq!(traits(AV_PIX_FMT_YUVA420P), PixelFormat::ALPHA | PixelFormat::PLANAR);
        assert!(format(AV_PIX_FMT_PAL8).pixel_format.has(PixelFormat::PALETTE));
        assert!(format(AV_PIX_FMT_BAYER_BGGR8).pixel_format.has(PixelFormat::BAYER));
        assert!(format(AV_PIX_FMT_GRAYF32LE).pixel_format.has(PixelFormat::FLOAT));
        assert!(format(AV_PIX_FMT_YUVJ420P).full_range && !format(AV_PIX_FMT_YUV420P).full_range);
        assert_eq!(format(AV_PIX_FMT_P010LE).pixel_format.bits, 10);
    }

    #[test]
    fn as_large_as_a_ring_can_hold_and_no_larger() {
        let gray = format(AVPixelFormat::AV_PIX_FMT_GRAY8);
        let rows = (MAX_FRAME_BYTES / 65_536) as u32;
        assert_eq!(gray.layout(65_536, rows).unwrap().1, 65_536 * rows);
        for (width, height) in [(65_536, rows + 1), (u32::MAX, 1), (1, u32::MAX), (u32::MAX, u32::MAX)] {
            assert_eq!(gray.layout(width, height), Err(DropCause::TooLarge), "{width}x{height}");
        }
        assert_eq!(format(AVPixelFormat::AV_PIX_FMT_RGBA64LE).layout(1 << 30, 1), Err(DropCause::TooLarge));
    }

    /// Descriptors that no FFmpeg has yet.
    #[test]
    fn odd_descriptors() {
        // SAFETY: the library's own.
        let sound = unsafe { &*av_pix_fmt_desc_get(0) };
        // SAFETY: a description is plain old data.
        let copy = || unsafe { std::ptr::read(sound) };
        assert_eq!(Format::from_descriptor(0, &copy()), Format::of(0));
        type Spoil = fn(&mut AVPixFmtDescriptor);
        let spoil: [Spoil; 9] = [
            |it| it.comp[1].plane = 4,
            |it| it.comp[1].plane = -1,
            |it| it.comp[0].step = 0,
            |it| it.comp[0].step = -1,
            |it| it.comp[0].step = i32::MAX,
            |it| (it.nb_components, it.comp[1].plane) = (2, 2),
            |it| it.nb_components = 9,
            |it| it.log2_chroma_w = 32,
            |it| it.flags |= AV_PIX_FMT_FLAG_PAL as u64,
        ];
        for (n, spoil) in spoil.into_iter().enumerate() {
            let mut odd = copy();
            spoil(&mut odd);
            assert_eq!(Format::from_descriptor(0, &odd), Err(DropCause::Unsupported), "{n}");
        }
    }

    #[test]
    fn positions() {
        let plane = PlaneFormat { step: 4, shift_x: 1, shift_y: 1, pattern: 0 };
        assert_eq!([0, 1, 2, 5].map(|n| plane.position(n, n)), [(0, 0), (0, 0), (4, 1), (8, 2)]);
        let bayer = PlaneFormat { step: 1, shift_x: 0, shift_y: 0, pattern: 1 };
        assert_eq!(bayer.position(5, 3), (4, 2));
        assert_eq!(PlaneFormat::default().position(5, 3), (0, 0), "a palette is not cropped");
    }
}
