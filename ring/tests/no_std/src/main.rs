//! The proof that vas-ring needs no std: `cargo xtask no-std` builds and runs this. Were std linked, by the ring or by one of
//! its dependencies, its panic handler would be the second one, and the compiler refuses that.
#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use vas_ring::{FrameEntry, HeapMemory, Identity, Lease, Ring, RingSpec};

const FRAME: &[u8] = b"a frame without std";

/// Uses the ring; false when it doesn't do what it should.
fn use_ring() -> bool {
    borrow_frame().is_some_and(|lease| lease.frame_id == 7 && lease.pixels() == FRAME)
}

/// Gives up a frame, publishes ten, and borrows the first of those. The lease outlives the ring.
fn borrow_frame() -> Option<Lease> {
    let spec = RingSpec::new(2, 1, 1, FRAME.len()).ok()?;
    let identity = Identity { first_frame_id: 6, ..Identity::default() };
    let (ring, mut writer) = Ring::new(spec, identity, HeapMemory::for_spec(&spec)).ok()?;
    let mut reader = ring.subscribe().ok()?;
    drop(writer.claim().ok()?);
    let mut lease = None;
    for _ in 0..10 {
        let mut claim = writer.claim().ok()?;
        claim.pixels_mut().copy_from_slice(FRAME);
        claim.publish(&FrameEntry { bytes: FRAME.len() as u32, ..FrameEntry::default() });
        if lease.is_none() {
            lease = reader.latest().ok()?;
        }
    }
    lease
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
