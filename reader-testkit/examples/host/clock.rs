//! The time that a thread takes: by the clock, and of the processor.

use std::time::{Duration, Instant};

use libc::{CLOCK_THREAD_CPUTIME_ID, clock_gettime, timespec};

/// A moment on a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    at: Instant,
    cpu: Duration,
}

/// What passed from one moment of a thread to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    pub(crate) clock: Duration,
    /// Less than by the clock when the thread had to wait, for a core above all.
    pub(crate) cpu: Duration,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let mut cpu = timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: it writes to the time that it is given. Should it fail, which it cannot for this clock, no time passes.
        unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &raw mut cpu) };
        let (seconds, nanoseconds) = (cpu.tv_sec.unsigned_abs(), cpu.tv_nsec.unsigned_abs());
        let cpu = Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds);
        Self { at: Instant::now(), cpu }
    }

    pub(crate) fn at(self) -> Instant {
        self.at
    }

    /// What has passed since a moment on the same thread.
    pub(crate) fn since(self, earlier: Self) -> Passed {
        Passed { clock: self.at - earlier.at, cpu: self.cpu.saturating_sub(earlier.cpu) }
    }
}
