//! The ring and its threads, in one state of the exploration.

use std::fmt;

use crate::memory::{
    CELLS, ENTRIES, HEAD, LIST, LOCATIONS, Memory, Order, READER_STATE, READERS, SLOTS, Tally, View, WRITER_STATE,
};
use crate::table::{Op, Orders};

/// As in `word.rs`, for fewer readers. LEASED is left out, as it decides nothing.
pub(crate) const SHUT: u16 = 1 << 15;
pub(crate) const LEASES: u16 = 0xf;
pub(crate) const fn lease_bit(index: usize) -> u16 {
    1 << index
}
pub(crate) const fn orphan_bit(index: usize) -> u16 {
    1 << (index + 4)
}

/// As in `subscriptions.rs`.
pub(crate) const WRITER: u8 = 1 << 7;
pub(crate) const SUBSCRIBED: u8 = 0b111;
pub(crate) const fn reader_bit(index: usize) -> u8 {
    1 << index
}
pub(crate) const fn leaving_bit(index: usize) -> u8 {
    1 << (index + 3)
}

/// As in `head.rs`: what one value of the head tells. An entry of the list is of this form too; of that, the protocol has
/// the slot alone.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Head(pub(crate) u16);

impl Head {
    pub(crate) fn open(position: u8, slot: u8) -> Self {
        Self(u16::from(position) << 8 | u16::from(slot) << 1)
    }
    pub(crate) fn close(self) -> Self {
        Self(self.0 | 1)
    }
    pub(crate) fn is_closed(self) -> bool {
        self.0 & 1 != 0
    }
    pub(crate) fn position(self) -> u8 {
        (self.0 >> 8) as u8
    }
    pub(crate) fn slot(self) -> u8 {
        (self.0 as u8) >> 1
    }
}

/// What is explored, and to what size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) depth: u8,
    pub(crate) readers: u8,
    pub(crate) lease_limit: u8,
    pub(crate) publishes: u8,
    /// Leases are dropped by other threads, which know what their reader knew when it got them; else by their reader.
    pub(crate) elsewhere: bool,
    /// Readers that may leave, and readers that may subscribe in their stead.
    pub(crate) leaves: u8,
    pub(crate) successors: u8,
    /// Claims that may be dropped.
    pub(crate) drops: u8,
    /// How often the writer may leave the ring to another one.
    pub(crate) handovers: u8,
    /// The writer leaves after its last frame, and whoever drops the last handle frees the ring.
    pub(crate) freed: bool,
    /// The writer leaves after its last frame, and the ring is retired.
    pub(crate) retired: bool,
    /// A reader that has come too late must find a newer head.
    pub(crate) progress: bool,
}

impl Size {
    pub(crate) const fn new(depth: u8, readers: u8, lease_limit: u8, publishes: u8) -> Self {
        Self {
            depth,
            readers,
            lease_limit,
            publishes,
            elsewhere: true,
            leaves: 0,
            successors: 0,
            drops: 0,
            handovers: 0,
            freed: false,
            retired: false,
            progress: false,
        }
    }
    pub(crate) const fn dropped_by_readers(self) -> Self {
        Self { elsewhere: false, ..self }
    }
    pub(crate) const fn leaving(self, leaves: u8, successors: u8) -> Self {
        Self { leaves, successors, ..self }
    }
    pub(crate) const fn dropping(self, drops: u8) -> Self {
        Self { drops, ..self }
    }
    pub(crate) const fn handed_over(self, handovers: u8) -> Self {
        Self { handovers, ..self }
    }
    pub(crate) const fn freed(self) -> Self {
        Self { freed: true, ..self }
    }
    pub(crate) const fn retired(self) -> Self {
        Self { retired: true, ..self }
    }
    pub(crate) const fn progressing(self) -> Self {
        Self { progress: true, ..self }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { depth, readers, lease_limit, publishes, leaves, successors, drops, handovers, .. } = *self;
        write!(f, "({depth}, {readers}, {lease_limit}, {publishes})")?;
        let also = [
            (u8::from(!self.elsewhere), "leases dropped by their readers"),
            (leaves, "leaving"),
            (successors, "coming"),
            (drops, "claims dropped"),
            (handovers, "next writers"),
            (self.freed.into(), "freed"),
            (self.retired.into(), "retired"),
            (self.progress.into(), "progress"),
        ];
        for (count, what) in also.into_iter().filter(|&(count, _)| count > 0) {
            let many = if count > 1 { format!("{count} ") } else { String::new() };
            write!(f, ", {many}{what}")?;
        }
        Ok(())
    }
}

/// A mistake other than an ordering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mistake {
    OneSlotLess,
    UnusedSlotsOpen,
    PositionUnchecked,
    WaitingBeforeRetired,
    LeasedLeftOpen,
    ListOfDepth,
    TakeAndUndo,
    ListAfterHead,
    ReclaimUnasked,
}

/// The protocol as it is, or with one change.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) size: Size,
    pub(crate) orders: Orders,
    pub(crate) mistake: Option<Mistake>,
    /// How often readers may back out in all; without a limit when there is none.
    pub(crate) back_outs: Option<u8>,
    /// Keep every message and every load that came to nothing, instead of those only that can make a difference.
    pub(crate) keep_all: bool,
}

impl Rules {
    /// As the ring has it.
    pub(crate) fn of_the_ring(size: Size) -> Self {
        Self { size, orders: Orders::of_the_ring(), mistake: None, back_outs: None, keep_all: false }
    }
    pub(crate) fn order(&self, op: Op) -> Order {
        self.orders.0[op as usize]
    }
    pub(crate) fn made(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }
    pub(crate) fn slots(&self) -> usize {
        let Size { depth, readers, lease_limit, .. } = self.size;
        usize::from(depth + readers * lease_limit + 1) - usize::from(self.made(Mistake::OneSlotLess))
    }
    /// Entries of the list.
    pub(crate) fn entries(&self) -> usize {
        let spare = u8::from(!self.made(Mistake::ListOfDepth));
        (self.size.depth + spare).next_power_of_two().into()
    }
    /// Where the slot of `position` is listed.
    pub(crate) fn entry(&self, position: u8) -> usize {
        LIST + (usize::from(position) & (self.entries() - 1))
    }
}

/// What the writer is about to do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Writing {
    Idle,
    /// Looks at so many of the waiting slots still.
    Waiting(u8),
    Fill(u8),
    Open(u8),
    List(u8),
    Head(u8),
    /// The head is marked as closed: detach.
    Leave,
    Vacant,
    Reopen,
    /// Has ended the ring, and frees slots.
    Retired,
    /// Shuts the newest, as nobody is subscribed.
    Empty,
    Gone,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Writer {
    pub(crate) view: View,
    pub(crate) doing: Writing,
    pub(crate) head: Head,
    pub(crate) readable: u8,
    pub(crate) retired: Option<u8>,
    pub(crate) waiting: Slots,
    pub(crate) unused: u8,
    /// Not the protocol's: since it attached there was a time when nobody was subscribed.
    pub(crate) nobody: bool,
    /// Not the protocol's: the slots of the newest, the newest first.
    pub(crate) newest: Slots,
}

/// A short list.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(crate) struct Slots {
    at: [u8; SLOTS],
    len: u8,
}

impl Slots {
    pub(crate) fn get(&self) -> &[u8] {
        &self.at[..usize::from(self.len)]
    }
    pub(crate) fn insert(&mut self, index: usize, slot: u8) {
        self.at.copy_within(index..SLOTS - 1, index + 1);
        self.at[index] = slot;
        self.len += 1;
    }
    pub(crate) fn push(&mut self, slot: u8) {
        self.insert(usize::from(self.len), slot);
    }
    pub(crate) fn pop_front(&mut self) -> Option<u8> {
        let first = *self.get().first()?;
        self.at.copy_within(1.., 0);
        (self.len, self.at[SLOTS - 1]) = (self.len - 1, 0);
        Some(first)
    }
    pub(crate) fn swap_remove(&mut self, index: usize) {
        self.len -= 1;
        let last = usize::from(self.len);
        self.at[index] = self.at[last];
        self.at[last] = 0;
    }
    pub(crate) fn truncate(&mut self, len: u8) {
        while self.len > len {
            self.swap_remove(usize::from(self.len) - 1);
        }
    }
}

/// What a reader is about to do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Reading {
    /// Nobody is subscribed.
    Away,
    /// Is subscribed: begin at the head.
    Begin,
    Idle,
    /// All leases that it may hold are out: look at the leases from this one on, whether they are back.
    RemoveReleased {
        head: Head,
        target: u8,
        at: u8,
    },
    Look {
        target: u8,
    },
    /// The list was ahead of the head if it told of a later frame.
    Lease {
        target: u8,
        slot: u8,
        ahead: bool,
    },
    Check {
        target: u8,
        slot: u8,
        ahead: bool,
    },
    BackOut {
        slot: u8,
    },
    /// Is leaving: make the leases from this one on say so, if they are not back.
    Orphan {
        at: u8,
        back: u8,
    },
    /// Has taken an index that is not free: undo it (`Mistake::TakeAndUndo`).
    Undo,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Reader {
    pub(crate) view: View,
    pub(crate) doing: Reading,
    pub(crate) last: u8,
    pub(crate) leased: Slots,
    /// Leases given back by somebody who found that the reader is gone, and by the reader itself.
    pub(crate) orphans: Tally,
    /// Not the protocol's: the index was free at some time.
    pub(crate) was_free: bool,
}

impl Reader {
    pub(crate) fn is_subscribed(&self) -> bool {
        !matches!(self.doing, Reading::Away | Reading::Orphan { .. } | Reading::Undo)
    }
}

/// What is left to do with a lease, or by a reader that has left.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Rest {
    Lease { slot: u8, position: u8, elsewhere: bool },
    GiveBack(u8),
    FreeOrphaned,
    Free,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Tail {
    pub(crate) view: View,
    pub(crate) index: u8,
    pub(crate) rest: Rest,
    /// Handles of the ring to be dropped.
    pub(crate) handles: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Thread {
    Writer,
    Reader(usize),
    Tail(usize),
}

/// What a promise was broken by.
pub(crate) type Broken = &'static str;

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct State {
    pub(crate) memory: Memory,
    /// What the cell of each slot holds: the position of its frame.
    pub(crate) positions: [u8; SLOTS],
    pub(crate) writer: Writer,
    pub(crate) readers: Vec<Reader>,
    pub(crate) tails: Vec<Tail>,
    pub(crate) subscriptions: Tally,
    pub(crate) handles: Tally,
    pub(crate) leaves: u8,
    pub(crate) successors: u8,
    pub(crate) drops: u8,
    pub(crate) handovers: u8,
    pub(crate) back_outs: u8,
}

impl State {
    pub(crate) fn new(rules: &Rules) -> Self {
        let size = &rules.size;
        assert!(rules.slots() <= SLOTS && rules.entries() <= ENTRIES && size.readers <= 3, "{size} is too large");
        let mut values = [0; LOCATIONS];
        values[..SLOTS].fill(if rules.made(Mistake::UnusedSlotsOpen) { 0 } else { SHUT });
        let reader = || Reader {
            view: View::default(),
            doing: Reading::Idle,
            last: 0,
            leased: Slots::default(),
            orphans: Tally::default(),
            was_free: false,
        };
        let indexes = (0..usize::from(size.readers)).map(reader_bit).sum::<u8>();
        Self {
            memory: Memory::new(values),
            positions: [0; SLOTS],
            writer: Writer {
                view: View::default(),
                doing: Writing::Idle,
                head: Head::open(0, 0),
                readable: 0,
                retired: None,
                waiting: Slots::default(),
                unused: 0,
                nobody: false,
                newest: Slots::default(),
            },
            readers: (0..size.readers).map(|_| reader()).collect(),
            tails: Vec::new(),
            subscriptions: Tally { value: indexes | WRITER, view: View::default() },
            // The writer, the readers, and a handle for each reader that is yet to come.
            handles: Tally { value: 1 + size.readers + size.successors, view: View::default() },
            leaves: size.leaves,
            successors: size.successors,
            drops: size.drops,
            handovers: size.handovers,
            back_outs: rules.back_outs.unwrap_or(0),
        }
    }

    pub(crate) fn threads(&self) -> impl Iterator<Item = Thread> + use<> {
        let (readers, tails) = (self.readers.len(), self.tails.len());
        [Thread::Writer].into_iter().chain((0..readers).map(Thread::Reader)).chain((0..tails).map(Thread::Tail))
    }

    pub(crate) fn view_of(&self, thread: Thread) -> View {
        match thread {
            Thread::Writer => self.writer.view,
            Thread::Reader(index) => self.readers[index].view,
            Thread::Tail(tail) => self.tails[tail].view,
        }
    }

    pub(crate) fn view(&mut self, thread: Thread) -> &mut View {
        match thread {
            Thread::Writer => &mut self.writer.view,
            Thread::Reader(index) => &mut self.readers[index].view,
            Thread::Tail(tail) => &mut self.tails[tail].view,
        }
    }

    /// The memory, and every view that is outside of it.
    pub(crate) fn parts(&mut self) -> (&mut Memory, impl Iterator<Item = &mut View>) {
        let readers = self.readers.iter_mut().flat_map(|reader| [&mut reader.view, &mut reader.orphans.view]);
        let tails = self.tails.iter_mut().map(|tail| &mut tail.view);
        let others = [&mut self.writer.view, &mut self.subscriptions.view, &mut self.handles.view];
        (&mut self.memory, others.into_iter().chain(readers).chain(tails))
    }

    /// What the thread can read from the location now: each message, read by a copy of this state.
    pub(crate) fn loads(&self, thread: Thread, location: usize, order: Order) -> Vec<(u16, Self)> {
        let from = usize::from(self.view_of(thread).seen[location]);
        let load = |index| {
            let mut next = self.clone();
            let mut view = next.view_of(thread);
            let value = next.memory.read(location, index, order, &mut view);
            *next.view(thread) = view;
            (value, next)
        };
        (from..self.memory.at(location).len()).map(load).collect()
    }

    /// The ways in which the thread can store to the location now.
    pub(crate) fn stores(&self, thread: Thread, location: usize, value: u16, order: Order) -> Vec<Self> {
        let before = self.view_of(thread);
        let store = |after| {
            let (mut next, mut view) = (self.clone(), before);
            let (memory, views) = next.parts();
            memory.store((location, after), value, order, &mut view, views);
            *next.view(thread) = view;
            next
        };
        self.memory.ends(location, &before).map(store).collect()
    }

    /// The ways in which the thread can change the location's value now, of those that it may read; with the value before.
    pub(crate) fn updates(
        &self,
        thread: Thread,
        location: usize,
        order: Order,
        change: impl Fn(u16) -> Option<u16>,
    ) -> Vec<(u16, Self)> {
        let before = self.view_of(thread);
        let update = |read: usize| {
            let value = self.memory.at(location)[read].value;
            let changed = change(value)?;
            let (mut next, mut view) = (self.clone(), before);
            let (memory, views) = next.parts();
            memory.update((location, read), changed, order, &mut view, views);
            *next.view(thread) = view;
            Some((value, next))
        };
        self.memory.ends(location, &before).filter_map(update).collect()
    }

    pub(crate) fn update_subscriptions(&mut self, thread: Thread, value: u8, order: Order) {
        let mut view = self.view_of(thread);
        self.subscriptions.update(value, order, &mut view);
        *self.view(thread) = view;
        self.writer.nobody |= value & SUBSCRIBED == 0;
    }

    pub(crate) fn write_cell(&mut self, thread: Thread, cell: usize) -> bool {
        let mut view = self.view_of(thread);
        let (memory, views) = self.parts();
        let known = memory.write_cell(cell, &mut view, views);
        *self.view(thread) = view;
        known
    }

    pub(crate) fn read_cell(&mut self, thread: Thread, cell: usize, index: usize) -> bool {
        let mut view = self.view_of(thread);
        let (memory, views) = self.parts();
        let known = memory.read_cell(cell, index, &mut view, views);
        *self.view(thread) = view;
        known
    }

    /// What holds in every state, whoever has come how far.
    pub(crate) fn check(&self, rules: &Rules) -> Result<(), Broken> {
        for (index, reader) in self.readers.iter().enumerate() {
            if reader.is_subscribed() != (self.subscriptions.value & reader_bit(index) != 0) {
                return Err("the subscriptions show a reader that is not there, or hide one that is");
            }
        }
        // A reader that runs alone from here gets any of the newest, by whatever is the last word on each.
        let head = Head(self.memory.last(HEAD));
        let newest = head.position();
        for target in (newest + 1).saturating_sub(rules.size.depth).max(1)..=newest {
            // Where the ring has ended, they are for who has not seen them.
            let ended = matches!(self.writer.doing, Writing::Retired | Writing::Empty);
            let reads = |reader: &Reader| reader.is_subscribed() && reader.doing != Reading::Begin;
            if ended && !self.readers.iter().any(|reader| reads(reader) && reader.last < target) {
                continue;
            }
            let listed = || Head(self.memory.last(rules.entry(target))).slot();
            let slot = if target == newest { head.slot() } else { listed() };
            let (word, position) = (self.memory.last(usize::from(slot)), self.positions[usize::from(slot)]);
            if word & SHUT != 0 || position != target {
                return Err("a reader that runs alone cannot get one of the newest frames");
            }
        }
        Ok(())
    }
}

const _: () =
    assert!(CELLS <= 16 && LOCATIONS <= 16 && READER_STATE + READERS == WRITER_STATE && ENTRIES.is_power_of_two());
