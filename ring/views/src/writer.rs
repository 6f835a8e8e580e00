//! The writer's steps, as in `writer.rs` of the ring.

use crate::memory::{HEAD, View, WRITER_STATE};
use crate::retired;
use crate::state::{Broken, Head, LEASES, Mistake, Rules, SHUT, SUBSCRIBED, State, Thread, WRITER, Writing};
use crate::step::{Kind, Steps};
use crate::table::Op;

const ME: Thread = Thread::Writer;

pub(crate) fn steps(rules: &Rules, state: &State, out: &mut Steps) -> Result<(), Broken> {
    let size = &rules.size;
    match state.writer.doing {
        Writing::Idle => {
            let published = state.writer.head.position();
            if published < size.publishes {
                match state.writer.retired {
                    Some(slot) if !rules.made(Mistake::WaitingBeforeRetired) => claim(rules, state, slot, out)?,
                    _ => {
                        let mut next = state.clone();
                        next.writer.doing = Writing::Waiting(state.writer.waiting.get().len() as u8);
                        out.push(Kind::Load, "writer: nothing was retired last", next);
                    }
                }
            }
            if state.handovers > 0 || (size.freed || size.retired) && published == size.publishes {
                let closed = state.writer.head.close();
                for mut next in state.stores(ME, HEAD, closed.0, rules.order(Op::HeadStore)) {
                    next.writer.doing = Writing::Leave;
                    out.push(Kind::Store, "writer: closes", next);
                }
            }
        }
        Writing::Waiting(0) => match (state.writer.retired, usize::from(state.writer.unused) < rules.slots()) {
            (Some(slot), _) => claim(rules, state, slot, out)?,
            (None, true) => {
                let mut next = state.clone();
                next.writer.doing = Writing::Fill(next.writer.unused);
                next.writer.unused += 1;
                out.push(Kind::Load, "writer: takes a unused slot", next);
            }
            (None, false) => return Err("a claim was refused"),
        },
        Writing::Waiting(left) => {
            let slot = state.writer.waiting.get()[0];
            for (value, mut next) in state.loads(ME, usize::from(slot), rules.order(Op::ClaimAgain)) {
                next.writer.waiting.pop_front();
                if value & LEASES == 0 {
                    next.writer.doing = Writing::Fill(slot);
                    out.push(Kind::Load, "writer: claims a waiting slot", next);
                } else {
                    next.writer.waiting.push(slot);
                    next.writer.doing = Writing::Waiting(left - 1);
                    out.push(Kind::Load, "writer: a waiting slot is leased", next);
                }
            }
        }
        Writing::Fill(slot) => {
            let mut next = state.clone();
            if !next.write_cell(ME, usize::from(slot)) {
                return Err("data race: a slot is written that was not given back");
            }
            if state.drops > 0 {
                let mut dropped = next.clone();
                dropped.drops -= 1;
                dropped.writer.waiting.insert(0, slot);
                dropped.writer.doing = Writing::Idle;
                out.push(Kind::Store, "writer: drops the claim", dropped);
            }
            next.positions[usize::from(slot)] = state.writer.head.position() + 1;
            next.writer.doing = Writing::Open(slot);
            out.push(Kind::Store, "writer: fills the slot", next);
        }
        Writing::Open(slot) => open(rules, state, slot, out),
        Writing::List(slot) => {
            let position = state.writer.head.position() + u8::from(!rules.made(Mistake::ListAfterHead));
            let entry = Head::open(position, slot);
            for mut next in state.stores(ME, rules.entry(position), entry.0, rules.order(Op::ListStore)) {
                let last = rules.made(Mistake::ListAfterHead);
                next.writer.doing = if last { Writing::Idle } else { Writing::Head(slot) };
                out.push(Kind::Store, "writer: lists the slot", next);
            }
        }
        Writing::Head(slot) => {
            let head = Head::open(state.writer.head.position() + 1, slot);
            for mut next in state.stores(ME, HEAD, head.0, rules.order(Op::HeadStore)) {
                next.writer.head = head;
                next.writer.newest.insert(0, slot);
                next.writer.newest.truncate(size.depth);
                let listed = size.depth == 1 || !rules.made(Mistake::ListAfterHead);
                next.writer.doing = if listed { Writing::Idle } else { Writing::List(slot) };
                out.push(Kind::Store, "writer: moves the head", next);
            }
        }
        Writing::Leave => {
            let mut next = state.clone();
            next.write_cell(ME, WRITER_STATE);
            next.update_subscriptions(ME, state.subscriptions.value & !WRITER, rules.order(Op::DetachWriter));
            if state.handovers > 0 || size.retired {
                next.handovers = next.handovers.saturating_sub(1);
                next.writer.doing = Writing::Vacant;
            } else {
                next.writer.doing = Writing::Gone;
                let view = next.writer.view;
                next.free_later(rules, view);
            }
            next.writer.view = View::default();
            out.push(Kind::Change, "writer: detaches", next);
        }
        Writing::Vacant => {
            let mut next = state.clone();
            next.update_subscriptions(ME, state.subscriptions.value | WRITER, rules.order(Op::AttachWriter));
            if !next.write_cell(ME, WRITER_STATE) {
                return Err("data race: a writer attaches before the former one has left");
            }
            next.writer.nobody = state.subscriptions.value & SUBSCRIBED == 0;
            let ended = size.retired && state.writer.head.position() == size.publishes;
            next.writer.doing = if ended { Writing::Retired } else { Writing::Reopen };
            out.push(Kind::Change, "writer: another attaches", next);
        }
        Writing::Reopen => {
            for mut next in state.stores(ME, HEAD, state.writer.head.0, rules.order(Op::HeadStore)) {
                next.writer.doing = Writing::Idle;
                out.push(Kind::Store, "writer: opens the ring again", next);
            }
        }
        Writing::Retired => retired::steps(rules, state, out)?,
        Writing::Empty => retired::empty(rules, state, out)?,
        Writing::Gone => {}
    }
    Ok(())
}

fn claim(rules: &Rules, state: &State, slot: u8, out: &mut Steps) -> Result<(), Broken> {
    let shut = |value| {
        let left_open = rules.made(Mistake::LeasedLeftOpen) && value & LEASES != 0;
        Some(if left_open { value } else { value | SHUT })
    };
    for (before, mut next) in state.updates(ME, usize::from(slot), rules.order(Op::Claim), shut) {
        if before & SHUT != 0 {
            return Err("a slot is claimed that was shut already");
        }
        next.writer.retired = None;
        if before & LEASES == 0 {
            next.writer.doing = Writing::Fill(slot);
            out.push(Kind::Change, "writer: claims the retired slot", next);
        } else {
            let waiting = next.writer.waiting.get().len() as u8;
            next.writer.waiting.push(slot);
            // When the waiting ones come first, they have been looked at.
            next.writer.doing = Writing::Waiting(if rules.made(Mistake::WaitingBeforeRetired) { 0 } else { waiting });
            out.push(Kind::Change, "writer: the retired slot is leased", next);
        }
    }
    Ok(())
}

/// Opens the slot, and retires the oldest of the newest.
fn open(rules: &Rules, state: &State, slot: u8, out: &mut Steps) {
    let (size, head) = (&rules.size, state.writer.head);
    for mut next in state.stores(ME, usize::from(slot), 0, rules.order(Op::Publish)) {
        let list = |next: State| {
            let mut next = next;
            next.writer.doing = match size.depth {
                2.. if !rules.made(Mistake::ListAfterHead) => Writing::List(slot),
                _ => Writing::Head(slot),
            };
            next
        };
        if state.writer.readable < size.depth {
            next.writer.readable += 1;
            out.push(Kind::Store, "writer: opens the slot", list(next));
        } else if size.depth == 1 {
            next.writer.retired = Some(head.slot());
            out.push(Kind::Store, "writer: opens the slot", list(next));
        } else {
            let oldest = rules.entry(head.position() + 1 - size.depth);
            for (oldest, mut next) in next.loads(ME, oldest, rules.order(Op::ListLoad)) {
                next.writer.retired = Some(Head(oldest).slot());
                out.push(Kind::Store, "writer: opens the slot", list(next));
            }
        }
    }
}
