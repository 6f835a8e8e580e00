//! Question 2: what is left when there is next to nothing to copy.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{WARM, cast, order};
use crate::compare::contender::{Contender, Reader};
use crate::compare::contenders::ours::Tapped;
use crate::compare::lab::Lab;
use crate::compare::picture::{Picture, TINY};
use crate::compare::report::{REFUSED, Section, Table, cells};
use crate::compare::spread::{Spread, median};
use crate::compare::stage::{Call, Stage, Wrap, in_company};

/// Calls that are timed as one.
const BATCH: usize = 1_000;

trait KeepsBooks {
    /// Nanoseconds for one of many publishes that nobody reads.
    fn publish_batch(&mut self, lab: &Lab, pictures: &[Picture]) -> f64;
    /// Single publishes, each a pause of `gap_ns` after the other, while the readers go after them as fast as they can.
    /// Returns how many frames they got.
    fn publish_each(
        &mut self,
        lab: &Lab,
        pictures: &[Picture],
        frames: usize,
        gap_ns: f64,
        times: &mut Vec<u64>,
    ) -> u64;
    /// The first reader takes and gives back each of so many frames.
    fn lease_each(&mut self, lab: &Lab, pictures: &[Picture], frames: usize, times: &mut Vec<u64>);
    /// Nanoseconds for a publish, a lease and its release, of many.
    fn round_trip_batch(&mut self, lab: &Lab, pictures: &[Picture]) -> f64;
    /// Frames that were refused so far.
    fn refused(&self) -> u64;
    /// Nanoseconds for one of many looks of the first reader when there is nothing new.
    fn poll_batch(&mut self, lab: &Lab) -> f64;
}

impl<C: Contender> KeepsBooks for Stage<C> {
    fn publish_batch(&mut self, lab: &Lab, pictures: &[Picture]) -> f64 {
        lab.clock.per_call(BATCH, || {
            black_box(self.publish(pictures));
        })
    }

    fn publish_each(
        &mut self,
        lab: &Lab,
        pictures: &[Picture],
        frames: usize,
        gap_ns: f64,
        times: &mut Vec<u64>,
    ) -> u64 {
        let reads = AtomicU64::new(0);
        let mut readers = std::mem::take(&mut self.readers);
        let gap = lab.clock.ticks(gap_ns);
        // Locks held by readers whose turn on the shared core is over can make this long.
        let deadline = lab.clock.now() + lab.clock.ticks(1e9);
        // A reader looks a thousand times before it tells how many frames it got, so that telling does not slow it down.
        let step = |reader: &mut C::Reader, _: &Call<'_>| {
            let mut got = 0;
            for _ in 0..1_000 {
                match reader.latest(|entry, _| black_box(entry.frame_id)) {
                    Some(_) => got += 1,
                    None => spin_loop(),
                }
            }
            // Ordering: Relaxed, a count.
            reads.fetch_add(got, Ordering::Relaxed);
        };
        in_company(lab, &mut readers, step, || {
            let mut warm = Vec::with_capacity(100 * WARM);
            for n in 0..100 * WARM + frames {
                self.publish_timed(lab, pictures, if n < 100 * WARM { &mut warm } else { times });
                let now = lab.clock.now();
                if now > deadline {
                    break;
                }
                while gap > 0 && lab.clock.now() < now + gap {
                    spin_loop();
                }
            }
        });
        self.readers = readers;
        reads.into_inner()
    }

    fn lease_each(&mut self, lab: &Lab, pictures: &[Picture], frames: usize, times: &mut Vec<u64>) {
        for _ in 0..frames {
            self.publish(pictures);
            for reader in &mut self.readers {
                let start = lab.clock.now();
                let leased = reader.latest(|_, pixels| black_box(pixels.as_ptr()));
                let took = lab.clock.now() - start;
                if black_box(leased).is_some() {
                    times.push(took);
                }
            }
        }
    }

    fn round_trip_batch(&mut self, lab: &Lab, pictures: &[Picture]) -> f64 {
        lab.clock.per_call(BATCH, || {
            black_box(self.publish(pictures));
            for reader in &mut self.readers {
                black_box(reader.latest(|_, pixels| black_box(pixels.as_ptr())));
            }
        })
    }

    fn refused(&self) -> u64 {
        self.refused
    }

    fn poll_batch(&mut self, lab: &Lab) -> f64 {
        let Some(reader) = self.readers.first_mut() else { return f64::NAN };
        reader.latest(|_, _| ());
        lab.clock.per_call(BATCH, || {
            black_box(reader.latest(|_, pixels| black_box(pixels.as_ptr())));
        })
    }
}

struct Boxed;

impl Wrap<Box<dyn KeepsBooks>> for Boxed {
    fn wrap<C: Contender>(&self, stage: Stage<C>) -> Box<dyn KeepsBooks> {
        Box::new(stage)
    }
}

/// The answer.
pub fn ask(lab: &Lab) -> Section {
    let pictures = TINY.pictures();
    let mut section = Section {
        number: 2,
        question: "Bookkeeping: publish 64 bytes, lease and release, idle poll",
        notes: vec![format!(
            "Every contender copies 64 bytes of pixels and the frame's entry of {} bytes. *Median* is of batches of \
             {BATCH} calls timed as one, as they overlap in the processor; the other columns are of single calls, with \
             the clock's cost taken off. Of a lease and its release, *median* is of means of single calls, as a frame can \
             be leased only once; what they take together with the publish, in batches, is beside it. *vas-ring, \
             ordinary copy* is the ring; the row above it is a whole offer of the tap, which looks into the AVFrame, \
             reads the monotonic clock, and copies past the cache if a reader had the slot. Readers spin without a \
             pause; here, 4 are {}. *Reads/frame* tells how hard they went at it: on a busy machine a reader that does \
             not get its core disturbs nobody. Times are of frames that were published; contenders that refuse frames are not \
             compared with.",
            size_of::<vas_ring::FrameEntry>(),
            lab.readers(4),
        )],
        tables: Vec::new(),
    };
    eprintln!("  publish, alone");
    section.tables.push(alone(lab, &pictures));
    for readers in [1, 4] {
        for (gap_ns, pace) in [(0.0, "back to back"), (1e3, "1 us apart")] {
            let plural = if readers == 1 { "reader" } else { "readers" };
            let title = format!("Publish 64 bytes under {readers} spinning {plural}, {pace}");
            eprintln!("  {title}");
            section.tables.push(under_readers(lab, &pictures, readers, gap_ns, title));
        }
    }
    eprintln!("  lease and release, idle poll");
    section.tables.extend(reading(lab, &pictures));
    section
}

fn alone(lab: &Lab, pictures: &[Picture]) -> Table {
    let mut cast = cast(lab, 0, TINY.bytes(), Boxed);
    let mut batches = vec![Vec::new(); cast.entries.len()];
    let mut times = vec![Vec::new(); cast.entries.len()];
    for round in 0..lab.or_quick(60, 3) {
        for n in order(round, cast.entries.len()) {
            let stage = &mut cast.entries[n].stage;
            // Once for the caches.
            stage.publish_batch(lab, pictures);
            batches[n].extend((0..5).map(|_| stage.publish_batch(lab, pictures)));
            stage.publish_each(lab, pictures, lab.or_quick(1_000, 200), 0.0, &mut times[n]);
        }
    }
    let mut table = Table::new("Publish 64 bytes, alone", &["median ns", "p50 ns", "p99 ns", "max ns"]);
    for ((entry, batches), times) in cast.entries.iter().zip(&batches).zip(&times) {
        let singles = cells(Spread::of_ticks(&lab.clock, times), 1.0);
        table.push(entry.name, entry.kind, [vec![median(batches)], singles].concat());
    }
    table.absent = cast.absent;
    table.add_ratios("median ns", None);
    table
}

fn under_readers(lab: &Lab, pictures: &[Picture], readers: usize, gap_ns: f64, title: String) -> Table {
    let mut cast = cast(lab, readers, TINY.bytes(), Boxed);
    let mut times = vec![(Vec::new(), 0); cast.entries.len()];
    for round in 0..lab.or_quick(10, 1) {
        for n in order(round, cast.entries.len()) {
            let (times, reads) = &mut times[n];
            *reads += cast.entries[n].stage.publish_each(lab, pictures, lab.or_quick(10_000, 500), gap_ns, times);
        }
    }
    let mut table = Table::new(title, &["p50 ns", "p99 ns", "max ns", REFUSED, "reads/frame"]);
    for (entry, (times, reads)) in cast.entries.iter().zip(&times) {
        let counts = vec![Some(entry.stage.refused() as f64), Some(*reads as f64 / times.len() as f64)];
        table.push(entry.name, entry.kind, [cells(Spread::of_ticks(&lab.clock, times), 1.0), counts].concat());
    }
    table.absent = cast.absent;
    table.add_ratios("p50 ns", None);
    table
}

fn reading(lab: &Lab, pictures: &[Picture]) -> [Table; 2] {
    let mut cast = cast(lab, 1, TINY.bytes(), Boxed);
    let n = cast.entries.len();
    let empty = || vec![Vec::new(); n];
    let (mut trips, mut means, mut times, mut polls) = (empty(), empty(), vec![Vec::new(); n], empty());
    for round in 0..lab.or_quick(60, 3) {
        for n in order(round, n) {
            let stage = &mut cast.entries[n].stage;
            stage.round_trip_batch(lab, pictures);
            trips[n].extend((0..5).map(|_| stage.round_trip_batch(lab, pictures)));
            let before = times[n].len();
            stage.lease_each(lab, pictures, lab.or_quick(1_000, 200), &mut times[n]);
            means[n].extend(lab.clock.mean_ns(&times[n][before..]));
            polls[n].extend((0..5).map(|_| stage.poll_batch(lab)));
        }
    }
    let columns = ["median ns", "p50 ns", "p99 ns", "max ns", "with the publish: median ns"];
    let mut leases = Table::new("Lease and release", &columns);
    let mut idle = Table::new("Idle poll", &["median ns"]);
    for (n, entry) in cast.entries.iter().enumerate() {
        if entry.name == Tapped::NAME {
            // Its reader is the ring's, and what shows is how long the stores past the cache take to drain.
            continue;
        }
        let singles = cells(Spread::of_ticks(&lab.clock, &times[n]), 1.0);
        leases.push(entry.name, entry.kind, [vec![median(&means[n])], singles, vec![median(&trips[n])]].concat());
        idle.push(entry.name, entry.kind, vec![median(&polls[n])]);
    }
    leases.absent = cast.absent.clone();
    idle.absent = cast.absent;
    leases.add_ratios("median ns", None);
    idle.add_ratios("median ns", None);
    [leases, idle]
}
