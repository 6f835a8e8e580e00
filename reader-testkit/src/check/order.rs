//! That a reader's frames come in order.

use std::error::Error;
use std::fmt;

use vas_ring::{CameraId, FrameEntry};

/// Checks that frames are of one camera, and that their numbers go on as promised: ids rise, epochs never fall,
/// generations never fall within an epoch, and the time of the offer never goes back.
#[derive(Clone, Debug, Default)]
pub struct Order {
    last: Option<FrameEntry>,
}

impl Order {
    /// The next frame that the reader got.
    ///
    /// # Errors
    ///
    /// What is out of order. The frame is then passed over: the next one is compared with the one before it.
    pub fn check(&mut self, entry: &FrameEntry) -> Result<(), OrderError> {
        if let Some(last) = &self.last {
            if entry.camera_id != last.camera_id {
                return Err(OrderError::Camera { last: last.camera_id, this: entry.camera_id });
            }
            let must_not_fall = [
                ("epoch", u64::from(last.epoch), u64::from(entry.epoch)),
                ("offer time", last.monotonic_ns, entry.monotonic_ns),
            ];
            for (what, last, this) in must_not_fall {
                if this < last {
                    return Err(OrderError::Fell { what, last, this });
                }
            }
            if entry.epoch == last.epoch && entry.generation < last.generation {
                let (last, this) = (last.generation.into(), entry.generation.into());
                return Err(OrderError::Fell { what: "generation", last, this });
            }
            if entry.frame_id <= last.frame_id {
                return Err(OrderError::NotAbove { last: last.frame_id, this: entry.frame_id });
            }
        }
        self.last = Some(*entry);
        Ok(())
    }
}

/// What is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderError {
    /// The frame is another camera's.
    Camera {
        /// The frames before were of this one.
        last: CameraId,
        /// This frame is of that one.
        this: CameraId,
    },
    /// A number that may stay and rise fell.
    Fell {
        /// Which one.
        what: &'static str,
        /// In the frame before.
        last: u64,
        /// In this frame.
        this: u64,
    },
    /// The frame's id is not above the last one's.
    NotAbove {
        /// The id of the frame before.
        last: u64,
        /// The id of this frame.
        this: u64,
    },
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Camera { last, this } => write!(f, "a frame of camera {this} among those of camera {last}"),
            Self::Fell { what, last, this } => write!(f, "the {what} fell from {last} to {this}"),
            Self::NotAbove { last, this } => write!(f, "frame id {this} came after {last}"),
        }
    }
}

impl Error for OrderError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(frame_id: u64, epoch: u32, generation: u32) -> FrameEntry {
        FrameEntry { frame_id, epoch, generation, monotonic_ns: frame_id, ..FrameEntry::default() }
    }

    #[test]
    fn gaps_restarts_and_resizes_are_in_order() {
        let mut order = Order::default();
        for frame in [entry(0, 0, 0), entry(1, 0, 0), entry(5, 0, 1), entry(6, 1, 0)] {
            assert_eq!(order.check(&frame), Ok(()));
        }
    }

    #[test]
    fn what_falls_or_stays_is_found() {
        let start = entry(7, 2, 2);
        let cases = [
            (entry(7, 2, 2), OrderError::NotAbove { last: 7, this: 7 }),
            (entry(8, 1, 2), OrderError::Fell { what: "epoch", last: 2, this: 1 }),
            (entry(8, 2, 1), OrderError::Fell { what: "generation", last: 2, this: 1 }),
            (
                FrameEntry { monotonic_ns: 6, ..entry(8, 2, 2) },
                OrderError::Fell { what: "offer time", last: 7, this: 6 },
            ),
        ];
        for (next, error) in cases {
            let mut order = Order::default();
            assert_eq!(order.check(&start), Ok(()));
            assert_eq!(order.check(&next), Err(error));
            assert_eq!(order.check(&entry(8, 2, 2)), Ok(()), "after {error}");
        }
    }

    #[test]
    fn another_cameras_frame_is_found() {
        let named = |name| FrameEntry { camera_id: CameraId::new(name).expect("short"), ..entry(1, 0, 0) };
        let mut order = Order::default();
        assert_eq!(order.check(&named("gate")), Ok(()));
        assert!(matches!(order.check(&named("yard")), Err(OrderError::Camera { .. })));
    }
}
