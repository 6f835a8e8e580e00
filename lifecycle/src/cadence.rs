//! When to look for a camera's next frame, so that a reader that waits sleeps until one can be expected.

/// Times between two looks, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// While a frame is expected.
    pub(crate) short: u64,
    /// When none has come for long.
    pub(crate) long: u64,
}

impl Pause {
    /// `short`, and ten times that while nothing comes.
    pub(crate) fn new(short: u64) -> Self {
        Self { short, long: short.saturating_mul(10) }
    }
}

/// Predicts frames from those that were seen. Fed with the time, and pure; times are in nanoseconds.
///
/// Frames are taken to come in equal intervals, from which each is off by some time: both are followed slowly. The first
/// look comes so early that two frames in five are there by then. For the others looks follow in short pauses, so that
/// most frames are found within one of those, however far off they are; and in longer pauses the longer nothing comes.
#[derive(Clone, Debug)]
pub(crate) struct Cadence {
    /// The frame that was seen last: its id and when it would have been offered without being off.
    last: Option<(u64, u64)>,
    /// Between two frames that are offered; 0 when not known.
    interval: u64,
    /// By how much frames are off, roughly.
    off: u64,
    /// How much later than a frame is expected to be offered it is first looked for, or earlier, by experience.
    after: i64,
    /// Looks for the frame that is expected now.
    looks: u32,
    /// When it was expected, or since when there is nothing to expect.
    expected: u64,
    next: u64,
}

/// The least by which a first look moves. It comes later by two steps when there is no frame yet, and earlier by three when
/// there is one: so two in five find one.
const STEP: u64 = 10_000;

/// There is no longer pause while frames are wanted, whatever is expected: it may be wrong.
pub(crate) const AT_MOST: u64 = 125_000_000;

/// A look that comes later than it was meant to says nothing of when it is best.
const ON_TIME: u64 = 500_000;

impl Cadence {
    /// Nothing is known, at time `now`.
    pub(crate) fn new(now: u64) -> Self {
        Self { last: None, interval: 0, off: 0, after: 0, looks: 0, expected: now, next: now }
    }

    /// When to look next.
    pub(crate) fn next_look(&self) -> u64 {
        self.next
    }

    /// At `now` the frame with this id was found, offered at `stamp`. The reader wants none that is offered before
    /// `due`.
    pub(crate) fn found(&mut self, frame_id: u64, stamp: u64, now: u64, due: u64, pause: Pause) {
        if self.looks == 0
            && self.interval != 0
            && (self.first_look()..self.first_look().saturating_add(ON_TIME)).contains(&now)
        {
            self.shift(-3);
        }
        self.last = Some((frame_id, self.follow(frame_id, stamp)));
        self.aim(now, due, pause);
    }

    /// From `now` on a frame is wanted that is offered at `due` or later.
    pub(crate) fn aim(&mut self, now: u64, due: u64, pause: Pause) {
        self.looks = 0;
        let Some((_, at)) = self.last.filter(|_| self.interval != 0) else {
            self.expected = now.max(due);
            self.next = due.max(now.saturating_add(pause.short));
            return;
        };
        // The first one in the row that is wanted, and not to be expected already.
        let from = due.max(now.saturating_add_signed(-self.after)).max(at.saturating_add(1));
        let steps = (from - at).div_ceil(self.interval);
        self.expected = at.saturating_add(steps.saturating_mul(self.interval));
        self.next = self.first_look().min(due.max(now).saturating_add(AT_MOST));
    }

    fn first_look(&self) -> u64 {
        self.expected.saturating_add_signed(self.after)
    }

    /// Moves the first look, within bounds: a quarter of the interval later is another matter than being off.
    fn shift(&mut self, steps: i64) {
        let [interval, step] =
            [self.interval, STEP.max(self.off / 8)].map(|ns| i64::try_from(ns).unwrap_or(i64::MAX / 4));
        self.after = self.after.saturating_add(steps * step).clamp(-interval / 2, interval / 4);
    }

    /// Learns from a frame. Returns when it would have been offered without being off.
    fn follow(&mut self, frame_id: u64, stamp: u64) -> u64 {
        let Some((last_id, last)) = self.last else { return stamp };
        let frames = frame_id.wrapping_sub(last_id);
        if frames == 0 || frames > 1 << 20 || stamp <= last {
            // Another camera's start, or a clock that is not one.
            self.interval = 0;
            return stamp;
        }
        let seen = (stamp - last) / frames;
        if self.interval == 0 {
            self.interval = seen;
            return stamp;
        }
        let predicted = last.saturating_add(frames.saturating_mul(self.interval));
        let off = stamp.abs_diff(predicted);
        if off > self.interval {
            // It stalled, or has another rate now: the next one tells.
            self.interval = 0;
            return stamp;
        }
        self.off = self.off - self.off / 8 + off / 8;
        let (quarter, share) = (off / 4, off / frames / 16);
        if stamp >= predicted {
            self.interval = self.interval.saturating_add(share);
            predicted + quarter
        } else {
            self.interval = self.interval.saturating_sub(share);
            predicted - quarter
        }
    }

    /// At `now` there was no frame.
    pub(crate) fn nothing(&mut self, now: u64, pause: Pause) {
        if now < self.next {
            // Nobody expected one.
            return;
        }
        if self.interval != 0 && now < self.first_look() {
            self.next = self.first_look().min(now.saturating_add(AT_MOST));
            return;
        }
        self.looks = self.looks.saturating_add(1);
        if self.looks == 1 && self.interval != 0 {
            self.shift(2);
            self.next = now.saturating_add(pause.short / 2);
            return;
        }
        let late = now.saturating_sub(self.expected.saturating_add(self.interval / 2));
        self.next = now.saturating_add((late / 16).clamp(pause.short, pause.long));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;
    const PAUSE: Pause = Pause { short: MS, long: 10 * MS };

    /// What came of waiting for frames that are there at these times.
    struct Waited {
        /// Looks, those included that found a frame.
        looks: usize,
        /// From when a frame is there until it is found.
        late: Vec<u64>,
        longest_pause: u64,
    }

    /// Waits for frames that are offered at the times given and there a little later, as a reader does that takes the
    /// newest and sleeps `oversleep` longer than it means to.
    fn wait(offered: &[u64], copy: u64, oversleep: u64) -> Waited {
        let mut cadence = Cadence::new(offered[0].saturating_sub(5 * MS));
        let (mut now, mut seen) = (cadence.next_look(), 0);
        let mut waited = Waited { looks: 0, late: Vec::new(), longest_pause: 0 };
        while seen < offered.len() {
            waited.looks += 1;
            let there = offered.partition_point(|&at| at + copy <= now);
            if there > seen {
                let newest = there - 1;
                waited.late.push(now - (offered[newest] + copy));
                cadence.found(newest as u64, offered[newest], now, 0, PAUSE);
                seen = there;
            } else {
                cadence.nothing(now, PAUSE);
            }
            assert!(cadence.next_look() > now, "a reader that waits sleeps");
            waited.longest_pause = waited.longest_pause.max(cadence.next_look() - now);
            now = cadence.next_look() + oversleep;
        }
        waited.late.sort_unstable();
        waited
    }

    /// A stream of a number of frames at a rate, each off by up to `jitter` either way.
    fn stream(fps: f64, jitter: u64) -> impl Strategy<Value = Vec<u64>> {
        let frames = 200..400_usize;
        frames.prop_flat_map(move |n| proptest::collection::vec(0..=2 * jitter, n)).prop_map(move |off| {
            let at = |(n, off): (usize, u64)| 1_000 * MS + (n as f64 * 1e9 / fps) as u64 + off;
            let mut at: Vec<_> = off.into_iter().enumerate().map(at).collect();
            at.sort_unstable();
            at
        })
    }

    fn rates() -> impl Strategy<Value = f64> {
        prop_oneof![Just(5.0), Just(12.0), Just(25.0), Just(29.97), Just(30.0), Just(60.0)]
    }

    proptest! {
        /// Streams that are off by up to 1 ms: three looks for a frame, and half of them are found within 1 ms.
        #[test]
        fn few_looks_and_soon(
            offered in rates().prop_flat_map(|fps| stream(fps, MS)), copy in 0..MS, oversleep in 0..150_000_u64,
        ) {
            let waited = wait(&offered, copy, oversleep);
            // The first second is for learning.
            prop_assert!(waited.looks <= 3 * offered.len() + 100, "{} looks, {} frames", waited.looks, offered.len());
            let median = waited.late[waited.late.len() / 2];
            prop_assert!(median <= MS + oversleep, "{median} ns");
        }

        /// However far off frames are, half of them are found within a few short pauses.
        #[test]
        fn soon_however_far_off(
            offered in rates().prop_flat_map(|fps| stream(fps, (0.15e9 / fps) as u64)), copy in 0..MS,
        ) {
            let waited = wait(&offered, copy, 60_000);
            let median = waited.late[waited.late.len() / 2];
            prop_assert!(median <= 3 * MS, "{median} ns");
        }

        /// A stream that stalls and goes on at another rate: nothing is found later than the long pause after it came, or a
        /// frame's interval where a frame was expected later.
        #[test]
        fn a_stall_and_another_rate(
            before in stream(25.0, MS), after in rates().prop_flat_map(|fps| stream(fps, MS)), stall in 0..5_000 * MS,
        ) {
            let end = before[before.len() - 1] + stall;
            let offered: Vec<_> = before.iter().copied().chain(after.iter().map(|at| at - after[0] + end + 1)).collect();
            let waited = wait(&offered, 100_000, 60_000);
            prop_assert!(waited.late[waited.late.len() - 1] <= 41 * MS, "{:?}", waited.late.last());
            prop_assert!(waited.looks <= 4 * offered.len() + 1_200, "{} looks", waited.looks);
        }
    }

    /// While nothing comes, looks grow rare: 100 in a second, however short it was before.
    #[test]
    fn an_idle_camera_is_looked_at_rarely() {
        for frames in [&[][..], &[0, 40 * MS, 80 * MS]] {
            let mut cadence = Cadence::new(0);
            for (id, &at) in frames.iter().enumerate() {
                cadence.found(id as u64, at, at + 1, 0, PAUSE);
            }
            let (mut looks, mut last) = (0, 0);
            while cadence.next_look() < 11_000 * MS {
                let now = cadence.next_look();
                cadence.nothing(now, PAUSE);
                looks += u32::from(now >= 1_000 * MS);
                last = cadence.next_look() - now;
            }
            assert_eq!((last, looks), (PAUSE.long, 1_000));
        }
    }

    /// A reader that wants five per second of 25 is woken for five.
    #[test]
    fn frames_that_are_not_wanted_wake_nobody() {
        let mut cadence = Cadence::new(0);
        let mut looks = 0;
        let mut due = 0;
        for second in 0..10 {
            for n in 0..25 {
                let (id, at) = (second * 25 + n, (second * 25 + n) * 40 * MS);
                while cadence.next_look() < at {
                    let now = cadence.next_look();
                    cadence.nothing(now, PAUSE);
                    looks += 1;
                }
                if at >= due {
                    due = at + 200 * MS;
                    let now = cadence.next_look().max(at + 100_000);
                    looks += 1;
                    cadence.found(id, at, now, due, PAUSE);
                }
            }
        }
        assert!(looks <= 3 * 50 + 20, "{looks}");
    }

    /// Clocks that stand still, ids that go back, and times at the end of the range are no reason to stop looking.
    #[test]
    fn nonsense() {
        let mut cadence = Cadence::new(u64::MAX - 5);
        for (id, stamp, now) in
            [(5, 0, 1), (5, 0, 2), (4, u64::MAX, 3), (u64::MAX, 7, u64::MAX), (0, 8, 0), (1, u64::MAX, 9)]
        {
            cadence.found(id, stamp, now, u64::MAX, PAUSE);
            cadence.nothing(now, PAUSE);
            cadence.nothing(u64::MAX, PAUSE);
        }
    }
}
