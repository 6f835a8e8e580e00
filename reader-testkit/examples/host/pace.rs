//! Playing a file at its own pace, so that it looks like a camera.

use std::time::{Duration, Instant};

use crate::stop::Stop;

/// A stream that is further off than this, either way, starts anew: its clock was set, or the machine slept.
const SLACK: Duration = Duration::from_secs(1);

/// Holds packets back until they are due.
#[derive(Default)]
pub(crate) struct Pace {
    /// A moment, and the stream's time at it in seconds.
    origin: Option<(Instant, f64)>,
}

impl Pace {
    /// Waits until the stream's time is `seconds`. Returns early when the host ends.
    pub(crate) fn wait_for(&mut self, seconds: f64, stop: &Stop) {
        let now = Instant::now();
        if let Some(due) = self.due(seconds, now)
            && due > now
        {
            stop.wait_until(due);
        }
    }

    /// When the stream's time `seconds` is due; none when the stream starts with it, anew or at all.
    fn due(&mut self, seconds: f64, now: Instant) -> Option<Instant> {
        if let Some((start, at_start)) = self.origin {
            let due = Duration::try_from_secs_f64(seconds - at_start).ok().and_then(|passed| start.checked_add(passed));
            if let Some(due) = due {
                let off = due.saturating_duration_since(now).max(now.saturating_duration_since(due));
                if off <= SLACK {
                    return Some(due);
                }
            }
        }
        self.origin = Some((now, seconds));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_due_by_their_time() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.due(10.0, now), None);
        assert_eq!(pace.due(10.5, now), Some(now + Duration::from_millis(500)));
        let late = now + Duration::from_millis(900);
        assert_eq!(pace.due(10.25, late), Some(now + Duration::from_millis(250)), "a late stream catches up");
    }

    #[test]
    fn a_clock_that_was_set_starts_anew() {
        let now = Instant::now();
        for set in [0.0, 9.0, 12.5, 1e18, f64::NAN] {
            let mut pace = Pace::default();
            pace.due(10.0, now);
            assert_eq!(pace.due(set, now), None, "{set}");
        }
    }
}
