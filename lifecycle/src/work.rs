//! Rings that are to be made, and who makes them.

use std::collections::VecDeque;

use vas_ring::RingSpec;

use crate::CameraId;
use crate::memory::Grant;
use crate::sync::Mutex;

/// Most threads that map memory at once: the kernel clears pages on one processor each.
const MOST_HANDS: usize = 4;

/// A ring that is to be made for a camera in one of its epochs.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) camera: CameraId,
    pub(crate) epoch: u32,
    /// What the writer asked for.
    pub(crate) wanted: usize,
    pub(crate) spec: RingSpec,
    pub(crate) grant: Grant,
}

/// Jobs that wait, and how many threads take them.
#[derive(Debug)]
pub(crate) struct Work {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    hands: usize,
}

impl Work {
    pub(crate) fn new() -> Self {
        Self { queue: Mutex::new(Queue::default()) }
    }

    pub(crate) fn add(&self, job: Job) {
        self.queue.lock().jobs.push_back(job);
    }

    /// How many threads are to be started, each of which is to call [`next`](Self::next) until there is none. They count
    /// as started.
    pub(crate) fn hands_needed(&self) -> usize {
        let mut queue = self.queue.lock();
        let needed = queue.jobs.len().min(MOST_HANDS).saturating_sub(queue.hands);
        queue.hands += needed;
        needed
    }

    /// The next job; with none the thread that asks no longer counts.
    pub(crate) fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        let job = queue.jobs.pop_front();
        if job.is_none() {
            queue.hands -= 1;
        }
        job
    }
}
