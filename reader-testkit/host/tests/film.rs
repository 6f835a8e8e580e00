//! Both clips, from the decoder through the tap to readers: every frame is counted, and what is borrowed is what was
//! decoded.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ffmpeg_next::frame::Video;
use vas_lifecycle::{CameraState, Counts, DropCause, FrameExport, Lease, Rate, Settings, Watch};
use vas_reader_testkit::check::{Loss, Order};
use vas_reader_testkit::readers::{Brisk, Leaking, Pick, Slow, Step, Stepped};
use vas_reader_testkit::snapshot::Picture;
use vas_tap::{Offer, Tap};

use support::film;
use vas_host::clips::clip;
use vas_host::input::{Input, Next, Playback, Source};
use vas_host::pixels;
use vas_host::stop::Stop;

const CLIPS: [(&str, u64, (u32, u32)); 2] =
    [("bigbuckbunny.mp4", 132, (1280, 720)), ("sintel-captions.ts", 240, (400, 170))];

fn open(film: &Path) -> Source {
    let playback = Playback { fast: true, passes: None, once: false, timeout: Duration::from_secs(10) };
    Source::open(&Input::file(film), playback, &Stop::default()).expect("the clip opens")
}

/// CRC-32 of a borrowed frame's samples, in the order of `rawvideo`.
fn checksum(frame: &Lease) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for plane in 0..frame.planes().len() {
        frame.plane(plane).expect("a plane").rows().for_each(|row| sum.update(row));
    }
    sum.finalize()
}

/// Plays a clip `passes` times and calls `each` with what became of each frame and the CRC-32 of its samples.
fn play(film: &Path, export: &FrameExport, passes: u32, mut each: impl FnMut(Offer, u32)) {
    let mut source = open(film);
    let stream = vas_tap::stream_spec_of(source.decoder()).expect("a known format");
    let writer = export.camera("film").expecting(stream);
    // So that no frame comes before its ring.
    let deadline = Instant::now() + Duration::from_secs(10);
    while export.stats().cameras.iter().all(|camera| camera.state != CameraState::Running) {
        assert!(Instant::now() < deadline, "no ring in 10 s: {}", export.stats());
        thread::sleep(Duration::from_millis(1));
    }
    let mut tap = Tap::new(writer).with_time_base(source.time_base());
    let (mut frame, mut pixels, mut pass) = (Video::empty(), Vec::new(), 0);
    loop {
        if source.next(&mut frame, |_| {}).expect("the clip is sound") == Next::End {
            pass += 1;
            if pass == passes {
                return;
            }
            source.rewind().expect("a file rewinds");
            continue;
        }
        pixels::pack(&frame, &mut pixels);
        each(tap.offer(&frame), crc32fast::hash(&pixels));
    }
}

#[test]
fn every_frame_reaches_a_reader_as_it_was_decoded() {
    for (name, frames, (width, height)) in CLIPS {
        let export = FrameExport::new(Settings { max_readers: 3, ..Settings::default() });
        let mut readers = None;
        let (mut order, mut loss) = (Order::default(), Loss::default());
        let (mut offered, mut last_pts) = (0, i64::MIN);
        play(&clip(name), &export, 2, |offer, sum| {
            // The camera runs from before its first frame, which nobody reads.
            let Some((every, slow, leaking)) = &mut readers else {
                assert_eq!(offer, Offer::Dropped(DropCause::NoReader));
                let subscribe = || export.subscribe("film");
                let every = Brisk::picking(subscribe(), Pick::Oldest);
                let slow = Slow::new(subscribe(), Duration::from_millis(300));
                readers = Some((every, slow, Leaking::new(subscribe())));
                offered = 1;
                return;
            };
            assert_eq!(offer, Offer::Published(offered));
            let mut entry = None;
            every.step(Duration::ZERO, &mut |frame| {
                assert_eq!(checksum(frame), sum, "frame {offered} of {name}");
                assert_eq!((frame.geometry.width, frame.geometry.height), (width, height));
                assert!(frame.pts() > Some(last_pts), "the times of the second pass go on");
                last_pts = frame.raw_pts;
                entry = Some(*frame.entry());
            });
            let entry = entry.expect("a reader that reads each frame gets each");
            assert_eq!(entry.frame_id, offered);
            order.check(&entry).expect("in order");
            loss.check(&entry, &every.counts()).expect("no loss");
            offered += 1;
            // 40 ms from one frame to the next.
            slow.step(Duration::from_millis(40 * offered), &mut |_| {});
            leaking.step(Duration::ZERO, &mut |_| {});
        });
        assert_eq!(offered, 2 * frames, "{name}");
        let (mut every, mut slow, mut leaking) = readers.expect("they subscribed");
        let never = &mut |_: &Lease| panic!("there is no frame left");
        let later = Duration::from_secs(3600);
        assert_eq!(every.step(later, never), Stepped::Closed);
        assert_eq!(slow.step(later, never), Stepped::Closed);
        assert_eq!(leaking.step(later, never), Stepped::Closed);
        let published = offered - 1;
        assert_eq!(loss.close(&every.counts(), offered), Ok(published));
        let seen = |counts: Counts| (counts.seen, counts.seen + counts.missed.total());
        assert_eq!(seen(every.counts()), (published, published));
        // One frame in 8 at 300 ms each.
        assert_eq!(seen(slow.counts()), (published.div_ceil(8), published), "{name}");
        assert_eq!(seen(leaking.counts()), (1, published), "{name}");
        let stats = export.stats();
        let camera = &stats.cameras[0];
        assert_eq!((camera.offered, camera.published, camera.dropped.total()), (offered, published, 1));
    }
}

/// A clip's stream without its container: what is known of it comes with its first frame.
fn raw(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name).with_extension("h264");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(clip(name))
        .args(["-an", "-c:v", "copy", "-f", "h264"])
        .arg(&path);
    let output = support::run(&mut ffmpeg);
    assert!(output.status.success(), "{name}: {}", support::text(&output).1);
    path
}

/// A decoder that knows no size when the camera starts, as with RTSP without parameter sets, and a stream that changes its
/// size at its first frames: one frame asks for the first ring and one for the larger one, and all others are published.
#[test]
fn nothing_is_known_before_the_first_frame() {
    let folder = tempfile::tempdir().expect("a folder");
    let h264 = ffmpeg_next::codec::decoder::find(ffmpeg_next::codec::Id::H264).expect("a decoder");
    let decoder = ffmpeg_next::codec::context::Context::new().decoder();
    let mut decoder = decoder.open_as(h264).expect("it opens").video().expect("of video");
    assert_eq!((decoder.width(), decoder.height()), (0, 0));

    let export = FrameExport::new(Settings::default());
    let mut tap = Tap::new(export.camera("film"));
    let mut reader = export.subscribe("film");
    let (mut size, mut changes, mut offered) = ((0, 0), 0, 0);
    // A few small ones, then large ones.
    for (name, packets) in [("sintel-captions.ts", 8), ("bigbuckbunny.mp4", 60)] {
        let mut input = ffmpeg_next::format::input(&raw(folder.path(), name)).expect("it opens");
        for (_, packet) in input.packets().take(packets) {
            decoder.send_packet(&packet).expect("a sound stream");
            let mut frame = Video::empty();
            while decoder.receive_frame(&mut frame).is_ok() {
                let offer = tap.offer(&frame);
                offered += 1;
                if (frame.width(), frame.height()) == size {
                    assert!(matches!(offer, Offer::Published(_)), "frame {offered}: {offer:?}");
                    continue;
                }
                size = (frame.width(), frame.height());
                changes += 1;
                let asks = if changes == 1 { DropCause::Starting } else { DropCause::Resizing };
                assert_eq!(offer, Offer::Dropped(asks), "frame {offered}");
                let deadline = Instant::now() + Duration::from_secs(60);
                let ring = Settings::default().ring_bytes((size.0 * size.1 * 3 / 2) as usize).expect("a ring");
                // Until it is there for the next frame to take.
                while export.stats().cameras[0].bytes < ring {
                    assert!(Instant::now() < deadline, "no ring: {}", export.stats());
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }
    assert_eq!((changes, size), (2, (1280, 720)));
    assert!(reader.poll().is_some(), "the newest frame");
    let stats = export.stats();
    assert_eq!((stats.cameras[0].offered, stats.cameras[0].dropped.total()), (offered, 2), "{stats}");
}

/// The picture of a frame, by FFmpeg's own program: exact, and with chroma repeated. What it does by default is up to 3
/// darker, and smooths chroma.
fn picture_by_ffmpeg(film: &Path, number: u64, matrix: &str) -> Picture {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("frame.png");
    let exact = "neighbor+full_chroma_inp+full_chroma_int+accurate_rnd";
    let filter = format!("select=eq(n\\,{number}),scale=in_color_matrix={matrix}:flags={exact},format=rgb24");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-i"]).arg(film).args(["-vf", &filter, "-frames:v", "1"]).arg(&path);
    assert!(ffmpeg.status().expect("ffmpeg runs").success());
    Picture::read_png(&path).expect("a picture")
}

#[test]
fn a_borrowed_frame_looks_as_ffmpeg_shows_it() {
    // The clips do not state their matrix: high definition is BT.709, below BT.601.
    for ((name, _, _), matrix, other) in [(CLIPS[0], "bt709", "bt601"), (CLIPS[1], "bt601", "bt709")] {
        let number = 100;
        let picture = picture(&clip(name), number);
        let shown = picture_by_ffmpeg(&clip(name), number, matrix);
        let difference = |shown: &Picture| picture.difference(shown).expect("of the same size");
        assert!(difference(&shown) < 0.1, "{name}: {}", difference(&shown));
        // What is a small difference: another frame, the picture upside down, or in another matrix is further off.
        let earlier = picture_by_ffmpeg(&clip(name), number - 20, matrix);
        assert!(difference(&earlier) > 4.0, "{name}: {}", difference(&earlier));
        let rows = shown.rgb().chunks_exact(3 * shown.width()).rev();
        let mut flipped = shown.clone();
        flipped.rgb_mut().copy_from_slice(&rows.flatten().copied().collect::<Vec<_>>());
        assert!(difference(&flipped) > 4.0, "{name}: {}", difference(&flipped));
        // Sintel's snow has no colours that a matrix could change.
        if name.starts_with("big") {
            let wrong = difference(&picture_by_ffmpeg(&clip(name), number, other));
            assert!(wrong > 1.0, "{name}: {wrong}");
        }
    }
}

/// The picture of a film's frame, as a reader borrows it.
fn picture(film: &Path, number: u64) -> Picture {
    let export = FrameExport::new(Settings::default());
    let (mut reader, mut picture) = (None, None);
    // Nobody reads the first frame. That of a film which has no other comes again.
    play(film, &export, 2, |offer, _| {
        let subscribe = || export.subscribe(Watch::camera("film").rate(Rate::Newest));
        let reader = reader.get_or_insert_with(subscribe);
        if offer == Offer::Published(number) {
            let frame = reader.poll().expect("a frame");
            picture = Some(Picture::of(&frame).expect("a known format"));
        }
    });
    picture.expect("there are as many frames")
}

#[test]
fn formats_are_drawn_as_ffmpeg_shows_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let exact = ["gbrp", "pal8", "rgb24", "abgr"];
    let close =
        ["uyvy422", "yuyv422", "nv21", "p010le", "yuv422p10be", "gbrp10le", "rgb565le", "x2rgb10le", "ya8", "rgb48be"];
    for (format, close) in exact.map(|format| (format, 0.0)).into_iter().chain(close.map(|format| (format, 1.0))) {
        // Not in FFmpeg 4.3.
        if format == "x2rgb10le" && format.parse::<ffmpeg_next::format::Pixel>().is_err() {
            continue;
        }
        let name = format!("{format}.nut");
        let film = film(folder.path(), &name, "rate=25:duration=0.4", &["-pix_fmt", format, "-c:v", "rawvideo"]);
        let difference = |number| picture(&film, 5).difference(&picture_by_ffmpeg(&film, number, "bt601"));
        let (same, earlier) = (difference(5).expect("of the same size"), difference(1).expect("of the same size"));
        assert!(same <= close && earlier > 2.0, "{format}: {same}, and {earlier} to another frame");
    }
    // Nor has that this.
    if ffmpeg_next::encoder::find_by_name("pfm").is_none() {
        return;
    }
    let still = film(folder.path(), "still.pfm", "rate=25", &["-frames:v", "1", "-pix_fmt", "grayf32le"]);
    // By way of bytes: from floats to RGB, FFmpeg 9 does not listen to `in_range`.
    let full = "bt601:in_range=full:out_range=full,format=gray,scale=in_range=full";
    let same = picture(&still, 1).difference(&picture_by_ffmpeg(&still, 0, full));
    assert!(same.expect("of the same size") < 0.5, "grayf32le: {same:?}");
}
