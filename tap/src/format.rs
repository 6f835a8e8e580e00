//! Pixel formats, as FFmpeg's descriptors describe them, and how a picture of one is laid out in a slot.

use core::ffi::c_int;

use vas_ring::{Component, DropCause, PixelFormat, Plane};

use crate::binding::Descriptor;

/// Planes start at multiples of this, and rows follow each other at multiples of it: one cache line.
pub(crate) const ALIGN: u32 = 64;

/// Bytes of a palette: 256 entries of four bytes.
const PALETTE_BYTES: u32 = 1024;

/// FFmpeg's `AV_PIX_FMT_FLAG_*`, which are the same in all its versions.
pub(crate) mod flag {
    pub(crate) const BE: u64 = 1;
    pub(crate) const PAL: u64 = 1 << 1;
    pub(crate) const BITSTREAM: u64 = 1 << 2;
    pub(crate) const HWACCEL: u64 = 1 << 3;
    pub(crate) const RGB: u64 = 1 << 5;
    pub(crate) const ALPHA: u64 = 1 << 7;
    pub(crate) const BAYER: u64 = 1 << 8;
    pub(crate) const FLOAT: u64 = 1 << 9;
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
    /// The format with FFmpeg's `number`, which may be any, from its descriptor.
    pub(crate) fn new(number: c_int, descriptor: Option<Descriptor>) -> Result<Self, DropCause> {
        let descriptor = descriptor.ok_or(DropCause::Unsupported)?;
        let has = |flag: u64| descriptor.flags & flag != 0;
        if has(flag::HWACCEL) {
            return Err(DropCause::Hardware);
        }
        // Numbers that FFmpeg no longer uses have a descriptor without a name.
        let name = descriptor.name.ok_or(DropCause::Unsupported)?.to_str().unwrap_or_default();
        let (shift_x, shift_y) = (descriptor.log2_chroma_w, descriptor.log2_chroma_h);
        if shift_x > 8 || shift_y > 8 {
            return Err(DropCause::Unsupported);
        }
        let mut all = [Component::default(); 4];
        let components = all.get_mut(..usize::from(descriptor.nb_components)).unwrap_or_default();
        for (component, numbers) in components.iter_mut().zip(descriptor.comp) {
            *component = component_of(numbers, descriptor.flags).ok_or(DropCause::Unsupported)?;
        }
        if components.is_empty() {
            return Err(DropCause::Unsupported);
        }

        let mut planes = [PlaneFormat::default(); 4];
        let mut owners = [0_u8; 4];
        for (n, component) in components.iter().enumerate() {
            let index = usize::from(component.plane);
            let Some(plane) = planes.get_mut(index) else { return Err(DropCause::Unsupported) };
            let step = u32::from(component.step);
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
        for component in components.iter_mut() {
            // Luma that does not fit into its group at one distance: what FFmpeg's descriptor of `uyyvyy411` says of it
            // is not where it is.
            let plane = planes[usize::from(component.plane)];
            if u32::from(component.step) << plane.shift_x > plane.step && u32::from(component.step) != plane.step {
                component.step = 0;
            }
        }
        let mut used = usize::from(descriptor.nb_components);
        if has(flag::BAYER) {
            planes[0].pattern = 1;
            // FFmpeg's three components stand for the share of each colour in a pixel; together they make the sample.
            let depth: u32 = components.iter().map(|component| u32::from(component.depth)).sum();
            let depth = u8::try_from(depth).map_err(|_| DropCause::Unsupported)?;
            all[0] = Component::alone(all[0].plane, depth);
            used = 1;
        }

        let mut count = planes.iter().take_while(|plane| plane.step > 0).count();
        if planes[count..].iter().any(|plane| plane.step > 0) {
            return Err(DropCause::Unsupported);
        }
        if has(flag::PAL) {
            if count != 1 {
                return Err(DropCause::Unsupported);
            }
            count = 2;
        }

        let mut traits = 0;
        for (flag, name) in [
            (flag::BE, PixelFormat::BIG_ENDIAN),
            (flag::RGB, PixelFormat::RGB),
            (flag::ALPHA, PixelFormat::ALPHA),
            (flag::PAL, PixelFormat::PALETTE),
            (flag::FLOAT, PixelFormat::FLOAT),
            (flag::BAYER, PixelFormat::BAYER),
        ] {
            if has(flag) {
                traits |= name;
            }
        }
        if owners.iter().all(|&components| components <= 1) {
            traits |= PixelFormat::PLANAR;
        }
        // At most four planes, and at most four components.
        let components = all.get(..used).unwrap_or_default();
        let pixel_format = PixelFormat::new(name, number, count as u8, components, (shift_x, shift_y), traits);
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

/// A component from its `plane`, `step`, `offset`, `shift` and `depth`, in bytes and in bits of the smallest word that
/// holds a sample; none when these make no sense, or when a pixel begins within a byte.
fn component_of(numbers: [c_int; 5], flags: u64) -> Option<Component> {
    let [plane, step, offset, shift, depth] = numbers;
    let (mut step, mut offset, mut shift) = (step, offset, shift);
    let big_endian = flags & flag::BE != 0;
    if flags & flag::BITSTREAM != 0 {
        // Step and offset are in bits. Formats such as `xv30be` are words of 32 bits all the same, whose samples are
        // counted from the low end; others put several pixels into a byte.
        if step != 32 || !big_endian {
            return None;
        }
        (step, offset, shift) = (4, 0, offset.checked_add(shift)?);
        offset += match shift.checked_add(depth)? {
            0..=8 => 3,
            9..=16 => 2,
            _ => 0,
        };
    } else if big_endian && shift.checked_add(depth)? <= 8 {
        // FFmpeg gives the place of a word of two bytes here, of which this is the lower one.
        offset = offset.checked_add(1)?;
    }
    let component = Component {
        plane: u8::try_from(plane).ok()?,
        offset: u8::try_from(offset).ok()?,
        step: u8::try_from(step).ok().filter(|step| (1..=64).contains(step))?,
        shift: u8::try_from(shift).ok()?,
        depth: u8::try_from(depth).ok().filter(|&depth| depth > 0)?,
    };
    Some(component)
}

#[cfg(all(test, feature = "ffmpeg-next"))]
mod tests {
    use ffmpeg_next::ffi::{self, AVPixelFormat};
    use vas_ring::MAX_FRAME_BYTES;

    use super::*;
    use crate::binding::Binding;
    use crate::ffmpeg_next_binding::FfmpegNext;

    fn descriptor(id: AVPixelFormat) -> Descriptor {
        FfmpegNext::descriptor(id as c_int).unwrap()
    }

    fn format(id: AVPixelFormat) -> Format {
        Format::new(id as c_int, Some(descriptor(id))).unwrap()
    }

    fn planes(id: AVPixelFormat, width: u32, height: u32) -> Vec<[u32; 4]> {
        let format = format(id);
        let (planes, _) = format.layout(width, height).unwrap();
        let used = planes[..usize::from(format.pixel_format.planes)].iter();
        used.map(|plane| [plane.offset, plane.stride, plane.row_bytes, plane.rows]).collect()
    }

    #[test]
    fn flags_are_ffmpegs() {
        for (ours, theirs) in [
            (flag::BE, ffi::AV_PIX_FMT_FLAG_BE),
            (flag::PAL, ffi::AV_PIX_FMT_FLAG_PAL),
            (flag::BITSTREAM, ffi::AV_PIX_FMT_FLAG_BITSTREAM),
            (flag::HWACCEL, ffi::AV_PIX_FMT_FLAG_HWACCEL),
            (flag::RGB, ffi::AV_PIX_FMT_FLAG_RGB),
            (flag::ALPHA, ffi::AV_PIX_FMT_FLAG_ALPHA),
            (flag::BAYER, ffi::AV_PIX_FMT_FLAG_BAYER),
            (flag::FLOAT, ffi::AV_PIX_FMT_FLAG_FLOAT),
        ] {
            assert_eq!(ours, theirs as u64);
        }
        assert_eq!(crate::orientation::DISPLAY_MATRIX, ffi::AVFrameSideDataType::AV_FRAME_DATA_DISPLAYMATRIX as c_int);
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
        assert!(format(AV_PIX_FMT_GRAYF32LE).pixel_format.has(PixelFormat::FLOAT));
        assert!(format(AV_PIX_FMT_YUVJ420P).full_range && !format(AV_PIX_FMT_YUV420P).full_range);
    }

    #[test]
    fn components() {
        use AVPixelFormat::*;
        let components = |id| {
            let format = format(id).pixel_format;
            format.components().iter().map(|it| [it.plane, it.offset, it.step, it.shift, it.depth]).collect::<Vec<_>>()
        };
        assert_eq!(components(AV_PIX_FMT_P010LE), [[0, 0, 2, 6, 10], [1, 0, 4, 6, 10], [1, 2, 4, 6, 10]]);
        assert_eq!(components(AV_PIX_FMT_RGB565LE), [[0, 1, 2, 3, 5], [0, 0, 2, 5, 6], [0, 0, 2, 0, 5]]);
        // The upper byte comes first.
        assert_eq!(components(AV_PIX_FMT_RGB565BE), [[0, 0, 2, 3, 5], [0, 0, 2, 5, 6], [0, 1, 2, 0, 5]]);
        assert_eq!(components(AV_PIX_FMT_YUYV422), [[0, 0, 2, 0, 8], [0, 1, 4, 0, 8], [0, 3, 4, 0, 8]]);
        assert_eq!(components(AV_PIX_FMT_UYYVYY411), [[0, 1, 0, 0, 8], [0, 0, 6, 0, 8], [0, 3, 6, 0, 8]]);
        assert_eq!(components(AV_PIX_FMT_BAYER_RGGB16BE), [[0, 0, 2, 0, 16]]);
        assert_eq!(format(AV_PIX_FMT_BAYER_RGGB16BE).pixel_format.mosaic(), Some("rggb"));
        assert_eq!(components(AV_PIX_FMT_BAYER_GBRG8), [[0, 0, 1, 0, 8]]);
        assert_eq!(components(AV_PIX_FMT_PAL8), [[0, 0, 1, 0, 8]]);
    }

    /// `xv30be` and `v30xbe` of FFmpeg 7 on are called bitstreams for how their samples are counted, and are words of
    /// 32 bits. Formats that put several pixels into a byte stay refused.
    #[test]
    fn words_that_are_called_bitstreams() {
        let flags = flag::BE | flag::BITSTREAM;
        let of = |name, flags, comp: [[c_int; 5]; 4], nb_components| {
            let (log2_chroma_w, log2_chroma_h) = (0, 0);
            Format::new(
                7,
                Some(Descriptor { name: Some(name), nb_components, log2_chroma_w, log2_chroma_h, flags, comp }),
            )
        };
        let words = |y, u, v| [[0, 32, y, 0, 10], [0, 32, u, 0, 10], [0, 32, v, 0, 10], [0; 5]];
        let xv30be = of(c"xv30be", flags, words(10, 0, 20), 3).unwrap();
        assert_eq!(xv30be.layout(161, 121).unwrap().0[0], Plane { offset: 0, stride: 704, row_bytes: 644, rows: 121 });
        let places = |format: &Format| -> Vec<_> {
            format.pixel_format.components().iter().map(|it| (it.offset, it.step, it.shift, it.word_bytes())).collect()
        };
        assert_eq!(places(&xv30be), [(0, 4, 10, 4), (2, 4, 0, 2), (0, 4, 20, 4)]);
        let v30xbe = of(c"v30xbe", flags, words(12, 2, 22), 3).unwrap();
        assert_eq!(places(&v30xbe), [(0, 4, 12, 4), (2, 4, 2, 2), (0, 4, 22, 4)]);
        assert!(v30xbe.pixel_format.has(PixelFormat::BIG_ENDIAN));

        let unsupported = Err(DropCause::Unsupported);
        assert_eq!(of(c"xv30?", flag::BITSTREAM, words(10, 0, 20), 3), unsupported, "what byte order?");
        for id in [AVPixelFormat::AV_PIX_FMT_MONOWHITE, AVPixelFormat::AV_PIX_FMT_RGB4] {
            assert_eq!(Format::new(id as c_int, Some(descriptor(id))), unsupported);
        }
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
        const PLANE: usize = 0;
        const STEP: usize = 1;
        const OFFSET: usize = 2;
        const SHIFT: usize = 3;
        const DEPTH: usize = 4;
        let sound = descriptor(AVPixelFormat::AV_PIX_FMT_YUV420P);
        type Spoil = fn(&mut Descriptor);
        let spoil: [Spoil; 16] = [
            |it| it.comp[1][PLANE] = 4,
            |it| it.comp[1][PLANE] = -1,
            |it| it.comp[0][STEP] = 0,
            |it| it.comp[0][STEP] = -1,
            |it| it.comp[0][STEP] = i32::MAX,
            |it| it.comp[0][OFFSET] = -1,
            |it| it.comp[0][OFFSET] = 256,
            |it| it.comp[0][SHIFT] = -1,
            |it| (it.flags, it.comp[0][SHIFT]) = (it.flags | flag::BE, i32::MAX),
            |it| (it.flags, it.comp[0][OFFSET]) = (it.flags | flag::BE | flag::BITSTREAM, i32::MAX),
            |it| it.comp[2][DEPTH] = 0,
            |it| it.comp[2][DEPTH] = 1 << 20,
            |it| (it.nb_components, it.comp[1][PLANE]) = (2, 2),
            |it| it.nb_components = 9,
            |it| it.log2_chroma_w = 32,
            |it| it.flags |= flag::PAL,
        ];
        for (n, spoil) in spoil.into_iter().enumerate() {
            let mut odd = sound;
            spoil(&mut odd);
            assert_eq!(Format::new(0, Some(odd)), Err(DropCause::Unsupported), "{n}");
        }
        assert_eq!(Format::new(0, Some(Descriptor { name: None, ..sound })), Err(DropCause::Unsupported));
        assert_eq!(Format::new(0, None), Err(DropCause::Unsupported));
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
