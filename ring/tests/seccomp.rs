//! The writer makes no system call. Its thread enters seccomp's strict mode, in which the kernel kills it for any call
//! but read, write and exit, and publishes all the same while another thread reads.
//!
//! The kernel kills without a word, so this happens in a child process: the test program itself, told by a variable
//! what to do. Each test says what the child should come to.
#![cfg(all(not(loom), target_os = "linux"))]

#[path = "common/mod.rs"]
mod common;

use std::env;
use std::os::unix::thread::JoinHandleExt;
use std::process::{self, Command, Stdio};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use common::{assert_whole, emulated, publish, ring};
use vas_ring::{ReadError, Reader};

const FRAMES: u64 = 10_000;
const ROLE: &str = "VAS_RING_SECCOMP_ROLE";

/// What the child says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// The writer published every frame, and the reader's sums came out.
    Published = 40,
    /// The kernel killed the writer's thread at the forbidden call.
    Killed = 41,
}

/// Runs `role` in a child process, and returns how that exited.
fn child(test: &str, role: &str) -> Option<i32> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("the child hangs: {:?}", child.wait());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Publishes in strict mode, and makes one more system call in the middle if asked to.
fn publish_in_strict_mode(forbidden_call: bool) -> Outcome {
    let (ring, mut writer) = ring(3, 2, 2, 6000);
    let mut reader = ring.subscribe().unwrap();
    let mut hoarder = ring.subscribe().unwrap();
    let published = Arc::new(AtomicU64::new(0));
    let count = published.clone();
    let writing = thread::spawn(move || {
        // SAFETY: no pointers; the thread makes no call from here on that this forbids, which is what is tested.
        let strict = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT, 0, 0, 0) };
        assert_eq!(strict, 0, "seccomp's strict mode is not to be had");
        for n in 0..FRAMES {
            publish(&mut writer);
            count.store(n + 1, SeqCst);
            if forbidden_call && n == FRAMES / 2 {
                // SAFETY: takes no arguments.
                unsafe { libc::syscall(libc::SYS_getppid) };
            }
        }
        // SAFETY: ends this thread alone, in the one way that strict mode allows.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    });
    let thread = writing.into_pthread_t();

    let mut held = Vec::new();
    let start = Instant::now();
    while published.load(SeqCst) == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "the writer does not start");
        thread::yield_now();
    }
    held.extend(hoarder.latest().unwrap());
    // Reads along until nothing has come for a while: the writer is done then, or the machine is busy.
    let mut last = Instant::now();
    while last.elapsed() < Duration::from_millis(300) {
        if read_next(&mut reader) {
            last = Instant::now();
        } else {
            thread::yield_now();
        }
    }
    // SAFETY: a thread that was neither joined nor detached, since `into_pthread_t` took it from std. The kernel wakes
    // this when the thread ends, whichever way; std's own join would look for a result that it has not left.
    assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
    while read_next(&mut reader) {}
    held.iter().for_each(assert_whole);
    let (stats, published) = (reader.stats(), published.load(SeqCst));
    assert_eq!(stats.seen + stats.missed.total(), published);
    assert_eq!((ring.stats().published, ring.stats().dropped.total()), (published, 0));
    match published {
        FRAMES => Outcome::Published,
        n if forbidden_call && n == FRAMES / 2 + 1 => Outcome::Killed,
        n => panic!("the writer was killed after {n} frames"),
    }
}

/// Whether there was a frame.
fn read_next(reader: &mut Reader) -> bool {
    match reader.next() {
        Ok(lease) => lease.inspect(assert_whole).is_some(),
        Err(ReadError::Overtaken) => true,
        Err(error) => panic!("{error}"),
    }
}

/// In the child: does what was asked for, and exits with the outcome.
fn play(role: &str) -> ! {
    process::exit(publish_in_strict_mode(role == "forbidden call") as i32)
}

#[test]
fn publishes_without_system_calls() {
    match env::var(ROLE) {
        Ok(role) => play(&role),
        Err(_) if emulated("system calls") => {}
        Err(_) => {
            assert_eq!(child("publishes_without_system_calls", "publish"), Some(Outcome::Published as i32));
        }
    }
}

/// The mode bites: with one call of the system the writer is gone halfway.
#[test]
fn one_system_call_is_one_too_many() {
    match env::var(ROLE) {
        Ok(role) => play(&role),
        Err(_) if emulated("system calls") => {}
        Err(_) => {
            let code = child("one_system_call_is_one_too_many", "forbidden call");
            assert_eq!(code, Some(Outcome::Killed as i32));
        }
    }
}
