//! What cameras take is what the formula says: measured growth of resident memory, for 1, 4 and 16 cameras.
//!
//! Each measurement is made in a process of its own.

#![cfg(not(loom))]

mod common;

use std::env;
use std::process::Command;

use common::{P720, P1080, offer, resident, start};
use vas_lifecycle::{FrameExport, HugePages, Settings};

const CHILD: &str = "LIFECYCLE_TEST_SIZES";

#[test]
fn measured_as_computed() {
    if common::emulated("resident memory") {
        return;
    }
    if let Some(job) = env::var_os(CHILD) {
        return measure(job.to_str().unwrap());
    }
    for huge_pages in ["auto", "off"] {
        for (cameras, frame_bytes) in [(1, P720), (4, P720), (16, P720), (1, P1080), (4, P1080), (16, P1080)] {
            let run = Command::new(env::current_exe().unwrap())
                .args(["--exact", "measured_as_computed", "--nocapture", "--test-threads=1"])
                .env(CHILD, format!("{huge_pages} {cameras} {frame_bytes}"))
                .output()
                .unwrap();
            print!("{}", String::from_utf8_lossy(&run.stdout).lines().filter(|l| l.contains(':')).collect::<String>());
            println!();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        }
    }
}

fn measure(job: &str) {
    let mut job = job.split(' ');
    let huge_pages = if job.next() == Some("auto") { HugePages::Auto } else { HugePages::Off };
    let [cameras, frame_bytes] = [(); 2].map(|()| job.next().unwrap().parse::<usize>().unwrap());
    let settings = Settings { huge_pages, memory_budget: 1 << 30, ..Settings::default() };
    // Code, the thread, and the allocator's first pages are there beforehand.
    let export = FrameExport::new(settings);
    let _warm_up = start(&export, "warm-up", 64);
    let _ = export.stats().to_string();

    let (before, in_use) = (resident(), export.stats().bytes_in_use);
    let mut writers: Vec<_> = (0..cameras).map(|n| start(&export, &format!("camera {n}"), frame_bytes)).collect();
    let started = resident() - before;
    let computed = cameras * settings.ring_bytes(frame_bytes).unwrap();
    assert_eq!(export.stats().bytes_in_use - in_use, computed);

    // All of it is there from the start: playing adds nothing.
    for writer in &mut writers {
        for _ in 0..20 {
            offer(writer, frame_bytes).unwrap();
        }
    }
    let played = resident() - before;
    println!("{huge_pages:?}, {cameras} of {frame_bytes}: computed {computed}, started {started}, played {played}");
    for measured in [started, played] {
        let off = measured.abs_diff(computed) as f64 / computed as f64;
        assert!(off < 0.02, "{measured} bytes measured, {computed} computed: off by {:.1} %", 100.0 * off);
    }
}
