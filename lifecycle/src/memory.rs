//! The memory of rings: one budget, one mapping per ring, and the way back when nobody uses it any more.
//!
//! Mappings are touched and given back in pieces. Between two of them whoever else wants to change this process's address
//! space gets their turn, and whether there is still memory for the rest is looked at.
//!
//! A [`RingMemory`] is dropped by whoever holds a ring last: the control side, which may hold its lock just then, or,
//! once export is gone, some reader's thread with its last lease. So its drop neither locks nor unmaps: it sends the
//! mapping [`Home`] through a lock-free queue, from which the control side reuses or unmaps it.

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam_queue::ArrayQueue;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use vas_ring::{PixelMemory, RingSpec};

use crate::HugePages;

/// What is touched or given back at once: a multiple of the size of a huge page.
const PIECE: usize = 4 << 20;

/// Where mappings go when their ring is gone.
pub(crate) type Home = ArrayQueue<Arc<Mapping>>;

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

    fn give_back(&self, bytes: usize) {
        // Ordering: Release pairs with the Acquire in `reserve`.
        self.in_use.fetch_sub(bytes, Ordering::Release);
    }

    /// Takes `bytes`, or says why not.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Reservation, OverBudget> {
        let fits = |in_use: usize| in_use.checked_add(bytes).filter(|&sum| sum <= self.limit);
        // Ordering: Acquire pairs with the Release in `give_back`: what was given back is unmapped by now.
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
        self.budget.give_back(self.bytes);
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
    /// Whether parts of it are given back, or going to be: no ring can use it any more.
    is_torn: AtomicBool,
    /// Bytes that the system has back, and the budget has not.
    returned: AtomicUsize,
    /// Bytes of the share that have been given back.
    given_back: AtomicUsize,
    // The rest is given back after the unmapping, as fields go after `drop`.
    share: Reservation,
}

impl Mapping {
    /// Maps `share`'s bytes and touches each page, so that running out of memory shows here. Before each piece `may_touch`
    /// is asked, with the bytes that are left to be touched; when it says no, all is given back.
    fn new<E: From<io::Error>>(
        share: Reservation,
        huge_pages: HugePages,
        mut may_touch: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Self, E> {
        let len = share.bytes;
        // SAFETY: a new mapping at an address of the kernel's choice takes nothing from anybody.
        let base =
            unsafe { mmap_anonymous(ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }
                .map_err(io::Error::from)?;
        let base = NonNull::new(base.cast::<u8>()).ok_or(io::Error::from(io::ErrorKind::OutOfMemory))?;
        let (returned, given_back) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut mapping = Self { base, len, is_torn: AtomicBool::new(false), returned, given_back, share };
        // A fork would make the decode thread's next write to each page fault and copy it. A child has no use for it.
        let _ = mapping.advise(0..len, Advice::LinuxDontFork);
        // What cameras see is nobody's business who is sent a core dump, and would be most of it.
        let _ = mapping.advise(0..len, Advice::LinuxDontDump);
        if huge_pages == HugePages::Auto {
            // Kernels built without them refuse, which is no harm.
            let _ = mapping.advise(0..len, Advice::LinuxHugepage);
        }
        for piece in mapping.pieces() {
            may_touch(len - piece.start)?;
            match mapping.advise(piece.clone(), Advice::LinuxPopulateWrite) {
                Ok(()) => {}
                // Before Linux 5.14.
                Err(rustix::io::Errno::INVAL) => mapping.touch(piece),
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        if huge_pages == HugePages::Auto {
            // Huge pages that are there stay. Where there was none to be had the kernel would go on looking for one, and have
            // the decode thread's next write wait while it moves the pages there.
            let _ = mapping.advise(0..len, Advice::LinuxNoHugepage);
        }
        Ok(mapping)
    }

    /// The whole, cut where addresses are multiples of [`PIECE`], so that no huge page is in two pieces.
    fn pieces(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (base, len) = (self.base.as_ptr().addr(), self.len);
        let first = base.next_multiple_of(PIECE) - base;
        let cuts = std::iter::once(0).chain((first..len).step_by(PIECE).filter(|&cut| cut != 0));
        cuts.map(move |cut| cut..len.min(cut + PIECE - (base + cut) % PIECE))
    }

    fn advise(&self, range: Range<usize>, advice: Advice) -> rustix::io::Result<()> {
        debug_assert!(range.end <= self.len);
        // SAFETY: the range is within this mapping, and none of the advices used changes the meaning of memory that somebody
        // uses: `LinuxDontNeed`, which does, is given when it is new or nobody's any more.
        unsafe { madvise(self.base.as_ptr().add(range.start).cast::<c_void>(), range.len(), advice) }
    }

    /// Writes to every page.
    fn touch(&mut self, range: Range<usize>) {
        for offset in range.step_by(rustix::param::page_size()) {
            // SAFETY: within the mapping, which is borrowed exclusively: no ring uses it.
            unsafe { self.base.as_ptr().add(offset).write_volatile(0) };
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Control side: parts of it are going to be given back.
    pub(crate) fn tear(&self) {
        // Ordering: Relaxed. It is set while a ring uses the mapping, and looked at when the mapping has come home through a
        // queue after that.
        self.is_torn.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_torn(&self) -> bool {
        // Ordering: Relaxed, as in `tear`.
        self.is_torn.load(Ordering::Relaxed)
    }

    /// Bytes of its share that have been given back.
    pub(crate) fn given_back(&self) -> usize {
        // Ordering: Relaxed, for statistics; the drop has the mapping to itself.
        self.given_back.load(Ordering::Relaxed)
    }

    /// Control side: gives as much of its share back to the budget as the system has back. Under the lock, so that what is in
    /// use and what rings have agree for who looks under it.
    pub(crate) fn settle(&self) {
        // Ordering: Acquire pairs with the Release in `give_back`: the pages have gone back.
        let bytes = self.returned.swap(0, Ordering::Acquire);
        // Ordering: Relaxed, as in `given_back`.
        self.given_back.fetch_add(bytes, Ordering::Relaxed);
        self.share.budget.give_back(bytes);
    }

    /// Gives the pages of a range back to the system. Both ends are multiples of a page's size.
    ///
    /// # Safety
    ///
    /// Nobody uses the range any more, and it was not given back before.
    pub(crate) unsafe fn give_back(&self, range: Range<usize>) {
        let bytes = range.len();
        // In pieces, as in `drop`.
        for start in range.clone().step_by(PIECE) {
            let _ = self.advise(start..range.end.min(start + PIECE), Advice::LinuxDontNeed);
        }
        // Ordering: Release pairs with the Acquire in `settle`.
        self.returned.fetch_add(bytes, Ordering::Release);
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.share.bytes -= *self.given_back.get_mut();
        // To unmap 80 MiB at once would have all that wait to map something wait for all of it.
        for piece in self.pieces() {
            let _ = self.advise(piece, Advice::LinuxDontNeed);
        }
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
    mapping: Option<Arc<Mapping>>,
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

impl RingMemory {
    /// The mapping, for who gives parts of it back.
    pub(crate) fn mapping(&self) -> Option<&Arc<Mapping>> {
        self.mapping.as_ref()
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
    mapping: Result<Arc<Mapping>, Reservation>,
    overhead: Reservation,
    home: Arc<Home>,
}

impl Grant {
    /// With a mapping of the right size, or with bytes for one.
    pub(crate) fn new(
        spec: &RingSpec,
        recycled: Option<Arc<Mapping>>,
        budget: &Arc<Budget>,
        home: &Arc<Home>,
    ) -> Result<Self, (OverBudget, Option<Arc<Mapping>>)> {
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

    /// Bytes that are still to be mapped.
    pub(crate) fn missing(&self) -> usize {
        self.mapping.as_ref().err().map_or(0, |share| share.bytes)
    }

    /// Maps and touches what is missing; see [`Mapping::new`].
    pub(crate) fn map<E: From<io::Error>>(
        self,
        huge_pages: HugePages,
        may_touch: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<RingMemory, E> {
        let mapping = self.mapping.or_else(|share| Mapping::new(share, huge_pages, may_touch).map(Arc::new))?;
        let (base, len) = (mapping.base, mapping.len);
        Ok(RingMemory { mapping: Some(mapping), base, len, home: self.home, _overhead: self.overhead })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn always(_: usize) -> io::Result<()> {
        Ok(())
    }

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
        let memory =
            |recycled| Grant::new(&spec, recycled, &budget, &home).unwrap().map(HugePages::Off, always).unwrap();
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

    /// Bytes of a mapping that are present.
    fn present(mapping: &Mapping) -> usize {
        let mut pages = vec![0_u8; mapping.len / rustix::param::page_size()];
        // SAFETY: the mapping is there, and the vector has a byte for each of its pages.
        let looked = unsafe { libc::mincore(mapping.base.as_ptr().cast(), mapping.len, pages.as_mut_ptr()) };
        assert_eq!(looked, 0);
        pages.iter().filter(|&&page| page & 1 != 0).count() * rustix::param::page_size()
    }

    #[test]
    fn pages_are_there_after_a_touch_by_hand() {
        let budget = Budget::new(1 << 20);
        let share = budget.reserve(64 << 10).unwrap();
        let mut mapping = Mapping::new(share, HugePages::Off, always).unwrap();
        mapping.advise(0..mapping.len, Advice::LinuxDontNeed).unwrap();
        assert_eq!(present(&mapping), 0);
        mapping.touch(0..mapping.len);
        assert_eq!(present(&mapping), mapping.len);
        // SAFETY: within the mapping, which the test has to itself.
        let pixels = unsafe { std::slice::from_raw_parts(mapping.base.as_ptr(), mapping.len) };
        assert!(pixels.iter().all(|&byte| byte == 0));
    }

    /// Pieces cover the whole, each once, and are cut at multiples of their size.
    #[test]
    fn pieces_are_the_whole() {
        let budget = Budget::new(1 << 30);
        let page = rustix::param::page_size();
        for len in [page, PIECE - page, PIECE, PIECE + page, 5 * PIECE + 3 * page] {
            let mut asked = Vec::new();
            let share = budget.reserve(len).unwrap();
            let mapping = Mapping::new(share, HugePages::Off, |left| {
                asked.push(left);
                Ok::<_, io::Error>(())
            });
            let mapping = mapping.unwrap();
            let pieces: Vec<_> = mapping.pieces().collect();
            assert_eq!(asked, pieces.iter().map(|piece| len - piece.start).collect::<Vec<_>>());
            let mut end = 0;
            for piece in &pieces {
                assert_eq!(piece.start, end);
                assert!((1..=PIECE).contains(&piece.len()));
                end = piece.end;
                assert!(end == len || (mapping.base.as_ptr().addr() + end) % PIECE == 0);
            }
            // What is present of an emulated machine is the emulator's affair.
            let present = if std::env::var_os("VAS_EMULATED").is_some() { len } else { present(&mapping) };
            assert_eq!((end, present), (len, len));
        }
    }

    /// When there is no memory for the rest, what was touched goes back, and so does the share of the budget.
    #[test]
    fn what_was_touched_is_given_back() {
        let budget = Budget::new(1 << 30);
        let share = budget.reserve(4 * PIECE).unwrap();
        let mut asked = 0;
        let refused = Mapping::new(share, HugePages::Off, |left| {
            asked += 1;
            if left < 2 * PIECE { Err(io::Error::other("enough")) } else { Ok(()) }
        });
        assert_eq!(refused.unwrap_err().to_string(), "enough");
        assert!(asked >= 3, "{asked}");
        assert_eq!(budget.in_use(), 0);
    }
}
