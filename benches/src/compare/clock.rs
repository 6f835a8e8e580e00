//! Time in single nanoseconds.

use std::time::{Duration, Instant};

/// A clock that costs little to read, and knows how much.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    ticks_per_ns: f64,
    overhead: u64,
    mean_overhead: f64,
    step: u64,
}

impl Clock {
    /// Finds out how fast the clock ticks, and what reading it costs.
    pub fn calibrate() -> Self {
        let (start, ticks) = (Instant::now(), ticks());
        while start.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        let ticks_per_ns = (self::ticks() - ticks) as f64 / start.elapsed().as_nanos() as f64;
        let mut pairs: Vec<u64> = (0..10_001)
            .map(|_| {
                let start = self::ticks();
                self::ticks() - start
            })
            .collect();
        pairs.sort_unstable();
        // On some processors the counter moves in steps of many ticks.
        let steps = pairs.windows(2).map(|pair| pair[1] - pair[0]).filter(|&step| step > 0);
        // Not the longest, which were interrupted.
        let quiet = &pairs[..pairs.len() - pairs.len() / 100];
        let mean_overhead = quiet.iter().sum::<u64>() as f64 / quiet.len() as f64;
        Self { ticks_per_ns, overhead: pairs[pairs.len() / 2], mean_overhead, step: steps.min().unwrap_or(1) }
    }

    /// Ticks since some time. Nothing before it is still going on, and nothing after it has begun.
    #[inline(always)]
    pub fn now(&self) -> u64 {
        ticks()
    }

    /// Nanoseconds of a time that was taken as the difference of two readings, less what reading cost.
    pub fn ns(&self, ticks: u64) -> f64 {
        ticks.saturating_sub(self.overhead) as f64 / self.ticks_per_ns
    }

    /// The mean of many times, in nanoseconds: finer than the clock's steps. The longest, one in a hundred, are left out,
    /// as they were interrupted. None of nothing.
    pub fn mean_ns(&self, ticks: &[u64]) -> Option<f64> {
        let mut ticks = ticks.to_vec();
        ticks.sort_unstable();
        let quiet = &ticks[..ticks.len() - ticks.len() / 100];
        let mean = quiet.iter().sum::<u64>() as f64 / quiet.len() as f64;
        (!quiet.is_empty()).then_some((mean - self.mean_overhead) / self.ticks_per_ns)
    }

    /// Ticks in so many nanoseconds.
    pub fn ticks(&self, ns: f64) -> u64 {
        (ns * self.ticks_per_ns) as u64
    }

    /// What two readings in a row differ by, which is taken off each time, in nanoseconds.
    pub fn overhead_ns(&self) -> f64 {
        self.overhead as f64 / self.ticks_per_ns
    }

    /// The smallest difference that it shows, in nanoseconds.
    pub fn step_ns(&self) -> f64 {
        self.step as f64 / self.ticks_per_ns
    }

    /// Nanoseconds per call, over `n` calls timed as one.
    #[inline]
    pub fn per_call(&self, n: usize, mut call: impl FnMut()) -> f64 {
        let start = self.now();
        for _ in 0..n {
            call();
        }
        self.ns(self.now() - start) / n as f64
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unused_unsafe, reason = "safe from Rust 1.87 on")]
fn ticks() -> u64 {
    use std::arch::x86_64::{_mm_lfence, _rdtsc};
    // SAFETY: every x86-64 processor has them.
    unsafe {
        _mm_lfence();
        let ticks = _rdtsc();
        _mm_lfence();
        ticks
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn ticks() -> u64 {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
