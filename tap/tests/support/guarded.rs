//! Memory that ends where a page begins that nobody may touch.

use std::ptr;

/// Bytes with an unreachable page before and after them. They end right before that page, or start right after it.
pub(crate) struct Guarded {
    map: *mut u8,
    pages: usize,
    start: *mut u8,
}

impl Guarded {
    const PAGE: usize = 4096;

    /// `bytes` before an unreachable page.
    pub(crate) fn before(bytes: &[u8]) -> Self {
        Self::new(bytes, true)
    }

    /// `bytes` after an unreachable page.
    pub(crate) fn after(bytes: &[u8]) -> Self {
        Self::new(bytes, false)
    }

    fn new(bytes: &[u8], at_end: bool) -> Self {
        let inside = bytes.len().next_multiple_of(Self::PAGE);
        let pages = inside + 2 * Self::PAGE;
        // SAFETY: a new mapping; what is written lies within it.
        unsafe {
            let map =
                libc::mmap(ptr::null_mut(), pages, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
            assert_ne!(map, libc::MAP_FAILED);
            let map = map.cast::<u8>();
            let first = map.add(Self::PAGE);
            assert_eq!(libc::mprotect(first.cast(), inside, libc::PROT_READ | libc::PROT_WRITE), 0);
            let start = if at_end { first.add(inside - bytes.len()) } else { first };
            start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            assert_eq!(libc::mprotect(first.cast(), inside, libc::PROT_READ), 0);
            Self { map, pages, start }
        }
    }

    /// The first of the bytes. They may be read only.
    pub(crate) fn start(&self) -> *mut u8 {
        self.start
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made by `new`.
        unsafe { libc::munmap(self.map.cast(), self.pages) };
    }
}
