//! The time that a thread takes: by the clock, and of the processor.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

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
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        Self { at: Instant::now(), cpu: Duration::try_from(cpu).unwrap_or_default() }
    }

    pub(crate) fn at(self) -> Instant {
        self.at
    }

    /// What has passed since a moment on the same thread.
    pub(crate) fn since(self, earlier: Self) -> Passed {
        Passed { clock: self.at - earlier.at, cpu: self.cpu.saturating_sub(earlier.cpu) }
    }
}
