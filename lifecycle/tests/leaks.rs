//! A lease that is leaked, or held for ever, keeps its own frame, and nothing else of a camera that stopped or changed its
//! size.

#![cfg(not(loom))]

mod common;

use std::mem;
use std::time::Duration;

use common::{P720, P1080, check, eventually, offer, offer_until_published, resident, start, state};
use vas_lifecycle::{CameraState, DropCause, FrameExport, Settings, Watch};

/// Bytes of pages around a slot, at most, and of what a ring allocates beside its pixels.
const BESIDE: usize = 32 << 10;

/// One leak for each of a hundred starts: all of them get their memory, out of the default budget's 512 MiB.
#[test]
fn a_leak_for_each_start() {
    const STARTS: usize = 100;
    let settings = Settings { memory_budget: 512 << 20, ..Settings::default() };
    assert!(STARTS * settings.ring_bytes(P1080).unwrap() > 3 * settings.memory_budget, "whole rings do not fit");
    let export = FrameExport::new(settings);
    let mut reader = export.subscribe(Watch::camera("a").name("leaky"));
    let before = resident();
    for n in 0..STARTS {
        let mut writer = start(&export, "a", P1080);
        for _ in 0..6 {
            offer(&mut writer, P1080).unwrap();
        }
        let frame = reader.wait(Duration::from_secs(10)).expect("a frame of each start");
        assert_eq!(frame.epoch, n as u32);
        check(&frame);
        mem::forget(frame);
        drop(writer);
        eventually("stopped", || state(&export, "a") == CameraState::Stopped);
    }
    let most = STARTS * (P1080 + BESIDE);
    let leave = || {
        assert!(reader.poll().is_none());
        export.stats().bytes_in_use <= most
    };
    eventually("the rest is given back", leave);
    let stats = export.stats();
    let sum = stats.retired.iter().map(|ring| ring.bytes).sum::<usize>();
    assert_eq!((stats.bytes_in_use, stats.retired.len()), (sum + stats.bytes_idle, STARTS));
    let leaked = stats.retired.iter().map(|ring| ring.leases).sum::<usize>();
    assert_eq!(leaked, STARTS);
    let grown = resident().saturating_sub(before);
    println!("{} bytes in use, grown by {grown}", stats.bytes_in_use);
    assert!(grown <= most + (16 << 20), "the system has it back: {grown}");
}

/// A reader that does not look keeps the newest frames of the ring that it is at; what it holds stays what it was.
#[test]
fn a_reader_that_sleeps_keeps_the_newest() {
    let settings = Settings { depth: 2, max_readers: 1, reader_leases: 2, ..Settings::default() };
    let export = FrameExport::new(settings);
    let mut reader = export.subscribe("a");
    let mut writer = start(&export, "a", P720);
    for _ in 0..2 {
        offer(&mut writer, P720).unwrap();
    }
    let held = reader.poll().unwrap();
    for _ in 0..5 {
        offer(&mut writer, P720).unwrap();
    }
    assert_eq!(offer(&mut writer, P1080), Err(DropCause::Resizing));
    let larger = offer_until_published(&mut writer, P1080);
    let bytes = || export.stats().retired[0].bytes;
    let slot = P720.next_multiple_of(64);
    // Two of depth and one that is leased, of five.
    eventually("what nobody can read is given back", || bytes() <= 3 * slot + BESIDE);
    assert!(bytes() >= 3 * slot);
    for id in [5, 6] {
        let frame = reader.poll().unwrap();
        check(&frame);
        assert_eq!(frame.frame_id, id);
    }
    let frame = reader.poll().unwrap();
    assert_eq!(frame.frame_id, larger);
    eventually("given back", || bytes() <= slot + BESIDE);
    check(&held);
    check(&frame);
    drop(held);
    eventually("all of it", || export.stats().retired.is_empty());
    check(&frame);
}
