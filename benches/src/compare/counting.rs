//! An allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

/// The system's allocator, and a count of what it does. The program that measures makes it its global one.
#[derive(Debug)]
pub struct Counting;

/// Bytes that are allocated now.
// Ordering: Relaxed throughout, a count that orders nothing.
static LIVE: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    LIVE.fetch_add(bytes, Ordering::Relaxed);
    // A thread that ends may allocate when its locals are gone.
    _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

/// Bytes that the program has allocated at the moment, on all threads.
pub fn live_bytes() -> isize {
    LIVE.load(Ordering::Relaxed)
}

/// How often the calling thread has allocated, reallocated or freed.
pub fn calls() -> u64 {
    CALLS.with(Cell::get)
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: passed on.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size as isize - layout.size() as isize);
        // SAFETY: passed on.
        unsafe { System.realloc(at, layout, new_size) }
    }
}
