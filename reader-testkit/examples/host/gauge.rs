//! A camera's figures, written by its thread and read by whoever shows them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::clock::Passed;

/// Nanoseconds that a histogram tells apart: up to 10 s.
const LONGEST: u64 = 10_000_000_000;

/// One camera's figures.
pub(crate) struct Gauge {
    readings: Mutex<Readings>,
}

#[derive(Clone)]
pub(crate) struct Readings {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// How often the input was opened.
    pub(crate) opened: u64,
    /// Frames decoded.
    pub(crate) frames: u64,
    /// Packets of the present session that could not be decoded.
    pub(crate) damaged: u64,
    /// From the packet to the branches, in nanoseconds.
    pub(crate) decode: Histogram<u64>,
    /// Of that, what the thread was running.
    pub(crate) decode_cpu: Histogram<u64>,
    /// From one frame to the next, in nanoseconds.
    pub(crate) interval: Histogram<u64>,
    /// When the last frame was handed to the branches.
    last: Option<Instant>,
    /// What the tap takes, in nanoseconds.
    pub(crate) offer: Histogram<u64>,
}

impl Gauge {
    pub(crate) fn new() -> Self {
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
                last: None,
                offer: times(),
            }),
        }
    }

    pub(crate) fn readings(&self) -> MutexGuard<'_, Readings> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn opened(&self, width: u32, height: u32) {
        let mut readings = self.readings();
        readings.opened += 1;
        readings.last = None;
        (readings.width, readings.height) = (width, height);
    }

    /// A frame was handed to the branches at `handed`.
    pub(crate) fn frame(&self, handed: Instant, decode: Passed, offer: Duration, damaged: u64) {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut readings = self.readings();
        readings.frames += 1;
        readings.damaged = damaged;
        if let Some(last) = readings.last.replace(handed) {
            readings.interval.saturating_record(nanoseconds(handed - last));
        }
        readings.decode.saturating_record(nanoseconds(decode.clock));
        readings.decode_cpu.saturating_record(nanoseconds(decode.cpu));
        readings.offer.saturating_record(nanoseconds(offer));
    }
}
