//! The control thread: there is one at most, and only while there is something for it to do.
//!
//! It begins with the first camera. It ends when no camera runs and no memory is left to give back; when the last
//! [`FrameExport`](crate::FrameExport) is gone too it does not wait for leases. It is woken by nobody, since that
//! would take a system call on a decode thread: it looks, every 5 ms while a camera runs and every 50 ms otherwise, at
//! one word of each camera.

use std::io;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::registry::{Next, Registry};

/// How long it sleeps while a camera runs: what a resize waits at most, beside the mapping.
pub(crate) const BUSY: Duration = Duration::from_millis(5);

/// How long it sleeps while only memory is left to give back.
pub(crate) const QUIET: Duration = Duration::from_millis(50);

/// Starts the thread unless it runs. To be called with the registry's lock held, as is the decision to end.
pub(crate) fn ensure(control: &mut Option<Thread>, registry: &Arc<Registry>) -> io::Result<()> {
    match control {
        // It may be in its long sleep.
        Some(thread) => thread.unpark(),
        None if cfg!(loom) => {}
        None => {
            let registry = registry.clone();
            let thread = thread::Builder::new().name("frame-export".into()).spawn(move || run(&registry))?;
            *control = Some(thread.thread().clone());
        }
    }
    Ok(())
}

fn run(registry: &Arc<Registry>) {
    while let Next::After(time) = registry.tick(Instant::now()) {
        thread::park_timeout(time);
    }
}
