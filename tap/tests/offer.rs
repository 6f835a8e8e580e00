//! What an offer says, and what the entry of a published frame says.

mod support;

use ffmpeg_next::Rational;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use vas_ring::{ColorRange, DropCause, FrameFlags, PixelFormat};
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
    for plane in lease.planes() {
        assert_eq!((plane.offset % 64, plane.stride % 64), (0, 0));
    }
}
