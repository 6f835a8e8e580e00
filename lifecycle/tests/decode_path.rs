//! The decode thread makes no system call and allocates nothing, whatever it does with its writer: it publishes,
//! outgrows its slots, goes over to larger ones, and stops.
//!
//! It has entered seccomp strict mode, in which the kernel kills a thread for any call but read, write and exit.

#![cfg(all(not(loom), target_os = "linux"))]
#![allow(unsafe_code)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{eventually, id, start};
use vas_lifecycle::{CameraWriter, DropCause, FrameEntry, FrameExport, FrameSink, Rate, Settings, Watch};

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// Calls of the allocator on decode threads: also those that it can serve without the system.
static HEAP_CALLS: AtomicUsize = AtomicUsize::new(0);

/// Held by each test: what is counted is counted for all threads.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

struct Counting;

// SAFETY: each method passes its arguments on to the system's allocator, under the caller's own promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP_CALLS.fetch_add(usize::from(COUNTED.get()), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HEAP_CALLS.fetch_add(usize::from(COUNTED.get()), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `decode` on a thread that may not call the system, and says whether it lived to the end. The thread counts its
/// steps in `done`; it cannot be joined, as a thread's ordinary end calls the system too.
fn run_confined(steps: u64, decode: impl FnOnce(&AtomicU64) + Send + 'static) -> bool {
    static DONE: AtomicU64 = AtomicU64::new(0);
    DONE.store(0, Ordering::Relaxed);
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        // SAFETY: no arguments, and no memory is involved.
        send.send(unsafe { libc::syscall(libc::SYS_gettid) }).unwrap();
        drop(send);
        // SAFETY: it changes what this thread may do, not its memory.
        let confined = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) };
        if confined == 0 {
            COUNTED.set(true);
            decode(&DONE);
            COUNTED.set(false);
            DONE.fetch_add(1, Ordering::Release);
        }
        loop {
            // SAFETY: ends this thread alone; whatever it owns is leaked.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        }
    });
    let task = format!("/proc/self/task/{}", receive.recv().unwrap());
    eventually("the thread ends", || !std::path::Path::new(&task).exists());
    DONE.load(Ordering::Acquire) == steps + 1
}

fn publish(writer: &mut CameraWriter, bytes: usize) -> Result<u64, DropCause> {
    // Whatever is chosen, it is published.
    let _ = writer.demand(|| 1);
    let mut claim = writer.claim(bytes)?;
    claim.pixels_mut()[..bytes].fill(7);
    Ok(claim.publish(&FrameEntry { bytes: bytes as u32, ..FrameEntry::default() }))
}

#[test]
fn no_system_call_and_no_heap_on_the_decode_path() {
    if common::emulated("system calls") {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    const SMALL: usize = common::P720;
    const LARGE: usize = common::P1080;
    let export = FrameExport::new(Settings::default());
    let mut writer = start(&export, "a", SMALL);
    // One that takes all, and one of whose camera the writer looks at the time for each frame.
    let mut reader = export.subscribe(id("a"));
    let some = export.subscribe(Watch::from(id("b")).rate(Rate::PerSecond(5.0)));
    let lived = run_confined(3, move |done| {
        for _ in 0..1000 {
            publish(&mut writer, SMALL).unwrap();
            writer.skip(DropCause::Malformed);
        }
        done.fetch_add(1, Ordering::Relaxed);
        while publish(&mut writer, LARGE).is_err() {
            hint::spin_loop();
        }
        done.fetch_add(1, Ordering::Relaxed);
        publish(&mut writer, SMALL).unwrap();
        done.fetch_add(1, Ordering::Relaxed);
        drop(writer);
    });
    assert!(lived, "the decode thread was killed for a system call");
    assert_eq!(HEAP_CALLS.load(Ordering::Relaxed), 0);
    assert!(reader.poll().is_some(), "readable to the end");
    while reader.poll().is_some() {}
    let stats = export.stats();
    assert_eq!((stats.cameras[0].generation, stats.cameras[0].published), (1, 1002));
    let counts = reader.counts();
    assert_eq!(counts.seen + counts.missed.total(), stats.cameras[0].offered);

    // The last thing that anybody else has of a camera is gone when its decode thread lets go: not even then.
    let mut writer = start(&export, "b", SMALL);
    drop((reader, some, export));
    let lived = run_confined(0, move |_| {
        publish(&mut writer, SMALL).unwrap();
        drop(writer);
    });
    assert!(lived, "the decode thread was killed for a system call");
    assert_eq!(HEAP_CALLS.load(Ordering::Relaxed), 0);
    eventually("the control thread ends", || common::control_threads() == 0);

    // What is promised not to happen is seen when it does.
    assert!(!run_confined(0, |_| thread::sleep(Duration::from_nanos(1))), "a system call kills");
    assert!(run_confined(0, |_| drop(hint::black_box(Box::new(1)))));
    assert!(HEAP_CALLS.load(Ordering::Relaxed) > 0, "the heap is counted");
}

/// What this thread has been made to wait for by its own memory: page faults, minor and major.
fn page_faults() -> i64 {
    // SAFETY: all zeros are a structure of numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is there, and is written to.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
    usage.ru_minflt + usage.ru_majflt
}

/// Rings of other cameras are mapped and unmapped, 83 MiB each, while a camera decodes: its thread has no page fault and
/// calls the allocator never. How long its frames take meanwhile is told.
#[test]
fn rings_come_and_go_elsewhere() {
    if common::emulated("page faults") {
        return;
    }
    const FRAMES: usize = 40_000;
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let export = FrameExport::new(Settings { memory_budget: 1 << 30, ..Settings::default() });
    let mut writer = start(&export, "a", common::P720);
    let _reader = export.subscribe("a");
    let mut times = Vec::new();
    for elsewhere in [false, true] {
        let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let churn = elsewhere.then(|| {
            let (export, over) = (export.clone(), over.clone());
            thread::spawn(move || {
                let mut rings = 0;
                // Of another size each time, so that each is mapped anew and the last one is unmapped.
                while !over.load(Ordering::Relaxed) || rings < 3 {
                    drop(start(&export, &format!("other {}", rings % 4), 4 * common::P1080 + 4096 * rings));
                    rings += 1;
                }
                rings
            })
        });
        // The first ones touch what the loop itself uses.
        let mut took = vec![Duration::ZERO; FRAMES];
        let mut before = (0, 0);
        for n in 0..FRAMES + 10 {
            if n == 10 {
                COUNTED.set(true);
                before = (page_faults(), HEAP_CALLS.load(Ordering::Relaxed));
            }
            let began = std::time::Instant::now();
            publish(&mut writer, common::P720).unwrap();
            if let Some(n) = n.checked_sub(10) {
                took[n] = began.elapsed();
            }
        }
        let after = (page_faults(), HEAP_CALLS.load(Ordering::Relaxed));
        COUNTED.set(false);
        over.store(true, Ordering::Relaxed);
        let rings = churn.map_or(0, |churn| churn.join().unwrap());
        assert_eq!(after, before, "page faults and calls of the allocator, while {rings} rings came and went");
        took.sort_unstable();
        let at = |percent: usize| took[(FRAMES - 1) * percent / 100];
        println!("{rings} rings came and went: {:?} p50, {:?} p99, {:?} at most", at(50), at(99), at(100));
        times.push(took);
    }
}
