//! Weak memory as a machine of views: RC11 without load buffering.
//!
//! Each atomic location has its messages in modification order, and each thread a view of how far it has seen each
//! location. A load reads any message not older than the view; Acquire joins the view that the message releases. A store goes
//! anywhere after the view, not only to the end, and a read-modify-write right after the message that it reads, from which
//! nothing separates it later. Its message releases what the one before released too, so that release sequences carry.
//! Nothing is read before it is stored, which is what load buffering would be. (No fence is in the protocol.)
//!
//! Bytes that are not atomic are *cells*: a view knows of a cell's last write and of each reader's last read of that, or does
//! not. An access that does not know of what it must come after is a data race.

/// Slots of the largest ring.
pub(crate) const SLOTS: usize = 7;
/// Entries of its list.
pub(crate) const ENTRIES: usize = 8;
/// Its readers.
pub(crate) const READERS: usize = 3;

/// Locations: a word for each slot, the head, the list's entries.
pub(crate) const HEAD: usize = SLOTS;
pub(crate) const LIST: usize = HEAD + 1;
pub(crate) const LOCATIONS: usize = LIST + ENTRIES;

/// Cells: position, entry and pixels of each slot, each reader's private state, the writer's.
pub(crate) const READER_STATE: usize = SLOTS;
pub(crate) const WRITER_STATE: usize = READER_STATE + READERS;
pub(crate) const CELLS: usize = WRITER_STATE + 1;

/// The bit of a cell's last write; the next ones are for the reads of each reader since then.
const WRITE: u8 = 1;

/// How far a thread has seen, or what a message releases.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(crate) struct View {
    /// By location: the oldest message that may still be read.
    pub(crate) seen: [u8; 16],
    /// By cell: the accesses that come before.
    pub(crate) knows: [u8; 16],
}

impl View {
    pub(crate) fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.seen.iter_mut().zip(other.seen) {
            *mine = (*mine).max(theirs);
        }
        for (mine, theirs) in self.knows.iter_mut().zip(other.knows) {
            *mine |= theirs;
        }
    }

    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.seen.iter().zip(other.seen).all(|(&mine, theirs)| mine <= theirs)
            && self.knows.iter().zip(other.knows).all(|(&mine, theirs)| mine & !theirs == 0)
    }
}

/// Of an operation: what of Acquire and Release it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    pub(crate) acquire: bool,
    pub(crate) release: bool,
}

impl Order {
    pub(crate) const RELAXED: Self = Self { acquire: false, release: false };
    pub(crate) const ACQUIRE: Self = Self { acquire: true, release: false };
    pub(crate) const RELEASE: Self = Self { acquire: false, release: true };
    pub(crate) const ACQ_REL: Self = Self { acquire: true, release: true };
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Message {
    pub(crate) value: u16,
    /// Of a read-modify-write: nothing comes between it and the message before.
    pub(crate) tied: bool,
    /// What it releases.
    pub(crate) view: View,
}

/// A location that only read-modify-writes change, and that nobody decides by loading: each of them reads the newest message,
/// so that there is no other to keep.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(crate) struct Tally {
    pub(crate) value: u8,
    pub(crate) view: View,
}

impl Tally {
    pub(crate) fn update(&mut self, value: u8, order: Order, view: &mut View) {
        self.value = value;
        if order.acquire {
            view.join(&self.view);
        }
        if order.release {
            self.view.join(view);
        }
    }
}

/// The messages of all locations, and who has accessed the cells.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Memory {
    messages: Vec<Message>,
    /// Where each location's messages begin, and where the last one's end.
    start: [u8; LOCATIONS + 1],
    /// By cell: its last write, and the reads of it.
    pub(crate) accessed: [u8; CELLS],
}

impl Memory {
    pub(crate) fn new(values: [u16; LOCATIONS]) -> Self {
        let messages = values.map(|value| Message { value, tied: false, view: View::default() }).to_vec();
        Self { messages, start: std::array::from_fn(|at| at as u8), accessed: [0; CELLS] }
    }

    pub(crate) fn at(&self, location: usize) -> &[Message] {
        &self.messages[usize::from(self.start[location])..usize::from(self.start[location + 1])]
    }

    pub(crate) fn last(&self, location: usize) -> u16 {
        self.at(location).last().expect("a location is never empty").value
    }

    /// Reads message `index`.
    pub(crate) fn read(&self, location: usize, index: usize, order: Order, view: &mut View) -> u16 {
        let message = &self.at(location)[index];
        view.seen[location] = view.seen[location].max(index as u8);
        if order.acquire {
            view.join(&message.view);
        }
        message.value
    }

    /// The messages that a read-modify-write may read.
    pub(crate) fn ends(&self, location: usize, view: &View) -> impl Iterator<Item = usize> + use<'_> {
        let messages = self.at(location);
        (usize::from(view.seen[location])..messages.len())
            .filter(|&index| messages.get(index + 1).is_none_or(|next| !next.tied))
    }

    /// Makes room at `index` of the location, in all of `views` as well.
    fn insert<'v>(
        &mut self,
        location: usize,
        index: usize,
        message: Message,
        views: impl Iterator<Item = &'v mut View>,
    ) {
        if index < self.at(location).len() {
            in_all(&mut self.messages, views, |view| {
                view.seen[location] += u8::from(usize::from(view.seen[location]) >= index);
            });
        }
        self.messages.insert(usize::from(self.start[location]) + index, message);
        for start in &mut self.start[location + 1..] {
            *start += 1;
        }
    }

    /// Stores after message `after`, which `ends` has given. `views` are those of all threads but the one that stores.
    pub(crate) fn store<'v>(
        &mut self,
        (location, after): (usize, usize),
        value: u16,
        order: Order,
        view: &mut View,
        views: impl Iterator<Item = &'v mut View>,
    ) {
        view.seen[location] = after as u8 + 1;
        let released = if order.release { *view } else { View::default() };
        self.insert(location, after + 1, Message { value, tied: false, view: released }, views);
    }

    /// A read-modify-write of message `read`, which `ends` has given.
    pub(crate) fn update<'v>(
        &mut self,
        (location, read): (usize, usize),
        value: u16,
        order: Order,
        view: &mut View,
        views: impl Iterator<Item = &'v mut View>,
    ) {
        self.read(location, read, order, view);
        view.seen[location] = read as u8 + 1;
        let mut released = self.at(location)[read].view;
        if order.release {
            released.join(view);
        }
        self.insert(location, read + 1, Message { value, tied: true, view: released }, views);
    }

    /// Writes to a cell. Returns whether it comes after all that it must.
    pub(crate) fn write_cell<'v>(
        &mut self,
        cell: usize,
        view: &mut View,
        views: impl Iterator<Item = &'v mut View>,
    ) -> bool {
        let known = self.accessed[cell] & !view.knows[cell] == 0;
        in_all(&mut self.messages, views, |view| view.knows[cell] = 0);
        self.accessed[cell] = WRITE;
        view.knows[cell] = WRITE;
        known
    }

    /// Reads a cell for a reader. Returns whether it comes after the last write.
    pub(crate) fn read_cell<'v>(
        &mut self,
        cell: usize,
        reader: usize,
        view: &mut View,
        views: impl Iterator<Item = &'v mut View>,
    ) -> bool {
        let (known, read) = (self.accessed[cell] & WRITE & !view.knows[cell] == 0, WRITE << (reader + 1));
        if self.accessed[cell] & read != 0 {
            in_all(&mut self.messages, views, |view| view.knows[cell] &= !read);
        }
        self.accessed[cell] |= read;
        view.knows[cell] |= read;
        known
    }

    /// Whether the view knows of all accesses of all cells.
    pub(crate) fn knows_all(&self, view: &View) -> bool {
        self.accessed.iter().zip(view.knows).all(|(&accessed, knows)| accessed & !knows == 0)
    }

    #[cfg(test)]
    pub(crate) fn release_nothing(&mut self) {
        self.messages.iter_mut().for_each(|message| message.view = View::default());
    }

    /// Forgets those messages of a location that are not to be kept; a view that points at one points at the next that is.
    /// The last one always is.
    pub(crate) fn keep<'v>(&mut self, location: usize, keep: u64, views: impl Iterator<Item = &'v mut View>) {
        let start = usize::from(self.start[location]);
        let count = self.at(location).len();
        let mut map = [0_u8; 64];
        // Whether what came right after the last one kept was tied to it.
        let (mut kept, mut tied) = (0, None);
        for (index, to) in map.iter_mut().enumerate().take(count) {
            *to = kept as u8;
            let mut message = self.messages[start + index];
            tied.get_or_insert(message.tied);
            if keep & 1 << index != 0 || index + 1 == count {
                message.tied = tied.take() == Some(true) && kept > 0;
                self.messages[start + kept] = message;
                kept += 1;
            }
        }
        if kept == count {
            return;
        }
        self.messages.drain(start + kept..start + count);
        for start in &mut self.start[location + 1..] {
            *start -= (count - kept) as u8;
        }
        in_all(&mut self.messages, views, |view| view.seen[location] = map[usize::from(view.seen[location])]);
    }
}

fn in_all<'v>(messages: &mut [Message], views: impl Iterator<Item = &'v mut View>, mut change: impl FnMut(&mut View)) {
    messages.iter_mut().for_each(|message| change(&mut message.view));
    views.for_each(change);
}
