//! A contender that is set up, and its readers at work.

use std::hint::spin_loop;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::contender::{Contender, Kind, Shape};
use super::contenders::Visitor;
use super::lab::Lab;
use super::picture::{PICTURES, Picture};

/// A contender, its readers, and how many frames it was offered.
pub struct Stage<C: Contender> {
    /// The writer's end.
    pub contender: C,
    /// The others.
    pub readers: Vec<C::Reader>,
    offered: u64,
    /// Frames that it refused.
    pub refused: u64,
}

impl<C: Contender> Stage<C> {
    /// Sets one up.
    ///
    /// # Errors
    ///
    /// Why the contender cannot do that.
    pub fn new(shape: &Shape) -> Result<Self, String> {
        let (contender, readers) = C::new(shape)?;
        Ok(Self { contender, readers, offered: 0, refused: 0 })
    }

    /// The picture that is the next frame's.
    #[inline]
    pub fn next<'p>(&self, pictures: &'p [Picture]) -> &'p Picture {
        // A remainder of a constant: a division would cost more than some publishes do.
        &pictures[self.offered as usize % PICTURES]
    }

    /// Publishes the next frame. Returns its id, if it was not refused.
    #[inline]
    pub fn publish(&mut self, pictures: &[Picture]) -> Option<u64> {
        let id = self.offered;
        let picture = self.next(pictures);
        self.offered += 1;
        if self.contender.publish(picture, id) {
            Some(id)
        } else {
            self.refused += 1;
            None
        }
    }

    /// Publishes the next frame, and notes how long that took, if it was not refused.
    #[inline]
    pub fn publish_timed(&mut self, lab: &Lab, pictures: &[Picture], times: &mut Vec<u64>) -> Option<u64> {
        let start = lab.clock.now();
        let id = self.publish(pictures);
        let took = lab.clock.now() - start;
        if id.is_some() {
            times.push(took);
        }
        id
    }
}

/// What a reader's thread is told.
pub struct Call<'a> {
    /// Which reader it is.
    pub reader: usize,
    stop: &'a AtomicBool,
    yields: bool,
}

impl Call<'_> {
    /// Whether the turn is over.
    pub fn is_over(&self) -> bool {
        // Ordering: Relaxed, a flag that orders nothing.
        self.stop.load(Ordering::Relaxed)
    }

    /// There was nothing to read: lets the other readers of this processor have it, if there are any.
    pub fn idle(&self) {
        if self.yields { thread::yield_now() } else { spin_loop() }
    }

    /// Sleeps until so much time has passed or the turn is over.
    pub fn sleep(&self, time: Duration) {
        let mut left = time;
        while !self.is_over() && !left.is_zero() {
            let part = left.min(Duration::from_millis(1));
            thread::sleep(part);
            left -= part;
        }
    }
}

/// Ends the turn also when the writer's part of it panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        // Ordering: Relaxed, a flag that orders nothing.
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `body` while each reader, on a thread of its own on another core as far as there are some, does `step` over and
/// over.
pub fn in_company<R: Send, T>(
    lab: &Lab,
    readers: &mut [R],
    step: impl Fn(&mut R, &Call<'_>) + Sync,
    body: impl FnOnce() -> T,
) -> T {
    let stop = AtomicBool::new(false);
    let yields = readers.len() > lab.reader_cores.len();
    let all_there = Barrier::new(readers.len() + 1);
    thread::scope(|scope| {
        for (number, reader) in readers.iter_mut().enumerate() {
            let (stop, step, all_there) = (&stop, &step, &all_there);
            scope.spawn(move || {
                lab.pin_reader(number);
                let call = Call { reader: number, stop, yields };
                all_there.wait();
                while !call.is_over() {
                    step(reader, &call);
                }
            });
        }
        let _stop = Stop(&stop);
        all_there.wait();
        body()
    })
}

/// Which frame each reader has read.
pub struct Progress(Vec<Padded>);

#[repr(align(128))]
#[derive(Default)]
struct Padded(AtomicU64);

impl Progress {
    /// Of so many readers.
    pub fn new(readers: usize) -> Self {
        Self((0..readers).map(|_| Padded::default()).collect())
    }

    /// A reader is done with a frame.
    pub fn done(&self, reader: usize, frame_id: u64) {
        // Ordering: Release pairs with the Acquire of `wait`: the frame was given back before, but for a reader that
        // gives it back after it has said so.
        self.0[reader].0.store(frame_id + 1, Ordering::Release);
    }

    /// Waits until all readers are done with a frame; not for ever, as some contenders lose frames. Returns whether
    /// they are.
    pub fn wait(&self, lab: &Lab, frame_id: u64) -> bool {
        let deadline = lab.clock.now() + lab.clock.ticks(2e8);
        for reader in &self.0 {
            // Ordering: Acquire pairs with the Release of `done`.
            while reader.0.load(Ordering::Acquire) <= frame_id {
                if lab.clock.now() > deadline {
                    return false;
                }
                spin_loop();
            }
        }
        true
    }
}

/// Sets contenders up for a measurement: each becomes whatever the question's loops are behind.
pub struct Cast<'a, T, F> {
    /// What they are set up for.
    pub shape: Shape,
    lab: &'a Lab,
    wrap: F,
    /// Those that could be.
    pub entries: Vec<Entry<T>>,
    /// Those that could not.
    pub absent: Vec<(&'static str, String)>,
}

/// One of a cast.
pub struct Entry<T> {
    /// For tables.
    pub name: &'static str,
    /// What part it plays.
    pub kind: Kind,
    /// The contender behind the question's loops.
    pub stage: T,
}

/// Turns a stage of any contender into one type.
pub trait Wrap<T> {
    /// The stage, as the one type.
    fn wrap<C: Contender>(&self, stage: Stage<C>) -> T;
}

impl<'a, T, F: Wrap<T>> Cast<'a, T, F> {
    /// With nobody in it yet.
    pub fn new(lab: &'a Lab, shape: Shape, wrap: F) -> Self {
        Self { shape, lab, wrap, entries: Vec::new(), absent: Vec::new() }
    }
}

impl<T, F: Wrap<T>> Visitor for Cast<'_, T, F> {
    fn visit<C: Contender>(&mut self) {
        if let Some(reason) = self.lab.unfit.get(C::NAME) {
            self.absent.push((C::NAME, reason.clone()));
            return;
        }
        match Stage::<C>::new(&self.shape) {
            Ok(stage) => {
                self.entries.push(Entry { name: C::NAME, kind: C::KIND, stage: self.wrap.wrap(stage) });
            }
            Err(reason) => self.absent.push((C::NAME, reason)),
        }
    }
}
