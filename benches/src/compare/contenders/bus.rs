//! The crate `bus` over a pool: one sender, every receiver gets everything, and the sender waits for the slowest.

use std::sync::Arc;

use vas_ring::FrameEntry;

use super::pool::{Frame, Pool};
use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

/// The writer's end.
pub struct Bus {
    bus: bus::Bus<Arc<Frame>>,
    pool: Pool,
}

impl Contender for Bus {
    type Reader = bus::BusReader<Arc<Frame>>;
    const NAME: &'static str = "bus + pool";
    const KIND: Kind = Kind::Peer;
    const SHORT_OF: &'static str = "refuses frames while a reader is behind";
    const GATED: bool = true;

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        let mut bus = bus::Bus::new(shape.depth);
        let readers = (0..shape.readers).map(|_| bus.add_rx()).collect();
        Ok((Self { bus, pool: Pool::new(shape) }, readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        let Some(frame) = self.pool.fill(picture, id) else { return false };
        self.bus.try_broadcast(frame).is_ok()
    }
}

impl Reader for bus::BusReader<Arc<Frame>> {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        let mut newest = None;
        while let Ok(frame) = self.try_recv() {
            newest = Some(frame);
        }
        Some(newest?.show(with))
    }
}
