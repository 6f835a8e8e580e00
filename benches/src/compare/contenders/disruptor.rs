//! The crate `disruptor`: frames are written and read in place, and the producer waits for the slowest consumer.

use disruptor::{
    BusySpin, EventPoller, MultiConsumerBarrier, Producer as _, SingleConsumerBarrier, SingleProducer,
    SingleProducerBarrier, build_single_producer,
};
use vas_ring::FrameEntry;

use super::pool::Frame;
use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

/// The writer's end, whose type depends on the number of readers.
pub enum Disruptor {
    /// For one.
    One(SingleProducer<Frame, SingleConsumerBarrier>),
    /// For more.
    Many(SingleProducer<Frame, MultiConsumerBarrier>),
}

impl Contender for Disruptor {
    type Reader = EventPoller<Frame, SingleProducerBarrier>;
    const NAME: &'static str = "disruptor";
    const KIND: Kind = Kind::Peer;
    const SHORT_OF: &'static str = "refuses frames while a reader is behind";
    const GATED: bool = true;

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        if shape.readers == 0 {
            return Err("its producer is not built without a consumer".into());
        }
        let frame_bytes = shape.frame_bytes;
        // Sizes are powers of two.
        let size = shape.buffers().next_power_of_two();
        let builder = build_single_producer(size, move || Frame::new(frame_bytes), BusySpin);
        let (first, builder) = builder.new_event_poller();
        if shape.readers == 1 {
            return Ok((Self::One(builder.build()), vec![first]));
        }
        let (second, mut builder) = builder.new_event_poller();
        let mut readers = vec![first, second];
        for _ in 2..shape.readers {
            let (another, grown) = builder.new_event_poller();
            readers.push(another);
            builder = grown;
        }
        Ok((Self::Many(builder.build()), readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        let fill = |frame: &mut Frame| frame.fill(picture, id);
        match self {
            Self::One(producer) => producer.try_publish(fill).is_ok(),
            Self::Many(producer) => producer.try_publish(fill).is_ok(),
        }
    }
}

impl Reader for EventPoller<Frame, SingleProducerBarrier> {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        let mut events = self.poll().ok()?;
        let mut each = &mut events;
        let newest = each.nth(each.len() - 1)?;
        Some(newest.show(with))
    }
}
