//! What a contender has to show before it is timed: that it delivers whole frames, in order, to all its readers.

use std::sync::atomic::{AtomicU64, Ordering};

use super::contender::{Contender, Reader, Shape};
use super::contenders::Visitor;
use super::lab::Lab;
use super::picture::{Picture, Size, TINY, recognise};
use super::stage::{Progress, Stage, in_company};

/// Frames of a few kilobytes, so that a writer that overtakes a reader does so in the middle of one.
const SIZE: Size = Size { name: "check", width: 256, height: 128, chroma: true };

/// Checks all contenders. Those that fail are noted in the lab's list.
pub fn check_all(lab: &mut Lab) {
    let mut checker = Checker { lab, pictures: SIZE.pictures(), tiny: TINY.pictures(), failed: Vec::new() };
    super::contenders::visit_all(&mut checker);
    super::contenders::visit_modes(&mut checker);
    super::contenders::visit_limits(&mut checker);
    let failed = checker.failed;
    lab.unfit.extend(failed);
}

struct Checker<'a> {
    lab: &'a Lab,
    pictures: Vec<Picture>,
    tiny: Vec<Picture>,
    failed: Vec<(&'static str, String)>,
}

impl Visitor for Checker<'_> {
    fn visit<C: Contender>(&mut self) {
        let checked = check::<C>(self.lab, &self.pictures, &self.tiny);
        match checked {
            Ok(()) => eprintln!("  {:<42} whole frames", C::NAME),
            Err(error) => {
                eprintln!("  {:<42} FAILED: {error}", C::NAME);
                self.failed.push((C::NAME, error));
            }
        }
    }
}

/// Checks one contender with as many readers as it can have, up to two.
///
/// # Errors
///
/// What it did wrong.
pub fn check<C: Contender>(lab: &Lab, pictures: &[Picture], tiny: &[Picture]) -> Result<(), String> {
    let mut ran = 0;
    for readers in 0..=2 {
        for pictures in [tiny, pictures] {
            let shape = Shape::new(readers, pictures[0].pixels().len());
            let Ok(mut stage) = Stage::<C>::new(&shape) else { continue };
            ran += 1;
            one_by_one(&mut stage, pictures)?;
            side_by_side(lab, &mut stage, pictures)?;
        }
    }
    if ran == 0 {
        // It says itself why it cannot be set up.
        return Stage::<C>::new(&Shape::new(1, 64)).map(|_| ());
    }
    Ok(())
}

/// Each frame is there for each reader as soon as it is published, byte by byte, once.
fn one_by_one<C: Contender>(stage: &mut Stage<C>, pictures: &[Picture]) -> Result<(), String> {
    for _ in 0..3 * pictures.len() {
        let expected = stage.next(pictures).pixels();
        let id = stage.publish(pictures).ok_or("refused a frame that no reader was in the way of")?;
        for reader in &mut stage.readers {
            let same = reader.latest(|entry, pixels| entry.frame_id == id && pixels == expected);
            match same {
                Some(true) => {}
                Some(false) => return Err(format!("frame {id} is not the one that was published")),
                None => return Err(format!("frame {id} is missing")),
            }
            if reader.latest(|_, _| ()).is_some() {
                return Err(format!("frame {id} came twice"));
            }
        }
    }
    Ok(())
}

/// While the writer goes on as fast as it can, every frame that a reader gets is whole, and newer than the one before.
fn side_by_side<C: Contender>(lab: &Lab, stage: &mut Stage<C>, pictures: &[Picture]) -> Result<(), String> {
    if stage.readers.is_empty() {
        return Ok(());
    }
    let mut readers = std::mem::take(&mut stage.readers);
    let newest: Vec<_> = readers.iter().map(|_| AtomicU64::new(0)).collect();
    let (torn, disordered, delivered) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let progress = Progress::new(readers.len());
    let arrived = in_company(
        lab,
        &mut readers,
        |reader, call| {
            let seen = reader.latest(|entry, pixels| {
                let before = recognise(pixels);
                // Some time, for a writer that does not respect the loan.
                let after = recognise(pixels);
                let whole = before == after && before == Some(entry.frame_id % pictures.len() as u64);
                (entry.frame_id, whole)
            });
            let Some((id, whole)) = seen else { return call.idle() };
            // Ordering: Relaxed throughout: counts, and a number that one thread has to itself.
            let before = newest[call.reader].swap(id + 1, Ordering::Relaxed);
            torn.fetch_add(u64::from(!whole), Ordering::Relaxed);
            disordered.fetch_add(u64::from(id < before), Ordering::Relaxed);
            delivered.fetch_add(1, Ordering::Relaxed);
            progress.done(call.reader, id);
        },
        || {
            let burst = lab.or_quick(5_000, 1_000);
            let published: Vec<_> = (0..burst).filter_map(|_| stage.publish(pictures)).collect();
            // What comes last has to arrive, whatever was lost in the burst.
            published.last().is_some_and(|&last| progress.wait(lab, last))
        },
    );
    stage.readers = readers;
    let [torn, disordered, delivered] = [torn, disordered, delivered].map(AtomicU64::into_inner);
    if torn + disordered > 0 || !arrived {
        let last = if arrived { "" } else { ", and the last frame did not arrive" };
        return Err(format!("of {delivered} frames delivered, {torn} torn, {disordered} out of order{last}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use vas_ring::FrameEntry;

    use super::*;
    use crate::compare::contender::Kind;
    use crate::compare::contenders::ours;

    /// Delivers frames whose last line is the former frame's.
    struct Tearing(ours::Plain);

    struct TearingReader(vas_ring::Reader, Vec<u8>);

    impl Contender for Tearing {
        type Reader = TearingReader;
        const NAME: &'static str = "tearing";
        const KIND: Kind = Kind::Peer;

        fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
            let (ours, readers) = ours::Plain::new(shape)?;
            Ok((Self(ours), readers.into_iter().map(|reader| TearingReader(reader, Vec::new())).collect()))
        }

        fn publish(&mut self, picture: &Picture, id: u64) -> bool {
            self.0.publish(picture, id)
        }
    }

    impl Reader for TearingReader {
        fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
            let Self(reader, former) = self;
            Reader::latest(reader, |entry, pixels| {
                let mut mixed = pixels.to_vec();
                if former.len() == mixed.len() {
                    let last = mixed.len() - 64;
                    mixed[last..].copy_from_slice(&former[last..]);
                }
                *former = pixels.to_vec();
                with(entry, &mixed)
            })
        }
    }

    #[test]
    fn ours_passes_and_a_tearing_one_does_not() {
        let lab = Lab::new(true);
        let (pictures, tiny) = (SIZE.pictures(), TINY.pictures());
        assert_eq!(check::<ours::Plain>(&lab, &pictures, &tiny), Ok(()));
        assert_eq!(check::<ours::Tapped>(&lab, &pictures, &tiny), Ok(()));
        let error = check::<Tearing>(&lab, &pictures, &tiny).unwrap_err();
        assert!(error.contains("is not the one"), "{error}");
        let mut stage = Stage::<Tearing>::new(&Shape::new(1, SIZE.bytes())).unwrap();
        let error = side_by_side(&lab, &mut stage, &pictures).unwrap_err();
        assert!(error.contains("torn") && !error.contains(" 0 torn"), "{error}");
    }
}
