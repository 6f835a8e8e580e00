//! Frames that were offered to a ring and not published.

use crate::stats::{CAUSES, DropCause, Dropped};
use crate::sync::{AtomicU64, Counter, Ordering};

/// What frame ids skip, so it wraps as those do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drops {
    /// For any cause but [`DropCause::Unwanted`].
    pub(crate) dropped: u64,
    pub(crate) unwanted: u64,
}

impl Drops {
    pub(crate) fn total(self) -> u64 {
        self.dropped.wrapping_add(self.unwanted)
    }
}

/// The counts, written by the writer.
#[derive(Debug)]
pub(crate) struct DropCounters {
    dropped: AtomicU64,
    unwanted: AtomicU64,
    by_cause: [Counter; CAUSES],
}

impl DropCounters {
    pub(crate) fn new() -> Self {
        Self { dropped: AtomicU64::new(0), unwanted: AtomicU64::new(0), by_cause: Default::default() }
    }

    /// Writer: `n` more frames were dropped.
    #[inline]
    pub(crate) fn add(&self, cause: DropCause, n: u64) {
        self.by_cause[cause as usize].add(n);
        let count = if cause == DropCause::Unwanted { &self.unwanted } else { &self.dropped };
        // Ordering: Relaxed, the writer's own last store.
        let drops = count.load(Ordering::Relaxed).wrapping_add(n);
        // Ordering: Release pairs with the Acquire of `load`: who sees this count sees the head and the other count that it
        // follows.
        count.store(drops, Ordering::Release);
    }

    /// Both counts. They are of one moment where [`Shared::head_and_drops`](crate::shared::Shared::head_and_drops) says so.
    pub(crate) fn load(&self) -> Drops {
        // Ordering: Acquire pairs with the Release of `add`, for both.
        let dropped = self.dropped.load(Ordering::Acquire);
        Drops { dropped, unwanted: self.unwanted.load(Ordering::Acquire) }
    }

    /// Anyone: each cause's count, for statistics.
    pub(crate) fn by_cause(&self) -> Dropped {
        let mut dropped = Dropped::default();
        for &cause in DropCause::ALL {
            dropped.add(cause, self.by_cause[cause as usize].get());
        }
        dropped
    }
}
