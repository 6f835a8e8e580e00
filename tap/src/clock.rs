//! The time at which a frame was offered.

/// `CLOCK_MONOTONIC` in nanoseconds. No system call where the kernel offers the clock through its vDSO.
#[cfg(unix)]
pub(crate) fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a whole `timespec`. A failure, which this clock does not have, leaves zero.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

/// The standard library's monotonic clock, in nanoseconds since it was first asked.
#[cfg(not(unix))]
pub(crate) fn monotonic_ns() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn counts_nanoseconds() {
        let (start, before) = (Instant::now(), monotonic_ns());
        std::thread::sleep(Duration::from_millis(20));
        let (ns, real) = (monotonic_ns() - before, start.elapsed().as_nanos() as u64);
        assert!((20_000_000..=real).contains(&ns), "{ns} ns by the clock, at most {real}");
    }
}
