//! The one way to end the host: Ctrl-C, the end of the time, a camera that failed.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Set once, seen by all clones.
#[derive(Clone, Default)]
pub struct Stop {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    pub fn set(&self) {
        let (set, changed) = &*self.shared;
        *set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    pub fn is_set(&self) -> bool {
        *self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `deadline`. Returns whether it was set before.
    pub fn wait_until(&self, deadline: Instant) -> bool {
        let (set, changed) = &*self.shared;
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        while !*set {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (set, _) = changed.wait_timeout(set, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Waits for `time`. Returns whether it was set before.
    pub fn wait(&self, time: Duration) -> bool {
        self.wait_until(Instant::now() + time)
    }
}
