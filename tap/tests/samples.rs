//! The samples that a reader gets, of each pixel format that is accepted, are those that FFmpeg's own arithmetic on its
//! descriptors gives.

#![cfg(feature = "ffmpeg-next")]
#![allow(clippy::unnecessary_cast, reason = "some sizes are ints in FFmpeg 4")]

mod support;

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::ptr;

use ffmpeg_next::ffi::{
    AV_PIX_FMT_FLAG_ALPHA, AV_PIX_FMT_FLAG_BAYER, AV_PIX_FMT_FLAG_FLOAT, AV_PIX_FMT_FLAG_HWACCEL, AV_PIX_FMT_FLAG_PAL,
    AV_PIX_FMT_FLAG_RGB, av_frame_get_buffer, av_read_image_line2,
};
use support::{Known, Random, RawFrame};
use vas_ring::{Lease, PixelFormat, SampleError};
use vas_tap::Offer;

const SIZES: [(u32, u32); 5] = [(1, 1), (2, 2), (5, 3), (17, 9), (160, 12)];

/// A frame of noise in this format, in a ring; none when the tap refuses the format.
fn noise(format: &Known, width: u32, height: u32, random: &mut Random) -> Option<Lease> {
    let (ring, mut tap) = support::tap(1 << 16);
    let mut reader = ring.subscribe().unwrap();
    let frame = RawFrame::new(format.number(), width, height);
    // SAFETY: a frame of this test's own, its buffers as large as they say.
    let offer = unsafe {
        let raw = frame.as_ptr();
        if format.has(AV_PIX_FMT_FLAG_HWACCEL) || av_frame_get_buffer(raw, 0) != 0 {
            return None;
        }
        for buffer in (*raw).buf.iter().filter(|buffer| !buffer.is_null()) {
            let bytes = random.bytes((**buffer).size as usize);
            (**buffer).data.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        tap.offer_ptr(raw)
    };
    matches!(offer, Offer::Published(_)).then(|| reader.latest().unwrap().unwrap())
}

/// What FFmpeg reads: samples of component `index` in row `y`.
fn expected(format: &Known, lease: &Lease, index: usize, y: usize, width: usize) -> Vec<u32> {
    let (mut data, mut linesize, mut samples) = ([ptr::null::<u8>(); 4], [0; 4], vec![0_u32; width]);
    for n in 0..lease.planes().len() {
        let plane = lease.plane(n).unwrap();
        (data[n], linesize[n]) = (plane.bytes().as_ptr(), plane.stride() as i32);
    }
    // SAFETY: the planes of a borrowed frame, and room for a row of samples of four bytes.
    unsafe {
        let to = samples.as_mut_ptr().cast::<c_void>();
        let (y, index, width) = (y as i32, index as i32, width as i32);
        av_read_image_line2(to, data.as_mut_ptr(), linesize.as_ptr(), format.descriptor, 0, y, index, width, 0, 4);
    }
    samples
}

/// Samples of a row, and rows, of a component: FFmpeg's chroma is the second and third of four at most.
fn size(format: &Known, index: usize, width: u32, height: u32) -> (usize, usize) {
    let chroma = index == 1 || index == 2;
    let [across, down] =
        [format.descriptor.log2_chroma_w, format.descriptor.log2_chroma_h].map(|shift| if chroma { shift } else { 0 });
    (width.div_ceil(1 << across) as usize, height.div_ceil(1 << down) as usize)
}

/// FFmpeg's words on the component: whether it says where all samples of a row are. Its descriptor of `uyyvyy411` puts
/// the luma at every fourth byte, of which there are one and a half for each.
fn is_told(format: &Known, index: usize) -> bool {
    format.name() != "uyyvyy411" || index > 0
}

#[test]
fn components_are_what_ffmpeg_reads() {
    let mut random = Random(0x5a3);
    let (mut read, mut floats) = (0, 0);
    for format in Known::all() {
        for (width, height) in SIZES {
            let Some(lease) = noise(&format, width, height, &mut random) else { continue };
            let what = format!("{} {width}x{height}", format.name());
            let described = lease.geometry.pixel_format;
            let count = usize::from(format.descriptor.nb_components);
            assert_eq!(described.has(PixelFormat::RGB), format.has(AV_PIX_FMT_FLAG_RGB), "{what}");
            assert_eq!(described.has(PixelFormat::ALPHA), format.has(AV_PIX_FMT_FLAG_ALPHA), "{what}");
            assert_eq!(described.has(PixelFormat::FLOAT), format.has(AV_PIX_FMT_FLAG_FLOAT), "{what}");
            if format.has(AV_PIX_FMT_FLAG_BAYER) {
                mosaic(&format, &lease, width, height);
                continue;
            }
            assert_eq!(described.components().len(), count, "{what}");
            assert!(lease.component(count).is_none(), "{what}");
            for index in 0..count {
                let component = lease.component(index).unwrap();
                let (columns, rows) = size(&format, index, width, height);
                assert_eq!((component.width(), component.height()), (columns, rows), "{what}");
                assert_eq!(i32::from(component.depth()), format.descriptor.comp[index].depth, "{what}");
                for y in 0..rows {
                    if described.has(PixelFormat::FLOAT) {
                        floats += 1;
                        assert_eq!(component.row(y).unwrap_err(), SampleError::Float, "{what}");
                    } else if is_told(&format, index) {
                        read += 1;
                        let row = component.row(y).unwrap();
                        assert_eq!(row.len(), columns, "{what}");
                        let row: Vec<_> = row.collect();
                        assert_eq!(row, expected(&format, &lease, index, y, columns), "{what}: {index}, row {y}");
                    } else {
                        assert_eq!(component.row(y).unwrap_err(), SampleError::Irregular, "{what}");
                    }
                }
                assert!(
                    matches!(component.row(rows), Err(SampleError::NoSuchRow { .. } | SampleError::Float)),
                    "{what}"
                );
            }
        }
    }
    println!("{read} rows of integers, {floats} of floating-point numbers");
    assert!(read > 5000 && floats > 100, "{read} and {floats}");
}

/// FFmpeg's three components of a mosaic are the low bits of the one sample that is there.
fn mosaic(format: &Known, lease: &Lease, width: u32, height: u32) {
    let described = lease.geometry.pixel_format;
    let depth = if format.name().contains("16") { 16 } else { 8 };
    assert_eq!((described.components().len(), described.depth()), (1, depth), "{}", format.name());
    assert_eq!(described.mosaic(), format.name().get(6..10));
    let component = lease.component(0).unwrap();
    assert_eq!((component.width(), component.height()), (width as usize, height as usize));
    for y in 0..height as usize {
        let row: Vec<_> = component.row(y).unwrap().collect();
        for index in 0..3 {
            let mask = (1 << format.descriptor.comp[index].depth) - 1;
            let low: Vec<_> = row.iter().map(|sample| sample & mask).collect();
            assert_eq!(low, expected(format, lease, index, y, width as usize), "{}", format.name());
        }
        // And all of it is there.
        let plane = lease.plane(0).unwrap();
        let bytes = plane.row(y).unwrap().chunks(usize::from(depth) / 8);
        let big_endian = described.has(PixelFormat::BIG_ENDIAN);
        let all: Vec<u32> = bytes
            .map(|word| match *word {
                [byte] => byte.into(),
                [a, b] if big_endian => u16::from_be_bytes([a, b]).into(),
                [a, b] => u16::from_le_bytes([a, b]).into(),
                _ => unreachable!("one byte or two"),
            })
            .collect();
        assert_eq!(row, all);
    }
}

/// The rows of a plane as words, by whichever accessor gives them; all others have to say that they cannot.
fn words(lease: &Lease, plane: usize, y: usize) -> Result<(usize, Vec<u32>), [SampleError; 4]> {
    let view = lease.plane(plane).unwrap();
    let rows = [
        view.row_u8(y).map(|row| row.iter().map(|&word| word.into()).collect::<Vec<u32>>()),
        view.row_u16(y).map(|row| row.iter().map(|&word| word.into()).collect()),
        view.row_u32(y).map(<[u32]>::to_vec),
        view.row_f32(y).map(|row| row.iter().map(|number| number.to_bits()).collect()),
    ];
    assert!(rows.iter().filter(|row| row.is_ok()).count() <= 1, "samples have one size");
    match rows {
        [Ok(row), ..] => Ok((1, row)),
        [_, Ok(row), ..] => Ok((2, row)),
        [_, _, Ok(row), _] | [.., Ok(row)] => Ok((4, row)),
        [Err(a), Err(b), Err(c), Err(d)] => Err([a, b, c, d]),
    }
}

/// What a row of a plane gives as it is are samples, each in its place; or it is an error.
#[test]
fn rows_of_words_are_samples() {
    let mut random = Random(0x5a4);
    let mut accessible = BTreeSet::new();
    for format in Known::all() {
        for (width, height) in SIZES {
            let Some(lease) = noise(&format, width, height, &mut random) else { continue };
            for plane in 0..lease.planes().len() {
                for y in 0..lease.plane(plane).unwrap().height() {
                    let Ok((bytes, row)) = words(&lease, plane, y) else { continue };
                    accessible.insert(format.name());
                    assert!(!(format.has(AV_PIX_FMT_FLAG_PAL) && plane == 1), "a palette is no samples");
                    for (index, component) in format.descriptor.comp.iter().enumerate() {
                        let known = index < usize::from(format.descriptor.nb_components) && is_told(&format, index);
                        if !known || component.plane != plane as i32 {
                            continue;
                        }
                        let (columns, _) = size(&format, index, width, height);
                        // Above a sample, and above FFmpeg's share of a mosaic's, noise has what pictures have not.
                        let mask = u32::MAX >> (32 - component.depth);
                        let (step, offset) = (component.step as usize / bytes, component.offset as usize / bytes);
                        let got: Vec<_> = (0..columns).map(|x| row[offset + x * step] & mask).collect();
                        let (name, expected) = (format.name(), expected(&format, &lease, index, y, columns));
                        assert_eq!(got, expected, "{name} {width}x{height}: component {index}, row {y}");
                    }
                }
            }
        }
    }
    println!("{} formats: {accessible:?}", accessible.len());
    assert!(accessible.len() > 60);
}

/// Which formats give rows of words, and why others do not, by name.
#[test]
fn what_is_not_a_word_for_a_sample_says_why() {
    let mut random = Random(0x5a5);
    let shifted = |depth, shift| [SampleError::Shifted { depth, shift }; 4];
    let (foreign, native) = if cfg!(target_endian = "little") { ("be", "le") } else { ("le", "be") };
    let size = |depth, needed| SampleError::Size { depth, needed };
    let mut seen = 0;
    for (name, plane, expected) in [
        ("yuv420p", 1, Ok(1)),
        ("nv12", 1, Ok(1)),
        ("rgb0", 0, Ok(1)),
        ("yuyv422", 0, Ok(1)),
        ("uyyvyy411", 0, Ok(1)),
        ("pal8", 0, Ok(1)),
        ("pal8", 1, Err([SampleError::NotSamples; 4])),
        ("bayer_rggb8", 0, Ok(1)),
        ("bayer_rggb16?", 0, Ok(2)),
        ("yuv420p10?", 2, Ok(2)),
        ("gray16?", 0, Ok(2)),
        ("rgb48?", 0, Ok(2)),
        ("gbrpf32?", 0, Ok(4)),
        ("yuv420p10!", 0, Err([size(10, 2), SampleError::ByteOrder, size(10, 2), SampleError::NotFloat])),
        ("grayf32!", 0, Err([SampleError::Float, SampleError::Float, SampleError::Float, SampleError::ByteOrder])),
        ("p010le", 0, Err(shifted(10, 6))),
        ("p010be", 1, Err(shifted(10, 6))),
        ("y210le", 0, Err(shifted(10, 6))),
        ("xyz12le", 0, Err(shifted(12, 4))),
        ("x2rgb10le", 0, Err([SampleError::Packed; 4])),
        ("rgb565le", 0, Err([SampleError::Packed; 4])),
        ("rgb8", 0, Err([SampleError::Packed; 4])),
        ("bgr4_byte", 0, Err([SampleError::Packed; 4])),
        ("xv30le", 0, Err([SampleError::Packed; 4])),
        ("xv30be", 0, Err([SampleError::Packed; 4])),
        ("yuv444p10msble", 0, Err(shifted(10, 6))),
    ] {
        let full = name.replace('?', native).replace('!', foreign);
        // Some came with later versions of FFmpeg.
        let Some(format) = Known::all().into_iter().find(|format| format.name() == full) else { continue };
        seen += 1;
        let lease = noise(&format, 16, 4, &mut random).unwrap();
        assert_eq!(words(&lease, plane, 0).map(|(bytes, _)| bytes), expected, "{full}, plane {plane}");
        let view = lease.plane(plane).unwrap();
        if expected == Ok(1) {
            assert!(matches!(view.row_u8(view.height()), Err(SampleError::NoSuchRow { .. })), "{full}");
        }
    }
    assert!(seen >= 22, "only {seen}");
}
