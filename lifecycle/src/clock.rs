//! The clock that frames are stamped with.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in nanoseconds, as in [`FrameEntry::monotonic_ns`](vas_ring::FrameEntry::monotonic_ns): what a
/// frame is stamped with, and what ages are counted from. No system call where the kernel has a vDSO.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // It starts at boot and is never negative.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Time since `stamp`, none when there was no frame yet.
pub(crate) fn age_of(stamp: u64) -> Option<Duration> {
    (stamp != 0).then(|| Duration::from_nanos(monotonic_ns().saturating_sub(stamp)))
}
