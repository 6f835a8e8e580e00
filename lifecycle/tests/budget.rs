//! Memory has a bound, refusals name it, and a system without memory is an error and no more.

#![cfg(not(loom))]
#![allow(unsafe_code)]

mod common;

use std::env;
use std::process::Command;

use common::{P720, P1080, eventually, id, offer, room_for, start, state, stream};
use vas_lifecycle::{CameraState, DropCause, FrameExport, HugePages, MemoryLimit, Settings, SuspendReason};

/// The budget counts rings that are written, rings that are only read, and nothing else; a refusal takes nothing.
#[test]
fn refusals_at_every_step() {
    let settings = room_for(Settings::default(), &[P720, P720, P1080]);
    let export = FrameExport::new(settings);
    let (small, large) = (settings.ring_bytes(P720).unwrap(), settings.ring_bytes(P1080).unwrap());
    let refused = |frame_bytes: usize, in_use: usize| {
        let _refused = export.camera("refused").expecting(stream(frame_bytes));
        let (needed, budget) = (settings.ring_bytes(frame_bytes).unwrap(), settings.memory_budget);
        let reason = CameraState::Suspended(SuspendReason::Budget { needed, in_use, budget });
        eventually("refused", || state(&export, "refused") == reason);
        assert_eq!(export.stats().bytes_in_use, in_use, "nothing was taken");
    };

    refused(4 * P1080, 0);
    let mut a = start(&export, "a", P720);
    let b = start(&export, "b", P720);
    let c = start(&export, "c", P1080);
    refused(1, settings.memory_budget);

    // Stopped, and its memory still read: it counts.
    let mut reader = export.subscribe(id("a"));
    offer(&mut a, P720).unwrap();
    let lease = reader.poll().unwrap();
    drop(a);
    refused(P720, settings.memory_budget);
    drop(reader);
    refused(P720, settings.memory_budget);
    drop(lease);
    // Now it is idle, and makes way.
    refused(P1080, small + large);
    let a = start(&export, "a", P720);
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
    assert_eq!(
        reason.to_string(),
        format!(
            "the camera takes {needed} bytes, and of the memory budget of {} bytes {} are in use: raise \
             AI_FRAME_EXPORT_MEMORY_BUDGET, or lower DEPTH, MAX_READERS or READER_LEASES",
            settings.memory_budget,
            small + large
        )
    );
}

/// Memory that a camera leaves is there for the next one of its size, and goes back to the system when none comes.
#[test]
fn memory_is_kept_for_a_moment() {
    let export = FrameExport::new(Settings::default());
    drop(start(&export, "a", P720));
    eventually("idle", || export.stats().bytes_idle > 0);
    let stats = export.stats();
    assert_eq!(stats.bytes_in_use, stats.bytes_idle);
    let _b = start(&export, "b", P720);
    let stats = export.stats();
    assert_eq!((stats.bytes_idle, stats.bytes_in_use), (0, stats.cameras[1].bytes));
    drop(start(&export, "a", P1080));
    eventually("idle", || export.stats().bytes_idle > 0);
    eventually("unmapped", || export.stats().bytes_idle == 0);
}

/// A system that does not give memory, for a start and for a resize: the camera goes on, and so does export when there
/// is memory again. In a process of its own, as the limit is the process's.
#[test]
fn without_memory() {
    if common::emulated("limits of memory") {
        return;
    }
    const CHILD: &str = "LIFECYCLE_TEST_WITHOUT_MEMORY";
    let Ok(role) = env::var(CHILD) else {
        for role in ["RLIMIT_AS", "RLIMIT_DATA"] {
            let run = Command::new(env::current_exe().unwrap())
                .args(["--exact", "without_memory", "--nocapture", "--test-threads=1"])
                .env(CHILD, role)
                .output()
                .unwrap();
            assert!(run.status.success(), "{role}: {}", String::from_utf8_lossy(&run.stderr));
            assert!(String::from_utf8_lossy(&run.stdout).contains("to the end"));
        }
        return;
    };
    let (resource, has, expected) = match &*role {
        "RLIMIT_AS" => (libc::RLIMIT_AS, "VmSize:", MemoryLimit::AddressSpace),
        _ => (libc::RLIMIT_DATA, "VmData:", MemoryLimit::Data),
    };
    let settings = Settings { memory_budget: 1 << 40, huge_pages: HugePages::Off, ..Settings::default() };
    let export = FrameExport::new(settings);
    let mut running = start(&export, "running", P720);
    let _reader = export.subscribe(id("running"));
    let in_use = export.stats().bytes_in_use;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let has = status.lines().find_map(|line| line.strip_prefix(has)).unwrap();
    let has = has.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10;
    limit(resource, has + (4 << 20));

    let mut late = export.camera("late").expecting(stream(P1080));
    let suspended = |name| match state(&export, name) {
        CameraState::Suspended(reason) => Some(reason),
        _ => None,
    };
    eventually("suspended", || suspended("late").is_some());
    let reason = suspended("late").unwrap();
    let SuspendReason::Memory { needed, available, reserve, limit: of } = reason else { panic!("{reason}") };
    assert_eq!((reserve, of), (settings.memory_reserve, expected));
    assert!(needed >= 7 * P1080 && available < needed + reserve && available <= 4 << 20, "{reason}");
    assert!(reason.to_string().contains(&format!("({role}) leaves")), "{reason}");
    assert_eq!(export.stats().bytes_in_use, in_use);

    eventually("suspended", || offer(&mut running, P1080).unwrap_err() == DropCause::Suspended);
    assert!(matches!(suspended("running"), Some(SuspendReason::Memory { .. })));
    offer(&mut running, P720).unwrap();
    assert_eq!(export.stats().bytes_in_use, in_use);

    limit(resource, u64::MAX);
    common::offer_until_published(&mut running, P1080);
    common::offer_until_published(&mut late, P1080);
    println!("to the end");
}

/// Limits what this process may have, as far as it may be raised again.
fn limit(resource: libc::__rlimit_resource_t, bytes: u64) {
    let hard = {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is there, and is written to.
        assert_eq!(unsafe { libc::getrlimit(resource, &raw mut limit) }, 0);
        limit.rlim_max
    };
    let limit = libc::rlimit { rlim_cur: bytes.min(hard), rlim_max: hard };
    // SAFETY: the structure is there, and is read from.
    assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
}
