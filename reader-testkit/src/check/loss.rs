//! That what a reader saw and missed adds up to what was offered.

use std::error::Error;
use std::fmt;

use vas_lifecycle::Counts;
use vas_ring::FrameEntry;

/// Checks one reader's loss against frame ids, which count what was offered whoever reads.
///
/// From one frame that the reader got to the next, its id must rise by as much as the reader counted as seen and
/// missed.
#[derive(Clone, Debug, Default)]
pub struct Loss {
    first: Option<Point>,
    last: Option<Point>,
}

/// How far ids and counts were at one frame.
#[derive(Clone, Copy, Debug)]
struct Point {
    frame_id: u64,
    accounted: u64,
}

impl Loss {
    /// The next frame that the reader got, and the reader's counts with that frame.
    ///
    /// # Errors
    ///
    /// When the counts say something else than the ids.
    pub fn check(&mut self, entry: &FrameEntry, counts: &Counts) -> Result<(), LossError> {
        let this = Point { frame_id: entry.frame_id, accounted: accounted(counts) };
        let last = self.last.replace(this);
        self.first.get_or_insert(this);
        match last {
            Some(last) => agree(last, this),
            None => Ok(()),
        }
    }

    /// The reader's counts at the end, when the camera's next frame would be `next_frame_id` and the reader was told
    /// that there are no more. Returns how many frames were offered in the reader's span: from its subscription to
    /// the end.
    ///
    /// # Errors
    ///
    /// When the counts say something else than the ids. A reader that got no frame has none to compare with.
    pub fn close(&self, counts: &Counts, next_frame_id: u64) -> Result<u64, LossError> {
        let end = Point { frame_id: next_frame_id.wrapping_sub(1), accounted: accounted(counts) };
        if let Some(last) = self.last {
            agree(last, end)?;
        }
        Ok(end.accounted)
    }

    /// Frames offered from the first frame that the reader got to the last one, both included.
    pub fn span(&self) -> u64 {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last.frame_id.wrapping_sub(first.frame_id).wrapping_add(1),
            _ => 0,
        }
    }
}

fn accounted(counts: &Counts) -> u64 {
    counts.seen + counts.missed.total()
}

fn agree(from: Point, to: Point) -> Result<(), LossError> {
    let offered = to.frame_id.wrapping_sub(from.frame_id);
    let accounted = to.accounted.wrapping_sub(from.accounted);
    if offered == accounted {
        Ok(())
    } else {
        Err(LossError { from: from.frame_id, to: to.frame_id, offered, accounted })
    }
}

/// What was seen and missed does not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossError {
    /// After this frame id,
    pub from: u64,
    /// and up to this one,
    pub to: u64,
    /// so many frames were offered,
    pub offered: u64,
    /// but the reader counted so many as seen or missed.
    pub accounted: u64,
}

impl fmt::Display for LossError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, offered, accounted } = self;
        write!(f, "after frame {from} and up to {to}, {offered} were offered but {accounted} counted as seen or missed")
    }
}

impl Error for LossError {}

#[cfg(test)]
mod tests {
    use vas_ring::Missed;

    use super::*;

    fn frame(frame_id: u64) -> FrameEntry {
        FrameEntry { frame_id, ..FrameEntry::default() }
    }

    fn counts(seen: u64, skipped: u64, dropped: u64) -> Counts {
        Counts { seen, missed: Missed { skipped, dropped, ..Missed::default() }, refusals: 0 }
    }

    #[test]
    fn counts_that_follow_the_ids_pass() {
        let mut loss = Loss::default();
        // It subscribed at frame 8, and missed it.
        assert_eq!(loss.check(&frame(9), &counts(1, 1, 0)), Ok(()));
        assert_eq!(loss.check(&frame(12), &counts(2, 2, 1)), Ok(()));
        assert_eq!(loss.span(), 4);
        assert_eq!(loss.close(&counts(2, 3, 1), 14), Ok(6));
    }

    #[test]
    fn a_miss_too_few_and_a_miss_too_many_are_found() {
        for (skipped, accounted) in [(1, 2), (3, 4)] {
            let mut loss = Loss::default();
            assert_eq!(loss.check(&frame(9), &counts(1, 0, 0)), Ok(()));
            let error = LossError { from: 9, to: 12, offered: 3, accounted };
            assert_eq!(loss.check(&frame(12), &counts(2, skipped, 0)), Err(error));
        }
    }

    #[test]
    fn a_frame_that_is_lost_at_the_end_is_found() {
        let mut loss = Loss::default();
        assert_eq!(loss.check(&frame(9), &counts(1, 0, 0)), Ok(()));
        assert_eq!(loss.close(&counts(1, 1, 0), 11), Ok(2));
        assert!(loss.close(&counts(1, 0, 0), 11).is_err());
    }
}
