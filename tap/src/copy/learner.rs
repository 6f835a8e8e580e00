//! Which kernel is the cheapest, found out while frames are copied.
//!
//! What a kernel costs depends on the processor, on how far the readers' cores are, and on what else the machine does,
//! and changes when the system moves threads. So some copies are timed, and now and then a few are made with a kernel that
//! is not the one in use. All that is kept are the last few costs of each kernel, apart for frames of different sizes
//! and for slots that were leased, whose lines a reader's core has, and that were not.
//!
//! The times come from outside: this is a function of what it is told, and nothing else.

use core::fmt;

use super::kernel::Kernel;

/// One in so many copies is timed.
const TIMED: u64 = 16;

/// One in so many copies is made with a kernel that is not the one in use.
const TRIED: u32 = 256;

/// The same until each kernel has been timed twice.
const TRIED_AT_FIRST: u32 = 4;

/// Copies of one trial, of which the last is timed: what a copy takes depends on how the former one into the same slot was
/// made. Measured on rows of 1080p with gaps and a far reader: one streaming copy among ordinary ones takes as long as
/// those, and 0.6 of it among its own. Twice the slots that take turns by default.
const RUN: u32 = 8;

/// Kernels that cost the writer so much more than the cheapest, in percent, are as good if readers like them better.
const SLACK: u64 = 10;

/// Frames of 2^14 bytes and more have a class for each power of two, up to 2^24.
const SMALLEST: u32 = 14;
const SIZES: usize = 11;

/// What has been learnt.
#[derive(Default)]
pub(super) struct Learner {
    /// By size, and by whether the slot was leased.
    classes: [[Class; 2]; SIZES],
}

impl fmt::Debug for Learner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hundreds of numbers, for nobody.
        f.debug_struct("Learner").finish_non_exhaustive()
    }
}

/// How a frame is to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) kernel: Kernel,
    /// Whether to tell the learner how long it took.
    pub(super) timed: bool,
}

impl Learner {
    /// The kernel for the next frame, one of `candidates`, which are in the order in which readers like them, and alike
    /// where they are as many. `usual` is
    /// the one to take as long as nothing is known.
    #[inline]
    pub(super) fn choose(&mut self, bytes: usize, leased: bool, candidates: &[Kernel], usual: Kernel) -> Choice {
        if candidates.len() < 2 {
            return Choice { kernel: usual, timed: false };
        }
        self.class(bytes, leased).choose(candidates, usual)
    }

    /// Learns what a timed copy took.
    pub(super) fn learn(&mut self, bytes: usize, leased: bool, kernel: Kernel, ns: u64) {
        // In 2^-20 ns for a byte: fine enough for the smallest, and a second of them fits.
        let cost = ns.saturating_mul(1 << 20) / bytes.max(1) as u64;
        self.class(bytes, leased).learn(kernel, u32::try_from(cost).unwrap_or(u32::MAX).max(1));
    }

    fn class(&mut self, bytes: usize, leased: bool) -> &mut Class {
        let size = bytes.checked_ilog2().unwrap_or(0).saturating_sub(SMALLEST) as usize;
        &mut self.classes[size.min(SIZES - 1)][usize::from(leased)]
    }
}

/// Copies that are alike.
#[derive(Clone, Copy, Debug, Default)]
struct Class {
    /// Copies so far.
    copies: u64,
    /// When something is to be done again: a copy timed, a kernel tried.
    due: u64,
    /// The kernel until then, for copies that have so many candidates.
    in_use: Option<(Kernel, usize)>,
    costs: [Costs; Kernel::COUNT],
    /// When the last trial began.
    trial_began: u64,
    /// The kernel that is on trial, and how many copies are still to be made with it.
    trial: Option<(Kernel, u32)>,
    /// Which candidate was tried last.
    tried: usize,
    /// The last cost was far above the former ones: chance, or something has changed.
    doubtful: bool,
}

impl Class {
    #[inline]
    fn choose(&mut self, candidates: &[Kernel], usual: Kernel) -> Choice {
        self.copies += 1;
        match self.in_use {
            Some((kernel, of)) if self.copies < self.due && of == candidates.len() => Choice { kernel, timed: false },
            _ => self.decide(candidates, usual),
        }
    }

    #[cold]
    fn decide(&mut self, candidates: &[Kernel], usual: Kernel) -> Choice {
        let best = self.best(candidates, usual);
        let settled = candidates.iter().all(|kernel| self.costs[kernel.index()].are_two());
        let interval = u64::from(RUN * if settled { TRIED } else { TRIED_AT_FIRST });
        if self.copies >= self.trial_began + interval {
            self.trial_began = self.copies;
            self.trial = self.next_on_trial(candidates, best).map(|kernel| (kernel, RUN));
        }
        if let Some((kernel, left)) = self.trial.filter(|(kernel, _)| candidates.contains(kernel)) {
            self.trial = (left > 1).then_some((kernel, left - 1));
            self.in_use = None;
            return Choice { kernel, timed: left == 1 };
        }
        // Not the very first copies, and not those that find the slots as a trial has left them.
        let usual_slots = self.copies >= self.trial_began + 2 * u64::from(RUN);
        let timed = usual_slots && (self.doubtful || self.copies % TIMED == TIMED / 2);
        self.in_use = Some((best, candidates.len())).filter(|_| !self.doubtful);
        let next_timed = (self.copies + TIMED / 2) / TIMED * TIMED + TIMED / 2;
        self.due = next_timed.min(self.trial_began + interval);
        Choice { kernel: best, timed }
    }

    /// The one that readers like best of those that cost the writer next to nothing more than the cheapest.
    fn best(&self, candidates: &[Kernel], usual: Kernel) -> Kernel {
        let cost = |kernel: Kernel| self.costs[kernel.index()].least();
        // Until the usual one has been timed there is nothing to compare with.
        let Some(least) = cost(usual).and_then(|_| candidates.iter().filter_map(|&kernel| cost(kernel)).min()) else {
            return usual;
        };
        let enough = u64::from(least) * (100 + SLACK) / 100;
        let good = |&kernel: &Kernel| cost(kernel).is_some_and(|cost| u64::from(cost) <= enough);
        candidates.iter().copied().find(good).unwrap_or(usual)
    }

    /// In turn, those that are not in use.
    fn next_on_trial(&mut self, candidates: &[Kernel], best: Kernel) -> Option<Kernel> {
        let after = |n| (self.tried + n) % candidates.len();
        self.tried = (1..=candidates.len()).map(after).find(|&n| candidates[n] != best)?;
        Some(candidates[self.tried])
    }

    fn learn(&mut self, kernel: Kernel, cost: u32) {
        let costs = &mut self.costs[kernel.index()];
        self.doubtful = costs.least().is_some_and(|least| u64::from(cost) * 2 > u64::from(least) * 3);
        costs.push(cost);
        self.in_use = None;
    }
}

/// The last costs of a kernel, the newest first; 0 is none.
#[derive(Clone, Copy, Debug, Default)]
struct Costs([u32; 3]);

impl Costs {
    fn push(&mut self, cost: u32) {
        self.0 = [cost, self.0[0], self.0[1]];
    }

    /// What it costs when nothing comes in between: a thread that is put aside in the middle of a copy says nothing of
    /// the kernel, and nothing makes a copy faster than it is.
    fn least(&self) -> Option<u32> {
        self.0.into_iter().filter(|&cost| cost > 0).min()
    }

    fn are_two(&self) -> bool {
        self.0[1] > 0
    }
}

#[cfg(test)]
mod tests;
