//! What an offer does not do: allocate, take page faults, call the system. It is one test, alone in its process, since
//! it forks.

#![cfg(feature = "ffmpeg-next")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use vas_ring::{CopyMode, DropCause, Reader, Writer};
use vas_tap::{Offer, Tap, stream_spec};

struct Counting;

thread_local! {
    /// Of this thread: that of the test harness allocates while a test starts. Needs neither memory nor a destructor.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count();
        // SAFETY: passed on.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: passed on.
        unsafe { System.realloc(at, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn page_faults() -> i64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: a whole `rusage`, for which zeros are a value.
    let usage = unsafe {
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()), 0);
        usage.assume_init()
    };
    usage.ru_minflt + usage.ru_majflt
}

/// Some frames that differ in shape, so that plans are made anew.
fn frames() -> Vec<Video> {
    let sound = [(Pixel::YUV420P, 640, 360), (Pixel::NV12, 320, 180), (Pixel::YUV420P10LE, 321, 181)];
    let mut frames: Vec<_> =
        sound.into_iter().map(|(format, width, height)| Video::new(format, width, height)).collect();
    for frame in &mut frames {
        for n in 0..frame.planes() {
            frame.data_mut(n).fill(7);
        }
    }
    frames
}

/// Offers as a decode loop does, with a reader that keeps up, and refuses some.
fn offers(tap: &mut Tap<Writer>, reader: &mut Reader, frames: &[Video], empty: &Video, rounds: usize) {
    for _ in 0..rounds {
        for frame in frames {
            let Offer::Published(id) = tap.offer(frame) else { std::process::abort() };
            let Ok(Some(lease)) = reader.latest() else { std::process::abort() };
            if lease.frame_id != id {
                std::process::abort();
            }
        }
        if !matches!(tap.offer(empty), Offer::Dropped(DropCause::Unsupported)) {
            std::process::abort();
        }
    }
}

/// Has the kernel kill the process at any further system call but the one that ends a thread.
///
/// A filter, as strict mode takes the clock away as well.
fn no_more_system_calls() -> bool {
    // SAFETY: these make plain instructions.
    let mut program = unsafe {
        [
            libc::BPF_STMT((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0),
            libc::BPF_JUMP((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, libc::SYS_exit as u32, 0, 1),
            libc::BPF_STMT((libc::BPF_RET | libc::BPF_K) as u16, libc::SECCOMP_RET_ALLOW),
            libc::BPF_STMT((libc::BPF_RET | libc::BPF_K) as u16, libc::SECCOMP_RET_KILL_PROCESS),
        ]
    };
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: settings of this thread; the program outlives the call.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    }
}

/// Runs `this` in a child process that may not call the system. Returns whether it got to its end.
fn without_system_calls(this: impl FnOnce()) -> bool {
    // SAFETY: the child has one thread, which neither returns nor drops anything; the parent waits for it.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            if no_more_system_calls() {
                this();
                libc::syscall(libc::SYS_exit, 0);
            }
            libc::abort();
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        let killed = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
        assert!(killed.is_none_or(|signal| signal == libc::SIGSYS), "killed by signal {killed:?}");
        libc::WIFEXITED(status)
    }
}

#[test]
fn nothing_but_the_copy() {
    let bytes = stream_spec(640, 360, 0).unwrap().frame_bytes;
    let (frames, empty) = (frames(), Video::empty());
    for mode in CopyMode::ALL {
        let (ring, tap) = support::tap(bytes);
        let mut tap = tap.with_copy(mode);
        let mut reader = ring.subscribe().unwrap();
        // Every slot has been written to once.
        offers(&mut tap, &mut reader, &frames, &empty, 4);

        let (before, faults) = (ALLOCATIONS.get(), page_faults());
        offers(&mut tap, &mut reader, &frames, &empty, 300);
        let allocations = ALLOCATIONS.get() - before;
        assert_eq!((allocations, page_faults() - faults), (0, 0), "allocations and page faults, {mode}");
        // The count is alive.
        drop(std::hint::black_box(Box::new(1)));
        assert!(ALLOCATIONS.get() >= before + 2);

        assert!(without_system_calls(|| offers(&mut tap, &mut reader, &frames, &empty, 300)), "a system call, {mode}");
    }
    // The check is alive.
    assert!(!without_system_calls(|| std::thread::sleep(std::time::Duration::from_nanos(1))));
}
