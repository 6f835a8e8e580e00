//! crossbeam's `ArrayQueue::force_push` over a pool: a queue for each reader, since a frame that one takes is gone for
//! the others, each as long as frames are to stay readable.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use vas_ring::FrameEntry;

use super::pool::{Frame, Pool};
use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

/// The writer's end.
pub struct ForcePush {
    queues: Vec<Arc<ArrayQueue<Arc<Frame>>>>,
    pool: Pool,
}

/// A reader's queue.
pub struct Queue(Arc<ArrayQueue<Arc<Frame>>>);

impl Contender for ForcePush {
    type Reader = Queue;
    const NAME: &'static str = "crossbeam force_push + pool";
    const KIND: Kind = Kind::Peer;
    const SHORT_OF: &'static str = "a queue for each reader, pushed to in turn";

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        let queue = || Arc::new(ArrayQueue::new(shape.depth));
        let queues: Vec<_> = (0..shape.readers.max(1)).map(|_| queue()).collect();
        let readers = queues.iter().take(shape.readers).cloned().map(Queue).collect();
        Ok((Self { queues, pool: Pool::new(shape) }, readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        let Some(frame) = self.pool.fill(picture, id) else { return false };
        for queue in &self.queues {
            if let Some(former) = queue.force_push(frame.clone()) {
                self.pool.replaced(&former);
            }
        }
        true
    }
}

impl Reader for Queue {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        let mut newest = None;
        while let Some(frame) = self.0.pop() {
            newest = Some(frame);
        }
        Some(newest?.show(with))
    }
}
