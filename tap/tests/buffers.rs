//! Planes and the buffers that a frame refers to, with nothing but unreachable pages around the buffers: whatever is read
//! outside of them ends the process.

#![cfg(feature = "ffmpeg-next")]
#![allow(clippy::unnecessary_cast, reason = "some sizes are ints in FFmpeg 4")]

mod support;

use std::ptr;

use ffmpeg_next::ffi::{AVBufferRef, AVFrame, AVPixelFormat, av_buffer_create, av_malloc};
use support::guarded::Guarded;
use support::{Random, RawFrame};
use vas_ring::DropCause;
use vas_tap::Offer;

const WIDTH: usize = 64;
const HEIGHT: usize = 48;
const LUMA: usize = WIDTH * HEIGHT;
/// Bytes of a picture in `yuv420p`, its planes one after the other.
const WHOLE: usize = LUMA * 3 / 2;

unsafe extern "C" fn keep(_: *mut std::ffi::c_void, _: *mut u8) {}

/// A reference to a buffer of `size` bytes from `start` on, which the frame that gets it gives back.
fn refer(start: *mut u8, size: usize) -> *mut AVBufferRef {
    // SAFETY: nothing is read, and nothing is freed at the end.
    let buffer = unsafe { av_buffer_create(start, size as _, Some(keep), ptr::null_mut(), 0) };
    assert!(!buffer.is_null());
    buffer
}

/// What becomes of a frame of 64x48 pixels without padding, which `set` gives its planes and buffers. `memory` holds
/// what the planes hold one after the other, so a frame that is taken has to be read as that.
fn offer(format: AVPixelFormat, memory: &[u8], set: impl FnOnce(&mut AVFrame)) -> Result<(), DropCause> {
    let (ring, mut tap) = support::tap(1 << 16);
    let mut reader = ring.subscribe().unwrap();
    let frame = RawFrame::new(format as i32, WIDTH as u32, HEIGHT as u32);
    // SAFETY: a frame of this test's own; what its planes are is what is tested.
    let offer = unsafe {
        let frame = frame.as_ptr();
        let widths = match format {
            AVPixelFormat::AV_PIX_FMT_YUV420P => [WIDTH, WIDTH / 2, WIDTH / 2],
            _ => [WIDTH, 0, 0],
        };
        for (n, width) in widths.into_iter().enumerate() {
            (*frame).linesize[n] = width as i32;
        }
        set(&mut *frame);
        tap.offer_ptr(frame)
    };
    match offer {
        Offer::Published(_) => {
            assert!(support::packed(&reader.latest().unwrap().unwrap()) == memory, "another picture");
            Ok(())
        }
        Offer::Dropped(cause) => Err(cause),
        Offer::Off => panic!("off"),
    }
}

const MALFORMED: Result<(), DropCause> = Err(DropCause::Malformed);
use AVPixelFormat::{AV_PIX_FMT_GRAY8 as GRAY, AV_PIX_FMT_PAL8 as PAL8, AV_PIX_FMT_YUV420P as YUV420P};

/// The three planes of `yuv420p`, one after the other from `start` on.
fn planes(start: *mut u8) -> [*mut u8; 3] {
    [start, start.wrapping_add(LUMA), start.wrapping_add(LUMA * 5 / 4)]
}

/// The last row of the last plane ends where the buffer does, whichever of the places for buffers it is in.
#[test]
fn a_buffer_that_ends_with_the_picture() {
    let bytes = Random(1).bytes(WHOLE);
    let memory = Guarded::before(&bytes);
    for place in 0..8 {
        let taken = offer(YUV420P, &bytes, |frame| {
            frame.data[..3].copy_from_slice(&planes(memory.start()));
            frame.buf[place] = refer(memory.start(), WHOLE);
        });
        assert_eq!(taken, Ok(()), "buf[{place}]");
    }
    let upside_down: Vec<u8> = bytes[..LUMA].chunks(WIDTH).rev().flatten().copied().collect();
    let memory = Guarded::after(&bytes[..LUMA]);
    let taken = offer(GRAY, &upside_down, |frame| {
        frame.data[0] = memory.start().wrapping_add(LUMA - WIDTH);
        frame.linesize[0] = -(WIDTH as i32);
        frame.buf[0] = refer(memory.start(), LUMA);
    });
    assert_eq!(taken, Ok(()), "from the bottom up");
}

#[test]
fn a_buffer_for_each_plane() {
    let bytes = Random(2).bytes(WHOLE);
    let parts = [&bytes[..LUMA], &bytes[LUMA..LUMA * 5 / 4], &bytes[LUMA * 5 / 4..]];
    let memory = parts.map(Guarded::before);
    let set = |frame: &mut AVFrame, order: [usize; 3]| {
        for (plane, at) in order.into_iter().enumerate() {
            frame.data[plane] = memory[plane].start();
            frame.buf[at] = refer(memory[plane].start(), parts[plane].len());
        }
    };
    assert_eq!(offer(YUV420P, &bytes, |frame| set(frame, [0, 1, 2])), Ok(()));
    assert_eq!(offer(YUV420P, &bytes, |frame| set(frame, [7, 3, 0])), Ok(()));
    // One byte less for any of them.
    for short in 0..3 {
        let refused = offer(YUV420P, &bytes, |frame| {
            for plane in 0..3 {
                frame.data[plane] = memory[plane].start();
                let less = usize::from(plane == short);
                frame.buf[plane] = refer(memory[plane].start(), parts[plane].len() - less);
            }
        });
        assert_eq!(refused, MALFORMED, "plane {short}");
    }
}

#[test]
fn a_palette_with_its_indices_or_by_itself() {
    let bytes = Random(3).bytes(LUMA + 1024);
    let memory = Guarded::before(&bytes);
    let together = offer(PAL8, &bytes, |frame| {
        frame.data[..2].copy_from_slice(&[memory.start(), memory.start().wrapping_add(LUMA)]);
        frame.buf[0] = refer(memory.start(), bytes.len());
    });
    assert_eq!(together, Ok(()));
    let (indices, palette) = (Guarded::before(&bytes[..LUMA]), Guarded::before(&bytes[LUMA..]));
    let apart = offer(PAL8, &bytes, |frame| {
        frame.data[..2].copy_from_slice(&[indices.start(), palette.start()]);
        frame.buf[0] = refer(indices.start(), LUMA);
        frame.buf[1] = refer(palette.start(), 1024);
    });
    assert_eq!(apart, Ok(()));
    let short = offer(PAL8, &bytes, |frame| {
        frame.data[..2].copy_from_slice(&[indices.start(), palette.start().wrapping_add(4)]);
        frame.buf[0] = refer(indices.start(), LUMA);
        frame.buf[1] = refer(palette.start(), 1024);
    });
    assert_eq!(short, MALFORMED);
}

/// Frames whose pixels are in none of their buffers are the host's own, or a decoder's or a mapping's whose buffer
/// stands for a picture: there is nothing to check, and they are taken.
#[test]
fn buffers_that_do_not_hold_the_pixels() {
    let bytes = Random(4).bytes(WHOLE);
    let memory = Guarded::before(&bytes);
    let mut picture = [0_u64; 32];
    let picture = picture.as_mut_ptr().cast::<u8>();
    let taken = |set: &dyn Fn(&mut AVFrame)| {
        offer(YUV420P, &bytes, |frame| {
            frame.data[..3].copy_from_slice(&planes(memory.start()));
            set(frame);
        })
    };
    assert_eq!(taken(&|_| {}), Ok(()), "no buffer");
    assert_eq!(taken(&|frame| frame.buf[0] = refer(picture, 256)), Ok(()), "a picture's handle");
    assert_eq!(taken(&|frame| frame.buf[0] = refer(ptr::null_mut(), 0)), Ok(()), "an owner without an address");
    assert_eq!(taken(&|frame| frame.buf[0] = refer(picture, 0)), Ok(()), "an owner without a size");
}

#[test]
fn rows_from_the_end_of_the_buffer() {
    let memory = Guarded::before(&Random(5).bytes(LUMA));
    let end = memory.start().wrapping_add(LUMA);
    for linesize in [-(WIDTH as i32), WIDTH as i32] {
        let refused = offer(GRAY, &[], |frame| {
            frame.data[0] = end;
            frame.linesize[0] = linesize;
            frame.buf[0] = refer(memory.start(), LUMA);
        });
        assert_eq!(refused, MALFORMED, "linesize {linesize}");
    }
}

#[test]
fn chroma_beyond_a_buffer_that_is_cut_off() {
    for missing in [1, LUMA / 4, LUMA / 2 - 1, LUMA / 2, LUMA / 2 + 1, WHOLE - 1] {
        let memory = Guarded::before(&Random(6).bytes(WHOLE - missing));
        let refused = offer(YUV420P, &[], |frame| {
            frame.data[..3].copy_from_slice(&planes(memory.start()));
            frame.buf[0] = refer(memory.start(), WHOLE - missing);
        });
        assert_eq!(refused, MALFORMED, "{missing} bytes are missing");
    }
}

#[test]
fn buffers_in_all_places() {
    let memory = Guarded::before(&Random(7).bytes(LUMA - 1));
    let others: Vec<_> = (0..8).map(|n| Guarded::before(&Random(8 + n).bytes(64))).collect();
    for place in 0..8 {
        let refused = offer(GRAY, &[], |frame| {
            for (n, other) in others.iter().enumerate() {
                let (start, size) = if n == place { (memory.start(), LUMA - 1) } else { (other.start(), 64) };
                frame.buf[n] = refer(start, size);
            }
            frame.data[0] = memory.start();
        });
        assert_eq!(refused, MALFORMED, "buf[{place}]");
    }
    for count in [1, 3, 64, 65] {
        let refused = offer(GRAY, &[], |frame| {
            // SAFETY: an array of that many pointers, which the frame frees with the last buffer.
            unsafe {
                let list = av_malloc(count * size_of::<*mut AVBufferRef>()).cast::<*mut AVBufferRef>();
                for n in 0..count {
                    list.add(n).write(ptr::null_mut());
                }
                list.add(count - 1).write(refer(memory.start(), LUMA - 1));
                frame.extended_buf = list;
            }
            frame.nb_extended_buf = count as i32;
            frame.data[0] = memory.start();
        });
        assert_eq!(refused, MALFORMED, "extended_buf[{}]", count - 1);
    }
}

#[test]
fn a_buffer_of_no_bytes_beside_a_plane() {
    let memory = Guarded::before(&Random(9).bytes(LUMA - 1));
    let refused = offer(GRAY, &[], |frame| {
        frame.data[0] = memory.start();
        frame.buf[0] = refer(memory.start(), 0);
    });
    assert_eq!(refused, MALFORMED);
}

/// Some bytes of a plane in a buffer, and others before or behind it.
#[test]
fn a_plane_that_sticks_out() {
    let memory = Guarded::after(&Random(10).bytes(LUMA));
    let before = offer(GRAY, &[], |frame| {
        frame.data[0] = memory.start().wrapping_sub(WIDTH);
        frame.buf[0] = refer(memory.start(), LUMA);
    });
    assert_eq!(before, MALFORMED);
    let flipped = offer(GRAY, &[], |frame| {
        frame.data[0] = memory.start().wrapping_add(LUMA - 2 * WIDTH);
        frame.linesize[0] = -(WIDTH as i32);
        frame.buf[0] = refer(memory.start(), LUMA);
    });
    assert_eq!(flipped, MALFORMED);
    // A crop moves what is read.
    let memory = Guarded::before(&Random(11).bytes(LUMA));
    let cropped = offer(GRAY, &[], |frame| {
        frame.data[0] = memory.start();
        frame.height = 2 * HEIGHT as i32;
        frame.crop_top = HEIGHT;
        frame.buf[0] = refer(memory.start(), LUMA);
    });
    assert_eq!(cropped, MALFORMED);
    // Two buffers side by side are not one.
    let memory = Guarded::before(&Random(12).bytes(LUMA));
    let halves = offer(GRAY, &[], |frame| {
        frame.data[0] = memory.start();
        frame.buf[0] = refer(memory.start(), LUMA / 2);
        frame.buf[1] = refer(memory.start().wrapping_add(LUMA / 2), LUMA / 2);
    });
    assert_eq!(halves, MALFORMED);
}

/// Planes of which only some are in a buffer are no frame of FFmpeg's, wherever the others are.
#[test]
fn some_planes_in_buffers_and_some_in_none() {
    let bytes = Random(13).bytes(WHOLE);
    let memory = Guarded::before(&bytes);
    let parts = [(0, LUMA), (LUMA, LUMA / 4), (LUMA * 5 / 4, LUMA / 4)];
    for held in 0..3 {
        let refused = offer(YUV420P, &bytes, |frame| {
            let small = Guarded::before(&bytes[..parts[held].1]);
            frame.data[..3].copy_from_slice(&planes(memory.start()));
            frame.data[held] = small.start();
            frame.buf[0] = refer(small.start(), parts[held].1);
            // Refused without a look.
            drop(small);
        });
        assert_eq!(refused, MALFORMED, "only plane {held}");
    }
    // Where no pixel could be read at all.
    let refused = offer(YUV420P, &bytes, |frame| {
        frame.data[..3].copy_from_slice(&planes(memory.start()));
        frame.data[2] = ptr::without_provenance_mut(0x1000);
        frame.buf[0] = refer(memory.start(), WHOLE);
    });
    assert_eq!(refused, MALFORMED);
}
