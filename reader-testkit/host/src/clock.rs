//! The time that a thread takes: by the clock, and of the processor.

use std::fs;
use std::ops::Div;
use std::time::{Duration, Instant};

use libc::{CLOCK_THREAD_CPUTIME_ID, clock_gettime, timespec};

/// A moment on a thread.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: Instant,
    cpu: Duration,
}

/// What passed from one moment of a thread to another.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    pub clock: Duration,
    /// Less than by the clock when the thread had to wait, for a core above all.
    pub cpu: Duration,
}

impl Moment {
    pub fn now() -> Self {
        let mut cpu = timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: it writes to the time that it is given. Should it fail, which it cannot for this clock, no time passes.
        unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &raw mut cpu) };
        let (seconds, nanoseconds) = (cpu.tv_sec.unsigned_abs(), cpu.tv_nsec.unsigned_abs());
        let cpu = Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds);
        Self { at: Instant::now(), cpu }
    }

    /// What has passed since a moment on the same thread.
    pub fn since(self, earlier: Self) -> Passed {
        Passed { clock: self.at - earlier.at, cpu: self.cpu.saturating_sub(earlier.cpu) }
    }
}

/// What the kernel says that this thread did so far: other work on the machine shows in neither of the two.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    at: Instant,
    /// On a core, and waiting for one.
    ran: Duration,
    queued: Duration,
}

/// What a thread did from one moment to another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// On a core.
    pub ran: Duration,
    /// Neither on a core nor waiting for one: asleep, or held up by something.
    pub blocked: Duration,
}

impl Div<u32> for Spent {
    type Output = Self;

    fn div(self, parts: u32) -> Self {
        Self { ran: self.ran / parts, blocked: self.blocked / parts }
    }
}

impl Turns {
    /// Now; none where the kernel does not say.
    pub fn now() -> Option<Self> {
        let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        let mut times = text.split_whitespace().map_while(|word| word.parse().ok().map(Duration::from_nanos));
        Some(Self { at: Instant::now(), ran: times.next()?, queued: times.next()? })
    }

    /// What the same thread has done since.
    pub fn since(self, earlier: Self) -> Spent {
        let ran = self.ran.saturating_sub(earlier.ran);
        let busy = ran + self.queued.saturating_sub(earlier.queued);
        Spent { ran, blocked: (self.at - earlier.at).saturating_sub(busy) }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_sleep_is_told_from_work() {
        let Some(start) = Turns::now() else { return };
        thread::sleep(Duration::from_millis(50));
        let slept = Turns::now().expect("as before").since(start);
        assert!(slept.blocked >= Duration::from_millis(45), "{slept:?}");
        let start = Turns::now().expect("as before");
        while Turns::now().expect("as before").since(start).ran < Duration::from_millis(50) {}
        let worked = Turns::now().expect("as before").since(start);
        assert!(worked.ran > 2 * worked.blocked, "{worked:?}");
    }
}
