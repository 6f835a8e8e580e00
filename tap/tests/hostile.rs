//! Frames whose fields make no sense: each is refused with its cause, none is followed out of its buffers.
//!
//! `VAS_FUZZ_FRAMES` sets how many random ones are tried, `VAS_FUZZ_SEED` where they start.

mod support;

use std::ptr;

use ffmpeg_next::ffi::{AVFrame, av_buffer_create, av_buffer_unref, av_frame_get_buffer};
use support::guarded::Guarded;
use support::{Known, Random, RawFrame};
use vas_ring::{Claim, CopyMode, DropCause, FrameSink, HeapMemory, Identity, Ring, RingSpec};
use vas_tap::{Offer, StreamSpecError, Tap, stream_spec};

const YUV420P: i32 = 0;

/// What becomes of a sound frame of 64x48 pixels in `format` once `spoil` had it.
fn offer(format: i32, spoil: impl FnOnce(&mut AVFrame)) -> Offer {
    let (ring, mut tap) = support::tap(1 << 16);
    let _reader = ring.subscribe().unwrap();
    let frame = RawFrame::new(format, 64, 48);
    // SAFETY: a frame of this test's own. No field that is a Rust enum is spoilt here.
    unsafe {
        assert_eq!(av_frame_get_buffer(frame.as_ptr(), 0), 0);
        spoil(&mut *frame.as_ptr());
        let offer = tap.offer_ptr(frame.as_ptr());
        // A device that never was is not to be freed.
        (*frame.as_ptr()).hw_frames_ctx = ptr::null_mut();
        offer
    }
}

#[test]
fn refused_by_cause() {
    use DropCause::{Hardware, Malformed, TooLarge, Unsupported};
    type Spoil = fn(&mut AVFrame);
    assert_eq!(offer(YUV420P, |_| {}), Offer::Published(0));
    let cases: &[(&str, DropCause, Spoil)] = &[
        ("no first plane", Malformed, |frame| frame.data[0] = ptr::null_mut()),
        ("no last plane", Malformed, |frame| frame.data[2] = ptr::null_mut()),
        ("no width", Malformed, |frame| frame.width = 0),
        ("no height", Malformed, |frame| frame.height = 0),
        ("negative width", Malformed, |frame| frame.width = -64),
        ("least width", Malformed, |frame| frame.width = i32::MIN),
        ("least height", Malformed, |frame| frame.height = i32::MIN),
        ("largest width", Malformed, |frame| frame.width = i32::MAX),
        ("rows without end", TooLarge, |frame| frame.height = i32::MAX),
        ("no linesize", Malformed, |frame| frame.linesize[0] = 0),
        ("linesize below a row", Malformed, |frame| frame.linesize[0] = 63),
        ("negative linesize below a row", Malformed, |frame| frame.linesize[1] = -31),
        ("least linesize", Malformed, |frame| frame.linesize[2] = i32::MIN),
        ("largest linesize", Malformed, |frame| frame.linesize[0] = i32::MAX),
        ("flipped, from the top row", Malformed, |frame| frame.linesize[0] = -frame.linesize[0]),
        ("longer than its buffer", Malformed, |frame| frame.height = 480),
        ("all cropped away", Malformed, |frame| frame.crop_left = 64),
        ("cropped from both sides", Malformed, |frame| (frame.crop_top, frame.crop_bottom) = (24, 24)),
        ("a crop that overflows", Malformed, |frame| (frame.crop_left, frame.crop_right) = (usize::MAX, 2)),
        ("unknown format", Unsupported, |frame| frame.format = 100_000),
        ("no format", Unsupported, |frame| frame.format = -1),
        ("least format", Unsupported, |frame| frame.format = i32::MIN),
        ("in a device", Hardware, |frame| frame.hw_frames_ctx = ptr::without_provenance_mut(8)),
        ("too large for the ring", TooLarge, |frame| {
            // Not within its buffers, where it is the host's word that counts.
            frame.data = [ptr::without_provenance_mut(1 << 20); 8];
            (frame.width, frame.linesize[0], frame.linesize[1], frame.linesize[2]) = (6400, 6400, 3200, 3200);
        }),
        ("too large for any ring", TooLarge, |frame| {
            frame.data = [ptr::without_provenance_mut(1 << 20); 8];
            (frame.width, frame.height) = (1 << 20, 1 << 20);
            frame.linesize = [1 << 20; 8];
        }),
        ("beyond the end of the address space", Malformed, |frame| {
            frame.data[0] = ptr::without_provenance_mut(usize::MAX - 64);
        }),
        ("below its start", Malformed, |frame| {
            frame.data[0] = ptr::without_provenance_mut(64);
            frame.linesize[0] = -64;
        }),
    ];
    for (what, cause, spoil) in cases {
        assert_eq!(offer(YUV420P, spoil), Offer::Dropped(*cause), "{what}");
    }
}

#[test]
fn no_frame_at_all() {
    let (ring, mut tap) = support::tap(64);
    let _reader = ring.subscribe().unwrap();
    // SAFETY: null is allowed.
    assert_eq!(unsafe { tap.offer_ptr(ptr::null::<AVFrame>()) }, Offer::Dropped(DropCause::Malformed));
    assert_eq!(tap.offer(&ffmpeg_next::frame::Video::empty()), Offer::Dropped(DropCause::Unsupported));
}

/// A refused frame does not spoil the ones after it, also when only its planes are wrong.
#[test]
fn the_next_frame_is_judged_anew() {
    let (ring, mut tap) = support::tap(1 << 16);
    let _reader = ring.subscribe().unwrap();
    let frame = RawFrame::new(YUV420P, 64, 48);
    // SAFETY: a frame of this test's own.
    unsafe {
        let raw = frame.as_ptr();
        assert_eq!(av_frame_get_buffer(raw, 0), 0);
        let linesize = (*raw).linesize[0];
        for round in 0..3 {
            assert_eq!(tap.offer_ptr(raw), Offer::Published(3 * round));
            (*raw).linesize[0] = 1;
            assert_eq!(tap.offer_ptr(raw), Offer::Dropped(DropCause::Malformed));
            (*raw).linesize[0] = linesize;
            let plane = std::mem::replace(&mut (*raw).data[1], ptr::null_mut());
            assert_eq!(tap.offer_ptr(raw), Offer::Dropped(DropCause::Malformed));
            (*raw).data[1] = plane;
        }
    }
    assert_eq!((ring.stats().published, ring.stats().dropped.get(DropCause::Malformed)), (3, 6));
}

/// Two blocks of memory between unreachable pages, one of them known to FFmpeg as the frame's buffers.
struct Fuzz {
    blocks: [Guarded; 2],
    formats: Vec<i32>,
    random: Random,
}

const BLOCK: usize = 1 << 16;

impl Fuzz {
    /// A number that is as likely to be a sound one as to be any.
    fn number(&mut self, sound: i32) -> i32 {
        match self.random.below(24) {
            0 => self.random.next() as i32,
            1 => self.random.one(&[0, 1, -1, 63, 64, i32::MIN, i32::MAX, i32::MIN + 1, 1 << 16, 1 << 24, 1 << 30]),
            2 => -sound,
            3 => sound.wrapping_add(self.random.below(65) as i32 - 32),
            4 => sound.wrapping_shl(self.random.below(8) as u32),
            _ => sound,
        }
    }

    fn crop(&mut self, below: i32) -> usize {
        match self.random.below(16) {
            0 => self.random.next() as usize,
            1 => usize::MAX - self.random.below(4) as usize,
            2..8 => self.random.below(below.max(1) as u64) as usize,
            _ => 0,
        }
    }

    /// Spoils some of the fields. The planes are null, or start in one of the buffers, as for frames that FFmpeg makes.
    fn spoil(&mut self, frame: *mut AVFrame) {
        let random = &mut self.random;
        let format = match random.below(16) {
            0 => random.next() as i32,
            1 => random.below(300) as i32 - 20,
            _ => random.one(&self.formats),
        };
        let (width, height) = (1 + random.below(160) as i32, 1 + random.below(100) as i32);
        let align = random.one(&[1, 16, 64]);
        let linesize = (width * (1 + random.below(8) as i32) + align - 1) / align * align;
        let width_ = self.number(width);
        let height_ = self.number(height);
        // SAFETY: fields of a frame of this test's own. Those that are Rust enums are written as the integers that they
        // are in C, and the frame is not read as a whole.
        unsafe {
            (*frame).format = format;
            (*frame).width = width_;
            (*frame).height = height_;
            for n in 0..8 {
                (*frame).linesize[n] = self.number(linesize);
                let block = self.random.one(&[0, 1]);
                let at = match self.random.below(4) {
                    0 => 0,
                    1 => self.random.below(BLOCK as u64) as usize,
                    _ => self.random.below(BLOCK as u64 / 4) as usize,
                };
                let at = if (*frame).linesize[n] < 0 { BLOCK - 1 - at } else { at };
                let missing = self.random.below(64) == 0;
                (*frame).data[n] = if missing { ptr::null_mut() } else { self.blocks[block].start().add(at) };
            }
            (*frame).crop_top = self.crop(height);
            (*frame).crop_bottom = self.crop(height);
            (*frame).crop_left = self.crop(width);
            (*frame).crop_right = self.crop(width);
            (*frame).pts = self.random.next() as i64;
            (*frame).flags = self.random.next() as i32;
            (*frame).sample_aspect_ratio.num = self.random.next() as i32;
            (*frame).sample_aspect_ratio.den = self.number(1);
            let number = self.number(1);
            (&raw mut (*frame).color_range).cast::<i32>().write(number);
            let number = self.number(1);
            (&raw mut (*frame).colorspace).cast::<i32>().write(number);
            (&raw mut (*frame).pict_type).cast::<i32>().write(number);
            let device = self.random.below(64) == 0;
            (*frame).hw_frames_ctx = if device { ptr::without_provenance_mut(16) } else { ptr::null_mut() };
        }
    }
}

unsafe extern "C" fn keep(_: *mut std::ffi::c_void, _: *mut u8) {}

#[test]
fn random_frames() {
    let setting = |name, default| std::env::var(name).map_or(default, |value| value.parse().expect(name));
    let (frames, seed) = (setting("VAS_FUZZ_FRAMES", 200_000_u64), setting("VAS_FUZZ_SEED", 0x7a9_u64));
    assert_ne!(seed, 0, "VAS_FUZZ_SEED is to be at least 1");
    let mut random = Random(seed);
    let blocks = [Guarded::before(&random.bytes(BLOCK)), Guarded::after(&random.bytes(BLOCK))];
    let formats = Known::all().iter().map(Known::number).collect();
    let mut fuzz = Fuzz { blocks, formats, random };

    let (ring, tap) = support::tap(1 << 14);
    let mut reader = ring.subscribe().unwrap();
    let mut writer = tap.into_sink();
    let frame = RawFrame::new(YUV420P, 1, 1);
    // SAFETY: buffers over blocks that outlive them.
    unsafe {
        for (n, block) in fuzz.blocks.iter().enumerate() {
            (*frame.as_ptr()).buf[n] = av_buffer_create(block.start(), BLOCK as _, Some(keep), ptr::null_mut(), 0);
        }
    }
    for (round, first) in (0..frames).step_by(1000).enumerate() {
        let mode = CopyMode::ALL[round % 3];
        let mut tap = Tap::new(writer).with_copy(mode);
        for id in first..(first + 1000).min(frames) {
            // The same frame again now and then, for which the tap has a plan already.
            if fuzz.random.below(8) > 0 || id == 0 {
                fuzz.spoil(frame.as_ptr());
            }
            // SAFETY: planes are null or start in the buffers that the frame refers to.
            match unsafe { tap.offer_ptr(frame.as_ptr()) } {
                Offer::Published(published) => {
                    assert_eq!(published, id);
                    let lease = reader.latest().unwrap().unwrap();
                    assert_eq!(lease.frame_id, id);
                    for plane in 0..lease.planes().len() {
                        assert!(lease.plane(plane).is_some(), "frame {id}: plane {plane} is not in its slot");
                    }
                    // SAFETY: plain fields of a frame of this test's own.
                    let (width, height) = unsafe {
                        let raw = frame.as_ptr();
                        (
                            (*raw).width as usize - (*raw).crop_left - (*raw).crop_right,
                            (*raw).height as usize - (*raw).crop_top - (*raw).crop_bottom,
                        )
                    };
                    assert_eq!((lease.geometry.width as usize, lease.geometry.height as usize), (width, height));
                }
                Offer::Dropped(cause) => {
                    let causes =
                        [DropCause::Malformed, DropCause::Unsupported, DropCause::Hardware, DropCause::TooLarge];
                    assert!(causes.contains(&cause), "frame {id}: {cause}");
                }
                Offer::Off => panic!("frame {id}: off"),
            }
        }
        writer = tap.into_sink();
    }
    // SAFETY: the buffers made above; the device that never was is not to be freed.
    unsafe {
        (*frame.as_ptr()).hw_frames_ctx = ptr::null_mut();
        for n in 0..fuzz.blocks.len() {
            av_buffer_unref(&raw mut (*frame.as_ptr()).buf[n]);
        }
    }
    let stats = ring.stats();
    println!("{frames} frames: {} published, {:?}", stats.published, stats.dropped);
    assert_eq!(stats.offered(), frames);
    for cause in [DropCause::Malformed, DropCause::Unsupported, DropCause::Hardware, DropCause::TooLarge] {
        assert!(stats.dropped.get(cause) > frames / 100, "{cause}: {}", stats.dropped.get(cause));
    }
    assert!(stats.published > frames / 20, "{} published", stats.published);
}

/// A sink that does what it must not.
enum Rogue {
    Panics,
    GivesLess(vas_ring::Writer),
}

impl FrameSink for Rogue {
    fn is_off(&self) -> bool {
        false
    }

    fn demand(&mut self, _: impl FnMut() -> u64) -> Result<(), DropCause> {
        Ok(())
    }

    fn skip(&mut self, cause: DropCause) {
        match self {
            Self::Panics => panic!("on purpose"),
            Self::GivesLess(writer) => writer.skip(cause),
        }
    }

    fn claim(&mut self, _: usize) -> Result<Claim<'_>, DropCause> {
        match self {
            Self::Panics => panic!("on purpose"),
            Self::GivesLess(writer) => writer.claim().map_err(|_| DropCause::Refused),
        }
    }
}

#[test]
fn rogue_sinks() {
    let frame = ffmpeg_next::frame::Video::new(ffmpeg_next::format::Pixel::YUV420P, 64, 48);
    let mut tap = Tap::new(Rogue::Panics);
    for _ in 0..3 {
        assert_eq!(tap.offer(&frame), Offer::Off);
    }
    let spec = RingSpec::new(1, 1, 1, 64).unwrap();
    let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).unwrap();
    let mut tap = Tap::new(Rogue::GivesLess(writer));
    for _ in 0..3 {
        assert_eq!(tap.offer(&frame), Offer::Dropped(DropCause::Abandoned));
    }
    assert_eq!(ring.stats().dropped.get(DropCause::Abandoned), 3);
}

/// A sink that decides by the time.
struct Timed {
    writer: vas_ring::Writer,
    wanted: bool,
    times: Vec<u64>,
}

impl FrameSink for Timed {
    fn is_off(&self) -> bool {
        false
    }

    fn demand(&mut self, mut now: impl FnMut() -> u64) -> Result<(), DropCause> {
        self.times.extend([now(), now()]);
        if self.wanted { Ok(()) } else { Err(DropCause::Unwanted) }
    }

    fn skip(&mut self, cause: DropCause) {
        self.writer.skip(cause);
    }

    fn claim(&mut self, frame_bytes: usize) -> Result<Claim<'_>, DropCause> {
        FrameSink::claim(&mut self.writer, frame_bytes)
    }
}

/// The sink decides by the time that the frame carries, and what it does not want is counted and not copied.
#[test]
fn frames_that_nobody_wants() {
    let frame = ffmpeg_next::frame::Video::new(ffmpeg_next::format::Pixel::GRAY8, 64, 1);
    let spec = RingSpec::new(1, 1, 1, 64).unwrap();
    let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).unwrap();
    let mut reader = ring.subscribe().unwrap();
    let mut tap = Tap::new(Timed { writer, wanted: false, times: Vec::new() });
    for _ in 0..3 {
        assert_eq!(tap.offer(&frame), Offer::Dropped(DropCause::Unwanted));
    }
    tap.sink_mut().wanted = true;
    assert_eq!(tap.offer(&frame), Offer::Published(3));
    let lease = reader.latest().unwrap().unwrap();
    let missed = *reader.missed();
    assert_eq!((missed.unwanted, missed.lost(), missed.total()), (3, 0, 3));
    let times = &tap.sink().times;
    assert_eq!(times[6..], [lease.monotonic_ns; 2]);
    assert!(times.chunks(2).all(|pair| pair[0] == pair[1]) && times.is_sorted());
}

#[test]
fn streams_that_cannot_be() {
    let size = |width, height| Err(StreamSpecError::Size { width, height });
    assert_eq!(stream_spec(0, 1, YUV420P), size(0, 1));
    assert_eq!(stream_spec(u32::MAX, u32::MAX, YUV420P), size(u32::MAX, u32::MAX));
    assert_eq!(stream_spec(1 << 20, 1 << 20, YUV420P), size(1 << 20, 1 << 20));
    assert_eq!(stream_spec(8, 8, 12_345), Err(StreamSpecError::Unsupported { format: 12_345 }));
    assert_eq!(stream_spec(8, 8, -2), Err(StreamSpecError::Unsupported { format: -2 }));
    // A decoder that does not know its format yet: enough for NV12, too.
    let nv12 = Known::all().into_iter().find(|format| format.name() == "nv12").unwrap().number();
    for (width, height) in [(640, 360), (1366, 768), (17, 9), (1, 1), (1920, 1080)] {
        let guess = stream_spec(width, height, -1).unwrap();
        assert_eq!(guess, stream_spec(width, height, YUV420P).unwrap());
        assert!(guess.frame_bytes >= stream_spec(width, height, nv12).unwrap().frame_bytes);
    }
}
