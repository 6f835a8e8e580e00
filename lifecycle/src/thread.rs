//! Threads of export's own, which are nobody's burden: they run no signal handler of the host's, and do not inherit how
//! the thread is scheduled that happens to start them.
//!
//! A decode thread may be pinned to a core and scheduled before all others; what is started from it would be too, and
//! would touch a ring's pages there. So each thread begins by taking on what the process has: the affinity and the
//! niceness of its first thread, and ordinary scheduling.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::thread::{Builder, JoinHandle};

/// Bytes of stack: many times what is used, and little of an address space that the host may have limited.
const STACK: usize = 256 << 10;

/// Starts a thread that blocks every signal, with the process's own scheduling.
///
/// Signals are blocked on the calling thread while the new one is started, which inherits that: it never is without.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let _blocked = BlockedSignals::new()?;
    Builder::new().name(name.into()).stack_size(STACK).spawn(move || {
        schedule_as_the_process();
        run();
    })
}

/// All signals are blocked on this thread until it is dropped.
struct BlockedSignals {
    before: libc::sigset_t,
}

impl BlockedSignals {
    fn new() -> io::Result<Self> {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: it initialises the set that it is given.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: the first set has been initialised, the second is written to; the mask is this thread's.
        match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) } {
            // SAFETY: written to by the call, which succeeded.
            0 => Ok(Self { before: unsafe { before.assume_init() } }),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set is initialised, and where the former one would go may be null.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut()) };
    }
}

/// Where the system refuses one of these, the thread goes on as it is: it works, and takes what it was given.
fn schedule_as_the_process() {
    let process = rustix::process::getpid();
    let ordinary = libc::sched_param { sched_priority: 0 };
    // SAFETY: the parameters are there, and are read from; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const ordinary) };
    // A process's id is that of its first thread.
    if let Ok(nice) = rustix::process::getpriority_process(Some(process)) {
        let _ = rustix::process::setpriority_process(None, nice);
    }
    if let Ok(cores) = rustix::thread::sched_getaffinity(Some(process)) {
        let _ = rustix::thread::sched_setaffinity(None, &cores);
    }
}
