//! A camera's figures, written by its thread and read by whoever shows them.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ffmpeg_next::frame::Video;
use hdrhistogram::Histogram;

use crate::clock::{Moment, Spent, Turns};
use crate::input::Source;

/// Nanoseconds that a histogram tells apart: up to 10 s.
const LONGEST: u64 = 10_000_000_000;

/// One camera's figures.
pub struct Gauge {
    readings: Mutex<Readings>,
}

#[derive(Clone)]
pub struct Readings {
    pub width: u32,
    pub height: u32,
    /// How often the input was opened.
    pub opened: u64,
    /// Frames decoded.
    pub frames: u64,
    /// Packets of the present session that could not be decoded.
    pub damaged: u64,
    /// From the packet to the branches, in nanoseconds.
    pub decode: Histogram<u64>,
    /// Of that, what the thread was running.
    pub decode_cpu: Histogram<u64>,
    /// From one frame to the next, in nanoseconds.
    pub interval: Histogram<u64>,
    /// From a frame's handing to the branches until the next one is asked for, in nanoseconds.
    pub hold: Histogram<u64>,
    /// By how much packets were taken up later than they were due, in nanoseconds.
    pub late: Histogram<u64>,
    /// What the camera's thread did, per frame, since the end of the first pass.
    pub spent: Option<Spent>,
    /// From when on, and after how many frames.
    turns: Option<(Turns, u64)>,
    /// When the last frame was handed to the branches.
    last: Option<Moment>,
    /// Where decoded frames have been: the buffers that the decoder needed.
    buffers: HashSet<usize>,
    /// What the tap takes, in nanoseconds.
    pub offer: Histogram<u64>,
}

impl Readings {
    /// Buffers that the decoder needed so far.
    pub fn buffers(&self) -> usize {
        self.buffers.len()
    }
}

impl Default for Gauge {
    fn default() -> Self {
        let times = || Histogram::new_with_max(LONGEST, 3).expect("3 digits of 10 s are in the range of a histogram");
        Self {
            readings: Mutex::new(Readings {
                width: 0,
                height: 0,
                opened: 0,
                frames: 0,
                damaged: 0,
                decode: times(),
                decode_cpu: times(),
                interval: times(),
                hold: times(),
                late: times(),
                spent: None,
                turns: None,
                last: None,
                buffers: HashSet::new(),
                offer: times(),
            }),
        }
    }
}

impl Gauge {
    pub fn readings(&self) -> MutexGuard<'_, Readings> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn opened(&self, width: u32, height: u32) {
        let mut readings = self.readings();
        readings.opened += 1;
        readings.last = None;
        (readings.width, readings.height) = (width, height);
    }

    /// A frame was handed to the branches at `handed`, and then to the tap, which took `offer`.
    pub fn frame(&self, frame: &Video, source: &mut Source, handed: Moment, offer: Duration) {
        let decode = handed.since(source.packet_at());
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut readings = self.readings();
        readings.frames += 1;
        readings.damaged = source.damaged();
        if let Some(last) = readings.last.replace(handed) {
            readings.interval.saturating_record(nanoseconds(handed.since(last).clock));
            if let Some(asked) = source.asked_at() {
                readings.hold.saturating_record(nanoseconds(asked.since(last).clock));
            }
        }
        if let Some(late) = source.late() {
            readings.late.saturating_record(nanoseconds(late));
        }
        // SAFETY: a frame's fields may be read as long as it lives.
        let pixels = unsafe { (*frame.as_ptr()).data[0] };
        readings.buffers.insert(pixels.addr());
        readings.decode.saturating_record(nanoseconds(decode.clock));
        readings.decode_cpu.saturating_record(nanoseconds(decode.cpu));
        readings.offer.saturating_record(nanoseconds(offer));
    }

    /// From now on it is noted what the thread does.
    pub fn turns(&self, now: Option<Turns>) {
        let mut readings = self.readings();
        readings.turns = now.map(|now| (now, readings.frames));
    }

    /// Up to now, unless there was no frame.
    pub fn spent(&self, now: Option<Turns>) {
        let mut readings = self.readings();
        let Some((now, (turns, before))) = now.zip(readings.turns) else { return };
        if let Ok(frames) = u32::try_from(readings.frames - before)
            && frames > 0
        {
            readings.spent = Some(now.since(turns) / frames);
        }
    }
}
