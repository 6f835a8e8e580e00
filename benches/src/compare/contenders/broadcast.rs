//! `tokio::sync::broadcast` over a pool: a channel of as many frames as are to stay readable, which overwrites.

use std::sync::Arc;

use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};
use vas_ring::FrameEntry;

use super::pool::{Frame, Pool};
use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

/// The writer's end.
pub struct Broadcast {
    frames: Sender<Arc<Frame>>,
    pool: Pool,
}

impl Contender for Broadcast {
    type Reader = Receiver<Arc<Frame>>;
    const NAME: &'static str = "tokio broadcast + pool";
    const KIND: Kind = Kind::Peer;

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        let (frames, _) = channel(shape.depth);
        let readers = (0..shape.readers).map(|_| frames.subscribe()).collect();
        Ok((Self { frames, pool: Pool::new(shape) }, readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        let Some(frame) = self.pool.fill(picture, id) else { return false };
        // Fails when nobody is subscribed, and then the frame has gone to everybody.
        _ = self.frames.send(frame);
        true
    }
}

impl Reader for Receiver<Arc<Frame>> {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        let mut newest = None;
        loop {
            match self.try_recv() {
                Ok(frame) => newest = Some(frame),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(newest?.show(with)),
            }
        }
    }
}
