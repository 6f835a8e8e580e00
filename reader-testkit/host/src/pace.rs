//! Playing a file at its own pace, so that it looks like a camera.

use std::time::{Duration, Instant};

use crate::stop::Stop;

/// A stream that is later than this goes on from now: the machine slept, or cannot keep up.
const LATE: Duration = Duration::from_secs(1);
/// Times that step on by more than this were set anew, as those that step back were.
const LONGEST: f64 = 10.0;

/// Holds packets back until they are due: as long after the one before as their times are apart, or, where times start
/// anew or there are none, as long as the one before lasts.
#[derive(Default)]
pub struct Pace {
    last: Option<Last>,
}

/// The packet before.
#[derive(Clone, Copy)]
struct Last {
    due: Instant,
    /// In seconds, as the next one.
    time: Option<f64>,
    duration: f64,
}

impl Pace {
    /// Waits until the packet is due whose time is `time` and which lasts for `duration`, in seconds. Returns early when
    /// the host ends, and by how much the packet was late when it was asked for.
    pub fn wait_for(&mut self, time: Option<f64>, duration: f64, stop: &Stop) -> Duration {
        let now = Instant::now();
        let due = self.due(time, duration, now);
        if due > now {
            stop.wait_until(due);
        }
        now.saturating_duration_since(due)
    }

    fn due(&mut self, time: Option<f64>, duration: f64, now: Instant) -> Instant {
        let due = self.last.map_or(now, |last| {
            let step = time.zip(last.time).map(|(this, last)| this - last);
            let step = step.filter(|step| (0.0..=LONGEST).contains(step)).unwrap_or(last.duration);
            let due = Duration::try_from_secs_f64(step).ok().and_then(|step| last.due.checked_add(step));
            due.filter(|due| now.saturating_duration_since(*due) <= LATE).unwrap_or(now)
        });
        self.last = Some(Last { due, time, duration });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn packets_are_due_by_their_time() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.due(Some(10.0), 0.04, now), now);
        assert_eq!(pace.due(Some(10.5), 0.04, now), now + ms(500));
        let late = now + ms(900);
        assert_eq!(pace.due(Some(10.75), 0.04, late), now + ms(750), "a late stream catches up");
        assert_eq!(pace.due(Some(14.75), 0.04, late), now + ms(4750), "seconds between two frames are waited for");
        let asleep = now + ms(6000);
        assert_eq!(pace.due(Some(14.875), 0.04, asleep), asleep, "and one that is too late goes on from now");
    }

    #[test]
    fn times_that_start_anew_go_on_at_the_same_pace() {
        for set in [Some(0.0), Some(9.5), Some(9.99), Some(21.5), Some(1e18), Some(f64::NAN), None] {
            let now = Instant::now();
            let mut pace = Pace::default();
            pace.due(Some(10.0), 0.0625, now);
            assert_eq!(pace.due(set, 0.0625, now), now + Duration::from_micros(62_500), "{set:?}");
        }
    }
}
