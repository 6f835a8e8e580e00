//! The memory of rings: one budget, one mapping per ring, and the way back when nobody uses it any more.
//!
//! A [`RingMemory`] is dropped by whoever holds a ring last: the control side, which may hold its lock just then, or,
//! once export is gone, some reader's thread with its last lease. So its drop neither locks nor unmaps: it sends the
//! mapping [`Home`] through a lock-free queue, from which the control side reuses or unmaps it.

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_queue::ArrayQueue;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use vas_ring::{PixelMemory, RingSpec};

use crate::HugePages;

/// Where mappings go when their ring is gone.
pub(crate) type Home = ArrayQueue<Mapping>;

/// More mappings than come home between two looks. One that finds no room is unmapped where it is.
pub(crate) const HOME_PLACES: usize = 256;

/// Bytes that may be taken, and bytes that are. It is a plain number that guards itself: no model needs it.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    in_use: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, in_use: AtomicUsize::new(0) })
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn in_use(&self) -> usize {
        // Ordering: Relaxed, for statistics and messages.
        self.in_use.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, or says why not.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Reservation, OverBudget> {
        let fits = |in_use: usize| in_use.checked_add(bytes).filter(|&sum| sum <= self.limit);
        // Ordering: Acquire pairs with the Release in `Reservation::drop`: what was given back is unmapped by now.
        match self.in_use.fetch_update(Ordering::Acquire, Ordering::Relaxed, fits) {
            Ok(_) => Ok(Reservation { bytes, budget: self.clone() }),
            Err(in_use) => Err(OverBudget { needed: bytes, in_use, budget: self.limit }),
        }
    }
}

/// A share of the budget, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    bytes: usize,
    budget: Arc<Budget>,
}

impl Reservation {
    /// Splits `bytes` off.
    fn split(&mut self, bytes: usize) -> Self {
        self.bytes -= bytes;
        Self { bytes, budget: self.budget.clone() }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // Ordering: Release pairs with the Acquire in `Budget::reserve`.
        self.budget.in_use.fetch_sub(self.bytes, Ordering::Release);
    }
}

/// The budget does not allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OverBudget {
    pub(crate) needed: usize,
    pub(crate) in_use: usize,
    pub(crate) budget: usize,
}

/// Bytes of the mapping that a ring of this spec takes.
pub(crate) fn mapping_bytes(spec: &RingSpec) -> usize {
    // A spec's total is at most `isize::MAX`, so rounding it up to a page does not overflow.
    spec.pixel_bytes().next_multiple_of(rustix::param::page_size())
}

/// Bytes that a ring of this spec takes from the budget.
pub(crate) fn budget_bytes(spec: &RingSpec) -> usize {
    mapping_bytes(spec) + spec.overhead_bytes()
}

/// Anonymous memory, present in full.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    // Given back after the unmapping, as fields go after `drop`.
    _share: Reservation,
}

impl Mapping {
    /// Maps `share`'s bytes and touches each page, so that running out of memory shows here.
    fn new(share: Reservation, huge_pages: HugePages) -> io::Result<Self> {
        let len = share.bytes;
        // SAFETY: a new mapping at an address of the kernel's choice takes nothing from anybody.
        let base =
            unsafe { mmap_anonymous(ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }?;
        let base = NonNull::new(base.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let mapping = Self { base, len, _share: share };
        // A fork would make the decode thread's next write to each page fault and copy it. A child has no use for it.
        let _ = mapping.advise(Advice::LinuxDontFork);
        if huge_pages == HugePages::Auto {
            // Kernels built without them refuse, which is no harm.
            let _ = mapping.advise(Advice::LinuxHugepage);
        }
        match mapping.advise(Advice::LinuxPopulateWrite) {
            Ok(()) => {}
            // Before Linux 5.14.
            Err(rustix::io::Errno::INVAL) => mapping.touch(),
            Err(error) => return Err(error.into()),
        }
        Ok(mapping)
    }

    fn advise(&self, advice: Advice) -> rustix::io::Result<()> {
        // SAFETY: the range is this mapping, and none of the advices used changes the meaning of its memory here.
        unsafe { madvise(self.base.as_ptr().cast::<c_void>(), self.len, advice) }
    }

    /// Writes to every page.
    fn touch(&self) {
        for offset in (0..self.len).step_by(rustix::param::page_size()) {
            // SAFETY: within the mapping, which nobody else has yet.
            unsafe { self.base.as_ptr().add(offset).write_volatile(0) };
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`, unmapped once, and no ring uses it.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast::<c_void>(), self.len) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

// SAFETY: the memory is owned, and reached only through raw pointers that the ring hands out under its own rules.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` gives nothing but an address and a length.
unsafe impl Sync for Mapping {}

/// The memory of one ring: a mapping, and its share of the budget for what the ring allocates beside it.
pub(crate) struct RingMemory {
    /// None once it has gone home.
    mapping: Option<Mapping>,
    base: NonNull<u8>,
    len: usize,
    home: Arc<Home>,
    _overhead: Reservation,
}

impl fmt::Debug for RingMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingMemory").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Drop for RingMemory {
    fn drop(&mut self) {
        if let Some(mapping) = self.mapping.take() {
            // When there is no room it is unmapped here.
            let _ = self.home.push(mapping);
        }
    }
}

// SAFETY: as for `Mapping`; the rest is Send by itself.
unsafe impl Send for RingMemory {}
// SAFETY: as above.
unsafe impl Sync for RingMemory {}

// SAFETY: base and length never change; the memory comes zeroed from the kernel or initialised from another ring, is
// reached by one ring at a time, and lives until the drop.
unsafe impl PixelMemory for RingMemory {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn len(&self) -> usize {
        self.len
    }
}

/// Memory that the budget allows. Mapping it may take long, and is done without any lock.
#[derive(Debug)]
pub(crate) struct Grant {
    mapping: Result<Mapping, Reservation>,
    overhead: Reservation,
    home: Arc<Home>,
}

impl Grant {
    /// With a mapping of the right size, or with bytes for one.
    pub(crate) fn new(
        spec: &RingSpec,
        recycled: Option<Mapping>,
        budget: &Arc<Budget>,
        home: &Arc<Home>,
    ) -> Result<Self, (OverBudget, Option<Mapping>)> {
        let overhead = spec.overhead_bytes();
        let (mapping, overhead) = match recycled {
            Some(mapping) => match budget.reserve(overhead) {
                Ok(overhead) => (Ok(mapping), overhead),
                Err(error) => return Err((error, Some(mapping))),
            },
            None => match budget.reserve(budget_bytes(spec)) {
                Ok(mut share) => {
                    let overhead = share.split(overhead);
                    (Err(share), overhead)
                }
                Err(error) => return Err((error, None)),
            },
        };
        Ok(Self { mapping, overhead, home: home.clone() })
    }

    pub(crate) fn map(self, huge_pages: HugePages) -> io::Result<RingMemory> {
        let mapping = self.mapping.or_else(|share| Mapping::new(share, huge_pages))?;
        let (base, len) = (mapping.base, mapping.len);
        Ok(RingMemory { mapping: Some(mapping), base, len, home: self.home, _overhead: self.overhead })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_exact() {
        let budget = Budget::new(100);
        let mut a = budget.reserve(60).unwrap();
        assert_eq!(budget.reserve(41).unwrap_err(), OverBudget { needed: 41, in_use: 60, budget: 100 });
        assert_eq!(budget.reserve(usize::MAX).unwrap_err().in_use, 60);
        let b = a.split(10);
        let c = budget.reserve(40).unwrap();
        drop(a);
        assert_eq!(budget.in_use(), 50);
        drop((b, c));
        assert_eq!(budget.in_use(), 0);
    }

    /// A mapping outlives everything but its ring: the last one to go home takes the home with it.
    #[test]
    fn the_last_mapping_takes_its_home_with_it() {
        let budget = Budget::new(1 << 20);
        let home = Arc::new(Home::new(1));
        let spec = RingSpec::new(1, 1, 1, 4096).unwrap();
        let memory = |recycled| Grant::new(&spec, recycled, &budget, &home).unwrap().map(HugePages::Off).unwrap();
        let (a, b, c) = (memory(None), memory(None), memory(None));
        let each = budget_bytes(&spec);
        assert_eq!(budget.in_use(), 3 * each);
        drop(a);
        assert_eq!(budget.in_use(), 3 * each - spec.overhead_bytes(), "one has gone home");
        drop(b);
        assert_eq!(budget.in_use(), 2 * each - spec.overhead_bytes(), "there was no room for the other");
        let d = memory(home.pop());
        assert_eq!(budget.in_use(), 2 * each, "recycled");
        drop((d, home));
        drop(c);
        assert_eq!(budget.in_use(), 0);
    }

    #[test]
    fn pages_are_there_after_a_touch_by_hand() {
        let budget = Budget::new(1 << 20);
        let share = budget.reserve(64 << 10).unwrap();
        let mapping = Mapping::new(share, HugePages::Off).unwrap();
        mapping.advise(Advice::LinuxDontNeed).unwrap();
        mapping.touch();
        // SAFETY: within the mapping, which the test has to itself.
        let pixels = unsafe { std::slice::from_raw_parts(mapping.base.as_ptr(), mapping.len) };
        assert!(pixels.iter().all(|&byte| byte == 0));
    }
}
