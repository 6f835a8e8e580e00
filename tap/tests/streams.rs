//! Real streams, made with FFmpeg's encoders here or taken from the repository's clips: for each decoded frame, what a
//! reader borrows has the hash that `ffmpeg -f framehash` gives it, and the frame is as it was before the offer.

#![cfg(feature = "ffmpeg-next")]
#![allow(clippy::unnecessary_cast, reason = "some sizes are ints in FFmpeg 4")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use ffmpeg_next::ffi::{av_buffer_get_ref_count, av_display_rotation_get, av_frame_is_writable, av_md5_sum};
use ffmpeg_next::frame::{Video, side_data};
use ffmpeg_next::{Dictionary, codec, format, media};
use vas_ring::{ColorRange, CopyMode, DropCause, FrameEntry, FrameFlags, Lease, Orientation};
use vas_tap::{Offer, Tap, stream_spec, stream_spec_of};

/// Runs a command-line tool, which has to succeed. Returns what it printed.
fn run(tool: &str, args: &[&str]) -> String {
    let output = Command::new(tool).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("these tests make their streams with {tool}: {error}"));
    assert!(output.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const FFMPEG: [&str; 5] = ["-hide_banner", "-nostdin", "-loglevel", "error", "-y"];

/// A few frames of FFmpeg's moving test picture, encoded as `args` say.
fn encode(directory: &Path, file: &str, size: &str, args: &str) -> PathBuf {
    let path = directory.join(file);
    // The source itself rounds odd sizes. It has to end: some filters wait for that.
    let source = format!("testsrc2=size=640x360:rate=25:duration=0.48,scale={}", size.replace('x', ":"));
    let mut all = FFMPEG.to_vec();
    all.extend(["-f", "lavfi", "-i", &source]);
    all.extend(args.split_whitespace());
    all.push(path.to_str().unwrap());
    run("ffmpeg", &all);
    path
}

/// The option under which FFmpeg's tool neither drops nor doubles frames: it has another name from version 5.1 on, and the
/// old one is gone since.
fn every_frame() -> &'static str {
    static OPTION: LazyLock<&str> = LazyLock::new(|| {
        let help = run("ffmpeg", &["-hide_banner", "-h", "long"]);
        if help.contains("-fps_mode") { "-fps_mode" } else { "-vsync" }
    });
    *OPTION
}

/// Size in bytes and MD5 of each frame of a file, by FFmpeg's own tool. All frames are to be of one size: the tool scales
/// others to that of the first.
fn framehash(path: &Path) -> Vec<(usize, String)> {
    let mut all = FFMPEG.to_vec();
    // Without "unaligned" a crop at the left is rounded to where its buffers are aligned.
    all.extend(["-flags", "unaligned", "-i", path.to_str().unwrap(), "-map", "0:v:0", every_frame(), "passthrough"]);
    all.extend(["-f", "framehash", "-hash", "md5", "-"]);
    let printed = run("ffmpeg", &all);
    let lines = printed.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut fields = line.split(',').map(str::trim).skip(4);
            (fields.next().unwrap().parse().unwrap(), fields.next().unwrap().to_owned())
        })
        .collect()
}

fn md5(bytes: &[u8]) -> String {
    let mut sum = [0; 16];
    // SAFETY: sixteen bytes out, a slice in.
    unsafe { av_md5_sum(sum.as_mut_ptr(), bytes.as_ptr(), bytes.len() as _) };
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Calls `each` with every frame of a file. Returns the unit of their times.
fn decode(path: &Path, options: &[(&str, &str)], mut each: impl FnMut(&codec::decoder::Video, &mut Video)) {
    ffmpeg_next::init().unwrap();
    let mut input = format::input(path).unwrap();
    let stream = input.streams().best(media::Type::Video).unwrap();
    let index = stream.index();
    let context = codec::Context::from_parameters(stream.parameters()).unwrap();
    let options: Dictionary<'_> = options.iter().copied().collect();
    let coder = codec::decoder::find(context.id()).unwrap();
    let mut decoder = context.decoder().open_as_with(coder, options).unwrap().video().unwrap();
    let mut frame = Video::empty();
    for (stream, packet) in input.packets() {
        if stream.index() == index {
            // A broken packet is the decoder's to complain of.
            let _ = decoder.send_packet(&packet);
            while decoder.receive_frame(&mut frame).is_ok() {
                each(&decoder, &mut frame);
            }
        }
    }
    decoder.send_eof().unwrap();
    while decoder.receive_frame(&mut frame).is_ok() {
        each(&decoder, &mut frame);
    }
}

/// What an offer may not change: references to the buffers, whether the frame may be written to, where its planes are
/// and what they hold.
fn state(frame: &mut Video) -> (Vec<i32>, i32, [*mut u8; 8], Vec<String>) {
    // SAFETY: a decoded frame; its buffers are as large as they say.
    unsafe {
        let raw = frame.as_mut_ptr();
        let buffers = (*raw).buf.iter().filter(|buffer| !buffer.is_null());
        #[allow(clippy::unnecessary_cast, reason = "FFmpeg 4 has an int there")]
        let bytes = buffers.clone().map(|&buffer| std::slice::from_raw_parts((*buffer).data, (*buffer).size as usize));
        let sums = bytes.map(md5).collect();
        let counts = buffers.map(|&buffer| av_buffer_get_ref_count(buffer)).collect();
        (counts, av_frame_is_writable(raw), (*raw).data, sums)
    }
}

/// What was seen of a stream, and of the frames as they were offered.
#[derive(Default)]
struct Seen {
    frames: usize,
    formats: Vec<String>,
    sizes: Vec<(u32, u32)>,
    flags: FrameFlags,
    range: ColorRange,
    negative_linesize: bool,
    cropped: bool,
}

/// Offers each frame of a file, and compares what a reader gets with FFmpeg's hashes.
fn check(path: &Path, options: &[(&str, &str)], mode: CopyMode) -> Seen {
    check_against(&framehash(path), path, options, mode)
}

fn check_against(expected: &[(usize, String)], path: &Path, options: &[(&str, &str)], mode: CopyMode) -> Seen {
    assert!(!expected.is_empty(), "{path:?}: no frames");
    let (ring, tap) = support::tap(8 << 20);
    let mut tap = tap.with_copy(mode);
    let mut reader = ring.subscribe().unwrap();
    let mut seen = Seen::default();
    decode(path, options, |decoder, frame| {
        let before = state(frame);
        let offer = tap.offer(frame);
        assert!(state(frame) == before, "{path:?}: the offer changed frame {}", seen.frames);
        assert_eq!(offer, Offer::Published(seen.frames as u64), "{path:?}");

        let lease = reader.latest().unwrap().unwrap();
        let picture = support::packed(&lease);
        assert_eq!((picture.len(), md5(&picture)), expected[seen.frames], "{path:?}: frame {}", seen.frames);
        same_words(&lease, frame);
        // What a camera would have been started with holds its frames.
        assert!(stream_spec_of(decoder).unwrap().frame_bytes >= lease.bytes as usize, "{path:?}");
        seen.add(&lease, frame);
    });
    assert_eq!(seen.frames, expected.len(), "{path:?}");
    seen
}

/// What the entry says beside the picture is what the frame says.
fn same_words(entry: &FrameEntry, frame: &Video) {
    assert_eq!(entry.pts(), frame.pts().or(frame.timestamp()));
    let aspect = frame.aspect_ratio();
    let said = entry.geometry.sample_aspect_ratio;
    assert_eq!((said.num, said.den), (aspect.numerator(), aspect.denominator()));
    assert_eq!(entry.flags.contains(FrameFlags::KEY), frame.is_key());
    assert_eq!(entry.flags.contains(FrameFlags::INTERLACED), frame.is_interlaced());
    assert_eq!(entry.flags.contains(FrameFlags::TOP_FIELD_FIRST), frame.is_top_first());
    assert_eq!(entry.flags.contains(FrameFlags::CORRUPT), frame.is_corrupt());
    // SAFETY: a plain field of a decoded frame, which FFmpeg has set.
    assert_eq!(i32::from(entry.color_matrix), unsafe { (*frame.as_ptr()).colorspace } as i32);
}

impl Seen {
    fn add(&mut self, lease: &Lease, frame: &Video) {
        self.frames += 1;
        let (format, size) =
            (lease.geometry.pixel_format.name().to_owned(), (lease.geometry.width, lease.geometry.height));
        if self.formats.last() != Some(&format) {
            self.formats.push(format);
        }
        if self.sizes.last() != Some(&size) {
            self.sizes.push(size);
        }
        self.flags = self.flags.with(lease.flags, true);
        self.range = lease.color_range;
        // SAFETY: plain fields of a decoded frame.
        unsafe {
            let raw = frame.as_ptr();
            self.negative_linesize |= (*raw).linesize[0] < 0;
            self.cropped |= (*raw).crop_left + (*raw).crop_top + (*raw).crop_right + (*raw).crop_bottom > 0;
        }
    }
}

/// Makes an AVI of raw pictures say that they are stored from the bottom up, as most such files do. FFmpeg's decoder
/// then hands out frames with negative linesizes.
fn store_bottom_up(path: &Path) {
    let mut file = std::fs::read(path).unwrap();
    // The height follows the chunk's name and size, and the header's size and width.
    let at = file.windows(4).position(|name| name == b"strf").unwrap() + 16;
    let height = i32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert!(height < 0, "stored from the top down");
    file[at..at + 4].copy_from_slice(&(-height).to_le_bytes());
    std::fs::write(path, file).unwrap();
}

#[test]
fn encoders() {
    let directory = tempfile::tempdir().unwrap();
    let palette = "-filter_complex [0]split[a][b];[a]palettegen[p];[b][p]paletteuse -c:v png";
    for (format, file, size, args) in [
        ("yuv420p", "avc420.mkv", "322x182", "-c:v libx264 -preset ultrafast -bf 2 -pix_fmt yuv420p"),
        ("yuv422p", "avc422.mkv", "322x182", "-c:v libx264 -preset ultrafast -pix_fmt yuv422p"),
        ("yuv444p", "avc444.mkv", "321x181", "-c:v libx264 -preset ultrafast -pix_fmt yuv444p"),
        ("yuv420p10le", "avc10.mkv", "704x400", "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le"),
        ("yuvj420p", "avcfull.mkv", "1366x768", "-c:v libx264 -preset ultrafast -pix_fmt yuvj420p -color_range pc"),
        (
            "yuv420p10le",
            "hevc10.mkv",
            "1920x1080",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le",
        ),
        ("yuv420p", "vp9.webm", "322x182", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p"),
        (
            "yuv420p",
            "mpeg2.ts",
            "720x576",
            "-vf setfield=tff -c:v mpeg2video -flags +ildct+ilme -aspect 16:9 -pix_fmt yuv420p",
        ),
        ("yuvj422p", "mjpeg.avi", "321x181", "-c:v mjpeg -pix_fmt yuvj422p"),
        ("rgba", "png.mov", "321x181", "-c:v png -pix_fmt rgba"),
        ("rgb48be", "png48.mkv", "33x17", "-c:v png -pix_fmt rgb48be"),
        ("pal8", "pngpal.mkv", "161x121", palette),
        ("bgr24", "bottomup.avi", "161x121", "-c:v rawvideo -pix_fmt bgr24"),
        ("uyvy422", "packed.mkv", "162x121", "-c:v rawvideo -pix_fmt uyvy422"),
        ("nv12", "nv12.mkv", "2592x1944", "-c:v rawvideo -pix_fmt nv12"),
        ("gbrap12le", "ffv1.mkv", "161x121", "-c:v ffv1 -pix_fmt gbrap12le"),
    ] {
        let path = encode(directory.path(), file, size, args);
        if file == "bottomup.avi" {
            store_bottom_up(&path);
        }
        let hashes = framehash(&path);
        for mode in [CopyMode::Cached, CopyMode::Streaming] {
            let seen = check_against(&hashes, &path, &[], mode);
            assert_eq!(seen.formats, [format], "{file}");
            let sizes: Vec<_> = seen.sizes.iter().map(|(width, height)| format!("{width}x{height}")).collect();
            assert_eq!(sizes, [size], "{file}");
            assert_eq!(seen.negative_linesize, file == "bottomup.avi", "{file}");
            assert!(seen.flags.contains(FrameFlags::KEY), "{file}");
            let interlaced = seen.flags.contains(FrameFlags::INTERLACED.with(FrameFlags::TOP_FIELD_FIRST, true));
            assert_eq!(interlaced, file == "mpeg2.ts", "{file}");
            if format.starts_with("yuvj") {
                assert_eq!(seen.range, ColorRange::FULL, "{file}");
            }
        }
    }
}

#[test]
fn clips() {
    let clips = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clips");
    for (clip, frames) in [("bigbuckbunny.mp4", 132), ("sintel-captions.ts", 240)] {
        assert_eq!(check(&clips.join(clip), &[], CopyMode::Auto).frames, frames);
    }
}

/// Decoders leave the crop to the host when told to.
#[test]
fn crop_left_to_the_host() {
    let directory = tempfile::tempdir().unwrap();
    for args in [
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -bsf:v h264_metadata=crop_left=6:crop_top=4:crop_right=2",
        "-c:v libx264 -preset ultrafast -pix_fmt yuv444p -bsf:v h264_metadata=crop_left=3:crop_top=5:crop_right=8",
    ] {
        let path = encode(directory.path(), "crop.mkv", "640x360", args);
        for mode in [CopyMode::Cached, CopyMode::Streaming] {
            assert!(check(&path, &[("apply_cropping", "0")], mode).cropped, "{args}");
        }
    }
}

/// Two streams one after the other, as a camera does whose settings are changed. Raw, so without times, too. Also the
/// hashes of all frames.
fn two_sizes(directory: &Path) -> (PathBuf, Vec<(usize, String)>) {
    let args = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    let parts = [("small.h264", "320x180"), ("large.h264", "640x360"), ("small.h264", "320x180")]
        .map(|(file, size)| encode(directory, file, size, args));
    let path = directory.join("both.h264");
    std::fs::write(&path, parts.each_ref().map(|part| std::fs::read(part).unwrap()).concat()).unwrap();
    (path, parts.map(|part| framehash(&part)).concat())
}

#[test]
fn resolution_change() {
    let directory = tempfile::tempdir().unwrap();
    let (path, hashes) = two_sizes(directory.path());
    let seen = check_against(&hashes, &path, &[], CopyMode::Auto);
    assert_eq!(seen.sizes, [(320, 180), (640, 360), (320, 180)]);
    assert_eq!(seen.frames, 36);

    // A ring for the small pictures: the large ones are counted, and it goes on.
    let (ring, mut tap) = support::tap(stream_spec(320, 180, 0).unwrap().frame_bytes);
    let _reader = ring.subscribe().unwrap();
    let mut offers = Vec::new();
    decode(&path, &[], |_, frame| offers.push(tap.offer(frame)));
    for (id, offer) in (0..).zip(offers) {
        match id {
            12..24 => assert_eq!(offer, Offer::Dropped(DropCause::TooLarge)),
            _ => assert_eq!(offer, Offer::Published(id)),
        }
    }
    assert_eq!((ring.stats().published, ring.stats().dropped.get(DropCause::TooLarge)), (24, 12));
}

/// A stream that is joined between two key frames: its first pictures are damaged, and say so.
#[test]
fn damaged_frames_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let whole = encode(directory.path(), "whole.mkv", "320x180", "-c:v libx264 -preset ultrafast -g 6");
    let path = directory.path().join("cut.mkv");
    let mut args = FFMPEG.to_vec();
    args.extend(["-i", whole.to_str().unwrap(), "-c", "copy", "-copyinkf", "-ss", "0.12"]);
    args.push(path.to_str().unwrap());
    run("ffmpeg", &args);

    let (ring, mut tap) = support::tap(1 << 20);
    let mut reader = ring.subscribe().unwrap();
    let (mut damaged, mut sound) = (0, 0);
    decode(&path, &[("flags", "+output_corrupt")], |_, frame| {
        assert!(matches!(tap.offer(frame), Offer::Published(_)));
        let lease = reader.latest().unwrap().unwrap();
        same_words(&lease, frame);
        *if lease.flags.contains(FrameFlags::CORRUPT) { &mut damaged } else { &mut sound } += 1;
    });
    assert!(damaged > 0 && sound > 0, "{damaged} damaged, {sound} sound");
}

/// The unit of times is the stream's.
#[test]
fn times_have_their_unit() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clips/sintel-captions.ts");
    let unit = format::input(&clip).unwrap().streams().best(media::Type::Video).unwrap().time_base();
    let (ring, tap) = support::tap(1 << 20);
    let mut tap = Tap::with_time_base(tap, unit);
    let mut reader = ring.subscribe().unwrap();
    let mut times = Vec::new();
    decode(&clip, &[], |_, frame| {
        tap.offer(frame);
        let lease = reader.latest().unwrap().unwrap();
        times.push(lease.pts().unwrap() as f64 * f64::from(lease.time_base.num) / f64::from(lease.time_base.den));
    });
    let seconds = times.last().unwrap() - times[0];
    assert!((seconds - 239.0 / 24.0).abs() < 0.01, "{seconds} s for 240 frames at 24 a second");
}

/// A camera that hangs sideways says so in its stream, with each key frame, as a turn to the left.
#[test]
fn orientation_of_a_stream() {
    let directory = tempfile::tempdir().unwrap();
    let (ring, mut tap) = support::tap(1 << 20);
    let mut reader = ring.subscribe().unwrap();
    for (option, expected) in [
        ("rotate=90", Orientation::TURNED_270),
        ("rotate=270", Orientation::TURNED_90),
        ("rotate=180", Orientation::TURNED_180),
        ("rotate=0:flip=horizontal", Orientation::MIRRORED),
    ] {
        let args = format!(
            "-c:v libx264 -preset ultrafast -g 1 -pix_fmt yuv420p -bsf:v h264_metadata=display_orientation=insert:{option}"
        );
        let path = encode(directory.path(), "turned.h264", "320x180", &args);
        let (mut turned, mut silent) = (0, 0);
        decode(&path, &[], |_, frame| {
            assert!(matches!(tap.offer(frame), Offer::Published(_)));
            let orientation = reader.latest().unwrap().unwrap().orientation;
            // Not every version of FFmpeg passes it on with every frame.
            if let Some(matrix) = frame.side_data(side_data::Type::DisplayMatrix) {
                turned += 1;
                // SAFETY: such side data are nine integers, aligned as what FFmpeg allocates is.
                let to_the_left = unsafe { av_display_rotation_get(matrix.data().as_ptr().cast()) };
                // Old decoders take the stream's angle for one to the right: what they say in the frame is what counts.
                let expected = match (to_the_left.round() as i32, expected) {
                    (90, Orientation::TURNED_90) => Orientation::TURNED_270,
                    (-90, Orientation::TURNED_270) => Orientation::TURNED_90,
                    _ => expected,
                };
                assert_eq!(orientation, expected, "{option}, {to_the_left} degrees");
            } else {
                silent += 1;
                assert_eq!(orientation, Orientation::UNSPECIFIED, "{option}");
            }
        });
        assert!(turned > silent, "{option}: {turned} frames said so, {silent} did not");
    }
}
