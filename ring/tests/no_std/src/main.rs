//! The proof that vas-ring needs no std: `cargo xtask no-std` builds and runs this. Were std linked, by the ring or by one of
//! its dependencies, its panic handler would be the second one, and the compiler refuses that.
#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

extern crate vas_ring as _;

/// Uses the ring; false when it doesn't do what it should.
fn use_ring() -> bool {
    // Here goes: make a ring, publish a frame, lease it, compare its pixels.
    true
}

/// The C library's start-up code calls this; its exit status is what `use_ring` says.
#[unsafe(no_mangle)]
extern "C" fn main(_argc: i32, _argv: *const *const u8) -> i32 {
    i32::from(!use_ring())
}

// For the start-up code and memcpy, which std would otherwise bring along.
#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: abort takes no arguments and has no preconditions.
    unsafe { abort() }
}

const HEAP_BYTES: usize = 1 << 20;

/// Hands out memory from front to back and takes none back: enough for one run.
struct Bump {
    used: AtomicUsize,
    heap: UnsafeCell<[u8; HEAP_BYTES]>,
}

// SAFETY: `alloc` hands out each byte of the heap at most once, and nothing else touches the heap.
unsafe impl Sync for Bump {}

// SAFETY: blocks lie in a static, are aligned as asked for, and never overlap, since `used` only grows.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.heap.get().cast::<u8>();
        // Enough for the padding at any address.
        let bytes = layout.size() + layout.align();
        // Relaxed: the block's bytes are nobody else's, and passing it on is the business of the one who asked.
        let start = self.used.fetch_add(bytes, Ordering::Relaxed);
        if bytes > HEAP_BYTES || start > HEAP_BYTES - bytes {
            return ptr::null_mut();
        }
        // SAFETY: start + bytes <= HEAP_BYTES, so it stays inside the heap.
        let block = unsafe { base.add(start) };
        let padding = block.addr().wrapping_neg() & (layout.align() - 1);
        // SAFETY: the padding is less than the alignment, which `bytes` has room for.
        unsafe { block.add(padding) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: Bump = Bump { used: AtomicUsize::new(0), heap: UnsafeCell::new([0; HEAP_BYTES]) };
