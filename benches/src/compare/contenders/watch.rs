//! `tokio::sync::watch` over a pool: a lock around the newest frame. Readers take a handle out of it, since to read
//! under the lock would keep the writer waiting.

use std::sync::Arc;

use tokio::sync::watch::{Receiver, Sender, channel};
use vas_ring::FrameEntry;

use super::pool::{Frame, Pool};
use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

type Newest = Option<Arc<Frame>>;

/// The writer's end.
pub struct Watch {
    newest: Sender<Newest>,
    pool: Pool,
}

impl Contender for Watch {
    type Reader = Receiver<Newest>;
    const NAME: &'static str = "tokio watch + pool";
    const KIND: Kind = Kind::Partial;
    const SHORT_OF: &'static str = "keeps the newest frame only";

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        let (newest, _) = channel(None);
        let readers = (0..shape.readers).map(|_| newest.subscribe()).collect();
        Ok((Self { newest, pool: Pool::new(shape) }, readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        let Some(frame) = self.pool.fill(picture, id) else { return false };
        if let Some(former) = self.newest.send_replace(Some(frame)) {
            self.pool.replaced(&former);
        }
        true
    }
}

impl Reader for Receiver<Newest> {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        if !self.has_changed().unwrap_or(false) {
            return None;
        }
        let newest = self.borrow_and_update().clone();
        Some(newest?.show(with))
    }
}
