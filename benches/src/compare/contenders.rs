//! Who competes: one small file each.

pub mod arc_swap;
pub mod broadcast;
pub mod bus;
pub mod camera;
pub mod disruptor;
pub mod ffmpeg;
pub mod force_push;
pub mod iceoryx;
pub mod limits;
pub mod mutex_ring;
pub mod ours;
pub mod pool;
pub mod thingbuf;
pub mod triple_buffer;
pub mod watch;

use super::contender::Contender;

/// What contenders do less than the job, or otherwise.
pub fn short_of() -> Vec<(&'static str, &'static str)> {
    let mut visitor = ShortOf(Vec::new());
    visit_all(&mut visitor);
    visit_limits(&mut visitor);
    visitor.0.retain(|(_, short_of)| !short_of.is_empty());
    visitor.0
}

struct ShortOf(Vec<(&'static str, &'static str)>);

impl Visitor for ShortOf {
    fn visit<C: Contender>(&mut self) {
        self.0.push((C::NAME, C::SHORT_OF));
    }
}

/// Something to do with each type of contender.
pub trait Visitor {
    /// Is called once for each.
    fn visit<C: Contender>(&mut self);
}

/// Brings the visitor to all: ours, then the peers.
pub fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit::<ours::Tapped>();
    visitor.visit::<ours::Plain>();
    visitor.visit::<triple_buffer::TripleBuffer>();
    visitor.visit::<arc_swap::Swap>();
    visitor.visit::<watch::Watch>();
    visitor.visit::<broadcast::Broadcast>();
    visitor.visit::<force_push::ForcePush>();
    visitor.visit::<mutex_ring::StdFresh>();
    visitor.visit::<mutex_ring::StdPooled>();
    visitor.visit::<mutex_ring::ParkingLot>();
    visitor.visit::<iceoryx::Iceoryx>();
    visitor.visit::<disruptor::Disruptor>();
    visitor.visit::<bus::Bus>();
    visitor.visit::<thingbuf::ThingBuf>();
}

/// Brings the visitor to the tap with either way of copying.
pub fn visit_modes(visitor: &mut impl Visitor) {
    visitor.visit::<ours::TappedCached>();
    visitor.visit::<ours::TappedStreaming>();
}

/// Brings the visitor to what nothing can be faster than.
pub fn visit_limits(visitor: &mut impl Visitor) {
    visitor.visit::<limits::Memcpy>();
    visitor.visit::<limits::StreamingCopy>();
    visitor.visit::<limits::Unsynchronised>();
}
