//! Memory has a bound, refusals name it, and a system without memory is an error and no more.

#![cfg(not(loom))]
#![allow(unsafe_code)]

mod common;

use std::env;
use std::process::Command;

use common::{P720, P1080, eventually, id, offer, room_for, stream};
use vas_lifecycle::{
    CameraState, CameraWriter, DropCause, FrameExport, FrameSink, HugePages, Settings, StartError, SuspendReason,
};

/// The budget counts rings that are written, rings that are only read, and nothing else; a refusal takes nothing.
#[test]
fn refusals_at_every_step() {
    let settings = room_for(Settings::default(), &[P720, P720, P1080]);
    let export = FrameExport::new(settings);
    let (small, large) = (settings.ring_bytes(P720).unwrap(), settings.ring_bytes(P1080).unwrap());
    let refused = |frame_bytes: usize, in_use: usize| {
        let error = export.start_camera(id("refused"), stream(frame_bytes)).unwrap_err();
        let StartError::Budget { needed, in_use: used, budget } = error else { panic!("{error}") };
        assert_eq!(needed, settings.ring_bytes(frame_bytes).unwrap());
        assert_eq!((used, budget), (in_use, settings.memory_budget));
        assert_eq!(export.stats().bytes_in_use, in_use, "nothing was taken");
    };

    refused(4 * P1080, 0);
    let mut a = export.start_camera(id("a"), stream(P720)).unwrap();
    let b = export.start_camera(id("b"), stream(P720)).unwrap();
    let c = export.start_camera(id("c"), stream(P1080)).unwrap();
    refused(1, settings.memory_budget);

    // Stopped, and its memory still read: it counts.
    let mut reader = export.subscribe(&id("a")).unwrap();
    offer(&mut a, P720).unwrap();
    let lease = reader.latest().unwrap().unwrap();
    drop(a);
    refused(P720, settings.memory_budget);
    drop(reader);
    refused(P720, settings.memory_budget);
    drop(lease);
    // Now it is idle, and makes way.
    refused(P1080, small + large);
    let a = export.start_camera(id("a"), stream(P720)).unwrap();
    refused(P720, settings.memory_budget);

    // A resize needs the old ring and the new one at once.
    drop(b);
    let mut c = c;
    eventually("suspended", || offer(&mut c, 2 * P1080).unwrap_err() == DropCause::Suspended);
    let needed = settings.ring_bytes(2 * P1080).unwrap();
    let reason = SuspendReason::Budget { needed, in_use: small + large, budget: settings.memory_budget };
    assert_eq!(export.stats().cameras[2].state, CameraState::Suspended(reason));
    offer(&mut c, P1080).unwrap();
    drop((a, c));
    eventually("given back", || export.stats().bytes_in_use == 0);
    let message = export.start_camera(id("x"), stream(4 * P1080)).unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "the camera takes {} bytes, and of the budget of {} bytes 0 are in use: raise AI_FRAME_EXPORT_MEMORY_BUDGET, \
             or lower DEPTH, MAX_READERS or READER_LEASES",
            settings.ring_bytes(4 * P1080).unwrap(),
            settings.memory_budget
        )
    );
}

/// Memory that a camera leaves is there for the next one of its size, and goes back to the system when none comes.
#[test]
fn memory_is_kept_for_a_moment() {
    let export = FrameExport::new(Settings::default());
    drop(export.start_camera(id("a"), stream(P720)).unwrap());
    let stats = export.stats();
    assert!(stats.bytes_idle > 0);
    assert_eq!(stats.bytes_in_use, stats.bytes_idle);
    let _b = export.start_camera(id("b"), stream(P720)).unwrap();
    let stats = export.stats();
    assert_eq!((stats.bytes_idle, stats.bytes_in_use), (0, stats.cameras[1].bytes));
    drop(export.start_camera(id("a"), stream(P1080)).unwrap());
    assert!(export.stats().bytes_idle > 0);
    eventually("unmapped", || export.stats().bytes_idle == 0);
}

/// A system that does not give memory, for a start and for a resize: the camera goes on, and so does export when there
/// is memory again. In a process of its own, as the limit is the process's.
#[test]
fn without_memory() {
    const CHILD: &str = "LIFECYCLE_TEST_WITHOUT_MEMORY";
    if env::var_os(CHILD).is_none() {
        let run = Command::new(env::current_exe().unwrap())
            .args(["--exact", "without_memory", "--nocapture", "--test-threads=1"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        assert!(String::from_utf8_lossy(&run.stdout).contains("to the end"));
        return;
    }
    let settings = Settings { memory_budget: 1 << 40, huge_pages: HugePages::Off, ..Settings::default() };
    let export = FrameExport::new(settings);
    let mut running = export.start_camera(id("running"), stream(P720)).unwrap();
    let _reader = export.subscribe(&id("running")).unwrap();
    let in_use = export.stats().bytes_in_use;
    let size = std::fs::read_to_string("/proc/self/statm").unwrap();
    let size = size.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096;
    limit(size + (4 << 20));

    let error = export.start_camera(id("late"), stream(P1080)).unwrap_err();
    let StartError::Memory { needed, .. } = &error else { panic!("{error}") };
    assert!(*needed >= 7 * P1080);
    assert!(error.to_string().contains("does not give"), "{error}");
    assert_eq!(export.stats().bytes_in_use, in_use);
    assert_eq!(export.cameras(), [id("running")]);
    let mut late = CameraWriter::off();
    assert!(late.is_off());
    late.skip(DropCause::NoReader);

    eventually("suspended", || offer(&mut running, P1080).unwrap_err() == DropCause::Suspended);
    let state = export.stats().cameras[0].state;
    assert!(matches!(state, CameraState::Suspended(SuspendReason::Memory { .. })), "{state:?}");
    offer(&mut running, P720).unwrap();
    assert_eq!(export.stats().bytes_in_use, in_use);

    limit(u64::MAX);
    common::offer_until_published(&mut running, P1080);
    let mut late = export.start_camera(id("late"), stream(P1080)).unwrap();
    offer(&mut late, P1080).unwrap();
    println!("to the end");
}

/// Limits the address space, as far as it may be raised again.
fn limit(bytes: u64) {
    let hard = {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is there, and is written to.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) }, 0);
        limit.rlim_max
    };
    let limit = libc::rlimit { rlim_cur: bytes.min(hard), rlim_max: hard };
    // SAFETY: the structure is there, and is read from.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}
