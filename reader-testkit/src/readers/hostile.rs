//! Readers that do what no reader should.

use std::mem;
use std::panic;
use std::time::Duration;

use vas_lifecycle::Counts;
use vas_ring::Lease;

use super::{Step, Stepped};
use crate::Source;

/// Takes as many frames as it may, and holds them as long as it lives.
#[derive(Debug)]
pub struct Stalled<S> {
    source: S,
    held: Vec<Lease>,
}

impl<S: Source> Stalled<S> {
    /// A reader of `source`.
    pub fn new(source: S) -> Self {
        Self { source, held: Vec::new() }
    }

    /// The frames that are held, in the order in which they were taken.
    pub fn held(&self) -> &[Lease] {
        &self.held
    }

    /// Gives all of them back.
    pub fn let_go(&mut self) {
        self.held.clear();
    }
}

impl<S: Source> Step for Stalled<S> {
    fn step(&mut self, _now: Duration, look: &mut dyn FnMut(&Lease)) -> Stepped {
        self.source.newest().then(|frame| {
            look(&frame);
            self.held.push(frame);
        })
    }

    fn counts(&self) -> Counts {
        self.source.counts()
    }
}

/// Forgets each frame that it takes, so that it is leased for good.
#[derive(Debug)]
pub struct Leaking<S> {
    source: S,
}

impl<S: Source> Leaking<S> {
    /// A reader of `source`.
    pub fn new(source: S) -> Self {
        Self { source }
    }
}

impl<S> Leaking<S> {
    /// What it read, for a reader that does not leak.
    pub fn into_source(self) -> S {
        self.source
    }
}

impl<S: Source> Step for Leaking<S> {
    fn step(&mut self, _now: Duration, look: &mut dyn FnMut(&Lease)) -> Stepped {
        self.source.newest().then(|frame| {
            look(&frame);
            mem::forget(frame);
        })
    }

    fn counts(&self) -> Counts {
        self.source.counts()
    }
}

/// What a [`Panicking`] reader panics with.
pub const PANIC_MESSAGE: &str = "the panicking reader panics, as it should";

/// Leaves the panics of [`Panicking`] readers out of standard error, for the life of the process; others go to the panic
/// hook that is there now.
pub fn keep_quiet_about_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        if text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)) != Some(PANIC_MESSAGE) {
            usual(info);
        }
    }));
}

/// Panics while it holds a frame, on every n-th frame that it takes.
#[derive(Debug)]
pub struct Panicking<S> {
    source: S,
    every: u64,
    taken: u64,
}

impl<S: Source> Panicking<S> {
    /// A reader of `source` that panics on every `every`-th frame; 0 is taken as 1.
    pub fn new(source: S, every: u64) -> Self {
        Self { source, every: every.max(1), taken: 0 }
    }
}

impl<S: Source> Step for Panicking<S> {
    /// # Panics
    ///
    /// With [`PANIC_MESSAGE`], on every n-th frame. The reader may be stepped again after the panic was caught.
    fn step(&mut self, _now: Duration, look: &mut dyn FnMut(&Lease)) -> Stepped {
        self.source.newest().then(|frame| {
            look(&frame);
            self.taken += 1;
            assert!(!self.taken.is_multiple_of(self.every), "{PANIC_MESSAGE}");
        })
    }

    fn counts(&self) -> Counts {
        self.source.counts()
    }
}

/// Asks again and again in one step until there is a frame, and never rests if it is stepped without a pause. It takes
/// one frame in a step, as the others do, so that its counts are those at that frame.
#[derive(Debug)]
pub struct Spinning<S> {
    source: S,
    spins: u32,
}

impl<S: Source> Spinning<S> {
    /// A reader that asks up to `spins` times in each step; 0 is taken as 1.
    pub fn new(source: S, spins: u32) -> Self {
        Self { source, spins: spins.max(1) }
    }
}

impl<S: Source> Step for Spinning<S> {
    fn step(&mut self, _now: Duration, look: &mut dyn FnMut(&Lease)) -> Stepped {
        for _ in 0..self.spins {
            match self.source.newest().then(|frame| look(&frame)) {
                Stepped::Waited => {}
                stepped => return stepped,
            }
        }
        Stepped::Waited
    }

    fn counts(&self) -> Counts {
        self.source.counts()
    }
}
