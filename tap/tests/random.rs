//! Frames made of chance: fields and buffers that are sound, nearly sound, or nothing of the kind, with unreachable pages
//! around all memory. A second opinion, worked out with FFmpeg's own functions in whole numbers of any size, says for each
//! frame whether it is to be taken and where its rows are: it is copied exactly, or refused and counted.
//!
//! `VAS_FUZZ_FRAMES` sets how many are tried, `VAS_FUZZ_SEED` where they start.

#![cfg(feature = "ffmpeg-next")]
#![allow(clippy::unnecessary_cast, reason = "some sizes are ints in FFmpeg 4")]

mod support;

use std::collections::HashMap;
use std::env;
use std::ffi::c_void;
use std::ops::Range;
use std::ptr;

use ffmpeg_next::ffi::{
    AV_PIX_FMT_FLAG_BAYER, AV_PIX_FMT_FLAG_HWACCEL, AVBufferRef, AVFrame, av_buffer_create, av_malloc,
};
use support::guarded::Guarded;
use support::{Known, Random, RawFrame, packs_chroma};
use vas_ring::{CopyMode, DropCause, Dropped};
use vas_tap::{Offer, Tap};

const BLOCK: usize = 1 << 16;
const SLOT: usize = 1 << 14;
/// References to buffers that a frame may have: eight, and two more in `extended_buf`.
const REFERENCES: usize = 10;

unsafe extern "C" fn keep(_: *mut c_void, _: *mut u8) {}

/// Two blocks of noise between unreachable pages, and the one frame that is spoilt again and again.
struct Fuzz {
    random: Random,
    formats: Vec<Known>,
    by_number: HashMap<i32, Known>,
    blocks: [Guarded; 2],
    noise: [Vec<u8>; 2],
    frame: RawFrame,
    references: [*mut AVBufferRef; REFERENCES],
    extended: *mut *mut AVBufferRef,
    /// An address that belongs to no block, for buffers that stand for something else than pixels.
    elsewhere: Box<[u8; 256]>,
}

/// A plane to be copied: the address of its top row, the way to the next, and what a row has.
struct Rows {
    top: i128,
    stride: i128,
    row_bytes: usize,
    rows: usize,
}

impl Fuzz {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let noise = [random.bytes(BLOCK), random.bytes(BLOCK)];
        let formats = Known::all();
        // SAFETY: an array that the frame frees.
        let extended = unsafe { av_malloc(2 * size_of::<*mut AVBufferRef>()) }.cast::<*mut AVBufferRef>();
        assert!(!extended.is_null());
        let mut elsewhere = Box::new([0; 256]);
        let references = [(); REFERENCES].map(|()| {
            // SAFETY: nothing is freed with it, and its fields are set for each frame.
            unsafe { av_buffer_create(elsewhere.as_mut_ptr(), 1, Some(keep), ptr::null_mut(), 0) }
        });
        Self {
            by_number: formats.iter().map(|format| (format.number(), *format)).collect(),
            formats,
            blocks: [Guarded::before(&noise[0]), Guarded::after(&noise[1])],
            noise,
            frame: RawFrame::new(0, 1, 1),
            references,
            extended,
            elsewhere,
            random,
        }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.random.below(one_in) == 0
    }

    fn below(&mut self, n: usize) -> usize {
        self.random.below(n.max(1) as u64) as usize
    }

    /// A number that is as likely to be the sound one as to be any.
    fn number(&mut self, sound: i32) -> i32 {
        match self.random.below(24) {
            0 => self.random.next() as i32,
            1 => self.random.one(&[0, 1, -1, 63, 64, i32::MIN, i32::MAX, i32::MIN + 1, 1 << 16, 1 << 24, 1 << 30]),
            2 => sound.wrapping_neg(),
            3 => sound.wrapping_add(self.random.below(65) as i32 - 32),
            4 => sound.wrapping_shl(self.random.below(8) as u32),
            _ => sound,
        }
    }

    fn crop(&mut self, below: usize) -> usize {
        match self.random.below(32) {
            0 => self.random.next() as usize,
            1 => usize::MAX - self.below(4),
            2..8 => self.below(below),
            _ => 0,
        }
    }

    /// An address near something: the start or the end of a block or of a buffer, or anywhere.
    fn address(&mut self) -> usize {
        let block = self.blocks[self.random.below(2) as usize].start().addr();
        let reference = self.random.one(&self.references);
        // SAFETY: one of this test's own.
        let (start, size) = unsafe { ((*reference).data.addr(), (*reference).size as usize) };
        let near = self.random.below(257) as isize - 128;
        match self.random.below(16) {
            0 => self.random.next() as usize,
            1 => 0,
            2 => start,
            3 => start.wrapping_add(size),
            4 => start.wrapping_add(size).wrapping_add_signed(near),
            5 => start.wrapping_add_signed(near),
            6 => block.wrapping_add(BLOCK).wrapping_add_signed(near),
            7 => block.wrapping_add_signed(near),
            _ => block + self.below(BLOCK),
        }
    }

    /// Sets what the references refer to, and which of them the frame has.
    fn buffers(&mut self) {
        let most = self.below(4);
        for n in 0..REFERENCES {
            let block = self.blocks[self.random.below(2) as usize].start();
            let part = self.below(BLOCK + 1);
            let (start, size) = match self.random.below(8) {
                0 => (self.elsewhere.as_mut_ptr(), self.below(257)),
                1 => (ptr::null_mut(), 0),
                2 => (block.wrapping_add(part), 0),
                3 => (block, part),
                4 => (block.wrapping_add(part), BLOCK - part),
                5 => {
                    let end = part + self.below(BLOCK + 1 - part);
                    (block.wrapping_add(part), end - part)
                }
                _ => (block, BLOCK),
            };
            let used = if self.chance(4) { self.chance(2) } else { n < most };
            // SAFETY: references and fields of this test's own; only these places hold references.
            unsafe {
                ((*self.references[n]).data, (*self.references[n]).size) = (start, size as _);
                let held = if used { self.references[n] } else { ptr::null_mut() };
                let raw = self.frame.as_ptr();
                match n {
                    0..8 => (*raw).buf[n] = held,
                    _ => self.extended.add(n - 8).write(held),
                }
            }
        }
        let listed = self.chance(4);
        // SAFETY: as above.
        unsafe {
            let raw = self.frame.as_ptr();
            (*raw).extended_buf = if listed { self.extended } else { ptr::null_mut() };
            (*raw).nb_extended_buf = if listed { self.random.below(3) as i32 } else { self.random.next() as i32 };
        }
    }

    /// Sets the planes as a decoder does: one after the other in one buffer, or each in one of its own, which end, or start,
    /// where a block does.
    fn sound_planes(&mut self, planes: &[(usize, usize)]) {
        let (one, at_end) = (self.chance(2), self.chance(2));
        let mut room = [0..BLOCK, 0..BLOCK];
        let padding = self.random.one(&[0, 0, 1, 64, 100]);
        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut block = self.random.below(2) as usize;
        for (n, &(row_bytes, rows)) in planes.iter().enumerate() {
            let palette = (row_bytes, rows, n) == (1024, 1, 1);
            let stride = if palette { row_bytes } else { row_bytes + padding };
            let bytes = stride * (rows - 1) + row_bytes;
            if !one {
                block = self.random.below(2) as usize;
            }
            let room = &mut room[block];
            if room.len() < bytes {
                return;
            }
            let at = if at_end { room.end - bytes } else { room.start };
            *room = if at_end { room.start..at } else { at + bytes..room.end };
            let start = self.blocks[block].start().wrapping_add(at);
            spans.push(start.addr()..start.addr() + bytes);
            let flip = !palette && self.chance(3);
            // SAFETY: fields of a frame of this test's own, and references to buffers.
            unsafe {
                let raw = self.frame.as_ptr();
                (*raw).data[n] = start.wrapping_add(if flip { stride * (rows - 1) } else { 0 });
                (*raw).linesize[n] = if flip { -(stride as i32) } else { stride as i32 };
                if !one {
                    ((*self.references[n]).data, (*self.references[n]).size) = (start, bytes as _);
                    (*raw).buf[n] = self.references[n];
                }
            }
        }
        if one {
            let start = spans.iter().map(|span| span.start).min().unwrap_or_default();
            let end = spans.iter().map(|span| span.end).max().unwrap_or_default();
            let place = self.below(8);
            let base = self.blocks[block].start();
            // SAFETY: as above.
            unsafe {
                (*self.references[place]).data = base.wrapping_add(start.wrapping_sub(base.addr()));
                (*self.references[place]).size = (end - start) as _;
                (*self.frame.as_ptr()).buf[place] = self.references[place];
            }
        }
    }

    /// Makes the next frame.
    fn spoil(&mut self) {
        let format = self.random.one(&self.formats);
        let (width, height) = (1 + self.below(160) as i32, 1 + self.below(100) as i32);
        let numbers = [width, height, format.number()];
        let raw = self.frame.as_ptr();
        // SAFETY: fields of a frame of this test's own. Those that are Rust enums are written as the integers that they
        // are in C, and the frame is not read as a whole.
        unsafe {
            [(*raw).width, (*raw).height, (*raw).format] = numbers;
            (*raw).hw_frames_ctx = ptr::null_mut();
            ((*raw).crop_top, (*raw).crop_bottom, (*raw).crop_left, (*raw).crop_right) = (0, 0, 0, 0);
            (*raw).data = [ptr::null_mut(); 8];
            (*raw).buf = [ptr::null_mut(); 8];
            (*raw).extended_buf = ptr::null_mut();
            (*raw).linesize = [0; 8];
        }
        let sound = !self.chance(3);
        if sound {
            if !format.has(AV_PIX_FMT_FLAG_HWACCEL) {
                self.sound_planes(&format.planes(width as u32, height as u32));
            }
        } else {
            self.buffers();
            let linesize = width * (1 + self.random.below(8) as i32);
            for n in 0..8 {
                let (linesize, address) = (self.number(linesize), self.address());
                // SAFETY: as above.
                unsafe {
                    (*raw).linesize[n] = linesize;
                    (*raw).data[n] = ptr::without_provenance_mut(address);
                }
            }
        }
        let crop = [height, height, width, width].map(|size| self.crop(size as usize));
        // SAFETY: as above; the device that never was is taken out before the frame is freed.
        unsafe {
            if self.chance(4) {
                [(*raw).crop_top, (*raw).crop_bottom, (*raw).crop_left, (*raw).crop_right] = crop;
            }
            // Half of the sound frames stay so; of the others one thing is changed, or all are.
            let changes = if sound { self.random.below(2) } else { self.random.below(3) };
            for _ in 0..changes {
                let plane = self.below(4);
                match self.random.below(10) {
                    0 => (*raw).width = self.number(width),
                    1 => (*raw).height = self.number(height),
                    2 => (*raw).linesize[plane] = self.number((*raw).linesize[plane]),
                    3 => (*raw).data[plane] = ptr::without_provenance_mut(self.address()),
                    4 => (*raw).data[plane] = (*raw).data[plane].wrapping_offset(self.number(1) as isize),
                    5 => {
                        let reference = self.random.one(&self.references);
                        let size = ((*reference).size as usize).wrapping_add_signed(self.number(-1) as isize);
                        // Never past the block that it is in.
                        (*reference).size = ((*reference).size as usize).min(size) as _;
                    }
                    6 => (*raw).buf[self.below(8)] = ptr::null_mut(),
                    7 => (*raw).format = self.number(format.number()),
                    8 => (*raw).hw_frames_ctx = ptr::without_provenance_mut(16),
                    _ => (*raw).format = self.random.below(300) as i32 - 20,
                }
            }
            (*raw).pts = self.random.next() as i64;
            (*raw).flags = self.random.next() as i32;
            (*raw).sample_aspect_ratio.num = self.random.next() as i32;
            (*raw).sample_aspect_ratio.den = self.number(1);
            for field in [
                (&raw mut (*raw).color_range).cast::<i32>(),
                (&raw mut (*raw).color_primaries).cast(),
                (&raw mut (*raw).color_trc).cast(),
                (&raw mut (*raw).colorspace).cast(),
                (&raw mut (*raw).chroma_location).cast(),
                (&raw mut (*raw).pict_type).cast(),
            ] {
                field.write(self.number(1));
            }
        }
    }

    /// Start and end of the buffers that the frame has.
    fn held_buffers(&self) -> Vec<(i128, i128)> {
        // SAFETY: fields and references of this test's own.
        unsafe {
            let raw = self.frame.as_ptr();
            let extended: &[*mut AVBufferRef] = if (*raw).extended_buf.is_null() || (*raw).nb_extended_buf <= 0 {
                &[]
            } else {
                std::slice::from_raw_parts((*raw).extended_buf, (*raw).nb_extended_buf as usize)
            };
            let all = (*raw).buf.iter().chain(extended).filter(|buffer| !buffer.is_null());
            all.map(|&buffer| {
                let start = (*buffer).data.addr() as i128;
                (start, start + (*buffer).size as i128)
            })
            .collect()
        }
    }

    /// The rows of the frame if it is to be taken, and whether its buffers have to do with it.
    fn judge(&self) -> Option<(Vec<Rows>, bool)> {
        // SAFETY: plain fields of a frame of this test's own.
        let raw: &AVFrame = unsafe { &*self.frame.as_ptr() };
        let format = self.by_number.get(&raw.format)?;
        if !raw.hw_frames_ctx.is_null() || format.has(AV_PIX_FMT_FLAG_HWACCEL) || format.splits_bytes() {
            return None;
        }
        let [top, bottom, left, right] = [raw.crop_top, raw.crop_bottom, raw.crop_left, raw.crop_right];
        let visible = |size: i32, before: usize, after: usize| {
            let rest = i128::from(size) - before as i128 - after as i128;
            u32::try_from(rest).ok().filter(|&rest| rest > 0 && size > 0)
        };
        let (width, height) = (visible(raw.width, left, right)?, visible(raw.height, top, bottom)?);
        let bayer = format.has(AV_PIX_FMT_FLAG_BAYER);
        let (shift_x, shift_y) = (format.descriptor.log2_chroma_w, format.descriptor.log2_chroma_h);

        let whole = format.planes(raw.width as u32, raw.height as u32);
        let buffers = self.held_buffers();
        let (mut planes, mut slot, mut related, mut held) = (Vec::new(), 0, false, true);
        for (n, (row_bytes, rows)) in format.planes(width, height).into_iter().enumerate() {
            let palette = (row_bytes, rows, n) == (1024, 1, 1);
            let chroma = n == 1 || n == 2;
            let stride = if palette { 0 } else { i128::from(raw.linesize[n]) };
            // FFmpeg says so by a negative number when a row is too long for it.
            let full_row = whole[n].0 as i32;
            if !palette && (full_row < 0 || stride.abs() < full_row.into()) {
                return None;
            }
            slot += row_bytes.next_multiple_of(64) * rows;
            let group = match () {
                () if palette => usize::MAX,
                () if bayer => 2,
                () if chroma || packs_chroma(format) => 1 << shift_x,
                () => 1,
            };
            let across = match left / group * group {
                0 => 0,
                left => format.planes(left as u32, 1)[n].0,
            };
            let down = match () {
                () if palette => 0,
                () if bayer => top / 2 * 2,
                () if chroma => top >> shift_y,
                () => top,
            };
            let data = raw.data[n].addr() as i128;
            let first = data + stride * down as i128 + across as i128;
            let last = first + stride * (rows as i128 - 1);
            let (low, high) = (first.min(last), first.max(last) + row_bytes as i128);
            if data == 0 || low < 0 || high > usize::MAX as i128 {
                return None;
            }
            for &(start, end) in &buffers {
                related |= low < end && high > start || (start..=end).contains(&data);
            }
            held &= buffers.iter().any(|&(start, end)| start <= low && high <= end);
            planes.push(Rows { top: first, stride, row_bytes, rows });
        }
        (slot <= SLOT && (held || !related)).then_some((planes, related))
    }

    /// The bytes at an address that may be read.
    fn bytes(&self, address: i128, len: usize) -> Option<&[u8]> {
        let blocks = self.blocks.iter().zip(&self.noise).map(|(block, noise)| (block.start().addr(), &noise[..]));
        blocks.chain([(self.elsewhere.as_ptr().addr(), &self.elsewhere[..])]).find_map(|(start, bytes)| {
            let at = usize::try_from(address - start as i128).ok()?;
            bytes.get(at..at.checked_add(len)?)
        })
    }

    fn readable(&self, planes: &[Rows]) -> bool {
        planes.iter().all(|plane| {
            let last = plane.top + plane.stride * (plane.rows as i128 - 1);
            let span = (last - plane.top).unsigned_abs() as usize + plane.row_bytes;
            self.bytes(plane.top.min(last), span).is_some()
        })
    }
}

impl Drop for Fuzz {
    fn drop(&mut self) {
        // SAFETY: the frame gives back all references, once each; the device that never was is not to be freed.
        unsafe {
            let raw = self.frame.as_ptr();
            (*raw).hw_frames_ctx = ptr::null_mut();
            (*raw).buf.copy_from_slice(&self.references[..8]);
            for n in 8..REFERENCES {
                self.extended.add(n - 8).write(self.references[n]);
            }
            ((*raw).extended_buf, (*raw).nb_extended_buf) = (self.extended, 2);
        }
    }
}

#[test]
fn copied_exactly_or_refused_and_counted() {
    let setting = |name, default| env::var(name).map_or(default, |value| value.parse().expect(name));
    let (frames, seed) = (setting("VAS_FUZZ_FRAMES", 200_000_u64), setting("VAS_FUZZ_SEED", 0x7a9_u64));
    assert_ne!(seed, 0, "VAS_FUZZ_SEED is to be at least 1");
    let mut fuzz = Fuzz::new(seed);
    let (ring, tap) = support::tap(SLOT);
    let mut reader = ring.subscribe().unwrap();
    let mut writer = tap.into_sink();
    let (mut counted, mut unrelated, mut published) = (Dropped::default(), 0_u64, 0_u64);
    for (round, first) in (0..frames).step_by(1000).enumerate() {
        let mut tap = Tap::new(writer).with_copy(CopyMode::ALL[round % 3]);
        for id in first..(first + 1000).min(frames) {
            // The same frame again now and then, for which the tap has a plan already.
            if id == 0 || !fuzz.chance(8) {
                fuzz.spoil();
            }
            let mut verdict = fuzz.judge();
            if verdict.as_ref().is_some_and(|(planes, related)| !related && !fuzz.readable(planes)) {
                // Such a frame is the caller's word alone, which this one would not keep.
                // SAFETY: a plain field of a frame of this test's own.
                unsafe { (*fuzz.frame.as_ptr()).data[0] = ptr::null_mut() };
                verdict = None;
            }
            // SAFETY: planes that have to do with no buffer are in the blocks.
            let offer = unsafe { tap.offer_ptr(fuzz.frame.as_ptr()) };
            match (offer, verdict) {
                (Offer::Published(got), Some((planes, related))) => {
                    assert_eq!(got, id);
                    published += 1;
                    unrelated += u64::from(!related);
                    let lease = reader.latest().unwrap().unwrap();
                    assert_eq!((lease.frame_id, lease.planes().len()), (id, planes.len()));
                    for (n, plane) in planes.iter().enumerate() {
                        let view = lease.plane(n).unwrap();
                        assert_eq!((view.row_bytes(), view.height()), (plane.row_bytes, plane.rows), "frame {id}");
                        for (y, row) in view.rows().enumerate() {
                            let expected = fuzz.bytes(plane.top + plane.stride * y as i128, plane.row_bytes);
                            assert!(
                                Some(row) == expected,
                                "frame {id}: plane {n}, row {y}, {}",
                                lease.geometry.pixel_format
                            );
                        }
                    }
                }
                (Offer::Dropped(cause), None) => counted.add(cause, 1),
                (offer, verdict) => panic!("frame {id}: {offer:?}, to be taken: {}", verdict.is_some()),
            }
        }
        writer = tap.into_sink();
    }
    let stats = ring.stats();
    println!("{frames} frames: {published} copied exactly, {unrelated} of them in no buffer; {counted:?}");
    assert_eq!((stats.published, stats.dropped, stats.offered()), (published, counted, frames));
    for cause in [DropCause::Malformed, DropCause::Unsupported, DropCause::Hardware, DropCause::TooLarge] {
        assert!(counted.get(cause) > frames / 100, "{cause}: {}", counted.get(cause));
    }
    assert!(published > frames / 10 && unrelated > frames / 1000, "{published} published, {unrelated} in no buffer");
}
