//! What an offer says, and what the entry of a published frame says.

#![cfg(feature = "ffmpeg-next")]
#![allow(clippy::unnecessary_cast, reason = "some sizes are ints in FFmpeg 4")]

mod support;

use ffmpeg_next::Rational;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use vas_ring::{ColorRange, DropCause, FrameFlags, Orientation, PixelFormat};
use vas_tap::{Offer, stream_spec};

/// A picture whose samples differ from their neighbours'.
fn picture(format: Pixel, width: u32, height: u32) -> Video {
    let mut frame = Video::new(format, width, height);
    // SAFETY: the buffers are this frame's own, and as large as they say.
    unsafe {
        for buffer in (*frame.as_mut_ptr()).buf.iter().filter(|buffer| !buffer.is_null()) {
            #[allow(clippy::unnecessary_cast, reason = "FFmpeg 4 has an int there")]
            let bytes = std::slice::from_raw_parts_mut((**buffer).data, (**buffer).size as usize);
            bytes.iter_mut().enumerate().for_each(|(n, byte)| *byte = (n * 31 % 251) as u8);
        }
    }
    frame
}

#[test]
fn published_with_its_id_and_entry() {
    let stream = stream_spec(161, 121, 0).unwrap();
    assert_eq!((stream.width, stream.height), (161, 121));
    assert_eq!(stream.frame_bytes, 192 * 121 + 2 * 128 * 61);
    let (ring, tap) = support::tap(stream.frame_bytes);
    let mut tap = tap.with_time_base(Rational::new(1, 90_000));

    let mut frame = picture(Pixel::YUV420P, 161, 121);
    frame.set_pts(Some(-7));
    // SAFETY: plain fields of a frame of this test's own.
    unsafe {
        let frame = frame.as_mut_ptr();
        (*frame).sample_aspect_ratio = Rational::new(4, 3).into();
        (*frame).color_range = ffmpeg_next::ffi::AVColorRange::AVCOL_RANGE_MPEG;
        (*frame).colorspace = ffmpeg_next::ffi::AVColorSpace::AVCOL_SPC_BT709;
        (*frame).color_primaries = ffmpeg_next::ffi::AVColorPrimaries::AVCOL_PRI_BT2020;
        (*frame).color_trc = ffmpeg_next::ffi::AVColorTransferCharacteristic::AVCOL_TRC_SMPTE2084;
        (*frame).chroma_location = ffmpeg_next::ffi::AVChromaLocation::AVCHROMA_LOC_TOPLEFT;
    }
    assert_eq!(tap.offer(&frame), Offer::Dropped(DropCause::NoReader));
    let mut reader = ring.subscribe().unwrap();
    assert_eq!(tap.offer(&frame), Offer::Published(1));

    let lease = reader.latest().unwrap().unwrap();
    assert_eq!((lease.frame_id, lease.pts()), (1, Some(-7)));
    assert_eq!((lease.time_base.num, lease.time_base.den), (1, 90_000));
    assert_ne!(lease.monotonic_ns, 0);
    assert_eq!(lease.bytes as usize, stream.frame_bytes);
    assert_eq!((lease.geometry.width, lease.geometry.height), (161, 121));
    let aspect = lease.geometry.sample_aspect_ratio;
    assert_eq!((aspect.num, aspect.den), (4, 3));
    let format = lease.geometry.pixel_format;
    assert_eq!((format.name(), format.planes, format.depth(), format.chroma_shift()), ("yuv420p", 3, 8, (1, 1)));
    assert!(format.has(PixelFormat::PLANAR) && !format.has(PixelFormat::RGB) && !format.has(PixelFormat::ALPHA));
    // Where a frame keeps the other flags depends on the version of FFmpeg: decoded ones are compared in `streams.rs`.
    assert!(!lease.flags.contains(FrameFlags::CORRUPT) && !lease.flags.contains(FrameFlags::INTERLACED));
    assert_eq!((lease.color_range, lease.color_matrix), (ColorRange::LIMITED, 1));
    assert_eq!((lease.color_primaries, lease.color_transfer, lease.chroma_location), (9, 16, 3));
    assert_eq!(lease.orientation, Orientation::UNSPECIFIED);
    for plane in lease.planes() {
        assert_eq!((plane.offset % 64, plane.stride % 64), (0, 0));
    }
}

/// A frame's display matrix, made by FFmpeg's own functions: turned clockwise, then mirrored as what is shown.
#[test]
fn orientation_from_side_data() {
    use ffmpeg_next::ffi::{
        AVFrameSideDataType, av_display_matrix_flip, av_display_rotation_set, av_frame_new_side_data,
        av_frame_remove_side_data,
    };
    let (ring, mut tap) = support::tap(1 << 16);
    let mut reader = ring.subscribe().unwrap();
    let mut frame = picture(Pixel::GRAY8, 64, 48);
    let kind = AVFrameSideDataType::AV_FRAME_DATA_DISPLAYMATRIX;
    let mut seen = |size: usize, turn: f64, mirror: bool, flip: bool| {
        // SAFETY: a frame of this test's own, and side data with room for the nine integers of a matrix.
        unsafe {
            let raw = frame.as_mut_ptr();
            let side = av_frame_new_side_data(raw, kind, size as _);
            assert!(!side.is_null());
            let mut matrix = [0_i32; 9];
            av_display_rotation_set(matrix.as_mut_ptr(), turn);
            av_display_matrix_flip(matrix.as_mut_ptr(), mirror.into(), flip.into());
            (*side).data.copy_from_nonoverlapping(matrix.as_ptr().cast(), size.min(36));
            // Another kind beside it does not matter.
            assert!(!av_frame_new_side_data(raw, AVFrameSideDataType::AV_FRAME_DATA_A53_CC, 3).is_null());
        }
        assert!(matches!(tap.offer(&frame), Offer::Published(_)));
        let orientation = reader.latest().unwrap().unwrap().orientation;
        // SAFETY: as above.
        unsafe { av_frame_remove_side_data(frame.as_mut_ptr(), kind) };
        orientation
    };
    for (turn, mirror, flip, expected) in [
        (0.0, false, false, Orientation::UPRIGHT),
        (0.0, true, false, Orientation::MIRRORED),
        (180.0, false, false, Orientation::TURNED_180),
        (0.0, true, true, Orientation::TURNED_180),
        (0.0, false, true, Orientation::FLIPPED),
        (90.0, false, false, Orientation::TURNED_90),
        (-270.0, false, false, Orientation::TURNED_90),
        (270.0, false, false, Orientation::TURNED_270),
        (-90.0, false, false, Orientation::TURNED_270),
        // A quarter turn to the right, then left for right: rows have become columns, and nothing else.
        (90.0, true, false, Orientation::TRANSPOSED),
        (90.0, false, true, Orientation::TRANSVERSED),
        (45.0, false, false, Orientation::OTHER),
        (89.0, true, false, Orientation::OTHER),
    ] {
        assert_eq!(seen(36, turn, mirror, flip), expected, "{turn} degrees, {mirror}, {flip}");
    }
    assert_eq!(seen(35, 0.0, false, false), Orientation::OTHER, "too short for a matrix");
    assert_eq!(seen(40, 90.0, false, false), Orientation::TURNED_90, "longer than a matrix");
    assert!(matches!(tap.offer(&frame), Offer::Published(_)));
    assert_eq!(reader.latest().unwrap().unwrap().orientation, Orientation::UNSPECIFIED, "taken away again");
}
