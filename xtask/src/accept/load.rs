//! Criterion 4: with every core busy, frames may be lost to readers, but not to recording or viewers.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::Result;

use super::Bench;
use super::host::{CameraFigures, Export};
use super::identity::{compare, see_viewers};
use super::stage;
use super::verdict::Criterion;

pub(super) fn criterion(bench: &mut Bench) -> Result<Vec<Criterion>> {
    let mut criterion = Criterion::new(4);
    let films = [bench.clips.three()[0]];
    let load = Load::new();
    criterion.tell("busy threads", load.threads.len());
    let hosts = stage::rtsp(bench, "load", &films, &[Export::Absent, Export::On])?;
    drop(load);
    let (absent, on) = (&hosts[&Export::Absent], &hosts[&Export::On]);
    let (before, after) = (&absent.figures.cameras[0], &on.figures.cameras[0]);
    let recorded = |camera: &CameraFigures| camera.branch("recording").map_or(0, |branch| branch.frames);
    let figure = format!("{} decoded, {} recorded", after.decoded, recorded(after));
    let target = format!("{} and {}, as absent", before.decoded, recorded(before));
    let whole = after.decoded == before.decoded && recorded(after) == recorded(before);
    criterion.judge("frames", figure, target, whole && after.decoded > 0);
    criterion.judge(
        "packets that could not be decoded",
        after.damaged,
        before.damaged,
        after.damaged == before.damaged,
    );
    compare(&mut criterion, "on", (absent, before), (on, after))?;
    for reader in after.exported.iter().flat_map(|exported| &exported.readers) {
        let missed: u64 = reader.missed.values().sum();
        criterion.tell(format!("reader {}", reader.name), format!("{} seen, {missed} missed", reader.seen));
    }
    see_viewers(bench, &mut criterion, absent, &[(&Export::On, on)]);
    Ok(vec![criterion])
}

/// As many busy threads as there are cores; they end with this.
struct Load {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn new() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let busy = |_| {
            let over = over.clone();
            thread::spawn(move || {
                let mut n = 0_u64;
                // Ordering: Relaxed, it says nothing about other memory.
                while !over.load(Ordering::Relaxed) {
                    n = black_box(n.wrapping_mul(31).wrapping_add(1));
                }
            })
        };
        let threads = (0..cores).map(busy).collect();
        Self { over, threads }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Ordering: Relaxed, as above.
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Nothing in it panics, and the criterion is judged by what the hosts say.
            _ = thread.join();
        }
    }
}
