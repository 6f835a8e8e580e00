//! Readers as plain steps: whoever drives them brings the thread and the clock.

mod hostile;
mod polite;

use std::time::Duration;

use vas_lifecycle::Counts;
use vas_ring::Lease;

pub use hostile::{Leaking, PANIC_MESSAGE, Panicking, Spinning, Stalled, keep_quiet_about_panics};
pub use polite::{Brisk, Rated, Slow};

/// A reader, one step at a time. No step blocks.
pub trait Step {
    /// Does what the reader does at `now`, counted from anywhere, and shows each frame that it takes to `look` while
    /// it has it.
    fn step(&mut self, now: Duration, look: &mut dyn FnMut(&Lease)) -> Stepped;

    /// What the reader got and missed so far.
    fn counts(&self) -> Counts;
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// The reader took a frame.
    Took,
    /// It did not: there is nothing new, or it is still busy with the last frame.
    Waited,
    /// It may not: its leases are all out.
    Refused,
    /// It cannot: there is no writer.
    Closed,
}

/// Which frame a reader asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    /// The newest: what analysis of a live picture wants.
    #[default]
    Newest,
    /// One after the other.
    Oldest,
}
