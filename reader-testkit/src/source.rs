//! Where readers get their frames: a ring's reader, or a camera's over all of its rings.

use vas_lifecycle::{Counts, Frame, Rate};
use vas_ring::{Lease, ReadError};

use crate::readers::Stepped;

/// Something that lends frames.
pub trait Source {
    /// The newest frame that was not taken yet.
    fn newest(&mut self) -> Taken;

    /// The oldest readable frame that was not taken yet.
    fn oldest(&mut self) -> Taken;

    /// What was taken and missed so far.
    fn counts(&self) -> Counts;
}

/// What came of asking a [`Source`] for a frame.
#[derive(Debug)]
pub enum Taken {
    /// A frame.
    Frame(Lease),
    /// There is nothing new.
    Nothing,
    /// There is a new frame, and as many leases are out as may be.
    Refused,
    /// There is no writer, and all that there was is seen. A camera may be started again.
    Closed,
}

impl Taken {
    /// Does `with` with the frame, if there is one.
    pub(crate) fn then(self, with: impl FnOnce(Lease)) -> Stepped {
        match self {
            Self::Frame(frame) => {
                with(frame);
                Stepped::Took
            }
            Self::Nothing => Stepped::Waited,
            Self::Refused => Stepped::Refused,
            Self::Closed => Stepped::Closed,
        }
    }
}

impl From<Result<Option<Lease>, ReadError>> for Taken {
    fn from(read: Result<Option<Lease>, ReadError>) -> Self {
        match read {
            Ok(Some(frame)) => Self::Frame(frame),
            Err(ReadError::LeasesOut { .. }) => Self::Refused,
            Err(ReadError::Closed) => Self::Closed,
            // Overtaken: ask again, as when there is nothing.
            Ok(None) | Err(_) => Self::Nothing,
        }
    }
}

impl Source for vas_ring::Reader {
    fn newest(&mut self) -> Taken {
        self.latest().into()
    }

    fn oldest(&mut self) -> Taken {
        self.next().into()
    }

    fn counts(&self) -> Counts {
        let stats = self.stats();
        Counts { seen: stats.seen, missed: stats.missed, refusals: stats.refusals }
    }
}

/// Its rate is [`Rate::Newest`] or [`Rate::EveryFrame`], as it is asked. That all leases are out is not told.
impl Source for vas_lifecycle::Reader {
    fn newest(&mut self) -> Taken {
        take(self, Rate::Newest)
    }

    fn oldest(&mut self) -> Taken {
        take(self, Rate::EveryFrame)
    }

    fn counts(&self) -> Counts {
        vas_lifecycle::Reader::counts(self)
    }
}

fn take(reader: &mut vas_lifecycle::Reader, rate: Rate) -> Taken {
    if reader.rate() != rate {
        reader.set_rate(rate);
    }
    polled(reader)
}

/// A frame at the rate that the reader has.
pub(crate) fn polled(reader: &mut vas_lifecycle::Reader) -> Taken {
    match reader.poll().map(Frame::into_lease) {
        Some(frame) => Taken::Frame(frame),
        None if reader.at().is_none() => Taken::Closed,
        None => Taken::Nothing,
    }
}
