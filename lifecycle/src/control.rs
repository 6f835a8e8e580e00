//! The control thread: there is one for each [`FrameExport`](crate::FrameExport) that is on, from its beginning.
//!
//! While no camera runs and no memory is left to give back it is parked. A camera that starts wakes it; a decode thread
//! never does, since that would take a system call there: while cameras run it looks every 5 ms, at one word of each. What
//! takes long, mapping memory, is done on threads of its own, which it starts when there is something for them to do.
//!
//! It ends when the last handle of export is gone and no camera runs any more; for leases it does not wait.

use std::io;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Instant;

use crate::registry::{Next, Registry};
use crate::thread::spawn;

/// Starts the control thread.
pub(crate) fn start(registry: &Arc<Registry>) -> io::Result<Thread> {
    let registry = registry.clone();
    Ok(spawn("frame-export", move || run(&registry))?.thread().clone())
}

fn run(registry: &Arc<Registry>) {
    loop {
        let next = registry.tick(Instant::now());
        for _ in 0..registry.hands_needed() {
            let hand = registry.clone();
            // Without a thread for it the work is done here, and cameras that start or stop meanwhile wait to be seen.
            if spawn("frame-memory", move || hand.map_rings()).is_err() {
                registry.map_rings();
            }
        }
        match next {
            Next::After(time) => thread::park_timeout(time),
            Next::Idle => thread::park(),
            Next::End => return,
        }
    }
}
