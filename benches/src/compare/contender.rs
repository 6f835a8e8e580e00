//! The job that all contenders do.

use vas_ring::FrameEntry;

use super::picture::Picture;

/// What a contender is made for. Each reader may hold one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many of the newest frames are to stay readable.
    pub depth: usize,
    /// Readers, each on a thread of its own.
    pub readers: usize,
    /// Bytes of a frame.
    pub frame_bytes: usize,
}

impl Shape {
    /// With the depth that every question uses.
    pub const fn new(readers: usize, frame_bytes: usize) -> Self {
        Self { depth: 4, readers, frame_bytes }
    }

    /// Buffers that the job takes: the readable frames, one that each reader may hold, and one to write into.
    pub fn buffers(&self) -> usize {
        self.depth + self.readers.max(1) + 1
    }
}

/// What part a contender plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What this repository is about.
    Ours,
    /// What people use in its place.
    Peer,
    /// What people use in its place that keeps fewer frames, which takes less memory and less time.
    Partial,
    /// What nothing can be faster than. It has no readers.
    Limit,
}

/// A way to hand frames from one thread to others: the writer's end.
pub trait Contender: Sized + Send + 'static {
    /// The readers' end.
    type Reader: Reader;
    /// For tables.
    const NAME: &'static str;
    /// What part it plays.
    const KIND: Kind;
    /// What it does less or otherwise than the job says; empty when it does all of it.
    const SHORT_OF: &'static str = "";
    /// Whether a reader that does not read stops the writer.
    const GATED: bool = false;

    /// Makes one, with all its readers.
    ///
    /// # Errors
    ///
    /// Why it cannot do this.
    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String>;

    /// Publishes a copy of a picture as frame `id`, which goes up by one each time. Returns whether it did; a frame that
    /// was refused is gone.
    fn publish(&mut self, picture: &Picture, id: u64) -> bool;
}

/// The readers' end.
pub trait Reader: Send + 'static {
    /// Borrows the newest frame for as long as `with` runs, if there is one that this reader has not had.
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T>;
}

/// For contenders without readers.
#[derive(Debug)]
pub enum Nobody {}

impl Reader for Nobody {
    fn latest<T>(&mut self, _: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        match *self {}
    }
}
