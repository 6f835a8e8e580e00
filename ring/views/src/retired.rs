//! The end of a ring for good, as in `retired.rs` of the ring: slots are freed one by one.
//!
//! The ring looks at them in one order; here any order will do.

use crate::state::{Broken, Head, LEASES, Mistake, Rules, SHUT, State, Thread, Writing};
use crate::step::{Kind, Steps};
use crate::table::Op;

const ME: Thread = Thread::Writer;

pub(crate) fn steps(rules: &Rules, state: &State, out: &mut Steps) -> Result<(), Broken> {
    let writer = &state.writer;
    if let Some(slot) = writer.retired {
        for mut next in shut(rules, state, slot)? {
            next.writer.retired = None;
            out.push(Kind::Change, "retired: shuts the retired slot", next);
        }
    }
    // What was true since it last looked it may read still.
    if writer.readable > 0 && (writer.nobody || rules.made(Mistake::ReclaimUnasked)) {
        let mut next = state.clone();
        next.writer.doing = Writing::Empty;
        out.push(Kind::Load, "retired: nobody is subscribed", next);
    }
    for index in 0..writer.waiting.get().len() {
        let slot = writer.waiting.get()[index];
        for (value, mut next) in state.loads(ME, usize::from(slot), rules.order(Op::ClaimAgain)) {
            if value & LEASES == 0 {
                next.writer.waiting.swap_remove(index);
                free(&mut next, slot)?;
                out.push(Kind::Store, "retired: frees a waiting slot", next);
            }
        }
    }
    if usize::from(writer.unused) < rules.slots() {
        let mut next = state.clone();
        next.writer.unused += 1;
        free(&mut next, writer.unused)?;
        out.push(Kind::Store, "retired: frees a unused slot", next);
    }
    Ok(())
}

/// Shuts the oldest of the newest, and goes on to the next.
pub(crate) fn empty(rules: &Rules, state: &State, out: &mut Steps) -> Result<(), Broken> {
    let (head, left) = (state.writer.head, state.writer.readable - 1);
    let slots = match left {
        0 => vec![(head.0, state.clone())],
        _ => state.loads(ME, rules.entry(head.position() - left), rules.order(Op::ListLoad)),
    };
    for (slot, state) in slots {
        for mut next in shut(rules, &state, Head(slot).slot())? {
            next.writer.readable = left;
            next.writer.newest.truncate(left);
            next.writer.doing = if left > 0 { Writing::Empty } else { Writing::Retired };
            out.push(Kind::Change, "retired: shuts one of the newest", next);
        }
    }
    Ok(())
}

/// Shuts a slot, and frees it or keeps it for later.
fn shut(rules: &Rules, state: &State, slot: u8) -> Result<Vec<State>, Broken> {
    let mut states = Vec::new();
    for (before, mut next) in state.updates(ME, usize::from(slot), rules.order(Op::Claim), |value| Some(value | SHUT)) {
        if before & SHUT != 0 {
            return Err("a slot is claimed that was shut already");
        }
        if before & LEASES == 0 {
            free(&mut next, slot)?;
        } else {
            next.writer.waiting.push(slot);
        }
        states.push(next);
    }
    Ok(states)
}

fn free(state: &mut State, slot: u8) -> Result<(), Broken> {
    state.positions[usize::from(slot)] = 0;
    if state.write_cell(ME, slot.into()) { Ok(()) } else { Err("data race: a slot is freed that was not given back") }
}
