//! The MediaSoup producer: the camera's encoded pictures as RTP, as they came.

use std::str::FromStr;

use ffmpeg_next::format::{self, context};
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Dictionary, Error, Packet, Rational};

use super::Branch;
use crate::account::Account;
use crate::avcc::parameter_sets;
use crate::input::Source;

/// Of RTP with H.264.
const CLOCK: Rational = Rational(1, 90_000);
/// The most bytes of a packet: fits wherever MediaSoup sends it.
const PACKET: u32 = 1200;
const HEADER: [(&str, &str); 2] = [("ssrc", "22222222"), ("payload_type", "96")];

/// Ports of 127.0.0.1 that take RTP and RTCP.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    rtp: u16,
    rtcp: u16,
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ports = text.split_once(':').and_then(|(rtp, rtcp)| Some((rtp.parse().ok()?, rtcp.parse().ok()?)));
        let (rtp, rtcp) = ports.ok_or("accepted are two ports, RTP:RTCP, such as 5004:5005")?;
        Ok(Self { rtp, rtcp })
    }
}

/// Sends one camera.
pub(super) struct Producer {
    target: Target,
    muxer: Option<context::Output>,
    time_base: Rational,
    /// SPS and PPS of a stream that has them beside its pictures, and not before its key frames.
    parameter_sets: Vec<u8>,
    /// Where the times of this session start, and the last time that was sent.
    offset: i64,
    last: i64,
    pictures: u64,
    frames: u64,
    sum: crc32fast::Hasher,
    failure: Option<String>,
}

impl Producer {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            muxer: None,
            time_base: CLOCK,
            parameter_sets: Vec::new(),
            offset: 0,
            last: 0,
            pictures: 0,
            frames: 0,
            sum: crc32fast::Hasher::new(),
            failure: None,
        }
    }

    fn open(&mut self, source: &Source) -> Result<(), Error> {
        self.time_base = source.time_base();
        self.parameter_sets = parameter_sets(&source.extradata());
        // A stream that is opened again goes on where it was.
        self.offset = self.last + i64::from(CLOCK.denominator() / 25);
        if self.muxer.is_none() {
            let Target { rtp, rtcp } = self.target;
            let url = format!("rtp://127.0.0.1:{rtp}?rtcpport={rtcp}&pkt_size={PACKET}");
            let mut muxer = format::output_as(&url, "rtp")?;
            let mut stream = muxer.add_stream(None)?;
            stream.set_parameters(source.parameters());
            stream.set_time_base(CLOCK);
            muxer.write_header_with(Dictionary::from_iter(HEADER))?;
            self.muxer = Some(muxer);
        }
        Ok(())
    }

    fn send(&mut self, packet: &Packet) -> Result<(), Error> {
        let (Some(muxer), Some(data)) = (&mut self.muxer, packet.data()) else { return Ok(()) };
        let complete;
        let data = if packet.is_key() && !self.parameter_sets.is_empty() {
            complete = [&self.parameter_sets, data].concat();
            &complete
        } else {
            data
        };
        self.sum.update(data);
        let mut copy = Packet::copy(data);
        copy.set_stream(0);
        copy.set_flags(packet.flags());
        copy.set_pts(packet.pts().or(packet.dts()).or(Some(0)));
        copy.rescale_ts(self.time_base, CLOCK);
        let time = copy.pts().unwrap_or(0).saturating_add(self.offset);
        self.last = self.last.max(time);
        copy.set_pts(Some(time));
        // RTP has no decoding time; the muxer only asks that it rises and is not after the other.
        let order = i64::try_from(self.pictures).unwrap_or(i64::MAX);
        copy.set_dts(Some(order - (1 << 40)));
        self.pictures += 1;
        copy.write(muxer).map(drop)
    }

    fn note(&mut self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            self.failure.get_or_insert_with(|| format!("after {} pictures: {error}", self.pictures));
        }
    }
}

impl Branch for Producer {
    fn begin(&mut self, source: &Source) {
        let opened = self.open(source);
        self.note(opened);
    }

    fn packet(&mut self, packet: &Packet) {
        let sent = self.send(packet);
        self.note(sent);
    }

    fn take(&mut self, _frame: &Video) {
        self.frames += 1;
    }

    fn finish(mut self: Box<Self>) -> Account {
        if let Some(mut muxer) = self.muxer.take() {
            let ended = muxer.write_trailer();
            self.note(ended);
        }
        Account {
            name: "producer",
            frames: self.frames,
            crc32: format!("{:08x}", self.sum.finalize()),
            pictures: Some(self.pictures),
            failure: self.failure,
            ..Account::default()
        }
    }
}
