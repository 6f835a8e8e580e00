//! `Mutex<VecDeque<Arc<Frame>>>`: what most applications do, with a new frame for each picture as most write it, and
//! with a pool, under the standard library's lock and under `parking_lot`'s.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use vas_ring::FrameEntry;

use super::pool::{Frame, Pool};
use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

type Frames = VecDeque<Arc<Frame>>;

/// One of the two locks.
pub trait Lock: Send + Sync + 'static {
    /// Around these.
    fn new(frames: Frames) -> Self;
    /// Does something with them.
    fn with<T>(&self, with: impl FnOnce(&mut Frames) -> T) -> T;
}

impl Lock for std::sync::Mutex<Frames> {
    fn new(frames: Frames) -> Self {
        Self::new(frames)
    }

    #[inline]
    fn with<T>(&self, with: impl FnOnce(&mut Frames) -> T) -> T {
        with(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Lock for parking_lot::Mutex<Frames> {
    fn new(frames: Frames) -> Self {
        Self::new(frames)
    }

    #[inline]
    fn with<T>(&self, with: impl FnOnce(&mut Frames) -> T) -> T {
        with(&mut self.lock())
    }
}

struct Ring<L> {
    frames: Arc<L>,
    depth: usize,
}

impl<L: Lock> Ring<L> {
    fn new(shape: &Shape) -> (Self, Vec<RingReader<L>>) {
        let frames = Arc::new(L::new(VecDeque::with_capacity(shape.depth + 1)));
        let reader = || RingReader { frames: frames.clone(), next: 0 };
        let readers = (0..shape.readers).map(|_| reader()).collect();
        (Self { frames, depth: shape.depth }, readers)
    }

    /// Returns the frame that had to go.
    #[inline]
    fn push(&self, frame: Arc<Frame>) -> Option<Arc<Frame>> {
        self.frames.with(|frames| {
            let former = if frames.len() == self.depth { frames.pop_front() } else { None };
            frames.push_back(frame);
            former
        })
    }
}

/// A reader, and the id that it waits for.
pub struct RingReader<L> {
    frames: Arc<L>,
    next: u64,
}

impl<L: Lock> Reader for RingReader<L> {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        let next = self.next;
        let newest = self.frames.with(|frames| frames.back().filter(|frame| frame.id() >= next).cloned())?;
        self.next = newest.id() + 1;
        Some(newest.show(with))
    }
}

/// A new frame each time, under `std`'s lock.
pub struct StdFresh(Ring<std::sync::Mutex<Frames>>);

impl Contender for StdFresh {
    type Reader = RingReader<std::sync::Mutex<Frames>>;
    const NAME: &'static str = "std Mutex<VecDeque<Arc>>, allocating";
    const KIND: Kind = Kind::Peer;

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        let (ring, readers) = Ring::new(shape);
        Ok((Self(ring), readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        drop(self.0.push(Arc::new(Frame::fresh(picture, id))));
        true
    }
}

macro_rules! pooled {
    ($(#[$doc:meta])* $name:ident, $lock:ty, $shown:literal) => {
        $(#[$doc])*
        pub struct $name {
            ring: Ring<$lock>,
            pool: Pool,
        }

        impl Contender for $name {
            type Reader = RingReader<$lock>;
            const NAME: &'static str = $shown;
            const KIND: Kind = Kind::Peer;

            fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
                let (ring, readers) = Ring::new(shape);
                Ok((Self { ring, pool: Pool::new(shape) }, readers))
            }

            #[inline]
            fn publish(&mut self, picture: &Picture, id: u64) -> bool {
                let Some(frame) = self.pool.fill(picture, id) else { return false };
                if let Some(former) = self.ring.push(frame) {
                    self.pool.replaced(&former);
                }
                true
            }
        }
    };
}

pooled! {
    /// With a pool, under `std`'s lock.
    StdPooled, std::sync::Mutex<Frames>, "std Mutex<VecDeque<Arc>> + pool"
}
pooled! {
    /// With a pool, under `parking_lot`'s lock.
    ParkingLot, parking_lot::Mutex<Frames>, "parking_lot Mutex<VecDeque<Arc>> + pool"
}
