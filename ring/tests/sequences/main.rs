//! Sequences of everything that handles can do, against an oracle that says the outcome of each step exactly: which
//! frame is delivered, what was missed and why, what the statistics say, and that whatever is borrowed stays as it is.
#![cfg(not(loom))]

#[path = "../common/mod.rs"]
mod common;
mod oracle;

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use common::{Counted, Drops, entry, fill, is_whole};
use oracle::{Held, Oracle};
use proptest::prelude::*;
use vas_ring::{
    CameraId, DropCause, FrameEntry, Identity, Lease, PixelMemory, ReadError, Reader, Ring, RingSpec, Writer,
};

/// A step. A number chooses among the handles that are there; without any, the step does nothing.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish { bytes: usize, monotonic_ns: u64 },
    Abandon,
    PanicWhileFilling,
    ForgetClaim,
    Skip(DropCause),
    Resume(DropCause, u8),
    Latest(usize),
    Next(usize),
    DropLease(usize),
    ForgetLease(usize),
    Subscribe,
    Leave(usize),
    Close,
    HandOver,
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..60usize;
    let cause = || prop::sample::select(DropCause::ALL);
    prop_oneof![
        20 => (0..=200usize, 0..100u64).prop_map(|(bytes, monotonic_ns)| Step::Publish { bytes, monotonic_ns }),
        2 => Just(Step::Abandon),
        1 => Just(Step::PanicWhileFilling),
        1 => Just(Step::ForgetClaim),
        2 => cause().prop_map(Step::Skip),
        1 => (cause(), 0..4u8).prop_map(|(cause, ahead)| Step::Resume(cause, ahead)),
        12 => which().prop_map(Step::Latest),
        12 => which().prop_map(Step::Next),
        16 => which().prop_map(Step::DropLease),
        1 => which().prop_map(Step::ForgetLease),
        4 => Just(Step::Subscribe),
        2 => which().prop_map(Step::Leave),
        2 => Just(Step::Close),
        3 => Just(Step::HandOver),
    ]
}

fn spec() -> impl Strategy<Value = RingSpec> {
    (1..=5usize, 1..=3usize, 1..=3usize, 1..=200usize)
        .prop_map(|(depth, readers, lease_limit, bytes)| RingSpec::new(depth, readers, lease_limit, bytes).unwrap())
}

/// Ids wrap at 2^64 and positions at 2^52: most sequences cross one or the other.
fn first_frame_id() -> impl Strategy<Value = u64> {
    const POSITIONS: u64 = 1 << 52;
    prop_oneof![Just(0), u64::MAX - 30..=u64::MAX, POSITIONS - 30..=POSITIONS, any::<u64>()]
}

/// A ring in use, with the oracle beside it.
struct Fixture {
    oracle: Oracle,
    identity: Identity,
    ring: Ring,
    drops: Drops,
    /// Where the pixels are.
    base: usize,
    writer: Option<Writer>,
    readers: Vec<(usize, Reader)>,
    leases: Vec<(Held, Lease)>,
    most_leases: usize,
    /// Each slot that was ever used, by the address of its pixels: whether its frame was leased since it was published.
    slots: HashMap<usize, bool>,
    /// Addresses of the newest frames, oldest first.
    readable: Vec<usize>,
    /// Where each frame's slot begins in the memory.
    slot_of: HashMap<u64, usize>,
}

impl Fixture {
    fn new(spec: RingSpec, first_frame_id: u64) -> Self {
        let camera_id = CameraId::new("yard").unwrap();
        let identity = Identity { camera_id, epoch: 3, generation: 5, first_frame_id };
        let (memory, drops) = Counted::new(&spec);
        let base = memory.base().as_ptr().addr();
        let (ring, writer) = Ring::new(spec, identity, memory).unwrap();
        Self {
            oracle: Oracle::new(spec, first_frame_id),
            identity,
            ring,
            drops,
            base,
            writer: Some(writer),
            readers: Vec::new(),
            leases: Vec::new(),
            most_leases: 0,
            slots: HashMap::new(),
            readable: Vec::new(),
            slot_of: HashMap::new(),
        }
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Publish { bytes, monotonic_ns } => self.publish(bytes, monotonic_ns),
            Step::Abandon => self.give_up_claim(|writer| drop(writer.claim().unwrap())),
            Step::PanicWhileFilling => self.give_up_claim(|writer| {
                let fills = AssertUnwindSafe(|| {
                    let mut claim = writer.claim().unwrap();
                    claim.pixels_mut().fill(0xee);
                    resume_unwind(Box::new("the decoder's buffer ends early"));
                });
                catch_unwind(fills).unwrap_err();
            }),
            Step::ForgetClaim => {
                let Some(writer) = &mut self.writer else { return };
                self.oracle.claim();
                self.oracle.leak_claim();
                mem::forget(writer.claim().unwrap());
            }
            Step::Skip(cause) => {
                let Some(writer) = &mut self.writer else { return };
                writer.skip(cause);
                self.oracle.drop_frames(cause, 1);
            }
            Step::Resume(cause, ahead) => {
                let Some(writer) = &mut self.writer else { return };
                writer.resume_at(self.oracle.next_frame_id().wrapping_add(ahead.into()), cause);
                // Going back does nothing.
                writer.resume_at(self.oracle.next_frame_id().wrapping_sub(1), cause);
                self.oracle.drop_frames(cause, ahead.into());
            }
            Step::Latest(which) => self.read(which, Reader::latest, Oracle::latest),
            Step::Next(which) => self.read(which, Reader::next, Oracle::next),
            Step::DropLease(which) => {
                let Some((held, lease)) = take(&mut self.leases, which) else { return };
                drop(lease);
                self.oracle.drop_lease(&held);
            }
            Step::ForgetLease(which) => {
                let Some((held, lease)) = take(&mut self.leases, which) else { return };
                mem::forget(lease);
                self.oracle.forget_lease(&held);
            }
            Step::Subscribe => match (self.ring.subscribe(), self.oracle.subscribe()) {
                (Ok(reader), Ok(index)) => self.readers.push((index, reader)),
                (real, ideal) => assert_eq!(real.err(), ideal.err()),
            },
            Step::Leave(which) => {
                let Some((index, reader)) = take(&mut self.readers, which) else { return };
                drop(reader);
                self.oracle.leave(index);
            }
            Step::Close => {
                if self.writer.take().is_some() {
                    self.oracle.close();
                }
            }
            Step::HandOver => {
                let writer = self.ring.writer();
                assert_eq!(writer.is_some(), self.writer.is_none(), "there is one writer at a time");
                self.writer = writer.or(self.writer.take());
                self.oracle.has_writer = true;
            }
        }
        self.most_leases = self.most_leases.max(self.oracle.reader_stats().iter().map(|it| it.leases).sum());
    }

    fn publish(&mut self, bytes: usize, monotonic_ns: u64) {
        let Some(writer) = &mut self.writer else { return };
        self.oracle.claim();
        let id = self.oracle.next_frame_id();
        let bytes = bytes % (writer.slot_bytes() + 1);
        let entry = entry(id, bytes, monotonic_ns);

        let mut claim = writer.claim().unwrap();
        assert_eq!(claim.frame_id(), id);
        let address = claim.pixels_mut().as_ptr().addr();
        assert_eq!(address % 64, 0);
        assert!(!self.readable.contains(&address), "a readable frame is overwritten");
        let was_leased = self.slots.insert(address, false).unwrap_or(false);
        assert_eq!(claim.was_leased(), was_leased);
        fill(claim.pixels_mut(), id);
        assert_eq!(claim.publish(&entry), id);

        // Besides the readable ones and this one, only slots that could not be had are passed by.
        assert!(self.slots.len() <= self.ring.spec().depth() + 1 + self.most_leases, "more buffers than needed");
        if self.readable.len() == self.ring.spec().depth() {
            self.readable.remove(0);
        }
        self.readable.push(address);
        self.slot_of.insert(id, address - self.base);
        let Identity { camera_id, epoch, generation, .. } = self.identity;
        self.oracle.publish(FrameEntry { camera_id, epoch, generation, ..entry });
    }

    fn give_up_claim(&mut self, give_up: impl FnOnce(&mut Writer)) {
        let Some(writer) = &mut self.writer else { return };
        self.oracle.claim();
        give_up(writer);
        self.oracle.drop_frames(DropCause::Abandoned, 1);
    }

    fn read(
        &mut self,
        which: usize,
        read: impl FnOnce(&mut Reader) -> Result<Option<Lease>, ReadError>,
        foretell: impl FnOnce(&mut Oracle, usize) -> Result<Option<Held>, ReadError>,
    ) {
        if self.readers.is_empty() {
            return;
        }
        let n = which % self.readers.len();
        let (index, reader) = &mut self.readers[n];
        match (read(reader), foretell(&mut self.oracle, *index)) {
            (Ok(Some(lease)), Ok(Some(held))) => {
                assert_eq!(*reader.missed(), held.missed);
                // Without bytes a slice may point anywhere.
                if !lease.pixels().is_empty() {
                    self.slots.insert(lease.pixels().as_ptr().addr(), true).expect("the pixels are in a slot");
                } else {
                    let at = self.readable.len() - 1 - self.oracle.published_after(&held);
                    self.slots.insert(self.readable[at], true);
                }
                self.leases.push((held, lease));
            }
            (real, ideal) => {
                let (real, ideal) =
                    (real.map(|it| it.map(|it| it.frame_id)), ideal.map(|it| it.map(|it| it.entry.frame_id)));
                assert_eq!(real, ideal);
                if ideal == Err(ReadError::Closed) {
                    assert_eq!(*reader.missed(), self.oracle.gap(*index));
                }
            }
        }
    }

    fn check(&mut self) {
        for (held, lease) in &self.leases {
            assert_eq!(lease.entry(), &held.entry);
            assert_eq!(lease.pixels().len(), held.entry.bytes as usize);
            assert!(is_whole(lease.pixels(), held.entry.frame_id), "a borrowed frame has changed");
        }
        assert_eq!(self.ring.stats(), self.oracle.ring_stats());
        let stats = self.oracle.reader_stats();
        assert_eq!(self.ring.readers(), stats);
        for (index, reader) in &self.readers {
            let its = stats.iter().find(|it| it.reader == *index).unwrap();
            assert_eq!((reader.stats(), reader.first_frame_id()), (*its, its.first_frame_id));
        }
        if let Some(writer) = &mut self.writer {
            assert_eq!(writer.next_frame_id(), self.oracle.next_frame_id());
            assert_eq!(writer.has_readers(), !self.readers.is_empty());
        }
        assert_eq!(self.ring.is_closed(), self.writer.is_none());
        let others = self.readers.len() + self.oracle.leaving() + usize::from(self.writer.is_some());
        assert_eq!(self.ring.is_unused(), others == 0);
        assert_eq!(self.drops.get(), 0);
    }

    /// Ends the ring for good, and lets go of its readers and leases in an order that `turn` decides: after each, what nobody
    /// can read any more is given back, once.
    fn retire(&mut self, mut turn: usize) {
        if let Some(writer) = self.writer.take() {
            assert!(self.ring.retire().is_none(), "there is a writer");
            drop(writer);
            self.oracle.close();
        }
        let mut retired = self.ring.retire().unwrap();
        assert!(self.ring.writer().is_none() && self.ring.retire().is_none());
        let spec = *self.ring.spec();
        let newest: Vec<usize> = self.readable.iter().map(|address| address - self.base).collect();
        let mut freed = BTreeSet::new();
        loop {
            retired.reclaim(|range| {
                assert_eq!((range.start % spec.slot_stride(), range.len()), (0, spec.slot_stride()));
                assert!(freed.insert(range.start), "given back twice");
            });
            let mut kept: BTreeSet<usize> = self.oracle.leased().iter().map(|id| self.slot_of[id]).collect();
            if !self.readers.is_empty() {
                kept.extend(&newest);
            }
            let all = (0..spec.slots()).map(|slot| slot * spec.slot_stride());
            assert_eq!(freed, all.filter(|slot| !kept.contains(slot)).collect());
            assert_eq!(retired.slots_left(), kept.len());
            self.leases.iter().for_each(|(held, lease)| assert!(is_whole(lease.pixels(), held.entry.frame_id)));
            match self.readers.len() + self.leases.len() {
                0 => break,
                left if turn % left < self.readers.len() => self.act(Step::Leave(turn % left)),
                left => self.act(Step::DropLease(turn % left - self.readers.len())),
            }
            turn = turn / 3 + 7;
        }
    }

    /// Lets go of everything, in an order that `turn` decides.
    fn end(mut self, mut turn: usize) {
        let leaks = self.oracle.has_leaked();
        drop(self.ring);
        loop {
            let left = self.readers.len() + self.leases.len() + usize::from(self.writer.is_some());
            assert_eq!(self.drops.get(), usize::from(left == 0 && !leaks), "{left} handles left");
            if left == 0 {
                break;
            }
            let which = turn % left;
            turn = turn / 3 + 7;
            if which < self.readers.len() {
                self.readers.swap_remove(which);
            } else if which < self.readers.len() + self.leases.len() {
                self.leases.swap_remove(which - self.readers.len());
            } else {
                self.writer = None;
            }
            self.leases.iter().for_each(|(held, lease)| assert!(is_whole(lease.pixels(), held.entry.frame_id)));
        }
    }
}

fn take<T>(from: &mut Vec<T>, which: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(which % from.len()))
}

fn run(spec: RingSpec, first_frame_id: u64, steps: &[Step], turn: usize) {
    let mut fixture = Fixture::new(spec, first_frame_id);
    fixture.check();
    for &step in steps {
        fixture.act(step);
        fixture.check();
    }
    if turn % 2 == 0 {
        fixture.retire(turn / 2);
    }
    fixture.end(turn);
}

/// As many as proptest would run, twice; `PROPTEST_CASES` sets that.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.saturating_mul(2), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_sequence_is_as_foretold(
        spec in spec(),
        first_frame_id in first_frame_id(),
        steps in prop::collection::vec(step(), 0..150),
        turn in any::<usize>(),
    ) {
        run(spec, first_frame_id, &steps, turn);
    }
}
