//! Which processor a thread runs on, and how far two are apart.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::clock::Clock;
use super::spread::median;

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

/// Nanoseconds that a line takes from one processor to the other: half a round trip, the median of many.
pub fn one_way_ns(clock: &Clock, from: usize, to: usize) -> Option<f64> {
    const TRIPS: u64 = 1_000;
    const BATCHES: u64 = 50;
    let ball = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(to);
            for trip in 0..TRIPS * BATCHES {
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
            let batches = (0..BATCHES).map(|_| {
                clock.per_call(TRIPS as usize, || {
                    ball.store(2 * trip + 1, Ordering::Relaxed);
                    while ball.load(Ordering::Relaxed) != 2 * trip + 2 {
                        spin_loop();
                    }
                    trip += 1;
                }) / 2.0
            });
            median(&batches.collect::<Vec<_>>())
        });
        measured.join().ok().flatten()
    })
}
