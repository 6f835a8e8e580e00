//! Memory over time: what export says that it takes, what the process has, and whether that is flat.

use std::time::Duration;

use vas_lifecycle::ExportStats;

use vas_host::process::Memory;

/// What may move in a process that decodes: libraries allocate, threads come and go.
pub(crate) const SLACK: i64 = 8 << 20;

/// For how many moments in a row a ring may be in the making: memory is mapped by a thread that may have to wait.
const MOST_UNOWNED: u32 = 50;

/// One moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    /// Bytes of export.
    pub(crate) export: u64,
    /// Bytes in physical memory.
    pub(crate) resident: u64,
}

/// All moments, and what was wrong at some.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    pub(crate) all: Vec<Sample>,
    /// Moments at which what all rings have was what export says that it takes.
    pub(crate) added_up: u64,
    /// Moments in a row at which more was in use than the rings had.
    unowned: u32,
    /// By how much that may be: a ring in the making for each camera.
    most_unowned: usize,
    pub(crate) faults: Vec<String>,
}

impl Samples {
    pub(crate) fn new(most_unowned: usize) -> Self {
        Self { most_unowned, ..Self::default() }
    }

    pub(crate) fn take(&mut self, at: Duration, stats: &ExportStats) {
        let ExportStats { bytes_in_use, budget, bytes_idle, .. } = stats;
        if bytes_in_use > budget {
            self.faults.push(format!("{bytes_in_use} bytes are in use of a budget of {budget}"));
        }
        let rings = sum(stats) + bytes_idle;
        if rings == *bytes_in_use {
            self.added_up += 1;
            self.unowned = 0;
        } else {
            // While a ring is being made its bytes are taken and nobody's.
            self.unowned += 1;
        }
        let gap = bytes_in_use.checked_sub(rings);
        if gap.is_none_or(|gap| gap > self.most_unowned) || self.unowned == MOST_UNOWNED {
            self.faults.push(format!("{bytes_in_use} bytes are in use, but the rings have {rings}"));
        }
        self.all.push(Sample { at, export: *bytes_in_use as u64, resident: Memory::now().resident });
    }

    /// How much more the process has, beside export, in the last quarter of the time than in the second.
    pub(crate) fn growth(&self) -> i64 {
        let quarter = |n: usize| median(&self.all[n * self.all.len() / 4..(n + 1) * self.all.len() / 4]);
        quarter(3) - quarter(1)
    }

    pub(crate) fn most_export(&self) -> u64 {
        self.all.iter().map(|sample| sample.export).max().unwrap_or(0)
    }
}

/// Bytes of all rings, written and retired.
pub(crate) fn sum(stats: &ExportStats) -> usize {
    let written: usize = stats.cameras.iter().map(|camera| camera.bytes).sum();
    written + stats.retired.iter().map(|ring| ring.bytes).sum::<usize>()
}

/// The median, which a moment's peak does not move.
fn median(samples: &[Sample]) -> i64 {
    let beside = |sample: &Sample| sample.resident.saturating_sub(sample.export);
    let mut beside: Vec<_> = samples.iter().map(beside).collect();
    beside.sort_unstable();
    beside.get(beside.len() / 2).map_or(0, |&bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(resident: impl Fn(u64) -> u64) -> Samples {
        let sample = |n| Sample { at: Duration::from_secs(n), export: 1 << 20, resident: resident(n) };
        Samples { all: (0..40).map(sample).collect(), ..Samples::default() }
    }

    #[test]
    fn what_belongs_to_no_ring_is_bounded() {
        let mut samples = Samples::new(100);
        let stats = |bytes_in_use| ExportStats { bytes_in_use, bytes_idle: 50, budget: 1000, ..ExportStats::default() };
        for bytes in [50, 150] {
            samples.take(Duration::ZERO, &stats(bytes));
        }
        assert_eq!((samples.faults.len(), samples.added_up), (0, 1));
        for (n, bytes) in [49, 151, 1001].into_iter().enumerate() {
            samples.take(Duration::ZERO, &stats(bytes));
            assert!(samples.faults.len() > n, "{bytes}");
        }
    }

    #[test]
    fn growth_is_seen_and_a_peak_is_not() {
        assert_eq!(samples(|_| 100 << 20).growth(), 0);
        assert_eq!(samples(|n| if n == 35 { 900 << 20 } else { 100 << 20 }).growth(), 0);
        assert_eq!(samples(|n| (100 + n) << 20).growth(), 20 << 20);
        assert_eq!(Samples::default().growth(), 0);
    }
}
