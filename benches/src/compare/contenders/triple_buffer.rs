//! The crate `triple_buffer`: frames are written and read in place, for one reader, who sees the newest.

use triple_buffer::{Input, Output};
use vas_ring::FrameEntry;

use super::pool::Frame;
use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

/// The writer's end.
pub struct TripleBuffer {
    input: Input<Frame>,
    /// Where there are to be no readers.
    _unread: Option<Output<Frame>>,
}

impl Contender for TripleBuffer {
    type Reader = Output<Frame>;
    const NAME: &'static str = "triple_buffer";
    const KIND: Kind = Kind::Partial;
    const SHORT_OF: &'static str = "keeps the newest frame only, for one reader";

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        let (input, output) = triple_buffer::triple_buffer(&Frame::new(shape.frame_bytes));
        match shape.readers {
            0 => Ok((Self { input, _unread: Some(output) }, Vec::new())),
            1 => Ok((Self { input, _unread: None }, vec![output])),
            _ => Err("has one reader".into()),
        }
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        self.input.input_buffer_mut().fill(picture, id);
        self.input.publish();
        true
    }
}

impl Reader for Output<Frame> {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        self.update().then(|| self.peek_output_buffer().show(with))
    }
}
