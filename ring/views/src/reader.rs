//! A reader's steps, as in `reader.rs` of the ring: it comes, reads, and leaves.

use crate::memory::{HEAD, READER_STATE, View};
use crate::state::{
    Broken, Head, Mistake, Reading, Rest, Rules, SHUT, State, Tail, Thread, lease_bit, leaving_bit, orphan_bit,
    reader_bit,
};
use crate::step::{Kind, Steps};
use crate::table::Op;

pub(crate) fn steps(rules: &Rules, state: &State, index: usize, out: &mut Steps) -> Result<(), Broken> {
    let (me, reader) = (Thread::Reader(index), &state.readers[index]);
    match reader.doing {
        Reading::Away => take(rules, state, index, out)?,
        Reading::Undo => {
            let mut next = state.clone();
            next.subscriptions.value &= !reader_bit(index);
            next.readers[index].doing = Reading::Away;
            out.push(Kind::Change, "reader: undoes what it took", next);
        }
        Reading::Begin => {
            for (head, mut next) in state.loads(me, HEAD, rules.order(Op::HeadLoad)) {
                next.readers[index].last = Head(head).position();
                next.readers[index].doing = Reading::Idle;
                out.push(Kind::Load, "reader: begins at the head", next);
            }
        }
        Reading::Idle => {
            if state.leaves > 0 {
                leave(rules, state, index, out);
            }
            for (head, next) in state.loads(me, HEAD, rules.order(Op::HeadLoad)) {
                look(rules, next, index, Head(head), out)?;
            }
        }
        Reading::RemoveReleased { head, target, at } => {
            let out_at = reader.leased.get().get(usize::from(at)).copied();
            let Some(slot) = out_at else {
                let mut next = state.clone();
                if reader.leased.get().len() < usize::from(rules.size.lease_limit) {
                    next.readers[index].doing = go_for(head, target);
                    out.push(Kind::Load, "reader: has room", next);
                } else {
                    nothing(rules, next, index, out);
                }
                return Ok(());
            };
            for (value, mut next) in state.loads(me, usize::from(slot), rules.order(Op::HasLease)) {
                let back = value & lease_bit(index) == 0;
                if back {
                    next.readers[index].leased.swap_remove(usize::from(at));
                }
                next.readers[index].doing = Reading::RemoveReleased { head, target, at: at + u8::from(!back) };
                out.push(Kind::Load, if back { "reader: a lease is back" } else { "reader: a lease is out" }, next);
            }
        }
        Reading::Look { target } => {
            for (entry, mut next) in state.loads(me, rules.entry(target), rules.order(Op::ListLoad)) {
                let entry = Head(entry);
                let ahead = entry.position() != target;
                next.readers[index].doing = Reading::Lease { target, slot: entry.slot(), ahead };
                out.push(Kind::Load, "reader: looks into the list", next);
            }
        }
        Reading::Lease { target, slot, ahead } => lease(rules, state, index, (target, slot, ahead), out)?,
        Reading::Check { target, slot, ahead } => check(rules, state, index, (target, slot, ahead), out)?,
        Reading::BackOut { slot } => {
            let bit = lease_bit(index);
            for (before, mut next) in
                state.updates(me, usize::from(slot), rules.order(Op::BackOut), |value| Some(value & !bit))
            {
                if before & bit == 0 {
                    return Err("a lease is taken back that is not there");
                }
                next.readers[index].doing = Reading::Idle;
                next.back_outs = next.back_outs.saturating_sub(1);
                out.push(Kind::Change, "reader: backs out", next);
            }
        }
        Reading::Orphan { at, back } => orphan(rules, state, index, (at, back), out),
    }
    Ok(())
}

fn go_for(head: Head, target: u8) -> Reading {
    if target == head.position() {
        Reading::Lease { target, slot: head.slot(), ahead: false }
    } else {
        Reading::Look { target }
    }
}

/// A read that came to nothing. All that is left of it is that the reader has seen more, which can only take away from what
/// it, and who hears of it, may read later; so it is followed up only on demand.
fn nothing(rules: &Rules, mut next: State, index: usize, out: &mut Steps) {
    if rules.keep_all {
        next.readers[index].doing = Reading::Idle;
        out.push(Kind::Load, "reader: gets nothing", next);
    }
}

/// The head is loaded: what `latest` and `next` go for.
fn look(rules: &Rules, state: State, index: usize, head: Head, out: &mut Steps) -> Result<(), Broken> {
    let (size, reader) = (&rules.size, &state.readers[index]);
    let newest = head.position();
    let Some(behind) = newest.checked_sub(reader.last) else { return Err("the head went back") };
    if behind == 0 {
        nothing(rules, state, index, out);
        return Ok(());
    }
    // What `next` goes for, and what `latest` does. A closed ring has no newest frame.
    let oldest = newest - (behind.min(size.depth) - 1);
    let targets = [Some(oldest), (newest != oldest && !head.is_closed()).then_some(newest)];
    for target in targets.into_iter().flatten() {
        let mut next = state.clone();
        let full = reader.leased.get().len() == usize::from(size.lease_limit);
        next.readers[index].doing =
            if full { Reading::RemoveReleased { head, target, at: 0 } } else { go_for(head, target) };
        out.push(Kind::Load, "reader: loads the head", next);
    }
    Ok(())
}

fn lease(
    rules: &Rules,
    state: &State,
    index: usize,
    (target, slot, ahead): (u8, u8, bool),
    out: &mut Steps,
) -> Result<(), Broken> {
    let (me, location) = (Thread::Reader(index), usize::from(slot));
    let open = |value| (value & SHUT == 0).then_some(value | lease_bit(index));
    for (before, mut next) in state.updates(me, location, rules.order(Op::Lease), open) {
        if before & (lease_bit(index) | orphan_bit(index)) != 0 {
            return Err("a reader meets its own LEASE bit, or its predecessor's ORPHAN");
        }
        next.readers[index].doing = Reading::Check { target, slot, ahead };
        out.push(Kind::Change, "reader: leases", next);
    }
    if rules.keep_all || rules.size.progress {
        for (value, next) in state.loads(me, location, rules.order(Op::LeaseFail)) {
            if value & SHUT != 0 {
                finds_newer(rules, &next, index, (target, ahead))?;
                nothing(rules, next, index, out);
            }
        }
    }
    Ok(())
}

fn check(
    rules: &Rules,
    state: &State,
    index: usize,
    (target, slot, ahead): (u8, u8, bool),
    out: &mut Steps,
) -> Result<(), Broken> {
    let me = Thread::Reader(index);
    let mut next = state.clone();
    if !next.read_cell(me, usize::from(slot), index) {
        return Err("data race: a frame is read that may not be there yet");
    }
    let position = state.positions[usize::from(slot)];
    let reader = &mut next.readers[index];
    if position != target && !rules.made(Mistake::PositionUnchecked) {
        if rules.back_outs.is_some() && state.back_outs == 0 {
            return Ok(());
        }
        reader.doing = Reading::BackOut { slot };
        finds_newer(rules, &next, index, (target, ahead))?;
        out.push(Kind::Load, "reader: it is another frame", next);
        return Ok(());
    }
    if position != target || position <= reader.last {
        return Err("a frame is delivered that was not looked for");
    }
    reader.last = target;
    reader.doing = Reading::Idle;
    if !reader.leased.get().contains(&slot) {
        if reader.leased.get().len() == usize::from(rules.size.lease_limit) {
            return Err("a reader has more leases out than its limit");
        }
        reader.leased.push(slot);
    }
    let elsewhere = rules.size.elsewhere;
    let view = if elsewhere { reader.view } else { View::default() };
    next.tails.push(Tail { view, index: index as u8, rest: Rest::Lease { slot, position, elsewhere }, handles: 0 });
    out.push(Kind::Load, "reader: has the frame", next);
    Ok(())
}

/// It was too late for `target`: the head that it loads next no longer has that among the newest. (Not where the list was
/// ahead of the head: nothing orders what a Relaxed load finds early.)
fn finds_newer(rules: &Rules, state: &State, index: usize, (target, ahead): (u8, bool)) -> Result<(), Broken> {
    let oldest = state.memory.at(HEAD)[usize::from(state.readers[index].view.seen[HEAD])].value;
    if rules.size.progress && !ahead && Head(oldest).position() < target + rules.size.depth {
        return Err("a reader that came too late may do so again, though the writer does nothing");
    }
    Ok(())
}

/// A successor comes, if the index is free.
fn take(rules: &Rules, state: &State, index: usize, out: &mut Steps) -> Result<(), Broken> {
    let (mine, leaving, subscriptions) = (reader_bit(index), leaving_bit(index), state.subscriptions.value);
    let undo = rules.made(Mistake::TakeAndUndo) && subscriptions & leaving != 0 && state.readers[index].was_free;
    if state.successors == 0 || subscriptions & mine != 0 || subscriptions & leaving != 0 && !undo {
        return Ok(());
    }
    let mut next = state.clone();
    next.readers[index].view = View::default();
    next.update_subscriptions(Thread::Reader(index), subscriptions | mine, rules.order(Op::Subscribe));
    if undo {
        next.readers[index].doing = Reading::Undo;
    } else {
        next.successors -= 1;
        next.readers[index].doing = Reading::Begin;
        if !next.write_cell(Thread::Reader(index), READER_STATE + index) {
            return Err("data race: a reader subscribes before the former one has left");
        }
    }
    out.push(Kind::Change, "reader: a successor subscribes", next);
    Ok(())
}

fn leave(rules: &Rules, state: &State, index: usize, out: &mut Steps) {
    let (me, subscriptions, count) =
        (Thread::Reader(index), state.subscriptions.value, state.readers[index].leased.get().len() as u8);
    let mut next = state.clone();
    next.leaves -= 1;
    // Its leases are whoever's by now.
    let view = next.readers[index].view;
    for tail in next.tails.iter_mut().filter(|tail| usize::from(tail.index) == index) {
        if let Rest::Lease { slot, position, elsewhere: false } = tail.rest {
            (tail.rest, tail.view) = (Rest::Lease { slot, position, elsewhere: true }, view);
        }
    }
    if count == 0 {
        next.write_cell(me, READER_STATE + index);
        next.update_subscriptions(me, subscriptions & !reader_bit(index), rules.order(Op::Unsubscribe));
        let view = next.readers[index].view;
        next.free_later(rules, view);
        next.away(index);
    } else {
        // Until the next step nobody else looks at any of the three.
        let mut view = next.readers[index].view;
        let orphans = &mut next.readers[index].orphans;
        orphans.update(orphans.value + count + 1, rules.order(Op::CountOrphans), &mut view);
        next.handles.value += u8::from(rules.size.freed);
        next.readers[index].view = view;
        next.update_subscriptions(
            me,
            subscriptions ^ reader_bit(index) ^ leaving_bit(index),
            rules.order(Op::OrphanReader),
        );
        next.readers[index].doing = Reading::Orphan { at: 0, back: 0 };
    }
    out.push(Kind::Change, "reader: leaves", next);
}

fn orphan(rules: &Rules, state: &State, index: usize, (at, back): (u8, u8), out: &mut Steps) {
    let (me, bit) = (Thread::Reader(index), lease_bit(index));
    let Some(&slot) = state.readers[index].leased.get().get(usize::from(at)) else {
        let mut next = state.clone();
        next.write_cell(me, READER_STATE + index);
        let view = next.readers[index].view;
        next.tails.push(Tail { view, index: index as u8, rest: Rest::GiveBack(back + 1), handles: 1 });
        next.away(index);
        out.push(Kind::Load, "reader: has left", next);
        return;
    };
    let location = usize::from(slot);
    // Seen by the first look, or by an exchange that failed.
    for op in [Op::OrphanLook, Op::OrphanFail] {
        for (value, mut next) in state.loads(me, location, rules.order(op)) {
            if value & bit == 0 {
                next.readers[index].doing = Reading::Orphan { at: at + 1, back: back + 1 };
                out.push(Kind::Load, "reader: a lease is back", next);
            }
        }
    }
    let mark = |value| (value & bit != 0).then_some(value | orphan_bit(index));
    for (_, mut next) in state.updates(me, location, rules.order(Op::OrphanMark), mark) {
        next.readers[index].doing = Reading::Orphan { at: at + 1, back };
        out.push(Kind::Change, "reader: a lease becomes an orphan", next);
    }
}
