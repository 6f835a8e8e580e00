//! Recording: the frames as H.264 in Matroska, a file for each session and size.
//!
//! One thread, fixed settings and no time of day, so that the same frames give the same bytes.

use std::path::{Path, PathBuf};

use ffmpeg_next::codec::{self, encoder};
use ffmpeg_next::ffi::av_frame_ref;
use ffmpeg_next::format::{self, Pixel, context};
use ffmpeg_next::frame::Video;
use ffmpeg_next::picture::Type;
use ffmpeg_next::{Dictionary, Error, Packet, Rational};

use super::Branch;
use crate::account::Account;
use crate::input::Source;

/// Options of libx264.
const ENCODER: [(&str, &str); 4] = [("preset", "ultrafast"), ("tune", "zerolatency"), ("crf", "28"), ("threads", "1")];
/// Pictures from one key frame to the next.
const GROUP: u32 = 50;

/// A camera's recording.
pub(super) struct Recording {
    folder: PathBuf,
    camera: String,
    time_base: Rational,
    segment: Option<Segment>,
    frames: u64,
    /// Of the frames' times.
    sum: crc32fast::Hasher,
    files: Vec<PathBuf>,
    failure: Option<String>,
}

/// What makes a file of its own necessary.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: u32,
    height: u32,
    format: Pixel,
}

/// A file that is being written.
struct Segment {
    shape: Shape,
    encoder: encoder::video::Encoder,
    muxer: context::Output,
    time_base: Rational,
    last: Option<i64>,
}

impl Recording {
    pub(super) fn new(folder: &Path, camera: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            camera: camera.to_owned(),
            time_base: Rational(1, 1000),
            segment: None,
            frames: 0,
            sum: crc32fast::Hasher::new(),
            files: Vec::new(),
            failure: None,
        }
    }

    fn record(&mut self, frame: &Video) -> Result<(), Error> {
        let shape = Shape { width: frame.width(), height: frame.height(), format: frame.format() };
        if self.segment.as_ref().is_none_or(|segment| segment.shape != shape) {
            self.close()?;
            let path = self.folder.join(format!("{}-{}.mkv", self.camera, self.files.len() + 1));
            let opened = Segment::open(&path, shape, self.time_base);
            self.files.push(path);
            self.segment = Some(opened?);
        }
        match &mut self.segment {
            Some(segment) => segment.write(frame),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        self.segment.take().map_or(Ok(()), Segment::close)
    }

    fn note(&mut self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            self.failure.get_or_insert_with(|| format!("after {} frames: {error}", self.frames));
        }
    }
}

impl Branch for Recording {
    fn begin(&mut self, source: &Source) {
        let closed = self.close();
        self.note(closed);
        self.time_base = source.time_base();
    }

    fn take(&mut self, frame: &Video) {
        self.frames += 1;
        self.sum.update(&frame.timestamp().unwrap_or(i64::MIN).to_le_bytes());
        // A recording with a hole is none.
        if self.failure.is_none() {
            let recorded = self.record(frame);
            self.note(recorded);
        }
    }

    fn finish(mut self: Box<Self>) -> Account {
        let closed = self.close();
        self.note(closed);
        Account {
            name: "recording",
            frames: self.frames,
            crc32: format!("{:08x}", self.sum.finalize()),
            files: self.files,
            failure: self.failure,
            ..Account::default()
        }
    }
}

impl Segment {
    fn open(path: &Path, shape: Shape, time_base: Rational) -> Result<Self, Error> {
        let codec = encoder::find_by_name("libx264").ok_or(Error::EncoderNotFound)?;
        let mut encoder = codec::Context::new_with_codec(codec).encoder().video()?;
        encoder.set_width(shape.width);
        encoder.set_height(shape.height);
        encoder.set_format(shape.format);
        encoder.set_time_base(time_base);
        encoder.set_gop(GROUP);
        encoder.set_flags(codec::Flags::GLOBAL_HEADER | codec::Flags::BITEXACT);
        let encoder = encoder.open_with(Dictionary::from_iter(ENCODER))?;
        let mut muxer = format::output_as(path, "matroska")?;
        let mut stream = muxer.add_stream_with(&encoder)?;
        stream.set_time_base(time_base);
        // Without it the file holds random numbers and the muxer's version.
        muxer.write_header_with(Dictionary::from_iter([("fflags", "+bitexact")]))?;
        Ok(Self { shape, encoder, muxer, time_base, last: None })
    }

    fn write(&mut self, frame: &Video) -> Result<(), Error> {
        let mut own = Video::empty();
        // SAFETY: both are frames; this makes `own` another reference to the pixels, which nobody writes to.
        let referenced = unsafe { av_frame_ref(own.as_mut_ptr(), frame.as_ptr()) };
        if referenced < 0 {
            return Err(Error::from(referenced));
        }
        // The encoder wants times that rise. The camera's choice of key frames is not for it.
        let earliest = self.last.map(|last| last + 1);
        let time = frame.timestamp().max(earliest).unwrap_or(0);
        self.last = Some(time);
        own.set_pts(Some(time));
        own.set_kind(Type::None);
        self.encoder.send_frame(&own)?;
        self.drain()
    }

    /// Moves what is encoded to the file.
    fn drain(&mut self) -> Result<(), Error> {
        let mut packet = Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            let stream = self.muxer.stream(0).ok_or(Error::StreamNotFound)?.time_base();
            packet.set_stream(0);
            packet.rescale_ts(self.time_base, stream);
            packet.write_interleaved(&mut self.muxer)?;
        }
        Ok(())
    }

    fn close(mut self) -> Result<(), Error> {
        self.encoder.send_eof()?;
        self.drain()?;
        self.muxer.write_trailer()
    }
}
