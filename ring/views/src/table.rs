//! Each atomic operation of the ring's sources, with its orderings, and what it is in the exploration.
//!
//! The exploration takes its orderings from here, and a test holds this table to the sources.

use crate::memory::Order;

/// An ordering that the exploration depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    Claim,
    ClaimAgain,
    Publish,
    Lease,
    LeaseFail,
    BackOut,
    Release,
    HasLease,
    OrphanLook,
    OrphanMark,
    OrphanFail,
    HeadLoad,
    HeadStore,
    ListLoad,
    ListStore,
    AttachWriter,
    DetachWriter,
    Subscribe,
    Unsubscribe,
    OrphanReader,
    FreeOrphaned,
    CountOrphans,
    GiveBack,
}

pub(crate) const OPS: usize = Op::GiveBack as usize + 1;

/// What an ordering is in the exploration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    Is(Op),
    /// It is not there, since...
    Not(&'static str),
}

use Part::{Is, Not};

/// An operation: file, function, name, orderings.
pub(crate) type Site = (&'static str, &'static str, &'static str, &'static [(&'static str, Part)]);

const STATISTICS: Part = Not("statistics: nothing is decided by it");
const HINT: Part = Not("a hint: what is read is compared by the exchange that follows");
const DROPS: Part = Not("counts of drops: `drops.rs` has them by themselves");
const POSITION: Part = Not("the position is part of the slot's cell, whose every access has to be ordered");

pub(crate) const SITES: &[Site] = &[
    ("drops.rs", "add", "load", &[("Relaxed", DROPS)]),
    ("drops.rs", "add", "store", &[("Release", DROPS)]),
    ("drops.rs", "load", "load", &[("Acquire", DROPS)]),
    ("drops.rs", "load", "load", &[("Acquire", DROPS)]),
    ("head.rs", "load", "load", &[("Acquire", Is(Op::HeadLoad))]),
    ("head.rs", "peek", "load", &[("Relaxed", STATISTICS)]),
    ("head.rs", "slot", "load", &[("Relaxed", Is(Op::ListLoad))]),
    ("head.rs", "advance", "store", &[("Relaxed", Is(Op::ListStore))]),
    ("head.rs", "store", "store", &[("Release", Is(Op::HeadStore))]),
    ("reader.rs", "drop", "fetch_add", &[("Relaxed", Is(Op::CountOrphans))]),
    ("slot.rs", "age", "load", &[("Relaxed", STATISTICS)]),
    ("slot.rs", "set_frame", "store", &[("Relaxed", POSITION)]),
    ("slot.rs", "frame", "load", &[("Relaxed", POSITION)]),
    ("subscriptions.rs", "attach_writer", "fetch_or", &[("Acquire", Is(Op::AttachWriter))]),
    ("subscriptions.rs", "detach_writer", "fetch_and", &[("Release", Is(Op::DetachWriter))]),
    ("subscriptions.rs", "subscribe", "load", &[("Relaxed", HINT)]),
    ("subscriptions.rs", "subscribe", "compare_exchange", &[("Acquire", Is(Op::Subscribe)), ("Relaxed", HINT)]),
    ("subscriptions.rs", "unsubscribe", "fetch_and", &[("Release", Is(Op::Unsubscribe))]),
    ("subscriptions.rs", "orphan", "fetch_xor", &[("Relaxed", Is(Op::OrphanReader))]),
    ("subscriptions.rs", "give_back", "fetch_sub", &[("AcqRel", Is(Op::GiveBack))]),
    ("subscriptions.rs", "free_orphaned", "fetch_and", &[("Release", Is(Op::FreeOrphaned))]),
    ("subscriptions.rs", "any_reader", "load", &[("Relaxed", Not("reads anything since the writer attached"))]),
    ("subscriptions.rs", "count", "load", &[("Relaxed", STATISTICS)]),
    ("subscriptions.rs", "readers", "load", &[("Relaxed", STATISTICS)]),
    ("word.rs", "claim", "fetch_add", &[("AcqRel", Is(Op::Claim))]),
    ("word.rs", "claim_again", "load", &[("Acquire", Is(Op::ClaimAgain))]),
    ("word.rs", "publish", "store", &[("Release", Is(Op::Publish))]),
    ("word.rs", "lease", "compare_exchange", &[("AcqRel", Is(Op::Lease)), ("Acquire", Is(Op::LeaseFail))]),
    ("word.rs", "back_out", "fetch_sub", &[("Release", Is(Op::BackOut))]),
    ("word.rs", "release", "fetch_sub", &[("Release", Is(Op::Release))]),
    ("word.rs", "has_lease", "load", &[("Acquire", Is(Op::HasLease))]),
    ("word.rs", "orphan", "load", &[("Acquire", Is(Op::OrphanLook))]),
    ("word.rs", "orphan", "compare_exchange", &[("Relaxed", Is(Op::OrphanMark)), ("Acquire", Is(Op::OrphanFail))]),
    ("word.rs", "shows_lease", "load", &[("Relaxed", STATISTICS)]),
];

/// The ordering of each operation.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Orders(pub(crate) [Order; OPS]);

impl Orders {
    /// Those of the table.
    pub(crate) fn of_the_ring() -> Self {
        let mut orders = [Order::RELAXED; OPS];
        for (name, part) in SITES.iter().flat_map(|site| site.3) {
            if let Is(op) = part {
                orders[*op as usize] = order(name);
            }
        }
        Self(orders)
    }

    pub(crate) fn with(mut self, op: Op, order: Order) -> Self {
        self.0[op as usize] = order;
        self
    }
}

pub(crate) fn order(name: &str) -> Order {
    match name {
        "Relaxed" => Order::RELAXED,
        "Acquire" => Order::ACQUIRE,
        "Release" => Order::RELEASE,
        "AcqRel" => Order::ACQ_REL,
        _ => unreachable!("no operation of the ring is {name}"),
    }
}
