//! How often an offer reads the clock. It is one test, alone in its process, since it takes the place of the C library's
//! function.
#![cfg(all(feature = "ffmpeg-next", target_os = "linux"))]

mod support;

use std::cell::Cell;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use vas_ring::CopyMode;
use vas_tap::Offer;

thread_local! {
    static READINGS: Cell<usize> = const { Cell::new(0) };
}

/// Found in the program before the C library's, by everything in it.
///
/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    READINGS.set(READINGS.get() + 1);
    // SAFETY: passed on.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as libc::c_int }
}

fn frame(width: u32, height: u32) -> Video {
    let mut frame = Video::new(Pixel::GRAY8, width, height);
    frame.data_mut(0).fill(7);
    frame
}

#[test]
fn once_at_most() {
    const FRAMES: usize = 4_000;
    let [small, large] = [frame(64, 4), frame(256, 128)];
    for mode in CopyMode::ALL {
        let (ring, tap) = support::tap(256 * 128);
        let mut tap = tap.with_copy(mode);
        let mut readings = |frame: &Video, published: bool| {
            let before = READINGS.get();
            for _ in 0..FRAMES {
                assert_eq!(matches!(tap.offer(frame), Offer::Published(_)), published);
            }
            READINGS.get() - before
        };
        for frame in [&small, &large] {
            assert_eq!(readings(frame, false), 0, "nobody wants it, {mode}");
        }
        let _reader = ring.subscribe().unwrap();
        assert_eq!(readings(&small, true), FRAMES, "{mode}");
        let more = readings(&large, true) - FRAMES;
        if mode == CopyMode::Auto && cfg!(target_arch = "x86_64") {
            // It learns at first, and then rarely.
            assert!((2 * FRAMES / 32..2 * FRAMES / 8).contains(&more), "{more}");
            let settled = readings(&large, true) - FRAMES;
            assert!((2 * FRAMES / 32..=2 * FRAMES / 16 + 2 * FRAMES / 256).contains(&settled), "{settled}");
        } else {
            assert_eq!(more, 0, "{mode}");
        }
    }
}
