//! Which states count as one: what can make no difference any more is forgotten, and names are given in a fixed order.

use crate::memory::{ENTRIES, HEAD, LIST, Message, READER_STATE, SLOTS, View};
use crate::state::{LEASES, Reading, Rest, Rules, SHUT, State, Tail, Writing, lease_bit};
use crate::table::Op;

impl State {
    /// Forgets messages that nobody can read, or whose reading allows nothing that the reading of an earlier one with the
    /// same outcome does not.
    pub(crate) fn forget(&mut self, rules: &Rules) {
        let subscriptions = |op| if rules.order(op).acquire { self.subscriptions.view } else { View::default() };
        let writer = match self.writer.doing {
            Writing::Vacant => subscriptions(Op::AttachWriter),
            _ => self.writer.view,
        };
        let mut readers: Vec<_> =
            self.readers.iter().filter(|reader| reader.is_subscribed()).map(|reader| reader.view).collect();
        // Who comes later has seen what the subscriptions tell then, or more.
        readers.extend((self.successors > 0).then(|| subscriptions(Op::Subscribe)));
        let leaving = self.readers.iter().filter(|reader| matches!(reader.doing, Reading::Orphan { .. }));
        let others = leaving.map(|reader| &reader.view).chain(self.tails.iter().map(|tail| &tail.view));
        let everyone = || readers.iter().chain([&writer]).chain(others.clone());

        let mut keep = [0_u64; LIST + ENTRIES];
        for (location, keep) in keep.iter_mut().enumerate() {
            let messages = self.memory.at(location);
            assert!(messages.len() <= 64, "more messages than there is room for");
            if messages.len() == 1 {
                continue;
            }
            let from = |views: &mut dyn Iterator<Item = &View>| views.map(|view| view.seen[location]).min();
            if rules.keep_all || location >= HEAD {
                let from = match location {
                    _ if rules.keep_all => from(&mut everyone()),
                    HEAD => from(&mut readers.iter()),
                    _ => from(&mut readers.iter().chain([&writer])),
                };
                *keep = from.map_or(0, |from| u64::MAX << from);
                continue;
            }
            // What a read-modify-write may still find beside the newest.
            let from = from(&mut everyone()).map_or(messages.len(), usize::from);
            for index in from..messages.len() - 1 {
                let value = messages[index].value;
                let open = !messages[index + 1].tied && (value & SHUT == 0 || value & LEASES != 0);
                *keep |= u64::from(open) << index;
            }
            let pointed = self.pointed(location);
            let firsts =
                |view: &View, outcome: &dyn Fn(u16) -> bool| firsts(messages, view.seen[location], pointed, outcome);
            if self.writer.waiting.get().contains(&(location as u8)) {
                *keep |= firsts(&writer, &|value| value & LEASES != 0);
            }
            for (index, reader) in self.readers.iter().enumerate() {
                if rules.size.progress && reader.is_subscribed() {
                    *keep |= firsts(&reader.view, &|value| value & SHUT != 0);
                }
                if reader.leased.get().contains(&(location as u8)) {
                    *keep |= firsts(&reader.view, &|value| value & lease_bit(index) != 0);
                }
            }
        }
        for (location, keep) in keep.into_iter().enumerate() {
            if self.memory.at(location).len() > 1 {
                let (memory, views) = self.parts();
                memory.keep(location, keep, views);
            }
        }
    }

    /// The messages of a location that a view points at which somebody may come to have without reading that location.
    fn pointed(&self, location: usize) -> u64 {
        let threads = self.readers.iter().flat_map(|reader| [&reader.view, &reader.orphans.view]);
        let threads = threads.chain(self.tails.iter().map(|tail| &tail.view));
        let others = [&self.writer.view, &self.subscriptions.view, &self.handles.view];
        let messages = (0..LIST).filter(|&at| at != location).flat_map(|at| self.memory.at(at));
        let views = others.into_iter().chain(threads).chain(messages.map(|message| &message.view));
        views.fold(0, |pointed, view| pointed | 1 << view.seen[location])
    }

    /// The state in bytes, the same for all states that differ only in the names of slots and, if `alike`, of readers.
    pub(crate) fn encode(&self, rules: &Rules, alike: bool, best: &mut Vec<u8>) {
        const ORDERS: [&[[usize; 3]]; 4] = [
            &[],
            &[[0, 1, 2]],
            &[[0, 1, 2], [1, 0, 2]],
            &[[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]],
        ];
        let slots = self.slot_names(rules);
        best.clear();
        let mut bytes = Vec::with_capacity(512);
        for order in ORDERS[if alike { self.readers.len() } else { 1 }] {
            bytes.clear();
            Encoder { rules, state: self, slots, order, bytes: &mut bytes }.encode();
            if best.is_empty() || bytes < *best {
                std::mem::swap(best, &mut bytes);
            }
        }
    }

    /// Slots by what the writer has them for, which is in one order for all of them.
    fn slot_names(&self, rules: &Rules) -> Names {
        let writer = &self.writer;
        let busy = match writer.doing {
            Writing::Fill(slot) | Writing::Open(slot) | Writing::List(slot) | Writing::Head(slot) => Some(slot),
            _ => None,
        };
        let known = writer.newest.get().iter().copied().chain(busy).chain(writer.retired);
        let mut names = Names { slots: [u8::MAX; SLOTS], order: [0; SLOTS], count: 0 };
        for slot in known.chain(writer.waiting.get().iter().copied()).chain(0..rules.slots() as u8) {
            if names.slots[usize::from(slot)] == u8::MAX {
                names.slots[usize::from(slot)] = names.count as u8;
                names.order[names.count] = slot;
                names.count += 1;
            }
        }
        names
    }
}

/// Of each outcome, the messages from `from` on whose reading no earlier one makes superfluous: one that can be read
/// whenever the later one can, as no view points in between, and that releases no more.
fn firsts(messages: &[Message], from: u8, pointed: u64, outcome: &dyn Fn(u16) -> bool) -> u64 {
    let mut keep = 0_u64;
    for (index, message) in messages.iter().enumerate().skip(from.into()) {
        let same = |earlier: usize| {
            let between = (2 << index) - (2 << earlier);
            keep & 1 << earlier != 0
                && pointed & between == 0
                && outcome(messages[earlier].value) == outcome(message.value)
                && messages[earlier].view.is_within(&message.view)
        };
        if !(0..index).any(same) {
            keep |= 1 << index;
        }
    }
    keep
}

#[derive(Clone, Copy)]
struct Names {
    slots: [u8; SLOTS],
    order: [u8; SLOTS],
    count: usize,
}

struct Encoder<'a> {
    rules: &'a Rules,
    state: &'a State,
    slots: Names,
    /// By a reader's new name, its index.
    order: &'a [usize; 3],
    bytes: &'a mut Vec<u8>,
}

impl Encoder<'_> {
    fn encode(&mut self) {
        let state = self.state;
        let order = &self.order[..state.readers.len()];
        let State { leaves, successors, drops, handovers, back_outs, .. } = *state;
        self.bytes.extend([leaves, successors, drops, handovers, back_outs, state.handles.value]);
        // Two bits for each reader.
        let bits = order.iter().enumerate();
        let subscriptions = bits.map(|(name, index)| (state.subscriptions.value >> index & 0b1001) << name).sum::<u8>();
        self.bytes.push(subscriptions | state.subscriptions.value & 0x80);
        self.view(&state.subscriptions.view);
        if self.rules.size.freed {
            self.view(&state.handles.view);
        }
        self.writer();
        for &index in order {
            self.reader(index);
        }
        for at in 0..self.slots.count {
            let slot = usize::from(self.slots.order[at]);
            self.bytes.push(state.positions[slot]);
            let accessed = self.lanes(state.memory.accessed[slot]);
            self.bytes.push(accessed);
            self.messages(slot, Self::word, true);
        }
        self.messages(HEAD, Self::head, true);
        if self.rules.size.depth > 1 {
            for entry in LIST..LIST + self.rules.entries() {
                self.messages(entry, Self::head, false);
            }
        }
        let mut tails: Vec<_> = state.tails.iter().map(|tail| self.tail(tail)).collect();
        tails.sort_unstable();
        self.bytes.extend(tails.concat());
    }

    fn slot(&self, slot: u8) -> u8 {
        self.slots.slots[usize::from(slot)]
    }

    fn index(&self, index: usize) -> u8 {
        self.order.iter().position(|&at| at == index).expect("each reader has a name") as u8
    }

    /// A cell's bits: the write, then one for each reader.
    fn lanes(&self, lanes: u8) -> u8 {
        lanes & 1 | (self.by_index((lanes >> 1).into()) as u8) << 1
    }

    /// Moves the bit of each reader to that of its new name.
    fn by_index(&self, bits: u16) -> u16 {
        self.order.iter().enumerate().map(|(name, index)| (bits >> index & 1) << name).sum()
    }

    fn word(&self, value: u16) -> u16 {
        value & SHUT | self.by_index(value) | self.by_index(value >> 4) << 4
    }

    fn head(&self, value: u16) -> u16 {
        // Before the first frame it is no slot's.
        if value < 0x100 { value } else { value & 0xff01 | u16::from(self.slot((value as u8) >> 1)) << 1 }
    }

    fn messages(&mut self, location: usize, value: impl Fn(&Self, u16) -> u16, released: bool) {
        let messages = self.state.memory.at(location);
        self.bytes.push(messages.len() as u8);
        for message in messages {
            let value = value(self, message.value).to_le_bytes();
            self.bytes.extend(value);
            self.bytes.push(message.tied.into());
            if released {
                self.view(&message.view);
            }
        }
    }

    fn view(&mut self, view: &View) {
        for at in 0..self.slots.count {
            let slot = usize::from(self.slots.order[at]);
            let known = view.knows[slot] & self.state.memory.accessed[slot];
            let known = self.lanes(known);
            self.bytes.extend([view.seen[slot], known]);
        }
        self.bytes.push(view.seen[HEAD]);
        if self.rules.size.depth > 1 {
            self.bytes.extend(&view.seen[LIST..LIST + self.rules.entries()]);
        }
        if self.rules.size.leaves > 0 || self.rules.size.handovers > 0 || self.rules.size.freed {
            for name in 0..self.state.readers.len() {
                self.bytes.push(view.knows[READER_STATE + self.order[name]]);
            }
            self.bytes.push(view.knows[crate::memory::WRITER_STATE]);
        }
    }

    fn writer(&mut self) {
        let writer = &self.state.writer;
        let doing = match writer.doing {
            Writing::Idle => [0, 0],
            Writing::Waiting(left) => [1, left],
            Writing::Fill(slot) => [2, self.slot(slot)],
            Writing::Open(slot) => [3, self.slot(slot)],
            Writing::List(slot) => [4, self.slot(slot)],
            Writing::Head(slot) => [5, self.slot(slot)],
            Writing::Leave => [6, 0],
            Writing::Vacant => [7, 0],
            Writing::Reopen => [8, 0],
            Writing::Gone => [9, 0],
            Writing::Retired => [10, writer.nobody.into()],
            Writing::Empty => [11, 0],
        };
        self.bytes.extend(doing);
        let retired = writer.retired.map_or(u8::MAX, |slot| self.slot(slot));
        let (newest, waiting) = (writer.newest.get().len() as u8, writer.waiting.get().len() as u8);
        self.bytes.extend([writer.head.position(), writer.readable, writer.unused, retired, newest, waiting]);
        self.view(&writer.view);
    }

    fn reader(&mut self, index: usize) {
        let reader = &self.state.readers[index];
        let doing = match reader.doing {
            Reading::Away => [0; 4],
            Reading::Begin => [1, 0, 0, 0],
            Reading::Idle => [2, 0, 0, 0],
            Reading::RemoveReleased { head, target, at } => {
                let [low, high] = self.head(head.0).to_le_bytes();
                self.bytes.extend([low, high]);
                [3, target, at, 0]
            }
            Reading::Look { target } => [4, target, 0, 0],
            Reading::Lease { target, slot, ahead } => [5, target, self.slot(slot), ahead.into()],
            Reading::Check { target, slot, ahead } => [6, target, self.slot(slot), ahead.into()],
            Reading::BackOut { slot } => [7, self.slot(slot), 0, 0],
            Reading::Orphan { at, back } => [8, at, back, 0],
            Reading::Undo => [9, 0, 0, 0],
        };
        self.bytes.extend(doing);
        let out = reader.leased.get();
        self.bytes.extend([reader.last, u8::from(reader.was_free), out.len() as u8]);
        let mut slots: Vec<_> = out.iter().map(|&slot| self.slot(slot)).collect();
        // Whose order matters only while it is gone through.
        if matches!(reader.doing, Reading::Idle | Reading::Check { .. } | Reading::BackOut { .. }) {
            slots.sort_unstable();
        }
        self.bytes.extend(slots);
        self.bytes.push(reader.orphans.value);
        self.view(&reader.view);
        if reader.orphans.value > 0 || reader.orphans.view != View::default() {
            let view = reader.orphans.view;
            self.view(&view);
        }
    }

    fn tail(&self, tail: &Tail) -> Vec<u8> {
        let rest = match tail.rest {
            Rest::Lease { slot, position, elsewhere } => [0, self.slot(slot), position, elsewhere.into()],
            Rest::GiveBack(count) => [1, count, 0, 0],
            Rest::FreeOrphaned => [2, 0, 0, 0],
            Rest::Free => [3, 0, 0, 0],
        };
        let mut bytes = vec![self.index(tail.index.into()), tail.handles];
        bytes.extend(rest);
        let Self { rules, state, slots, order, .. } = *self;
        Encoder { rules, state, slots, order, bytes: &mut bytes }.view(&tail.view);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::explore::{Way, explore};
    use crate::memory::LOCATIONS;
    use crate::state::Size;

    /// What remains of a state where all threads are between two of their doings, when what each has seen is left out.
    fn outline(rules: &Rules, state: &State) -> Option<Vec<u8>> {
        let writer = matches!(state.writer.doing, Writing::Idle | Writing::Vacant | Writing::Retired | Writing::Gone);
        let between = |reading| matches!(reading, Reading::Idle | Reading::Away | Reading::BackOut { .. });
        if !writer || !state.readers.iter().all(|reader| between(reader.doing)) {
            return None;
        }
        let mut state = state.clone();
        for location in 0..LOCATIONS {
            let (memory, views) = state.parts();
            memory.keep(location, 0, views);
        }
        state.memory.accessed.fill(0);
        // A read that came to nothing may have seen that a lease is back; the next one can see that as well.
        for (index, reader) in state.readers.iter_mut().enumerate() {
            let tails = &state.tails;
            let waiting = |slot| {
                tails.iter().any(|tail| {
                    usize::from(tail.index) == index && matches!(tail.rest, Rest::Lease { slot: at, .. } if at == slot)
                })
            };
            while let Some(back) = reader.leased.get().iter().position(|&slot| !waiting(slot)) {
                reader.leased.swap_remove(back);
            }
        }
        let (memory, views) = state.parts();
        views.for_each(|view| *view = View::default());
        memory.release_nothing();
        let mut bytes = Vec::new();
        state.encode(rules, true, &mut bytes);
        Some(bytes)
    }

    fn outlines(rules: &Rules, way: Way) -> (BTreeSet<Vec<u8>>, usize) {
        let mut found = BTreeSet::new();
        let outcome = explore(rules, way, |state| found.extend(outline(rules, state)), |_| true);
        assert_eq!(outcome.broken, None, "{}", rules.size);
        (found, outcome.states)
    }

    /// Every access by itself, no message forgotten that anyone could read, every read followed up that came to nothing, and
    /// readers told apart: the ring gets into no state that the quick way does not see.
    #[test]
    fn nothing_is_lost_by_being_quick() {
        for size in [
            Size::new(1, 1, 1, 6),
            Size::new(1, 1, 1, 5).dropped_by_readers(),
            Size::new(2, 1, 1, 5),
            Size::new(1, 1, 2, 5),
            Size::new(2, 1, 2, 4),
            Size::new(1, 2, 1, 3),
            Size::new(1, 1, 1, 4).dropping(1),
            Size::new(1, 1, 1, 4).leaving(1, 1),
            Size::new(1, 1, 2, 3).leaving(1, 1),
            Size::new(1, 1, 1, 3).handed_over(1),
            Size::new(1, 1, 1, 3).leaving(1, 0).freed(),
            Size::new(2, 1, 1, 3).leaving(1, 1).retired(),
            Size::new(1, 1, 1, 5).progressing(),
        ] {
            let quick = Rules { back_outs: Some(1), ..Rules::of_the_ring(size) };
            let (found, states) = outlines(&quick, Way::QUICKEST);
            let slow = Rules { keep_all: true, ..quick };
            let (all, all_states) = outlines(&slow, Way { small_steps: true, alike: false });
            println!("{size}: {states} for {all_states} states, {} apart", all.len());
            assert!(found == all, "{size}: {} of {} are seen", found.len(), all.len());
            assert!(all_states > states, "{size}: nothing was saved");
        }
    }
}
