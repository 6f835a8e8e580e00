//! A ring and its memory, which goes back part by part once the ring is not written any more.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};

use vas_ring::{Identity, Retired, Ring, RingSpec, Writer};

use crate::memory::{Mapping, RingMemory, budget_bytes};

/// How long after its end a ring is given back whole, if nobody uses it any more, so that its memory can be that of another one.
/// After that it goes back part by part. A reader that waits has noticed by then.
const LINGER: Duration = if cfg!(loom) { Duration::ZERO } else { Duration::from_millis(50) };

/// A ring, as the control side has it.
#[derive(Debug)]
pub(crate) struct MappedRing {
    ring: State,
    /// None for a ring without memory, which there is not.
    mapping: Option<Arc<Mapping>>,
    /// When it was first seen to have no writer any more.
    ended: Option<Instant>,
    /// Parts of its memory that nobody uses any more, in order and apart.
    free: Vec<Range<usize>>,
}

#[derive(Debug)]
enum State {
    Whole(Ring),
    Parts(Retired),
}

impl Deref for MappedRing {
    type Target = Ring;

    fn deref(&self) -> &Ring {
        match &self.ring {
            State::Whole(ring) => ring,
            State::Parts(retired) => retired.ring(),
        }
    }
}

impl MappedRing {
    /// A new ring.
    pub(crate) fn new(spec: RingSpec, identity: Identity, memory: RingMemory) -> (Self, Writer) {
        let mapping = memory.mapping().cloned();
        // Mappings start on a page and have the bytes that the spec asks for.
        let (ring, writer) = Ring::new(spec, identity, memory).expect("a mapping fits the spec that it was made for");
        (Self { ring: State::Whole(ring), mapping, ended: None, free: Vec::new() }, writer)
    }

    /// Bytes that it takes from the budget.
    pub(crate) fn bytes(&self) -> usize {
        budget_bytes(self.spec()) - self.mapping.as_ref().map_or(0, |mapping| mapping.given_back())
    }

    /// What can be given back of a ring without a writer, by now: slots that no lease is out of, apart from those that a reader
    /// may still come for. None when that is no more than before.
    pub(crate) fn reclaim(&mut self, now: Instant) -> Option<GiveBack> {
        if let Some(mapping) = self.mapping.as_ref().filter(|mapping| mapping.is_torn()) {
            mapping.settle();
        }
        if now.saturating_duration_since(*self.ended.get_or_insert(now)) < LINGER {
            return None;
        }
        if let State::Whole(ring) = &self.ring {
            self.ring = State::Parts(ring.retire()?);
        }
        let (State::Parts(retired), Some(mapping)) = (&mut self.ring, &self.mapping) else { return None };
        let before = whole_pages(&self.free);
        retired.reclaim(|range| add(&mut self.free, range));
        let ranges = without(whole_pages(&self.free), &before);
        if ranges.is_empty() {
            return None;
        }
        mapping.tear();
        Some(GiveBack { mapping: mapping.clone(), ranges })
    }
}

/// Pages that nobody uses any more. They go back when it is dropped, which takes up to milliseconds.
#[derive(Debug)]
pub(crate) struct GiveBack {
    mapping: Arc<Mapping>,
    ranges: Vec<Range<usize>>,
}

impl Drop for GiveBack {
    fn drop(&mut self) {
        for range in self.ranges.drain(..) {
            // SAFETY: `Retired::reclaim` says that nobody reads or writes the slots in this range again, and hands out each
            // once. Made in `MappedRing::reclaim` alone, for the mapping that the ring was made with; that goes to no other
            // ring, as it is torn.
            unsafe { self.mapping.give_back(range) };
        }
    }
}

/// Adds a range to those that are in order and apart.
fn add(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    let at = ranges.partition_point(|other| other.start < range.start);
    ranges.insert(at, range);
    ranges.dedup_by(|next, last| {
        let meet = last.end == next.start;
        if meet {
            last.end = next.end;
        }
        meet
    });
}

/// What there is of whole pages in each.
fn whole_pages(ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    let page = rustix::param::page_size();
    let whole = |range: &Range<usize>| range.start.next_multiple_of(page)..range.end / page * page;
    ranges.iter().map(whole).filter(|range| range.start < range.end).collect()
}

/// `ranges` without those parts that are in `others`, each of which is within one of them.
fn without(ranges: Vec<Range<usize>>, others: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut left = Vec::new();
    for range in ranges {
        let mut start = range.start;
        for other in others.iter().filter(|other| range.start <= other.start && other.end <= range.end) {
            left.push(start..other.start);
            start = other.end;
        }
        left.push(start..range.end);
    }
    left.retain(|range| range.start < range.end);
    left
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::slice;

    use super::*;

    /// Whatever the order, what goes back is all whole pages of what is free, each once.
    #[test]
    fn each_page_goes_back_once() {
        let page = rustix::param::page_size();
        // Slots of two and a half pages.
        let slot = |n: usize| n * page * 5 / 2..(n + 1) * page * 5 / 2;
        for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [0, 2, 4, 1, 3, 5], [3, 0, 5, 1, 4, 2]] {
            let (mut free, mut back) = (Vec::new(), Vec::new());
            for n in order {
                let before = whole_pages(&free);
                add(&mut free, slot(n));
                let ranges = without(whole_pages(&free), &before);
                assert!(ranges.iter().all(|range| range.start % page == 0 && range.end % page == 0));
                back.extend(ranges.into_iter().flat_map(|range| range.step_by(page)));
            }
            back.sort_unstable();
            assert_eq!(back, (0..15).map(|n| n * page).collect::<Vec<_>>(), "{order:?}");
            assert_eq!(free, slice::from_ref(&(0..15 * page)));
        }
    }
}
