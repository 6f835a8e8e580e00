//! Frames that are used again, behind `Arc`: what careful users of queues do.

use std::sync::Arc;

use vas_ring::FrameEntry;

use crate::compare::contender::Shape;
use crate::compare::picture::Picture;

/// A frame with its own memory.
#[derive(Clone, Debug)]
pub struct Frame {
    entry: FrameEntry,
    pixels: Vec<u8>,
    place: usize,
}

impl Frame {
    /// An empty one.
    pub fn new(frame_bytes: usize) -> Self {
        Self { entry: FrameEntry::default(), pixels: vec![0; frame_bytes], place: 0 }
    }

    /// In new memory.
    pub fn fresh(picture: &Picture, id: u64) -> Self {
        let entry = FrameEntry { frame_id: id, ..*picture.entry() };
        Self { entry, pixels: picture.pixels().to_vec(), place: 0 }
    }

    /// Copies a picture into it.
    #[inline]
    pub fn fill(&mut self, picture: &Picture, id: u64) {
        self.entry = *picture.entry();
        self.entry.frame_id = id;
        self.pixels.copy_from_slice(picture.pixels());
    }

    /// The frame's id.
    #[inline]
    pub fn id(&self) -> u64 {
        self.entry.frame_id
    }

    /// Shows it.
    #[inline]
    pub fn show<T>(&self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> T {
        with(&self.entry, &self.pixels)
    }
}

/// As many frames as the job takes.
#[derive(Debug)]
pub struct Pool {
    frames: Vec<Arc<Frame>>,
    next: usize,
}

impl Pool {
    /// For a contender of this shape.
    pub fn new(shape: &Shape) -> Self {
        let frame = |place| Arc::new(Frame { place, ..Frame::new(shape.frame_bytes) });
        Self { frames: (0..shape.buffers()).map(frame).collect(), next: 0 }
    }

    /// Says which frame was replaced, as that is the likeliest to be free and in the cache.
    #[inline]
    pub fn replaced(&mut self, frame: &Frame) {
        self.next = frame.place;
    }

    /// A filled frame; none when all are in use.
    #[inline]
    pub fn fill(&mut self, picture: &Picture, id: u64) -> Option<Arc<Frame>> {
        let n = self.frames.len();
        for offset in 0..n {
            let place = (self.next + offset) % n;
            if let Some(frame) = Arc::get_mut(&mut self.frames[place]) {
                frame.fill(picture, id);
                self.next = (place + 1) % n;
                return Some(self.frames[place].clone());
            }
        }
        None
    }
}
