//! The one place that knows whether the crate runs on a processor or in a model.
//!
//! Only what the ring uses is listed. Everything else in the crate takes its atomics from here, which a test of `xtask`
//! holds it to: an atomic that bypassed the shim would not be explored.

#[cfg(not(loom))]
mod real {
    use core::cell;

    pub(crate) use alloc::sync::Arc;
    pub(crate) use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};

    #[cfg(not(feature = "portable-atomic"))]
    pub(crate) use core::sync::atomic::AtomicU64;
    #[cfg(feature = "portable-atomic")]
    pub(crate) use portable_atomic::AtomicU64;

    /// `core`'s cell with the interface of loom's.
    #[derive(Debug, Default)]
    pub(crate) struct UnsafeCell<T>(cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(not(loom))]
pub(crate) use real::*;

#[cfg(loom)]
mod model {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::Ordering;

    loom::thread_local! {
        static OPERATIONS: core::cell::Cell<usize> = core::cell::Cell::new(0);
    }

    /// Atomic operations that the calling model thread has made so far: what the wait-freedom bound is checked with.
    pub fn operations() -> usize {
        OPERATIONS.with(core::cell::Cell::get)
    }

    fn count() {
        OPERATIONS.with(|n| n.set(n.get() + 1));
    }

    macro_rules! counted {
        ($($name:ident($of:ty) { $($op:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?;)* })*) => {$(
            #[derive(Debug)]
            pub(crate) struct $name(loom::sync::atomic::$name);

            impl $name {
                pub(crate) fn new(value: $of) -> Self {
                    Self(loom::sync::atomic::$name::new(value))
                }

                $(#[track_caller]
                pub(crate) fn $op(&self, $($arg: $ty),*) $(-> $ret)? {
                    count();
                    self.0.$op($($arg),*)
                })*
            }
        )*};
    }

    counted! {
        AtomicU16(u16) {
            load(order: Ordering) -> u16;
            store(value: u16, order: Ordering);
        }
        AtomicU32(u32) {
            fetch_add(value: u32, order: Ordering) -> u32;
            fetch_sub(value: u32, order: Ordering) -> u32;
        }
        AtomicU64(u64) {
            load(order: Ordering) -> u64;
            store(value: u64, order: Ordering);
            fetch_add(value: u64, order: Ordering) -> u64;
            fetch_sub(value: u64, order: Ordering) -> u64;
            fetch_and(value: u64, order: Ordering) -> u64;
            fetch_or(value: u64, order: Ordering) -> u64;
            fetch_xor(value: u64, order: Ordering) -> u64;
            compare_exchange(old: u64, new: u64, ok: Ordering, err: Ordering) -> Result<u64, u64>;
        }
    }
}

#[cfg(loom)]
pub use model::operations;
#[cfg(loom)]
pub(crate) use model::*;

/// A statistic that one thread writes and any thread reads.
///
/// Nothing is decided by it and nothing is published through it, so it is not explored by the models, and its
/// accesses are Relaxed: it may be seen late, never torn.
#[derive(Debug, Default)]
pub(crate) struct Counter(plain::AtomicU64);

mod plain {
    #[cfg(not(feature = "portable-atomic"))]
    pub(super) use core::sync::atomic::AtomicU64;
    pub(super) use core::sync::atomic::Ordering::Relaxed;
    #[cfg(feature = "portable-atomic")]
    pub(super) use portable_atomic::AtomicU64;
}

impl Counter {
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(plain::Relaxed)
    }

    #[inline]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, plain::Relaxed);
    }

    /// Adds without a read-modify-write, which one writer does not need. Wraps.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.set(self.get().wrapping_add(n));
    }
}
