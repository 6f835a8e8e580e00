//! What a camera's thread knows of its frames, for its readers to check against.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Frames whose sums are kept: seconds of them, and a reader takes one of the newest few.
const KEPT: usize = 1 << 14;
/// One camera's.
pub(crate) struct Ledger {
    books: Mutex<Books>,
}

struct Books {
    /// Frame id and CRC-32 of the samples, at the id modulo [`KEPT`].
    sums: Vec<Option<(u64, u32)>>,
    /// The id after the last one of each start that has ended.
    ends: BTreeMap<u32, u64>,
    /// Nothing will be started any more.
    over: bool,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { books: Mutex::new(Books { sums: vec![None; KEPT], ends: BTreeMap::new(), over: false }) }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The frame that is about to be offered has these samples.
    pub(crate) fn expect(&self, id: u64, sum: u32) {
        self.books().sums[id as usize % KEPT] = Some((id, sum));
    }

    /// The sum of a frame; none when nobody wrote it down.
    pub(crate) fn sum(&self, id: u64) -> Option<u32> {
        self.books().sums[id as usize % KEPT].filter(|&(kept, _)| kept == id).map(|(_, sum)| sum)
    }

    /// The start `epoch` has ended, and the next frame has the id `next`.
    pub(crate) fn end(&self, epoch: u32, next: u64) {
        self.books().ends.insert(epoch, next);
    }

    /// The id after the last frame of all.
    pub(crate) fn end_of_all(&self) -> u64 {
        self.books().ends.values().copied().max().unwrap_or(0)
    }

    /// The camera is not started again.
    pub(crate) fn close(&self) {
        self.books().over = true;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.books().over
    }
}
