//! One step of one thread, and how far a thread goes at once.

use std::collections::BTreeSet;

use crate::memory::{Order, View};
use crate::reader;
use crate::state::{Broken, Reading, Rest, Rules, State, Tail, Thread, Writing, lease_bit, leaving_bit, orphan_bit};
use crate::table::Op;
use crate::writer;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Nothing that another thread could see.
    Load,
    /// A read-modify-write.
    Change,
    Store,
}

pub(crate) struct Step {
    pub(crate) kind: Kind,
    pub(crate) what: &'static str,
    pub(crate) state: State,
}

/// The steps that a thread may take, and the names of all that were looked at on the way.
#[derive(Default)]
pub(crate) struct Steps {
    pub(crate) all: Vec<Step>,
    pub(crate) made: BTreeSet<&'static str>,
}

impl Steps {
    pub(crate) fn push(&mut self, kind: Kind, what: &'static str, state: State) {
        self.made.insert(what);
        self.all.push(Step { kind, what, state });
    }
}

/// What the thread may do next, one access at a time.
pub(crate) fn small(rules: &Rules, state: &State, thread: Thread, out: &mut Steps) -> Result<(), Broken> {
    match thread {
        Thread::Writer => writer::steps(rules, state, out),
        Thread::Reader(index) => reader::steps(rules, state, index, out),
        Thread::Tail(tail) => tail_steps(rules, state, tail, out),
    }
}

/// What the thread may do next, as many accesses at a time as nobody can tell from one: loads, then a read-modify-write
/// or a store, then stores.
///
/// A load loses nothing by being put off until just before what follows it: what it could read it can read still. A store
/// loses nothing by being made just after what it follows: others can read past it still, and put in front of it whatever
/// they could have. The check of a position goes with the lease that it follows: whoever writes to a leased slot races with
/// the lease's last read. `check` sees the states in between as well.
pub(crate) fn large(rules: &Rules, state: &State, thread: Thread, out: &mut Steps) -> Result<(), Broken> {
    let mut todo = Vec::new();
    let mut next = Steps::default();
    small(rules, state, thread, &mut next)?;
    todo.append(&mut next.all);
    while let Some(Step { kind, what, state }) = todo.pop() {
        let changed = kind != Kind::Load;
        if !goes_on(&state, thread, changed) {
            out.all.push(Step { kind, what, state });
            continue;
        }
        state.check(rules)?;
        small(rules, &state, thread, &mut next)?;
        for step in next.all.drain(..) {
            todo.push(Step { kind: if changed { kind } else { step.kind }, ..step });
        }
    }
    out.made.append(&mut next.made);
    Ok(())
}

fn goes_on(state: &State, thread: Thread, changed: bool) -> bool {
    match thread {
        Thread::Writer => match state.writer.doing {
            Writing::Idle | Writing::Vacant | Writing::Retired | Writing::Gone => false,
            Writing::Waiting(_) | Writing::Leave | Writing::Empty => !changed,
            Writing::Fill(_) | Writing::Open(_) | Writing::List(_) | Writing::Head(_) | Writing::Reopen => true,
        },
        Thread::Reader(index) => match state.readers[index].doing {
            Reading::Idle | Reading::Away => false,
            Reading::Check { .. } => true,
            _ => !changed,
        },
        Thread::Tail(_) => false,
    }
}

impl State {
    /// A thread that has nothing left to do but to drop its handle of the ring, which matters only where that is freed.
    pub(crate) fn free_later(&mut self, rules: &Rules, view: View) {
        if rules.size.freed {
            self.tails.push(Tail { view, index: 0, rest: Rest::Free, handles: 1 });
        }
    }

    pub(crate) fn away(&mut self, index: usize) {
        let reader = &mut self.readers[index];
        reader.was_free |= self.subscriptions.value & leaving_bit(index) == 0;
        (reader.view, reader.last) = (View::default(), 0);
        reader.leased.truncate(0);
        reader.doing = Reading::Away;
    }
}

/// A lease is dropped, and what was left to it is done.
fn tail_steps(rules: &Rules, state: &State, number: usize, out: &mut Steps) -> Result<(), Broken> {
    let tail = &state.tails[number];
    let index = usize::from(tail.index);
    match tail.rest {
        Rest::Lease { slot, position, elsewhere } => {
            if !elsewhere && state.readers[index].doing != Reading::Idle {
                return Ok(());
            }
            let thread = if elsewhere { Thread::Tail(number) } else { Thread::Reader(index) };
            let mut next = state.clone();
            if !next.read_cell(thread, usize::from(slot), index) || state.positions[usize::from(slot)] != position {
                return Err("data race: a frame is overwritten while it is leased");
            }
            let bit = lease_bit(index);
            let order = rules.order(Op::Release);
            for (before, mut next) in next.updates(thread, usize::from(slot), order, |value| Some(value & !bit)) {
                if before & bit == 0 {
                    return Err("a lease is given back that is not there");
                }
                if before & orphan_bit(index) != 0 {
                    next.tails[number].rest = Rest::GiveBack(1);
                } else {
                    next.tails.swap_remove(number);
                }
                out.push(Kind::Change, "lease: is given back", next);
            }
        }
        Rest::GiveBack(count) => {
            let mut next = state.clone();
            let left = next.readers[index].orphans.value.checked_sub(count);
            let Some(left) = left else { return Err("more orphans are given back than there are") };
            let view = &mut next.tails[number].view;
            next.readers[index].orphans.update(left, rules.order(Op::GiveBack), view);
            if left == 0 {
                next.tails[number].handles += 1;
                next.tails[number].rest = Rest::FreeOrphaned;
            } else {
                next.tails[number].rest = Rest::Free;
            }
            next.end_tail(rules, number);
            out.push(Kind::Change, "leaving: gives back", next);
        }
        Rest::FreeOrphaned => {
            let mut next = state.clone();
            next.update_subscriptions(
                Thread::Tail(number),
                state.subscriptions.value & !leaving_bit(index),
                rules.order(Op::FreeOrphaned),
            );
            next.readers[index].was_free = true;
            next.tails[number].rest = Rest::Free;
            next.end_tail(rules, number);
            out.push(Kind::Change, "leaving: frees the index", next);
        }
        Rest::Free => {
            let mut next = state.clone();
            let left = state.handles.value - tail.handles;
            // As `Arc` does: Release, and Acquire by who drops the last.
            let order = if left == 0 { Order::ACQ_REL } else { Order::RELEASE };
            let mut tail = next.tails.swap_remove(number);
            next.handles.update(left, order, &mut tail.view);
            if left == 0 {
                let away = next.readers.iter().all(|reader| reader.doing == Reading::Away);
                if !away || !next.tails.is_empty() || next.writer.doing != Writing::Gone {
                    return Err("the ring is freed while somebody has it");
                }
                if !next.memory.knows_all(&tail.view) {
                    return Err("data race: the ring is freed before all was read");
                }
            }
            out.push(Kind::Change, "leaving: drops its handles", next);
        }
    }
    Ok(())
}

impl State {
    /// Handles matter only where the ring is freed.
    fn end_tail(&mut self, rules: &Rules, number: usize) {
        let tail = &self.tails[number];
        if tail.rest == Rest::Free && (tail.handles == 0 || !rules.size.freed) {
            self.tails.swap_remove(number);
        }
    }
}
