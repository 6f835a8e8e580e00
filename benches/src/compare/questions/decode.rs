//! Question 5: a real decoder, with and without export.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use ffmpeg_next::codec::threading;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Packet, codec, decoder, format, media};
use rustix::time::{ClockId, clock_gettime};
use vas_tap::CopyMode;

use super::order;
use crate::compare::contender::Kind;
use crate::compare::contenders::ffmpeg::{Export, Look, MutexRing, Nothing, Ours, rows};
use crate::compare::lab::Lab;
use crate::compare::report::{Section, Table, cells};
use crate::compare::spread::{Spread, median};
use crate::compare::stage::{Call, in_company};

/// A decoder on one thread, and its packets in memory.
pub(super) struct Film {
    pub(super) decoder: decoder::Video,
    pub(super) packets: Vec<Packet>,
    frame: Video,
}

impl Film {
    pub(super) fn open(path: &Path, packets: usize) -> Result<Self> {
        let mut demuxer = format::input(path).with_context(|| format!("cannot open {}", path.display()))?;
        let stream = demuxer.streams().best(media::Type::Video).context("the clip has no video")?;
        let index = stream.index();
        let mut context = codec::Context::from_parameters(stream.parameters())?;
        context.set_threading(threading::Config { kind: threading::Type::None, count: 1, ..Default::default() });
        let decoder = context.decoder().video()?;
        let mut kept = Vec::new();
        let mut packet = Packet::empty();
        while kept.len() < packets && packet.read(&mut demuxer).is_ok() {
            if packet.stream() == index {
                kept.push(std::mem::replace(&mut packet, Packet::empty()));
            }
        }
        Ok(Self { decoder, packets: kept, frame: Video::empty() })
    }

    /// Decodes the film from the start, and hands on each frame. Returns how many there were.
    pub(super) fn play(&mut self, mut hand_on: impl FnMut(&Video)) -> Result<usize> {
        let Self { decoder, packets, frame } = self;
        let mut frames = 0;
        for packet in packets.iter().map(Some).chain([None]) {
            match packet {
                Some(packet) => decoder.send_packet(packet)?,
                None => decoder.send_eof()?,
            }
            while decoder.receive_frame(frame).is_ok() {
                hand_on(frame);
                frames += 1;
            }
        }
        decoder.flush();
        Ok(frames)
    }
}

/// One way to export, with its readers.
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) export: Box<dyn Export>,
    pub(super) readers: Vec<Box<dyn Look>>,
    pub(super) wall_ns: Vec<f64>,
    pub(super) cpu_ns: Vec<f64>,
    offers: Vec<u64>,
}

impl Way {
    pub(super) fn new(name: &'static str, kind: Kind, export: impl Export + 'static, readers: usize) -> Self {
        let readers = (0..readers).map(|_| export.reader()).collect();
        let export = Box::new(export);
        Self { name, kind, export, readers, wall_ns: Vec::new(), cpu_ns: Vec::new(), offers: Vec::new() }
    }

    /// What readers get is what was decoded, row by row.
    fn check(&mut self, film: &mut Film) -> Result<()> {
        let Self { export, readers, name, .. } = self;
        let mut wrong = None;
        let mut n = 0;
        let frames = film.play(|frame| {
            export.offer(frame);
            let mut expected = Vec::new();
            rows(frame, &mut |plane, row| expected.push((plane, row.to_vec())));
            for reader in &mut *readers {
                let mut place = 0;
                let mut same = true;
                let shown = reader.look(&mut |plane, row| {
                    same &= expected.get(place).is_some_and(|(p, r)| *p == plane && r == row);
                    place += 1;
                });
                if !shown || !same || place != expected.len() {
                    wrong.get_or_insert(n);
                }
            }
            n += 1;
        })?;
        ensure!(frames > 0, "the clip has no frames");
        ensure!(wrong.is_none(), "{name} shows frame {} otherwise than it was decoded", wrong.unwrap_or_default());
        Ok(())
    }

    /// Plays the film once.
    pub(super) fn pass(&mut self, lab: &Lab, film: &mut Film) -> Result<()> {
        let Self { export, readers, offers, .. } = self;
        let step = |reader: &mut Box<dyn Look>, call: &Call<'_>| {
            let mut sum = 0;
            let read = reader.look(&mut |_, row| {
                sum += row.iter().step_by(64).map(|&byte| u64::from(byte)).sum::<u64>();
            });
            black_box(sum);
            if !read {
                call.idle();
            }
        };
        let (frames, wall, cpu) = in_company(lab, readers, step, || {
            let (cpu, wall) = (cpu_ns(), lab.clock.now());
            let frames = film.play(|frame| {
                let start = lab.clock.now();
                export.offer(frame);
                offers.push(lab.clock.now() - start);
            });
            (frames, lab.clock.ns(lab.clock.now() - wall), cpu_ns() - cpu)
        });
        let frames = frames? as f64;
        self.wall_ns.push(wall / frames);
        self.cpu_ns.push(cpu / frames);
        Ok(())
    }
}

/// Processor time of the calling thread.
fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The answer.
///
/// # Errors
///
/// When the clip cannot be made or decoded, or when a way to export shows other frames than were decoded.
pub fn ask(lab: &Lab, out: &Path, source: &Path) -> Result<Section> {
    let clip = clip(out, source)?;
    let mut film = Film::open(&clip, lab.or_quick(usize::MAX, 12))?;
    let (width, height) = (film.decoder.width(), film.decoder.height());
    let stream = vas_tap::stream_spec_of(&film.decoder)?;
    let ours = |mode| Ours::new(&stream, mode).map_err(anyhow::Error::msg);
    let mut ways = [
        Way::new("decoding alone", Kind::Limit, Nothing, 0),
        Way::new("ours, no reader", Kind::Ours, ours(CopyMode::Auto)?, 0),
        Way::new("ours, 1 reader", Kind::Ours, ours(CopyMode::Auto)?, 1),
        Way::new("ours, 1 reader, cached", Kind::Ours, ours(CopyMode::Cached)?, 1),
        Way::new("ours, 1 reader, streaming", Kind::Ours, ours(CopyMode::Streaming)?, 1),
        Way::new("ours, 2 readers", Kind::Ours, ours(CopyMode::Auto)?, 2),
        Way::new("av_frame_ref + Mutex ring, 1 reader", Kind::Peer, MutexRing::of_references(), 1),
        Way::new("av_frame_clone + copy + Mutex ring, 1 reader", Kind::Peer, MutexRing::of_copies(), 1),
    ];
    film.play(|_| ())?;
    ensure!(film.decoder.format() == Pixel::YUV420P, "the clip is not in 8-bit 4:2:0");
    for way in &mut ways {
        way.check(&mut film)?;
    }
    for round in 0..lab.or_quick(15, 2) {
        for n in order(round, ways.len()) {
            ways[n].pass(lab, &mut film)?;
        }
        eprintln!("  round {}", round + 1);
    }
    let columns = ["wall ms/frame", "wall to none", "CPU to none", "offer p50 us", "offer p99 us", "offer max us"];
    let mut table = Table::new("Decode and export", &columns);
    let of_round = |values: &[f64], base: &[f64]| {
        median(&values.iter().zip(base).map(|(value, base)| value / base).collect::<Vec<_>>())
    };
    let (wall, cpu) = (ways[0].wall_ns.clone(), ways[0].cpu_ns.clone());
    for way in &ways {
        let times =
            [median(&way.wall_ns).map(|ns| ns / 1e6), of_round(&way.wall_ns, &wall), of_round(&way.cpu_ns, &cpu)];
        let offers = Spread::of_ticks(&lab.clock, &way.offers).filter(|_| way.kind != Kind::Limit);
        table.push(way.name, way.kind, [times.to_vec(), cells(offers, 1e3)].concat());
    }
    table.add_ratios("wall ms/frame", None);
    let frames = film.packets.len();
    Ok(Section {
        number: 5,
        question: "Decode of a real clip on one thread, with and without export",
        notes: vec![format!(
            "{width}x{height} H.264, {frames} frames, made from {} with libx264; whole passes take turns, from packets \
             in memory. *To none* is the median of each pass's ratio to the pass of the same round that decodes alone, \
             by the wall's clock and by the thread's processor time. Readers read every line of every frame that they \
             get: {} here. References keep the decoder's own buffers, which costs no copy, and takes frames from its \
             pool for as long as readers hold them.",
            source.file_name().unwrap_or_default().to_string_lossy(),
            lab.readers(2),
        )],
        tables: vec![table],
    })
}

/// The clip at 1920x1080, made once with the ffmpeg program.
pub(super) fn clip(out: &Path, source: &Path) -> Result<PathBuf> {
    let clip = out.join("clip-1080p.mp4");
    if clip.is_file() {
        return Ok(clip);
    }
    eprintln!("  making {}", clip.display());
    let part = out.join("clip-1080p.part.mp4");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(source)
        .args(["-an", "-vf", "scale=1920:1080", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"])
        .arg(&part)
        .stdin(Stdio::null())
        .status()
        .context("cannot start ffmpeg, which makes the clip; `cargo xtask setup tools` installs it")?;
    ensure!(status.success(), "ffmpeg could not make {} ({status})", clip.display());
    fs::rename(&part, &clip)?;
    Ok(clip)
}
