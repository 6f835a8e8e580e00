//! Cameras that come and go by the thousand, with readers that hold, leak and drop: memory ends where it began.
//!
//! One test, since it counts the process's threads and memory.

#![cfg(not(loom))]

mod common;

use std::collections::VecDeque;
use std::fs;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    P720, P1080, Random, check, control_threads, eventually, id, offer, offer_until_published, resident, room_for,
    start, stream, threads,
};
use vas_lifecycle::{CameraState, DropCause, Frame, FrameExport, Lease, Settings};

#[test]
fn memory_ends_where_it_began() {
    let seed = std::env::var("SEED").ok().map_or(0x9e37_79b9_7f4a_7c15, |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    if common::emulated("memory and time of a process") {
        return;
    }
    stopped_cameras();
    starts_and_stops(&mut Random(seed));
    resizes();
}

/// 50,000 cameras that were started once: each leaves its counts behind, and the control thread goes back to sleep.
fn stopped_cameras() {
    const STOPPED: usize = 50_000;
    let export = FrameExport::new(Settings::default());
    let cpu = || {
        let control = fs::read_dir("/proc/self/task").unwrap().map(|entry| entry.unwrap().path());
        let is_control = |path: &std::path::PathBuf| {
            fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "frame-export")
        };
        let times = fs::read_to_string(control.filter(is_control).last().unwrap().join("schedstat")).unwrap();
        Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
    };
    // In turn, so that what is waited for is not counted as memory of those that stopped.
    let stop = |n: usize| {
        drop(export.camera(&format!("a camera of which there are many {n}")));
        if n % 64 == 0 {
            let _ = export.cameras();
        }
    };
    stop(STOPPED);
    let before = resident();
    (0..STOPPED).for_each(stop);
    eventually("all have stopped", || export.cameras().is_empty());
    let each = (resident() - before) / STOPPED;
    // It may have been woken once more than it had to be.
    thread::sleep(Duration::from_millis(100));
    let slept = cpu();
    thread::sleep(Duration::from_millis(500));
    let asleep = cpu() - slept;
    let runs = start(&export, "runs", 1000);
    thread::sleep(Duration::from_millis(300));
    let worked = cpu();
    thread::sleep(Duration::from_secs(1));
    let running = cpu() - worked;
    println!("{STOPPED} stopped: {each} bytes each; in 0.5 s asleep {asleep:?}, in 1 s with one that runs {running:?}");
    assert!(each < 288, "{each} bytes for each camera that stopped");
    assert_eq!(asleep, Duration::ZERO, "while no camera runs the control thread sleeps");
    drop((runs, export));
    eventually("the control thread ends", || control_threads() == 0);
}

/// 10,000 starts and stops of eight cameras of three sizes from two threads at once.
fn starts_and_stops(random: &mut Random) {
    const CYCLES: usize = 10_000;
    const SIZES: [usize; 3] = [4_000, 40_000, 400_000];
    const LEAKS: usize = 20;
    let settings = Settings { memory_budget: 64 << 20, ..Settings::default() };
    let tasks = threads().len();
    let warm_up = FrameExport::new(settings);
    drop(start(&warm_up, "w", SIZES[2]));
    drop(warm_up);
    eventually("the control thread ends", || control_threads() == 0);
    let before = resident();

    let export = FrameExport::new(settings);
    let leaked = Arc::new(AtomicUsize::new(0));
    let refused = Arc::new(AtomicUsize::new(0));
    let offered = Arc::new(AtomicUsize::new(0));
    let seeds = [random.below(1 << 30), random.below(1 << 30)].map(|seed| seed as u64 + 1);
    let churn = seeds.map(|seed| {
        let (export, leaked, refused) = (export.clone(), leaked.clone(), refused.clone());
        let offered = offered.clone();
        thread::spawn(move || {
            let mut random = Random(seed);
            let mut held: Vec<Lease> = Vec::new();
            let mut leaks = 0;
            let mut cycles = 0;
            while cycles < CYCLES / 2 {
                // The other thread may run the same one: then this one waits for it.
                let name = format!("camera {}", random.below(8));
                let size = SIZES[random.below(3)];
                let mut writer = export.camera(&name);
                if random.below(2) == 0 {
                    writer = writer.expecting(stream(size));
                }
                cycles += 1;
                let mut reader = export.subscribe(id(&name));
                let mut offer = || {
                    offered.fetch_add(1, Ordering::Relaxed);
                    offer(&mut writer, size)
                };
                // Now and then it stops before it has a ring.
                let deadline = Instant::now() + Duration::from_secs(10);
                while random.below(4) != 0 {
                    match offer() {
                        Ok(_) => break,
                        Err(DropCause::Starting) => {}
                        Err(cause) => {
                            assert_eq!(cause, DropCause::Suspended);
                            refused.fetch_add(1, Ordering::Relaxed);
                            held.clear();
                        }
                    }
                    assert!(Instant::now() < deadline, "{name} gets no ring");
                    thread::sleep(Duration::from_micros(300));
                }
                for _ in 0..random.below(4) {
                    let _ = offer();
                }
                // It may be at a ring of the other's.
                if let Some(lease) = reader.poll().map(Frame::into_lease) {
                    check(&lease);
                    match random.below(8) {
                        // As many as the test can account for.
                        0 if leaks < LEAKS / 2 => {
                            leaks += 1;
                            leaked.fetch_add(lease.bytes as usize, Ordering::Relaxed);
                            mem::forget(lease);
                        }
                        1..4 => drop(lease),
                        4 => drop(thread::spawn(move || drop(lease))),
                        _ => held.push(lease),
                    }
                }
                match random.below(4) {
                    0 => drop((writer, reader)),
                    1 => drop((reader, writer)),
                    2 => {
                        let stop = thread::spawn(move || drop(writer));
                        drop(reader);
                        stop.join().unwrap();
                    }
                    _ => {
                        drop(writer);
                        while let Some(frame) = reader.poll() {
                            check(&frame);
                        }
                    }
                }
                while held.len() > 20 {
                    check(&held.swap_remove(random.below(held.len())));
                }
                let stats = export.stats();
                assert!(stats.bytes_in_use <= stats.budget, "{stats}");
            }
            held.iter().for_each(check);
        })
    });
    churn.into_iter().for_each(|thread| thread.join().unwrap());

    let leaked = leaked.load(Ordering::Relaxed);
    let starts: u64 = export.stats().cameras.iter().map(|camera| u64::from(camera.epoch) + 1).sum();
    println!("{starts} starts, {} refused, {leaked} bytes leaked", refused.load(Ordering::Relaxed));
    // One that stops before its turn comes was no start.
    assert!((CYCLES as u64 / 2..=CYCLES as u64).contains(&starts));
    let counted: u64 = export.stats().cameras.iter().map(|camera| camera.offered).sum();
    assert_eq!(counted, offered.load(Ordering::Relaxed) as u64);
    // Each leak keeps its frame, within whole pages, and what a ring allocates beside its pixels.
    let kept = leaked..=leaked + LEAKS * (16 << 10);
    eventually("everything else is given back", || kept.contains(&export.stats().bytes_in_use));
    let stats = export.stats();
    assert_eq!(stats.retired.iter().map(|ring| ring.leases).sum::<usize>(), LEAKS);
    assert!(stats.cameras.iter().all(|camera| camera.state == CameraState::Stopped && camera.readers.is_empty()));
    drop(export);
    eventually("the control thread ends", || control_threads() == 0);
    eventually("no thread is left", || threads().len() == tasks);
    // What the allocator and the stacks of threads keep is not memory of rings; those would be gigabytes.
    let growth = resident().saturating_sub(before);
    println!("grown by {growth} bytes, of which {leaked} leaked");
    assert!(growth < leaked + (8 << 20), "grown by {growth}");
}

/// A stream that goes from 720p to 1080p and back 1,000 times, and is a little larger each time, so that no ring is
/// large enough for the next change. A lease of each tenth is held for a while.
fn resizes() {
    const EPOCHS: usize = 10;
    const CHANGES: usize = 100;
    const MAX: usize = P1080 + 64 * CHANGES;
    let settings = Settings { depth: 2, max_readers: 1, reader_leases: 2, ..Settings::default() };
    // Two generations during a change, and two more that are held.
    let settings = room_for(settings, &[MAX; 4]);
    let export = FrameExport::new(settings);
    let camera = id("a");
    let over = Arc::new(AtomicBool::new(false));
    let watch = {
        let (export, over) = (export.clone(), over.clone());
        thread::spawn(move || {
            let mut most = 0;
            while !over.load(Ordering::Relaxed) {
                let stats = export.stats();
                assert!(stats.bytes_in_use <= stats.budget, "{stats}");
                most = stats.bytes_in_use.max(most);
                thread::sleep(Duration::from_micros(300));
            }
            most
        })
    };
    let (mut held, mut offered) = (VecDeque::new(), 0);
    for epoch in 0..EPOCHS {
        let mut writer = start(&export, "a", P720);
        let mut reader = export.subscribe(camera);
        let first = offered;
        for change in 1..=CHANGES {
            // The slots grow for the large ones; the small ones fit into whatever is there.
            for size in [P1080 + 64 * change, P720] {
                offered = offer_until_published(&mut writer, size) + 1;
                let frame = reader.poll().expect("just published");
                check(&frame);
                assert_eq!((frame.frame_id + 1, frame.bytes as usize), (offered, size));
                assert_eq!((frame.epoch, frame.generation), (epoch as u32, change as u32));
                if change % 10 == 0 && size != P720 {
                    held.push_back(frame.into_lease());
                }
            }
            held.iter().for_each(check);
            held.drain(..held.len().saturating_sub(2));
        }
        drop(writer);
        assert!(reader.poll().is_none());
        let counts = reader.counts();
        assert_eq!((counts.seen, counts.seen + counts.missed.total()), (2 * CHANGES as u64, offered - first));
    }
    over.store(true, Ordering::Relaxed);
    let most = watch.join().unwrap();
    println!("{offered} frames offered; at most {most} of {} bytes in use", settings.memory_budget);
    assert_eq!(export.stats().cameras[0].offered, offered);
    assert_eq!(export.stats().retired.len(), 2);
    held.clear();
    eventually("given back", || export.stats().bytes_in_use == 0);
    drop(export);
    eventually("the control thread ends", || control_threads() == 0);
}
