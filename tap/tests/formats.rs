//! Every pixel format that this FFmpeg has, in several sizes and arrangements: what a reader borrows is byte for byte
//! what `av_image_copy` copies.

#![cfg(feature = "ffmpeg-next")]
#![expect(clippy::redundant_closure_for_method_calls, reason = "the methods themselves are of one lifetime only")]

mod support;

use std::ptr;

use ffmpeg_next::ffi::{
    AV_FRAME_CROP_UNALIGNED, AV_PIX_FMT_FLAG_BAYER, AV_PIX_FMT_FLAG_BE, AV_PIX_FMT_FLAG_BITSTREAM,
    AV_PIX_FMT_FLAG_HWACCEL, av_frame_apply_cropping, av_image_copy, av_image_get_buffer_size,
};
use support::guarded::Guarded;
use support::{Known, Random, RawFrame, packs_chroma};
use vas_ring::{CopyMode, DropCause, Lease, Reader, Writer};
use vas_tap::{Offer, StreamSpecError, Tap, stream_spec};

const SIZES: [(u32, u32); 6] = [(1, 1), (2, 2), (17, 9), (161, 121), (319, 241), (1366, 768)];

/// How a plane of `row_bytes` by `rows` lies in memory: bytes from row to row.
type Linesize = fn(row_bytes: usize) -> usize;

/// Rows one after the other, at odd distances, and as in a slot: the last makes a copy of whole planes.
const LINESIZES: [Linesize; 3] = [|bytes| bytes, |bytes| bytes + 13, |bytes| bytes.next_multiple_of(64)];

/// One format, its ring and its source of noise.
struct Case<'a> {
    format: Known,
    tap: &'a mut Tap<Writer>,
    reader: &'a mut Reader,
    noise: &'a [u8],
    random: Random,
}

/// `len` bytes from somewhere in the noise.
fn some<'n>(noise: &'n [u8], random: &mut Random, len: usize) -> &'n [u8] {
    let start = random.below((noise.len() - len) as u64 + 1) as usize;
    &noise[start..start + len]
}

impl Case<'_> {
    /// Offers the frame, and compares what the reader gets with FFmpeg's copy of `reference`, which is the same
    /// picture.
    fn check(&mut self, frame: &RawFrame, reference: &RawFrame, what: &str) {
        let before = frame.bits();
        // SAFETY: each test makes planes as large as the frame's fields say.
        let offer = unsafe { self.tap.offer_ptr(frame.as_ptr()) };
        assert!(matches!(offer, Offer::Published(_)), "{} {what}: {offer:?}", self.format.name());
        assert_eq!(frame.bits(), before, "{} {what}: the frame changed", self.format.name());
        let lease = self.reader.latest().unwrap().unwrap();
        compare(&self.format, &lease, reference, what);
    }

    /// A frame with each plane in a mapping of its own.
    fn frame(&mut self, width: u32, height: u32, linesize: Linesize, flip: bool) -> (RawFrame, Vec<Guarded>) {
        let frame = RawFrame::new(self.format.number(), width, height);
        let mut memory = Vec::new();
        for (n, (row_bytes, rows)) in self.format.planes(width, height).into_iter().enumerate() {
            let palette = (row_bytes, rows, n) == (1024, 1, 1);
            let stride = if palette { row_bytes } else { linesize(row_bytes) };
            let bytes = some(self.noise, &mut self.random, stride * (rows - 1) + row_bytes);
            // A flipped plane is walked towards its start, so that is where the guard is.
            let plane = if flip { Guarded::after(bytes) } else { Guarded::before(bytes) };
            let flip = flip && !palette;
            // SAFETY: fields of a frame of this test's own; the last row is within the plane.
            unsafe {
                let frame = frame.as_ptr();
                (*frame).data[n] = plane.start().add(if flip { stride * (rows - 1) } else { 0 });
                (*frame).linesize[n] = if flip { -(stride as i32) } else { stride as i32 };
            }
            memory.push(plane);
        }
        (frame, memory)
    }

    /// Plain, flipped, and tight against a guard page, in three linesizes.
    fn rows(&mut self, width: u32, height: u32) {
        for (n, linesize) in LINESIZES.into_iter().enumerate() {
            for flip in [false, true] {
                let (frame, _memory) = self.frame(width, height, linesize, flip);
                self.check(&frame, &frame, &format!("{width}x{height}, linesize {n}, flipped {flip}"));
            }
        }
    }

    /// All planes in one block, the last one first.
    fn reversed(&mut self, width: u32, height: u32) {
        let frame = RawFrame::new(self.format.number(), width, height);
        let planes = self.format.planes(width, height);
        let total = planes.iter().map(|(row_bytes, rows)| (row_bytes + 3) * rows).sum();
        let block = Guarded::before(some(self.noise, &mut self.random, total));
        let mut end = total;
        for (n, (row_bytes, rows)) in planes.into_iter().enumerate() {
            end -= (row_bytes + 3) * rows;
            // SAFETY: fields of a frame of this test's own; the planes share out the block from its end.
            unsafe {
                (*frame.as_ptr()).data[n] = block.start().add(end);
                (*frame.as_ptr()).linesize[n] = (row_bytes + 3) as i32;
            }
        }
        self.check(&frame, &frame, &format!("{width}x{height}, planes in reverse order"));
    }

    /// Crops that `av_frame_apply_cropping` gets right.
    fn cropped(&mut self, width: u32, height: u32) {
        let even_only = self.format.has(AV_PIX_FMT_FLAG_BAYER) || packs_chroma(&self.format);
        let crops: &[[usize; 4]] = if self.format.name() == "uyyvyy411" {
            // FFmpeg moves by 4 bytes a pixel here, of which there are 6 for 4.
            &[[2, 1, 0, 3]]
        } else if self.format.has(AV_PIX_FMT_FLAG_BITSTREAM) {
            // FFmpeg leaves the other sides to others.
            &[[0, 1, 0, 3]]
        } else if even_only {
            &[[2, 1, 4, 3], [0, 3, 8, 1], [4, 0, 0, 0]]
        } else {
            &[[2, 1, 4, 3], [3, 2, 5, 1], [0, 0, 1, 0], [1, 0, 0, 0]]
        };
        for &[top, bottom, left, right] in crops {
            if top + bottom >= height as usize || left + right >= width as usize {
                continue;
            }
            for flip in [false, true] {
                let (frame, _memory) = self.frame(width, height, LINESIZES[1], flip);
                let reference = RawFrame::new(self.format.number(), width, height);
                // SAFETY: two frames of this test's own, with the same planes. FFmpeg moves its pointers to them.
                unsafe {
                    for frame in [frame.as_ptr(), reference.as_ptr()] {
                        (*frame).crop_top = top;
                        (*frame).crop_bottom = bottom;
                        (*frame).crop_left = left;
                        (*frame).crop_right = right;
                    }
                    (*reference.as_ptr()).data = (*frame.as_ptr()).data;
                    (*reference.as_ptr()).linesize = (*frame.as_ptr()).linesize;
                    let unaligned = AV_FRAME_CROP_UNALIGNED as i32;
                    assert_eq!(av_frame_apply_cropping(reference.as_ptr(), unaligned), 0);
                }
                let crop = [top, bottom, left, right];
                self.check(&frame, &reference, &format!("{width}x{height}, flipped {flip}, crop {crop:?}"));
            }
        }
    }
}

/// Compares a borrowed frame with FFmpeg's copy of `reference`.
fn compare(format: &Known, lease: &Lease, reference: &RawFrame, what: &str) {
    let name = format.name();
    // SAFETY: a frame of the test's own.
    let (width, height) = unsafe { ((*reference.as_ptr()).width, (*reference.as_ptr()).height) };
    assert_eq!(lease.geometry.pixel_format.name(), &name[..name.len().min(16)]);
    assert_eq!(lease.geometry.pixel_format.has(vas_ring::PixelFormat::BIG_ENDIAN), format.has(AV_PIX_FMT_FLAG_BE));
    assert_eq!((lease.geometry.width as i32, lease.geometry.height as i32), (width, height), "{name} {what}");

    // The planes do not overlap, and are all that FFmpeg takes for the picture.
    let expected = format.planes(width as u32, height as u32);
    assert_eq!(lease.planes().len(), expected.len(), "{name} {what}");
    let mut end = 0;
    for (plane, expected) in lease.planes().iter().zip(&expected) {
        assert_eq!((plane.row_bytes as usize, plane.rows as usize), *expected, "{name} {what}");
        assert_eq!((plane.offset % 64, plane.stride % 64), (0, 0), "{name} {what}");
        assert!(plane.offset >= end && plane.stride >= plane.row_bytes, "{name} {what}");
        end = plane.offset + plane.stride * plane.rows;
    }
    assert_eq!(lease.bytes, end, "{name} {what}");
    let bytes: usize = expected.iter().map(|(row_bytes, rows)| row_bytes * rows).sum();
    // SAFETY: takes numbers only.
    assert_eq!(bytes as i32, unsafe { av_image_get_buffer_size(format.id, width, height, 1) }, "{name} {what}");

    let mut copy = vec![0_u8; end as usize];
    let mut data = [ptr::null_mut(); 4];
    let mut linesize = [0; 4];
    for (n, plane) in lease.planes().iter().enumerate() {
        data[n] = copy[plane.offset as usize..].as_mut_ptr();
        linesize[n] = plane.stride as i32;
    }
    // SAFETY: the destination is as large as the planes say; the source is a good frame.
    unsafe {
        let source = reference.as_ptr();
        let mut from =
            [(*source).data[0], (*source).data[1], (*source).data[2], (*source).data[3]].map(<*mut u8>::cast_const);
        let from_linesize = [0, 1, 2, 3].map(|n| (*source).linesize[n]);
        av_image_copy(
            data.as_mut_ptr(),
            linesize.as_mut_ptr(),
            from.as_mut_ptr(),
            from_linesize.as_ptr(),
            format.id,
            width,
            height,
        );
    }
    for (n, plane) in lease.planes().iter().enumerate() {
        let rows = copy[plane.offset as usize..].chunks(plane.stride as usize);
        let view = lease.plane(n).unwrap();
        assert_eq!(view.rows().len(), plane.rows as usize);
        for (y, (row, expected)) in view.rows().zip(rows).enumerate() {
            assert!(row == &expected[..row.len()], "{name} {what}: plane {n}, row {y}");
        }
    }
}

/// Runs `check` on each software format in each size, with either kernel.
fn sweep(check: fn(&mut Case<'_>, u32, u32)) {
    let mut random = Random(0x5eed);
    let noise = random.bytes(20 << 20);
    let mut formats = 0;
    for format in Known::all() {
        if format.has(AV_PIX_FMT_FLAG_HWACCEL) || format.splits_bytes() {
            continue;
        }
        formats += 1;
        for (width, height) in SIZES {
            let stream = stream_spec(width, height, format.number()).unwrap();
            let (ring, tap) = support::tap(stream.frame_bytes);
            let mut reader = ring.subscribe().unwrap();
            let mut writer = tap.into_sink();
            // `Auto` copies small frames with the ordinary kernel, and large ones in one piece with the processor's own.
            for mode in [CopyMode::Auto, CopyMode::Streaming] {
                let mut tap = Tap::new(writer).with_copy(mode);
                let random = random.clone();
                let (tap_, reader, noise) = (&mut tap, &mut reader, &noise[..]);
                check(&mut Case { format, tap: tap_, reader, noise, random }, width, height);
                writer = tap.into_sink();
            }
        }
    }
    assert!(formats > 100, "only {formats} formats");
}

#[test]
fn rows_in_every_arrangement() {
    sweep(|case, width, height| case.rows(width, height));
}

#[test]
fn planes_in_reverse_order() {
    sweep(|case, width, height| case.reversed(width, height));
}

#[test]
fn crops() {
    sweep(|case, width, height| case.cropped(width, height));
}

/// An odd crop of a Bayer mosaic or of packed pixels that share chroma is rounded to where the pattern starts.
#[test]
fn crops_keep_the_pattern() {
    let mut random = Random(7);
    let noise = random.bytes(1 << 20);
    let mut seen = 0;
    for format in Known::all() {
        let bayer = format.has(AV_PIX_FMT_FLAG_BAYER);
        if format.has(AV_PIX_FMT_FLAG_HWACCEL) || !(bayer || packs_chroma(&format)) {
            continue;
        }
        seen += 1;
        let (ring, mut tap) = support::tap(stream_spec(64, 64, format.number()).unwrap().frame_bytes);
        let mut reader = ring.subscribe().unwrap();
        let (tap, reader, random) = (&mut tap, &mut reader, random.clone());
        let mut case = Case { format, tap, reader, noise: &noise, random };
        let (frame, _memory) = case.frame(24, 8, LINESIZES[1], false);
        let reference = RawFrame::new(format.number(), 24 - 5 - 2, 8 - 3);
        let group = 1 << format.descriptor.log2_chroma_w.max(u8::from(bayer));
        // SAFETY: frames of this test's own. The reference starts at the group that the crop falls into.
        unsafe {
            (*frame.as_ptr()).crop_left = 5;
            (*frame.as_ptr()).crop_right = 2;
            (*frame.as_ptr()).crop_top = 3;
            let left = 5 / group * group;
            let top = if bayer { 2 } else { 3 };
            let bytes = format.planes(left, 1)[0].0 + top * (*frame.as_ptr()).linesize[0] as usize;
            (*reference.as_ptr()).data[0] = (*frame.as_ptr()).data[0].add(bytes);
            (*reference.as_ptr()).linesize[0] = (*frame.as_ptr()).linesize[0];
        }
        case.check(&frame, &reference, "odd crop");
    }
    assert!(seen >= 15, "only {seen} formats");
}

/// What cannot be copied is refused by its cause, and so it is when a camera starts.
#[test]
fn the_others_are_refused() {
    let (mut hardware, mut bitstream) = (0, 0);
    let (ring, mut tap) = support::tap(1 << 16);
    let _reader = ring.subscribe().unwrap();
    for format in Known::all() {
        let number = format.number();
        let expected = if format.has(AV_PIX_FMT_FLAG_HWACCEL) {
            hardware += 1;
            assert_eq!(stream_spec(8, 8, number), Err(StreamSpecError::Hardware { format: number }));
            DropCause::Hardware
        } else if format.splits_bytes() {
            bitstream += 1;
            assert_eq!(stream_spec(8, 8, number), Err(StreamSpecError::Unsupported { format: number }));
            DropCause::Unsupported
        } else {
            continue;
        };
        let frame = RawFrame::new(number, 8, 8);
        // Addresses such as those of device memory: to touch them is to crash.
        // SAFETY: a frame of this test's own; what is refused is not dereferenced.
        let offer = unsafe {
            for n in 0..4 {
                (*frame.as_ptr()).data[n] = ptr::without_provenance_mut(0x1000 * (n + 1));
                (*frame.as_ptr()).linesize[n] = 64;
            }
            tap.offer_ptr(frame.as_ptr())
        };
        assert!(matches!(offer, Offer::Dropped(cause) if cause == expected), "{}: {offer:?}", format.name());
    }
    assert!(hardware > 5 && bitstream >= 3, "only {hardware} and {bitstream} formats");
}
