//! How many of a camera's frames a reader wants, and which ones those are.

/// How many of a camera's frames a reader wants. A frame is copied on the decode thread only if some reader wants it.
///
/// ```
/// use vas_lifecycle::Rate;
///
/// assert_eq!(Rate::default(), Rate::EveryFrame);
/// let slow = Rate::PerSecond(0.5); // One every two seconds.
/// # assert_ne!(slow, Rate::PerSecond(5.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Rate {
    /// Every frame is copied, and frames are handed out one after the other, the oldest that is readable first. A reader
    /// that is less than the depth behind misses none.
    #[default]
    EveryFrame,
    /// Every frame is copied, and the newest is handed out; those that are passed over are counted as skipped.
    Newest,
    /// At most so many frames per second, evenly, and so many if the camera has as many: the first frame that is offered
    /// when one is due. The newest is handed out.
    ///
    /// Fractions are fine. From 0.001 to 1,000,000; others are taken as the nearest of those, and what is no number as
    /// [`OnRequest`](Self::OnRequest).
    PerSecond(f64),
    /// One frame for each request, offered after it.
    OnRequest,
}

/// A period is kept in units of 2^10 ns.
const UNIT: u32 = 10;

/// Time between two frames of a reader that wants so many per second, in units of 1,024 ns: what fits into the shared
/// word, so that writer and readers go by the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period(u32);

impl Period {
    pub(crate) fn from_bits(units: u32) -> Option<Self> {
        (units != 0).then_some(Self(units))
    }

    pub(crate) fn to_bits(self) -> u32 {
        self.0
    }

    fn per_second(frames: f64) -> Option<Self> {
        let units = 1e9 / frames.clamp(1e-3, 1e6) / f64::from(1 << UNIT);
        // At most 976,562, at least 1: rather a little fast than slow. What is no number stays none.
        (!frames.is_nan()).then_some(Self((units as u32).max(1)))
    }

    pub(crate) fn ns(self) -> u64 {
        u64::from(self.0) << UNIT
    }
}

impl Rate {
    pub(crate) fn period(self) -> Option<Period> {
        match self {
            Self::PerSecond(frames) => Period::per_second(frames),
            _ => None,
        }
    }

    /// Whether frames are copied for it although nobody asks and none is due.
    pub(crate) fn wants_all(self) -> bool {
        matches!(self, Self::EveryFrame | Self::Newest)
    }
}

/// Says which frames of a stream are due when one is wanted in each period. It is fed with the time, and pure.
///
/// There is a grid of due times, one period apart; the first frame after one is it. So the rate is kept exactly, whatever
/// the frame rate is, as long as that is higher: a frame that came late does not delay those after it.
///
/// Twice it is not so. When a frame is late by a period or more, as the stream stalled or has fewer frames, what was due
/// meanwhile is not made up for: the grid begins anew with this frame, an eighth of a period early, so that a stream
/// whose frames come in bursts, each about a period after the former, does not miss one for being early. And there is
/// half a period at least between two, so that a burst after a late one does not bring the next at once.
///
/// In any span of `n` periods there are never more than `n + 1` frames: the k-th after another is later than k - 1
/// periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pacer {
    period: u64,
    /// The first frame from this time on is due.
    due: u64,
    /// When the last one was taken; none before the first.
    last: Option<u64>,
    /// Later than a period before this, one more keeps to the last sentence above.
    bound: u64,
}

impl Pacer {
    pub(crate) fn new(period: Period) -> Self {
        Self { period: period.ns(), due: 0, last: None, bound: 0 }
    }

    /// Whether a frame that is offered at `now` is due.
    #[inline]
    pub(crate) fn is_due(&self, now: u64) -> bool {
        now >= self.due()
    }

    /// Whether a frame that is offered at `now`, and that somebody else's pacer chose, is no more than was promised. One
    /// that this pacer says is due always is.
    #[inline]
    pub(crate) fn is_allowed(&self, now: u64) -> bool {
        now.saturating_add(self.period - 1) >= self.bound
    }

    /// From when on a frame is due.
    pub(crate) fn due(&self) -> u64 {
        self.due.max(self.last.map_or(0, |last| last.saturating_add(self.period / 2)))
    }

    /// A frame that was offered at `now` has been taken.
    pub(crate) fn taken(&mut self, now: u64) {
        let late = now.saturating_sub(self.due);
        self.due = if self.last.is_some() && late < self.period {
            // A frame may also be taken before one is due: for others, it counts as the one that would have been.
            self.due.min(now.saturating_add(self.period)).saturating_add(self.period)
        } else {
            now.saturating_add(self.period - self.period / 8)
        };
        self.last = Some(now);
        // The k-th after this one comes after k - 1 periods. Frames that were asked for beside the rate do not add up.
        let next = self.bound.max(now).saturating_add(self.period);
        self.bound = next.min(now.saturating_add(2 * self.period));
    }

    /// Goes on with another period.
    pub(crate) fn set_period(&mut self, period: Period) {
        let period = period.ns();
        if period != self.period {
            self.period = period;
            self.due = self.last.map_or(0, |last| last.saturating_add(period));
            self.bound = self.bound.min(self.last.map_or(0, |last| last.saturating_add(2 * period)));
        }
    }
}

/// How many frames were due and missed by a reader that wants one in each `period`, between two that it got, offered at
/// `earlier` and `later`.
pub(crate) fn due_between(period: Period, earlier: u64, later: u64) -> u64 {
    (later.saturating_sub(earlier) / period.ns()).saturating_sub(1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// When frames are taken of those that are offered at these times.
    fn paced(frames: f64, offered: &[u64]) -> Vec<u64> {
        let mut pacer = Pacer::new(Rate::PerSecond(frames).period().unwrap());
        let take = |now: u64| {
            pacer.is_due(now).then(|| {
                pacer.taken(now);
                now
            })
        };
        offered.iter().copied().filter_map(take).collect()
    }

    fn steady(fps: f64, seconds: u64) -> Vec<u64> {
        (0..(fps * seconds as f64) as u64).map(|n| SECOND + (n as f64 * 1e9 / fps) as u64).collect()
    }

    /// The most that any second holds.
    fn most_in_a_second(taken: &[u64]) -> usize {
        let within = |(n, at): (usize, &u64)| taken[n..].partition_point(|other| *other < at + SECOND);
        taken.iter().enumerate().map(within).max().unwrap_or(0)
    }

    fn gaps(taken: &[u64]) -> (u64, u64) {
        let gaps = || taken.windows(2).map(|pair| pair[1] - pair[0]);
        (gaps().min().unwrap_or(0), gaps().max().unwrap_or(0))
    }

    /// Five come of any stream that has five, evenly: never nearer or farther apart than whole frames allow.
    #[test]
    fn five_of_any_stream() {
        for fps in [5.2, 6.0, 7.0, 9.0, 12.0, 12.5, 15.0, 23.976, 25.0, 29.97, 30.0, 50.0, 60.0, 1000.0] {
            let taken = paced(5.0, &steady(fps, 60));
            let per_second = taken.len() as f64 / 60.0;
            assert!((5.0..=5.02).contains(&per_second), "{fps} fps: {per_second}");
            let (least, most) = gaps(&taken);
            let frame = (1e9 / fps) as u64 + 1;
            // The second may come an eighth of a period early.
            assert!(
                least + frame >= SECOND / 5 - SECOND / 40 && most <= SECOND / 5 + frame,
                "{fps} fps: {least} to {most}"
            );
        }
    }

    /// Of a stream that has fewer, all come; and fractions are as good as whole numbers.
    #[test]
    fn all_of_a_slow_stream() {
        for fps in [0.5, 1.0, 4.0, 4.9, 5.0] {
            let offered = steady(fps, 100);
            assert_eq!(paced(5.0, &offered), offered, "{fps} fps");
        }
        for (frames, fps) in [(0.5, 25.0), (0.1, 29.97), (2.5, 12.0), (0.7, 1.0)] {
            let taken = paced(frames, &steady(fps, 1000));
            assert!((taken.len() as f64 - 1000.0 * frames).abs() <= 1.0 + frames, "{frames}: {}", taken.len());
        }
    }

    /// Bursts of several frames at once, each about a period after the former: one of each.
    #[test]
    fn one_of_each_burst() {
        let off = [0, 11, 3, 17, 8, 20, 1, 14];
        let burst = |n: u64| {
            let at = SECOND + n * SECOND / 5 + off[n as usize % 8] * 1_000_000;
            (0..5).map(move |frame| at + frame * 1_000_000)
        };
        let taken = paced(5.0, &(0..500).flat_map(burst).collect::<Vec<_>>());
        assert_eq!(taken.len(), 500);
        let (least, most) = gaps(&taken);
        assert!(least >= SECOND / 5 - 25_000_000 && most <= SECOND / 5 + 25_000_000, "{least} to {most}");
    }

    /// The frame rate drops from 25 to 3: each frame is taken from then on, at once.
    #[test]
    fn no_silence_when_the_frame_rate_drops() {
        let fast = steady(25.0, 10);
        let slow: Vec<_> = (1..30).map(|n| fast[fast.len() - 1] + n * SECOND / 3).collect();
        let taken = paced(5.0, &[fast, slow.clone()].concat());
        assert!(taken.ends_with(&slow));
    }

    /// What is meant for a file: played a hundred times too fast it still gives five in a second.
    #[test]
    fn a_file_that_is_played_fast() {
        let taken = paced(5.0, &steady(2500.0, 20));
        assert!((100..=101).contains(&taken.len()) && most_in_a_second(&taken) <= 6, "{}", taken.len());
    }

    #[test]
    fn rates_that_are_none() {
        let ns = |frames| Rate::PerSecond(frames).period().map(Period::ns);
        assert_eq!(ns(5.0).unwrap().abs_diff(SECOND / 5) / 1024, 0);
        assert_eq!((ns(f64::INFINITY), ns(1e9)), (Some(1024), Some(1024)));
        assert_eq!((ns(0.0), ns(-3.0)), (ns(1e-3), ns(1e-3)));
        assert_eq!(ns(f64::NAN), None);
        let mut pacer = Pacer::new(Rate::PerSecond(1e-3).period().unwrap());
        pacer.taken(u64::MAX - 1);
        pacer.taken(u64::MAX);
        pacer.set_period(Period(1));
        assert!(pacer.is_due(u64::MAX));
    }

    #[test]
    fn due_and_missed() {
        let period = Rate::PerSecond(5.0).period().unwrap();
        let missed = |ms: u64| due_between(period, SECOND, SECOND + ms * 1_000_000);
        assert_eq!([0, 150, 250, 390, 410, 1_100].map(missed), [0, 0, 0, 0, 1, 4]);
        assert_eq!(due_between(period, 5, 3), 0);
    }

    fn any_stream() -> impl Strategy<Value = Vec<u64>> {
        // Gaps from nothing to seconds, in runs, as of streams that burst, stall and go on.
        let gap = prop_oneof![0..2_000_000_u64, 5_000_000..200_000_000_u64, 0..3 * SECOND];
        proptest::collection::vec((gap, 1..40_usize), 1..30).prop_map(|runs| {
            let gaps = runs.into_iter().flat_map(|(gap, n)| std::iter::repeat_n(gap, n));
            gaps.scan(SECOND, |now, gap| Some(std::mem::replace(now, *now + gap))).collect()
        })
    }

    proptest! {
        /// Whatever comes: in no second more than one above the rate, none within half a period, and none waits longer
        /// than a period and a half for one that is offered.
        #[test]
        fn never_more_and_never_silent(offered in any_stream(), frames in 0.2..40.0_f64) {
            let period = Rate::PerSecond(frames).period().unwrap().ns();
            let taken = paced(frames, &offered);
            prop_assert!(most_in_a_second(&taken) <= frames.ceil() as usize + 1);
            prop_assert!(taken.windows(2).all(|pair| pair[1] - pair[0] >= period / 2));
            for pair in taken.windows(2).filter(|pair| pair[1] - pair[0] > period) {
                let passed = offered.iter().filter(|&&at| at > pair[0] + period && at < pair[1]).count();
                prop_assert_eq!(passed, 0, "{:?}, period {}", pair, period);
            }
        }

        /// Streams whose frames are never farther apart than half a period give exactly the rate.
        #[test]
        fn exactly_the_rate(gaps in proptest::collection::vec(0..100_000_000_u64, 50..2_000)) {
            let offered: Vec<_> = gaps.iter().scan(SECOND, |now, gap| Some(std::mem::replace(now, *now + gap))).collect();
            let taken = paced(5.0, &offered);
            let periods = (offered[offered.len() - 1] - offered[0]) / (SECOND / 5);
            let span = periods..=periods + 2;
            prop_assert!(span.contains(&(taken.len() as u64 + 1)) || span.contains(&(taken.len() as u64)));
            prop_assert!(gaps_are_even(&taken));
        }
    }

    fn gaps_are_even(taken: &[u64]) -> bool {
        taken.len() < 2 || gaps(taken).1 <= SECOND / 5 + 100_000_000
    }
}
