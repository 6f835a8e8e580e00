//! A reader that waits with a deadline and hands what it borrows to worker threads: frames are analysed in parallel,
//! in place, and the camera never notices. Leases are the only queue; when all are out the newest frame is waited for.
//!
//! `cargo run -p vas-lifecycle --example worker_threads`

use std::error::Error;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use vas_lifecycle::{
    CameraId, CameraWriter, FrameEntry, FrameExport, FrameSink, Lease, ReadError, Settings, monotonic_ns,
};

const WORKERS: usize = 2;
const FRAMES: u32 = 75;
const BYTES: usize = 640 * 360;
/// When a camera has said nothing for so long, somebody should know.
const DEADLINE: Duration = Duration::from_millis(250);

fn main() -> Result<(), Box<dyn Error>> {
    // One lease for each worker, and one that waits for them.
    let export = FrameExport::new(Settings { reader_leases: WORKERS + 1, ..Settings::default() });
    let id: CameraId = "gate".parse()?;
    let writer = export.camera("gate");
    let mut reader = export.subscribe(&id)?;
    let camera = thread::spawn(move || decode(writer));

    let (to_workers, leases) = sync_channel::<Lease>(WORKERS + 1);
    let leases = Arc::new(Mutex::new(leases));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let leases = leases.clone();
            thread::spawn(move || analyse(&leases))
        })
        .collect();

    loop {
        match reader.wait_latest(DEADLINE) {
            // It never waits: there are as many places as leases.
            Ok(Some(frame)) => to_workers.send(frame)?,
            Ok(None) => println!("{id} has said nothing for {DEADLINE:?}"),
            // All workers were busy until then. Frames went by meanwhile, and are counted.
            Err(ReadError::Budget { .. }) => println!("{id}: all workers have been busy for {DEADLINE:?}"),
            Err(ReadError::Closed) => break,
            Err(error) => return Err(error.into()),
        }
    }
    drop(to_workers);
    camera.join().map_err(|_| "the camera panicked")?;
    let mut analysed = 0;
    for (n, worker) in workers.into_iter().enumerate() {
        let (frames, brightest) = worker.join().map_err(|_| "a worker panicked")?;
        println!("worker {n}: {frames} frames, the brightest has a mean of {brightest:.1}");
        analysed += frames;
    }
    let counts = reader.stats();
    println!("{id}: {FRAMES} offered = {} seen + {} missed", counts.seen, counts.missed.total());
    assert_eq!((analysed, counts.seen + counts.missed.total()), (counts.seen, u64::from(FRAMES)));
    Ok(())
}

/// Takes leases until there are no more. Returns how many, and the greatest mean of a frame's samples.
fn analyse(leases: &Mutex<Receiver<Lease>>) -> (u64, f64) {
    let (mut frames, mut brightest) = (0, 0.0_f64);
    loop {
        // The guard is gone before the work begins, so that the other worker gets the next frame.
        let Ok(frame) = leases.lock().expect("no worker panics").recv() else { return (frames, brightest) };
        let sum: u64 = frame.pixels().iter().map(|&sample| u64::from(sample)).sum();
        frames += 1;
        brightest = brightest.max(sum as f64 / frame.pixels().len() as f64);
        // What a model would take.
        thread::sleep(Duration::from_millis(90));
        // Dropping the lease gives the slot back, on whichever thread that is.
    }
}

/// Stands in for a camera's decode thread and its tap: 25 frames a second, and one pause. The camera stops when it
/// returns.
fn decode(mut writer: CameraWriter) {
    for n in 0..FRAMES {
        thread::sleep(Duration::from_millis(if n == FRAMES / 2 { 400 } else { 40 }));
        // A frame that is not taken is counted; the decode loop goes on.
        let Ok(mut claim) = writer.claim(BYTES) else { continue };
        claim.pixels_mut()[..BYTES].fill(n as u8);
        claim.publish(&FrameEntry { bytes: BYTES as u32, monotonic_ns: monotonic_ns(), ..FrameEntry::default() });
    }
}
