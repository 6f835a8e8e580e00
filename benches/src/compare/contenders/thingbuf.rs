//! The crate `thingbuf`: a queue whose slots are written and read in place. It does not overwrite, so the writer takes
//! the oldest frame out itself when the queue is full.

use std::sync::Arc;

use thingbuf::recycling::Recycle;
use vas_ring::FrameEntry;

use super::pool::Frame;
use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

/// Makes slots once, and leaves them as they are.
#[derive(Debug)]
struct Slots {
    frame_bytes: usize,
}

impl Recycle<Frame> for Slots {
    fn new_element(&self) -> Frame {
        Frame::new(self.frame_bytes)
    }

    #[inline]
    fn recycle(&self, _: &mut Frame) {}
}

type Queue = Arc<thingbuf::ThingBuf<Frame, Slots>>;

/// The writer's end.
pub struct ThingBuf(Queue);

/// The reader's.
pub struct ThingBufReader(Queue);

impl Contender for ThingBuf {
    type Reader = ThingBufReader;
    const NAME: &'static str = "thingbuf";
    const KIND: Kind = Kind::Peer;
    const SHORT_OF: &'static str = "one reader; refuses frames while it holds the oldest";

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        if shape.readers > 1 {
            return Err("a frame goes to one reader".into());
        }
        let slots = Slots { frame_bytes: shape.frame_bytes };
        let queue = Arc::new(thingbuf::ThingBuf::with_recycle(shape.depth, slots));
        let readers = (0..shape.readers).map(|_| ThingBufReader(queue.clone())).collect();
        Ok((Self(queue), readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        for _ in 0..2 {
            if let Ok(mut slot) = self.0.push_ref() {
                slot.fill(picture, id);
                return true;
            }
            drop(self.0.pop_ref());
        }
        false
    }
}

impl Reader for ThingBufReader {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        let mut newest = self.0.pop_ref()?;
        while let Some(newer) = self.0.pop_ref() {
            newest = newer;
        }
        Some(newest.show(with))
    }
}
