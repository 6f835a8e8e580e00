//! Which processor a thread runs on, and how far two are apart.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::clock::Clock;

/// The processors that this process may use.
pub fn usable() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_else(|_| {
        let mut set = CpuSet::new();
        set.set(0);
        set
    });
    (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()
}

/// Keeps the calling thread on one processor. A system that does not allow it moves threads as it likes.
pub fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    // Without the right to, the figures are noisier, and no less true.
    _ = sched_setaffinity(None, &set);
}

/// From so many nanoseconds on, one way, two processors are far apart: those that share a cache are nearer on every
/// machine that was looked at, others are not.
const FAR_NS: f64 = 60.0;

/// How far two processors are apart. In a virtual machine this changes with the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// They share a cache.
    Near,
    /// They do not.
    Far,
}

impl Apart {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Near, Self::Far];

    /// By the time that a line takes from one to the other.
    pub fn of(one_way_ns: f64) -> Self {
        if one_way_ns < FAR_NS { Self::Near } else { Self::Far }
    }

    /// For titles.
    pub fn name(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Far => "far",
        }
    }
}

/// Nanoseconds that a line takes from one processor to the other: half a round trip, the least of so many means: whatever
/// gets in between makes it longer.
pub fn one_way_ns(clock: &Clock, from: usize, to: usize, batches: u64) -> Option<f64> {
    const TRIPS: u64 = 200;
    let ball = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(to);
            for trip in 0..TRIPS * batches {
                // Ordering: Relaxed here and below: the line itself is all that goes to and fro.
                while ball.load(Ordering::Relaxed) != 2 * trip + 1 {
                    spin_loop();
                }
                ball.store(2 * trip + 2, Ordering::Relaxed);
            }
        });
        let measured = scope.spawn(|| {
            pin(from);
            let mut trip = 0;
            let times = (0..batches).map(|_| {
                clock.per_call(TRIPS as usize, || {
                    ball.store(2 * trip + 1, Ordering::Relaxed);
                    while ball.load(Ordering::Relaxed) != 2 * trip + 2 {
                        spin_loop();
                    }
                    trip += 1;
                }) / 2.0
            });
            times.min_by(f64::total_cmp)
        });
        measured.join().ok().flatten()
    })
}
