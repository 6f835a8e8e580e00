//! Where and how the measurements are made.

use std::collections::BTreeMap;

use super::clock::Clock;
use super::cores::{self, Apart, pin};

/// The machine's clock and processors, and how long to go on.
#[derive(Clone)]
pub struct Lab {
    /// Reads time.
    pub clock: Clock,
    /// How many processors there are to use.
    pub cores: usize,
    /// Where writers run.
    pub writer_core: usize,
    /// Where readers run, in turn.
    pub reader_cores: Vec<usize>,
    /// A short pass, for the checks: its times are not to be used.
    pub quick: bool,
    /// Contenders that failed their check, and how.
    pub unfit: BTreeMap<&'static str, String>,
}

impl Lab {
    /// On this machine. The calling thread, which is the writer, stays on one processor from here on.
    pub fn new(quick: bool) -> Self {
        let cores = cores::usable();
        let writer_core = cores.first().copied().unwrap_or(0);
        pin(writer_core);
        let reader_cores = if cores.len() > 1 { cores[1..].to_vec() } else { cores.clone() };
        Self { clock: Clock::calibrate(), cores: cores.len(), writer_core, reader_cores, quick, unfit: BTreeMap::new() }
    }

    /// How far the first reader's processor is from the writer's at the moment, one way, in nanoseconds. None when they
    /// share one.
    pub fn one_way_ns(&self) -> Option<f64> {
        let reader = *self.reader_cores.first()?;
        (reader != self.writer_core)
            .then(|| cores::one_way_ns(&self.clock, self.writer_core, reader, self.or_quick(20, 5)))?
    }

    /// The same lab with the first reader on the nearest core, and one with it on the farthest if that is farther away.
    pub fn near_and_far(&self) -> Vec<Self> {
        let first = |core: usize| {
            let others = self.reader_cores.iter().copied().filter(|&other| other != core);
            Self { reader_cores: std::iter::once(core).chain(others).collect(), ..self.clone() }
        };
        let at = |&core: &usize| Some((core, cores::one_way_ns(&self.clock, self.writer_core, core, 20)?));
        let others = self.reader_cores.iter().filter(|&&core| core != self.writer_core);
        let mut at: Vec<_> = others.take(64).filter_map(at).collect();
        at.sort_by(|a, b| a.1.total_cmp(&b.1));
        match at[..] {
            [near, .., far] if Apart::of(near.1) != Apart::of(far.1) => vec![first(near.0), first(far.0)],
            [near, ..] => vec![first(near.0)],
            [] => vec![self.clone()],
        }
    }

    /// Puts the calling thread where the reader with this number runs.
    pub fn pin_reader(&self, number: usize) {
        pin(self.reader_cores[number % self.reader_cores.len()]);
    }

    /// One of two numbers: of the full run, of the quick one.
    pub fn or_quick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// How a number of readers is to be spoken of.
    pub fn readers(&self, readers: usize) -> String {
        let plural = if readers == 1 { "" } else { "s" };
        let cores = self.reader_cores.len();
        if readers > cores {
            format!("{readers} reader{plural} sharing {cores} core{}", if cores == 1 { "" } else { "s" })
        } else {
            format!("{readers} reader{plural}")
        }
    }
}
