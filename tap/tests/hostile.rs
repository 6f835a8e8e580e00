//! Frames whose fields make no sense: each is refused with its cause, none is followed out of its buffers.

#![cfg(feature = "ffmpeg-next")]

mod support;

use std::ptr;

use ffmpeg_next::ffi::{AVFrame, av_frame_get_buffer};
use support::{Known, RawFrame};
use vas_ring::{Claim, DropCause, FrameSink, HeapMemory, Identity, Orientation, Ring, RingSpec};
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

/// Lists that are counted and not there are empty.
#[test]
fn numbers_without_a_list() {
    let (ring, mut tap) = support::tap(1 << 16);
    let mut reader = ring.subscribe().unwrap();
    let frame = RawFrame::new(YUV420P, 64, 48);
    // SAFETY: a frame of this test's own, which FFmpeg would look at in the same way when it frees it.
    unsafe {
        let raw = frame.as_ptr();
        assert_eq!(av_frame_get_buffer(raw, 0), 0);
        ((*raw).nb_side_data, (*raw).nb_extended_buf) = (3, 3);
        assert_eq!(tap.offer_ptr(raw), Offer::Published(0));
        ((*raw).nb_side_data, (*raw).nb_extended_buf) = (0, 0);
    }
    assert_eq!(reader.latest().unwrap().unwrap().orientation, Orientation::UNSPECIFIED);
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
