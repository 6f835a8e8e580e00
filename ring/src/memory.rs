//! Where pixels live: memory that the caller hands in.

use alloc::alloc::{alloc_zeroed, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use crate::spec::{LINE, RingSpec};

/// A block of memory for the pixels of one ring, given back by its `Drop`.
///
/// The ring drops it when the last of its handles and leases is gone, on the thread that drops that one.
///
/// # Safety
///
/// [`base`](Self::base) and [`len`](Self::len) always return the same values. The bytes between are initialised,
/// valid for reads and writes from any thread, not reached by anybody else, and stay so until the drop, or until
/// [`Retired::reclaim`](crate::Retired::reclaim) gives them back.
pub unsafe trait PixelMemory: Send + Sync {
    /// The first byte. [`Ring::new`](crate::Ring::new) refuses a base that is not on a 64-byte boundary.
    fn base(&self) -> NonNull<u8>;

    /// Bytes from the base.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Zeroed memory from the global allocator.
pub struct HeapMemory {
    base: NonNull<u8>,
    layout: Layout,
}

impl HeapMemory {
    /// As much as a ring of this spec asks for.
    ///
    /// Out of memory ends in `handle_alloc_error`, as for a `Box`.
    pub fn for_spec(spec: &RingSpec) -> Self {
        let layout = Layout::from_size_align(spec.pixel_bytes(), LINE).expect("a spec fits into the address space");
        // SAFETY: a spec has at least one slot of at least one line, so the size is not zero.
        let base = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(base) else { handle_alloc_error(layout) };
        Self { base, layout }
    }
}

impl Drop for HeapMemory {
    fn drop(&mut self) {
        // SAFETY: allocated in `for_spec` with this layout, and given back once.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}

impl fmt::Debug for HeapMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeapMemory").field("len", &self.layout.size()).finish_non_exhaustive()
    }
}

// SAFETY: the memory is owned, and reached only through raw pointers that the ring hands out under its own rules.
unsafe impl Send for HeapMemory {}
// SAFETY: as above; `&HeapMemory` gives nothing but an address and a length.
unsafe impl Sync for HeapMemory {}

// SAFETY: base and length never change, the bytes are zeroed, owned, and live until the drop.
unsafe impl PixelMemory for HeapMemory {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn len(&self) -> usize {
        self.layout.size()
    }
}
