//! The crate `arc-swap`: the newest frame of a pool, behind a pointer that is swapped.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use vas_ring::FrameEntry;

use super::pool::{Frame, Pool};
use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

/// The writer's end.
pub struct Swap {
    newest: Arc<ArcSwapOption<Frame>>,
    pool: Pool,
}

/// A reader, and the id that it waits for.
pub struct SwapReader {
    newest: Arc<ArcSwapOption<Frame>>,
    next: u64,
}

impl Contender for Swap {
    type Reader = SwapReader;
    const NAME: &'static str = "arc-swap + pool";
    const KIND: Kind = Kind::Partial;
    const SHORT_OF: &'static str = "keeps the newest frame only";

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        let newest = Arc::new(ArcSwapOption::empty());
        let reader = || SwapReader { newest: newest.clone(), next: 0 };
        let readers = (0..shape.readers).map(|_| reader()).collect();
        Ok((Self { newest, pool: Pool::new(shape) }, readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        let Some(frame) = self.pool.fill(picture, id) else { return false };
        if let Some(former) = self.newest.swap(Some(frame)) {
            self.pool.replaced(&former);
        }
        true
    }
}

impl Reader for SwapReader {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        let newest = self.newest.load();
        let frame = newest.as_ref().filter(|frame| frame.id() >= self.next)?;
        self.next = frame.id() + 1;
        Some(frame.show(with))
    }
}
