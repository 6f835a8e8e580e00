//! In a memory cgroup that is too small for all cameras, export never gets the process killed: cameras that do not fit run
//! without, and the host can grow meanwhile.
//!
//! It takes a real cgroup, of version 1 or 2, so it runs as root where one can be made, and says when it steps aside.
//! Each run is a process of its own: this program, told by variables what to do.

#![cfg(all(not(loom), target_os = "linux"))]

mod common;

use std::env;
use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{eventually, offer, state};
use vas_lifecycle::{CameraState, CameraWriter, FrameExport, MemoryLimit, Settings, SuspendReason};

const P2160: usize = 3840 * 2160 * 3 / 2;
const CAMERAS: usize = 6;
const ROLE: &str = "LIFECYCLE_TEST_CGROUP";
const MIB: usize = 1 << 20;
/// What the host grows by while cameras start: less than the reserve.
const GROWTH: usize = 40 * MIB;

/// A memory cgroup of our own, which goes when it is dropped.
struct Cgroup {
    folder: PathBuf,
    version: u32,
}

impl Cgroup {
    /// None where there is no memory cgroup to be made.
    fn new(limit: usize) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let fields = |line: &str| -> Option<(PathBuf, u32)> {
            let (mount, system) = line.split_once(" - ")?;
            let version = match system.split(' ').next()? {
                "cgroup" if system.split(' ').nth(2)?.split(',').any(|option| option == "memory") => 1,
                "cgroup2" => 2,
                _ => return None,
            };
            Some((mount.split(' ').nth(4)?.into(), version))
        };
        mounts.lines().filter_map(fields).find_map(|(mount, version)| {
            let folder = mount.join(format!("vas-lifecycle-test-{}-{limit}", std::process::id()));
            fs::create_dir(&folder).ok()?;
            let cgroup = Self { folder, version };
            let name = if version == 1 { "memory.limit_in_bytes" } else { "memory.max" };
            fs::write(cgroup.folder.join(name), limit.to_string()).ok()?;
            Some(cgroup)
        })
    }

    /// Processes that the kernel has killed for want of memory.
    fn killed(&self) -> u64 {
        let name = if self.version == 1 { "memory.oom_control" } else { "memory.events" };
        let text = fs::read_to_string(self.folder.join(name)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.expect("the kernel counts").parse().unwrap()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        // The last process may be on its way out.
        while fs::remove_dir(&self.folder).is_err() && Path::new(&self.folder).exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Runs the child in a cgroup of so many bytes. Returns what it printed; none where there is no cgroup to be made.
fn in_cgroup(test: &str, role: &str, limit: usize) -> Option<String> {
    let cgroup = Cgroup::new(limit)?;
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let moved = fs::write(cgroup.folder.join("cgroup.procs"), child.id().to_string());
    if moved.is_err() {
        child.kill().unwrap();
        child.wait().unwrap();
        return None;
    }
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let [printed, complained] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{role}, {limit} bytes: {:?}\n{printed}{complained}", output.status);
    assert_eq!(cgroup.killed(), 0);
    Some(printed)
}

/// Waits for the parent, which first moves this process to the cgroup.
fn wait_for_the_word() {
    let mut word = [0; 3];
    std::io::stdin().read_exact(&mut word).unwrap();
}

fn figure(printed: &str, name: &str) -> usize {
    let line = printed.lines().find_map(|line| line.trim().strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {printed}")).trim().parse().unwrap()
}

#[test]
fn never_killed_for_export() {
    if common::emulated("limits of memory") {
        return;
    }
    if let Ok(role) = env::var(ROLE) {
        wait_for_the_word();
        return cameras(&role);
    }
    for limit in [50, 100, 150, 200, 300, 400, 500] {
        for role in ["in turn", "at once"] {
            let Some(printed) = in_cgroup("never_killed_for_export", role, limit * MIB) else {
                println!("not tried: there is no memory cgroup to be made here, or this user may not");
                return;
            };
            let with_ring = figure(&printed, "with a ring:");
            println!("{limit} MiB, {role}: {with_ring} of {CAMERAS} cameras with a ring");
            // 83 MiB each, beside the reserve of 64 MiB and what the host has and takes.
            let room = (limit * MIB).saturating_sub(64 * MIB + GROWTH + 8 * MIB);
            assert!(with_ring >= (room / (84 * MIB)).min(CAMERAS), "{limit} MiB, {role}: {with_ring}");
            assert!(with_ring <= limit.saturating_sub(64) / 83, "{limit} MiB, {role}: {with_ring}");
        }
    }
}

/// Six 4K cameras, with a budget that has room for all, while the host grows.
fn cameras(role: &str) {
    let settings = Settings { memory_budget: 1 << 30, ..Settings::default() };
    let export = FrameExport::new(settings);
    let host = thread::spawn(|| {
        let mut grown = Vec::new();
        for _ in 0..GROWTH / MIB {
            grown.push(black_box(vec![1_u8; MIB]));
            thread::sleep(Duration::from_millis(3));
        }
        grown
    });
    let name = |n: usize| format!("camera {n}");
    let settled = |n| matches!(state(&export, &name(n)), CameraState::Running | CameraState::Suspended(_));
    let start = |n| {
        let mut writer = export.camera(&name(n));
        let _ = offer(&mut writer, P2160);
        writer
    };
    let mut writers: Vec<CameraWriter> = Vec::new();
    for n in 0..CAMERAS {
        writers.push(start(n));
        if role == "in turn" {
            eventually("there is a ring, or none", || settled(n));
        }
    }
    eventually("there are rings, or none", || (0..CAMERAS).all(settled));
    let grown = host.join().unwrap();
    let mut with_ring = 0;
    for (n, writer) in writers.iter_mut().enumerate() {
        let published = (0..20).filter(|_| offer(writer, P2160).is_ok()).count();
        match state(&export, &name(n)) {
            CameraState::Suspended(SuspendReason::Memory { needed, available, reserve, limit }) => {
                assert_eq!((published, limit, reserve), (0, MemoryLimit::Cgroup, 64 * MIB));
                assert!(available < needed + reserve, "{available}");
            }
            CameraState::Running => with_ring += usize::from(published > 0),
            state => panic!("{state:?}"),
        }
    }
    let stats = export.stats();
    assert!(stats.cameras.iter().all(|camera| camera.offered == 21), "{stats}");
    println!("\nwith a ring: {with_ring}");

    // What one camera leaves another one gets, which has waited for it.
    if (1..CAMERAS).contains(&with_ring) {
        let stops = (0..CAMERAS).find(|&n| state(&export, &name(n)) == CameraState::Running).unwrap();
        writers.remove(stops);
        let running = || (0..CAMERAS).filter(|&n| state(&export, &name(n)) == CameraState::Running).count();
        eventually("another has a ring", || running() == with_ring);
    }
    drop((writers, grown));
}

/// The default of the budget follows from what there is.
#[test]
fn the_default_budget_is_a_quarter_of_what_there_is() {
    if common::emulated("limits of memory") {
        return;
    }
    if env::var(ROLE).is_ok() {
        wait_for_the_word();
        println!("\nbudget: {}", Settings::default().memory_budget);
        return;
    }
    for limit in [100, 400] {
        let Some(printed) = in_cgroup("the_default_budget_is_a_quarter_of_what_there_is", "budget", limit * MIB) else {
            println!("not tried: there is no memory cgroup to be made here, or this user may not");
            return;
        };
        let budget = figure(&printed, "budget:");
        println!("{limit} MiB: a budget of {} KiB", budget >> 10);
        let quarter = limit * MIB / 4;
        assert!((quarter - 4 * MIB..=quarter).contains(&budget), "{budget}");
    }
}
