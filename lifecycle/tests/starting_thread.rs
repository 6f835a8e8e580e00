//! What a camera's start costs the thread that starts it, and what export's own threads take from it: nothing.

#![cfg(all(not(loom), target_os = "linux"))]
#![allow(unsafe_code)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::fs;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::{P1080, eventually, offer, stream};
use vas_lifecycle::{FrameExport, HugePages, Settings};

thread_local! {
    static CONFINED: Cell<bool> = const { Cell::new(false) };
}

/// Serves a confined thread from memory that is there, as an ordinary allocator does that has asked the system before.
struct Presized;

const PRESIZED: usize = 1 << 20;

#[repr(align(64))]
struct Memory(UnsafeCell<[u8; PRESIZED]>);

// SAFETY: each byte is handed out once, and never again.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; PRESIZED]));
static USED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: what a confined thread gets is a part of `MEMORY` of its own, aligned as asked for; all else is the system's.
unsafe impl GlobalAlloc for Presized {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !CONFINED.get() {
            // SAFETY: under the caller's own promises.
            return unsafe { System.alloc(layout) };
        }
        // Lines of 64 bytes: no type here wants more than 128, which twice as much room allows for.
        let room = layout.size().next_multiple_of(64) + 128;
        let at = USED.fetch_add(room, Ordering::Relaxed);
        if at + room > PRESIZED {
            return ptr::null_mut();
        }
        let base = MEMORY.0.get().cast::<u8>().wrapping_add(at);
        base.wrapping_add(base.align_offset(layout.align()))
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let base = MEMORY.0.get().addr();
        if !(base..base + PRESIZED).contains(&at.addr()) {
            // SAFETY: under the caller's own promises; it came from there.
            unsafe { System.dealloc(at, layout) }
        }
    }
}

#[global_allocator]
static ALLOCATOR: Presized = Presized;

/// From here on the calling thread is killed for any call of the system but those of a lock, and its end.
fn allow_locks_alone() -> bool {
    let allowed = [libc::SYS_futex, libc::SYS_exit, libc::SYS_exit_group];
    let statement = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    // The number of the call is the first word of what the filter sees.
    let mut filter = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for (n, call) in allowed.iter().enumerate() {
        // Past the others and the refusal.
        let to_the_end = (allowed.len() - n) as u8;
        filter.push(statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, *call as u32, to_the_end, 0));
    }
    filter.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_KILL_THREAD, 0, 0));
    filter.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: no pointers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return false;
    }
    // SAFETY: the program and its statements are there, and are copied.
    unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0 }
}

/// Whether a thread so confined lives through `run`.
fn lives(run: impl FnOnce() + Send + 'static) -> bool {
    static LIVED: AtomicBool = AtomicBool::new(false);
    LIVED.store(false, Ordering::Relaxed);
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        // SAFETY: no arguments.
        send.send(unsafe { libc::syscall(libc::SYS_gettid) }).unwrap();
        drop(send);
        assert!(allow_locks_alone(), "the kernel has no filters");
        CONFINED.set(true);
        run();
        LIVED.store(true, Ordering::Release);
        loop {
            // SAFETY: ends this thread alone; whatever it owns is leaked.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        }
    });
    let task = format!("/proc/self/task/{}", receive.recv().unwrap());
    eventually("the thread ends", || !std::path::Path::new(&task).exists());
    LIVED.load(Ordering::Acquire)
}

/// A hundred cameras start on a thread that may do nothing but lock, are offered frames there, and stop.
#[test]
fn no_system_call_beyond_locking() {
    if common::emulated("system calls") {
        return;
    }
    let export = FrameExport::new(Settings::default());
    let mut long = "rtsp://192.168.100.20:554/Streaming/Channels/101".to_owned();
    let starter = export.clone();
    let lived = lives(move || {
        for n in 0..100 {
            let name = if n % 2 == 0 { &*long } else { "gate" };
            let mut writer = starter.camera(name).expecting(stream(P1080));
            let _ = offer(&mut writer, P1080);
            drop(writer);
        }
        long.clear();
        std::mem::forget((starter, long));
    });
    assert!(lived, "the starting thread was killed for a system call");
    eventually("all are counted", || export.stats().cameras.iter().map(|camera| camera.offered).sum::<u64>() == 100);
    // What is promised not to happen is seen when it does.
    assert!(!lives(|| thread::sleep(Duration::from_nanos(1))), "a system call kills");
}

/// What the kernel says of a thread of this process.
struct Task {
    name: String,
    blocked: u64,
    cores: String,
    nice: i64,
    realtime: u64,
    policy: u64,
}

fn tasks() -> Vec<Task> {
    let read = |path: std::path::PathBuf| {
        let [status, stat] = ["status", "stat"].map(|file| fs::read_to_string(path.join(file)));
        let (status, stat) = (status.ok()?, stat.ok()?);
        let field = |name: &str| Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned());
        // The name, which may have spaces, is in parentheses, and is the second field.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
        Some(Task {
            name: field("Name:")?,
            blocked: u64::from_str_radix(&field("SigBlk:")?, 16).ok()?,
            cores: field("Cpus_allowed:")?,
            nice: number(19)?,
            realtime: number(40)? as u64,
            policy: number(41)? as u64,
        })
    };
    let entries = fs::read_dir("/proc/self/task").unwrap();
    entries.filter_map(|entry| read(entry.ok()?.path())).collect()
}

/// Export is turned on, and cameras are started, by a thread that is pinned to a core and runs before all others.
#[test]
fn threads_are_nobodys_burden() {
    if common::emulated("what the kernel knows of threads") {
        return;
    }
    const CAMERAS: usize = 4;
    let settings = Settings { memory_budget: 1 << 30, huge_pages: HugePages::Off, ..Settings::default() };
    let starting = thread::spawn(move || {
        let parameters = libc::sched_param { sched_priority: 50 };
        // SAFETY: the parameters are there; 0 is this thread.
        let realtime = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) } == 0;
        if !realtime {
            println!("not tried in real time: this user may not");
            // SAFETY: no pointers; of this thread.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) };
        }
        // SAFETY: all zeros are a set.
        let mut first: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set is there, and has a place for core 0.
        unsafe { libc::CPU_SET(0, &mut first) };
        // SAFETY: the set is there; 0 is this thread.
        let pinned = unsafe { libc::sched_setaffinity(0, size_of_val(&first), &raw const first) } == 0;
        assert!(pinned, "there is a core 0");
        let export = FrameExport::new(settings);
        let writers: Vec<_> =
            (0..CAMERAS).map(|n| export.camera(&format!("camera {n}")).expecting(stream(4 * P1080))).collect();
        (export, writers)
    });
    let mut mapping = None;
    let deadline = Instant::now() + Duration::from_secs(10);
    while mapping.is_none() {
        assert!(Instant::now() < deadline, "no thread maps the rings");
        mapping = tasks().into_iter().find(|task| task.name == "frame-memory");
    }
    let (export, writers) = starting.join().unwrap();
    let control = tasks().into_iter().find(|task| task.name == "frame-export").expect("the control thread");
    let first = tasks().into_iter().next().expect("the first thread");
    for task in [mapping.expect("seen"), control] {
        // But for KILL and STOP, which cannot be, and two that glibc keeps for itself.
        assert_eq!(task.blocked | 1 << 8 | 1 << 18 | 1 << 31 | 1 << 32, u64::MAX, "{}", task.name);
        assert_eq!((task.policy, task.realtime), (libc::SCHED_OTHER as u64, 0), "{}", task.name);
        assert_eq!((&task.cores, task.nice), (&first.cores, first.nice), "{}", task.name);
    }
    // Those that start them keep what they had.
    let blocked =
        tasks().into_iter().filter(|task| !task.name.starts_with("frame-")).all(|task| task.blocked != u64::MAX);
    assert!(blocked);
    eventually("there are rings", || export.stats().cameras.iter().all(|camera| camera.bytes > 0));
    eventually("nobody maps any more", || !tasks().iter().any(|task| task.name == "frame-memory"));
    drop((writers, export));
}

/// Neither a core dump nor a forked child has the frames.
#[test]
fn frames_are_in_no_core_dump() {
    if common::emulated("what the kernel knows of memory") {
        return;
    }
    let export = FrameExport::new(Settings::default());
    let mut writer = common::start(&export, "a", P1080);
    offer(&mut writer, P1080).unwrap();
    let mapped = export.settings().unwrap().ring_bytes(P1080).unwrap() >> 10;
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut kilobytes = 0;
    let mut found = Vec::new();
    for line in smaps.lines() {
        if let Some(size) = line.strip_prefix("Size:") {
            kilobytes = size.trim().trim_end_matches(" kB").parse::<usize>().unwrap();
        } else if let Some(flags) = line.strip_prefix("VmFlags:") {
            let has = |flag: &str| flags.split_whitespace().any(|set| set == flag);
            if has("dd") && has("dc") {
                found.push(kilobytes);
            }
        }
    }
    // The bookkeeping, of a few kilobytes, is elsewhere.
    assert!(found.iter().any(|found| found.abs_diff(mapped) < 64), "{mapped} kB in {found:?}");
}
