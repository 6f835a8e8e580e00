//! Where a camera's frames come from: a file or an RTSP stream, opened and decoded by FFmpeg.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::slice;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ffmpeg_next::error::EAGAIN;
use ffmpeg_next::ffi::AV_NOPTS_VALUE;
use ffmpeg_next::format::context;
use ffmpeg_next::format::stream::Disposition;
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Dictionary, Error, Packet, Rational, codec, decoder, format, media};

use crate::clock::Moment;
use crate::pace::Pace;
use crate::stop::Stop;

/// Seconds per frame of a file that does not say.
const FRAME_TIME: f64 = 0.04;

/// What the user named: a file, or an `rtsp://` URL.
#[derive(Clone, Debug)]
pub struct Input {
    name: String,
}

impl FromStr for Input {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self { name: name.to_owned() })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl Input {
    pub fn file(path: &Path) -> Self {
        Self { name: path.to_string_lossy().into_owned() }
    }

    /// A name for the camera: that of the file, without its folder and its ending.
    pub fn stem(&self) -> Option<&str> {
        if self.is_live() { None } else { Path::new(&self.name).file_stem()?.to_str() }
    }

    /// Whether it is a stream that comes at its own pace and can be lost, and not a file.
    pub fn is_live(&self) -> bool {
        self.scheme().is_some()
    }

    fn scheme(&self) -> Option<&str> {
        let (scheme, _) = self.name.split_once("://")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        (!scheme.is_empty() && scheme.chars().all(plain)).then_some(scheme)
    }

    /// What FFmpeg is to open. A file's name is told apart from a URL's, so that `a:b.mp4` is a file.
    fn url(&self) -> Result<String, Reason> {
        match self.scheme() {
            Some("rtsp" | "rtsps") => Ok(self.name.clone()),
            Some(scheme) => Err(Reason::Scheme(scheme.to_owned())),
            None if self.name.contains('\0') => Err(Reason::File(io::ErrorKind::InvalidInput.into())),
            None => match fs::File::open(&self.name).and_then(|file| file.metadata()) {
                Ok(metadata) if metadata.is_dir() => Err(Reason::File(io::ErrorKind::IsADirectory.into())),
                Ok(_) => Ok(format!("file:{}", self.name)),
                Err(error) => Err(Reason::File(error)),
            },
        }
    }

    fn error(&self, reason: Reason) -> InputError {
        InputError { input: self.clone(), reason }
    }
}

/// How inputs are played.
#[derive(Clone, Copy, Debug)]
pub struct Playback {
    /// Files as fast as they decode, not at their own pace.
    pub fast: bool,
    /// How often a file is played; for ever when none.
    pub passes: Option<u64>,
    /// Whether a stream that ends is left alone, and not opened again.
    pub once: bool,
    /// How long a stream may be silent before it counts as lost.
    pub timeout: Duration,
}

/// An opened input and its decoder.
pub struct Source {
    input: Input,
    demuxer: context::Input,
    decoder: decoder::Video,
    stream: usize,
    time_base: Rational,
    /// Seconds per frame, where packets do not say how long they last.
    frame_time: f64,
    pace: Option<Pace>,
    /// By how much the last packet was taken up too late; none without a pace.
    late: Option<Duration>,
    watch: Watch,
    stop: Stop,
    /// What is added to times, since a file that is played again goes on where it ended.
    offset: i64,
    /// The first pass's first time, and the last time so far.
    span: Option<(i64, i64)>,
    /// When this frame was asked for, the first time.
    asked_at: Option<Moment>,
    packet_at: Moment,
    draining: bool,
    frames_of_pass: u64,
    /// Whether there was a frame, in this pass or before.
    begun: bool,
    damaged: u64,
}

/// What came of asking for a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Frame,
    /// The file or the stream has ended.
    End,
}

impl Source {
    /// Opens an input. Gives up when it says nothing for `playback.timeout`, or when the host ends.
    pub fn open(input: &Input, playback: Playback, stop: &Stop) -> Result<Self, InputError> {
        let watch = Watch::new(playback.timeout);
        let open = || {
            let demuxer = demuxer(input, &watch, stop)?;
            let stream = demuxer.streams().best(media::Type::Video);
            // The cover of a piece of music is a stream of video to FFmpeg.
            let stream = stream.filter(|stream| !stream.disposition().contains(Disposition::ATTACHED_PIC));
            let stream = stream.ok_or(Reason::NoVideo)?;
            let (index, time_base) = (stream.index(), stream.time_base());
            let frame_time = [stream.avg_frame_rate(), stream.rate()].map(|rate| f64::from(rate.invert()));
            let frame_time = frame_time.into_iter().find(|time| time.is_normal()).unwrap_or(FRAME_TIME);
            let mut decoder = codec::Context::from_parameters(stream.parameters()).map_err(Reason::Decoder)?.decoder();
            decoder.set_packet_time_base(time_base);
            let decoder = decoder.video().map_err(Reason::Decoder)?;
            Ok((demuxer, decoder, index, time_base, frame_time))
        };
        let (demuxer, decoder, stream, time_base, frame_time) = open().map_err(|reason| input.error(reason))?;
        let paced = !input.is_live() && !playback.fast;
        Ok(Self {
            input: input.clone(),
            demuxer,
            decoder,
            stream,
            time_base,
            frame_time,
            pace: paced.then(Pace::default),
            late: None,
            watch,
            stop: stop.clone(),
            offset: 0,
            span: None,
            asked_at: None,
            packet_at: Moment::now(),
            draining: false,
            frames_of_pass: 0,
            begun: false,
            damaged: 0,
        })
    }

    pub fn decoder(&self) -> &decoder::Video {
        &self.decoder
    }

    /// What the decoder needs beside the pictures, as the container has it.
    pub fn extradata(&self) -> Vec<u8> {
        let parameters = self.parameters();
        // SAFETY: the parameters are valid as long as they live, and say where their bytes are and how many.
        unsafe {
            let raw = &*parameters.as_ptr();
            match usize::try_from(raw.extradata_size) {
                Ok(size) if !raw.extradata.is_null() => slice::from_raw_parts(raw.extradata, size).to_vec(),
                _ => Vec::new(),
            }
        }
    }

    /// What the container says of the stream.
    pub fn parameters(&self) -> codec::Parameters {
        self.demuxer.stream(self.stream).map_or_else(codec::Parameters::new, |stream| stream.parameters())
    }

    /// Seconds per unit of the frames' times.
    pub fn time_base(&self) -> Rational {
        self.time_base
    }

    /// When the next frame was asked for after the one before: the decode loop was free from then on.
    pub fn asked_at(&mut self) -> Option<Moment> {
        self.asked_at.take()
    }

    /// When the packet was there that completed the last frame.
    pub fn packet_at(&self) -> Moment {
        self.packet_at
    }

    /// By how much the last packet was taken up later than it was due; none where packets come when they come.
    pub fn late(&self) -> Option<Duration> {
        self.late
    }

    /// Packets that could not be decoded so far.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Decodes the next frame, and shows the packets that it takes.
    pub fn next(&mut self, frame: &mut Video, mut show: impl FnMut(&Packet)) -> Result<Next, InputError> {
        self.asked_at.get_or_insert_with(Moment::now);
        loop {
            match self.decoder.receive_frame(frame) {
                Ok(()) => {
                    self.frames_of_pass += 1;
                    self.begun = true;
                    return Ok(Next::Frame);
                }
                Err(_) if self.draining && self.frames_of_pass == 0 => return Err(self.input.error(Reason::NoFrames)),
                Err(_) if self.draining => return Ok(Next::End),
                // It wants a packet.
                Err(Error::Other { errno: EAGAIN }) => {}
                Err(_) => self.damaged += 1,
            }
            let Some(packet) = self.read()? else {
                self.draining = true;
                // An error leaves the decoder without frames, which is how draining ends.
                _ = self.decoder.send_eof();
                continue;
            };
            show(&packet);
            self.packet_at = Moment::now();
            if self.decoder.send_packet(&packet).is_err() {
                self.damaged += 1;
            }
        }
    }

    /// The next packet of the stream, when it is due; none at the end.
    fn read(&mut self) -> Result<Option<Packet>, InputError> {
        loop {
            let mut packet = Packet::empty();
            self.watch.restart();
            match packet.read(&mut self.demuxer) {
                // When FFmpeg is interrupted it first gives what it had not given yet.
                Ok(()) if self.input.is_live() && self.watch.is_over() => {
                    return Err(self.input.error(Reason::Silent(self.watch.timeout)));
                }
                Ok(()) => {}
                Err(Error::Eof) => return Ok(None),
                // A file that breaks off ends where it does.
                Err(Error::InvalidData | Error::Other { .. }) if !self.input.is_live() => return Ok(None),
                Err(error) => {
                    return Err(self.input.error(Reason::of(error, Reason::Read, &self.watch, &self.stop)));
                }
            }
            if packet.stream() != self.stream {
                continue;
            }
            self.shift(&mut packet);
            // Until there is a picture nobody watches, and a broken file is found out sooner.
            if self.begun
                && let Some(pace) = &mut self.pace
            {
                let seconds = |time: i64| time as f64 * f64::from(self.time_base);
                let duration = Some(packet.duration()).filter(|&duration| duration > 0);
                let duration = duration.map_or(self.frame_time, seconds);
                self.late = Some(pace.wait_for(packet.dts().map(seconds), duration, &self.stop));
            }
            return Ok(Some(packet));
        }
    }

    /// Moves a packet's times to the pass that it is played in.
    fn shift(&mut self, packet: &mut Packet) {
        let shifted = |time: Option<i64>| time.map(|time| time.saturating_add(self.offset).max(AV_NOPTS_VALUE + 1));
        let (pts, dts) = (shifted(packet.pts()), shifted(packet.dts()));
        packet.set_pts(pts);
        packet.set_dts(dts);
        if let Some(time) = pts.or(dts) {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first, last.max(time.saturating_add(packet.duration()))));
        }
    }

    /// Starts a file that has ended again, its times going on from the end.
    pub fn rewind(&mut self) -> Result<(), InputError> {
        if let Some((first, last)) = self.span {
            self.offset = last.saturating_sub(first);
        }
        self.watch.restart();
        // What has no index cannot seek.
        if self.demuxer.seek(0, ..).is_err() {
            let reopened = demuxer(&self.input, &self.watch, &self.stop);
            self.demuxer = reopened.map_err(|reason| self.input.error(reason))?;
        }
        self.decoder.flush();
        self.draining = false;
        self.frames_of_pass = 0;
        Ok(())
    }
}

/// Opens what the input names.
fn demuxer(input: &Input, watch: &Watch, stop: &Stop) -> Result<context::Input, Reason> {
    let url = input.url()?;
    let mut options = Dictionary::new();
    if input.is_live() {
        options.set("rtsp_transport", "tcp");
    }
    watch.restart();
    format::input_with_interrupt_and_dictionary(&url, watch.interrupt(stop), options)
        .map_err(|error| Reason::of(error, Reason::Open, watch, stop))
}

/// Ends a call of FFmpeg that takes too long.
struct Watch {
    timeout: Duration,
    start: Instant,
    /// Milliseconds after `start` when the call has taken too long.
    deadline: Arc<AtomicU64>,
}

impl Watch {
    fn new(timeout: Duration) -> Self {
        Self { timeout, start: Instant::now(), deadline: Arc::default() }
    }

    /// Another call begins.
    fn restart(&self) {
        let deadline = (self.start.elapsed() + self.timeout).as_millis();
        // Ordering: Relaxed, it is set and read on the thread that calls FFmpeg.
        self.deadline.store(u64::try_from(deadline).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What FFmpeg asks while it waits: whether to give up.
    fn interrupt(&self, stop: &Stop) -> impl FnMut() -> bool + Send + 'static {
        let (start, deadline, stop) = (self.start, self.deadline.clone(), stop.clone());
        move || stop.is_set() || is_over(start, &deadline)
    }

    fn is_over(&self) -> bool {
        is_over(self.start, &self.deadline)
    }
}

fn is_over(start: Instant, deadline: &AtomicU64) -> bool {
    // Ordering: Relaxed, as in `Watch::restart`.
    start.elapsed().as_millis() > u128::from(deadline.load(Ordering::Relaxed))
}

/// Why an input gives no frames: one line that names it and the reason.
#[derive(Debug)]
pub struct InputError {
    input: Input,
    reason: Reason,
}

impl InputError {
    /// The host ended, which is nobody's fault.
    pub fn is_stop(&self) -> bool {
        matches!(self.reason, Reason::Stopped)
    }
}

#[derive(Debug)]
enum Reason {
    File(io::Error),
    Scheme(String),
    Open(Error),
    NoVideo,
    Decoder(Error),
    NoFrames,
    Read(Error),
    Silent(Duration),
    Stopped,
}

impl Reason {
    /// What an error of FFmpeg means. What it says of a call that was interrupted depends on where it was.
    fn of(error: Error, otherwise: fn(Error) -> Self, watch: &Watch, stop: &Stop) -> Self {
        if stop.is_set() {
            Self::Stopped
        } else if watch.is_over() {
            Self::Silent(watch.timeout)
        } else {
            otherwise(error)
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.input)?;
        match &self.reason {
            Reason::File(error) => error.fmt(f),
            Reason::Scheme(scheme) => write!(f, "is neither a file nor an rtsp:// URL, but {scheme}://"),
            Reason::Open(Error::InvalidData) => f.write_str("is not a video that FFmpeg can read, or is broken"),
            Reason::Open(error) => write!(f, "cannot be opened: {error}"),
            Reason::NoVideo => f.write_str("has no video"),
            Reason::Decoder(error) => write!(f, "has video that FFmpeg cannot decode: {error}"),
            Reason::NoFrames => f.write_str("has video, but not one frame of it can be decoded"),
            Reason::Read(error) => write!(f, "cannot be read on: {error}"),
            Reason::Silent(timeout) => write!(f, "has said nothing for {} s", timeout.as_secs_f64()),
            Reason::Stopped => f.write_str("was not waited for, since the host ended"),
        }
    }
}

impl std::error::Error for InputError {}
