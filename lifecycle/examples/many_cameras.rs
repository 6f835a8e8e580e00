//! All cameras, five frames a second of each, in batches that worker threads take. What nobody wants is not copied.
//!
//! `cargo run --example many_cameras`

mod stand_in;

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use vas_lifecycle::{Frame, FrameExport, Rate, Settings, Watch};

fn main() {
    // Each camera lends two frames at once: one that is analysed, one that waits for it.
    let export = FrameExport::new(Settings { reader_leases: 2, ..Settings::default() });
    let host = stand_in::Cameras::start(&export, &[("gate", 25), ("yard", 12), ("hall", 30), ("roof", 6)]);

    let (to_workers, batches) = sync_channel::<Vec<Frame>>(1);
    let batches = Arc::new(Mutex::new(batches));
    let workers = [(); 2].map(|()| {
        let batches = batches.clone();
        thread::spawn(move || analyse(&batches))
    });

    let mut cameras = export.watch(Watch::all().rate(Rate::PerSecond(5.0)).name("people"));
    for _ in 0..40 {
        // One frame of each camera that has one; frames are `Send` and are given back where they are dropped.
        let batch: Vec<Frame> = cameras.wait(Duration::from_secs(1)).collect();
        let _ = to_workers.send(batch);
        cameras.news().for_each(|news| println!("{news}"));
    }

    drop((to_workers, host));
    let analysed: u64 = workers.into_iter().filter_map(|worker| worker.join().ok()).sum();
    let counts = cameras.counts();
    println!(
        "{analysed} analysed of {} seen; {} lost, {} not wanted",
        counts.seen,
        counts.missed.lost(),
        counts.missed.unwanted
    );
    println!("{}", export.stats());
}

/// Takes batches until there are no more. Returns how many frames they had.
fn analyse(batches: &Mutex<Receiver<Vec<Frame>>>) -> u64 {
    let mut frames = 0;
    loop {
        // The lock is given back before the work begins, so that the other worker gets the next batch.
        let batch = batches.lock().map(|batches| batches.recv());
        let Ok(Ok(batch)) = batch else { return frames };
        frames += batch.len() as u64;
        // What a model would take.
        thread::sleep(Duration::from_millis(20));
    }
}
