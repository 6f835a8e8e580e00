//! Question 1: what it takes to publish a picture, with and without readers.

use super::{WARM, cast, fault, order};
use crate::compare::contender::{Contender, Reader};
use crate::compare::contenders::visit_limits;
use crate::compare::lab::Lab;
use crate::compare::picture::{FULL, LARGE, Picture, SMALL, Size, Torn};
use crate::compare::report::{Section, Table, cells};
use crate::compare::spread::Spread;
use crate::compare::stage::{Progress, Stage, Wrap, in_company};

/// The longest turn.
const TURN_NS: f64 = 3e8;

/// A contender that publishes to readers who read every line of every frame.
trait Publishes {
    /// Publishes so many frames, each as soon as every reader is done with the one before, and notes how long the later
    /// ones took.
    fn turn(&mut self, lab: &Lab, pictures: &[Picture], frames: usize, times: &mut Vec<u64>, torn: &Torn);
}

impl<C: Contender> Publishes for Stage<C> {
    fn turn(&mut self, lab: &Lab, pictures: &[Picture], frames: usize, times: &mut Vec<u64>, torn: &Torn) {
        let mut readers = std::mem::take(&mut self.readers);
        let progress = Progress::new(readers.len());
        let step = |reader: &mut C::Reader, call: &crate::compare::stage::Call<'_>| {
            let read = reader.latest(|entry, pixels| {
                torn.inspect(entry.frame_id, pixels);
                entry.frame_id
            });
            match read {
                Some(id) => progress.done(call.reader, id),
                None => call.idle(),
            }
        };
        in_company(lab, &mut readers, step, || {
            let mut warm = Vec::with_capacity(WARM);
            let deadline = lab.clock.now() + lab.clock.ticks(TURN_NS);
            for n in 0..WARM + frames {
                // On a busy machine readers may be long in coming.
                if n > WARM && lab.clock.now() > deadline {
                    break;
                }
                let published = self.publish_timed(lab, pictures, if n < WARM { &mut warm } else { times });
                if let Some(id) = published {
                    progress.wait(lab, id);
                }
            }
        });
        self.readers = readers;
    }
}

struct Boxed;

impl Wrap<Box<dyn Publishes>> for Boxed {
    fn wrap<C: Contender>(&self, stage: Stage<C>) -> Box<dyn Publishes> {
        Box::new(stage)
    }
}

/// The answer.
pub fn ask(lab: &Lab, faults: &mut Vec<String>) -> Section {
    let mut section = Section {
        number: 1,
        question: "Publish a picture to readers on other cores that read every line",
        notes: vec![
            "Time of one publish, copy included. The next frame comes when all readers are done with this one. The \
             source is one of four pictures in turn; peers copy with `copy_from_slice`, and so does *vas-ring, ordinary \
             copy*: the difference to the row above it is the tap's choice of how to copy. *To limit* is to the fastest \
             raw copy, which goes in step with its readers; *to no readers* is to the same contender's median without readers, where ours has \
             one subscribed that does not read."
                .into(),
        ],
        tables: Vec::new(),
    };
    if lab.reader_cores.len() < 4 {
        section.notes.push(format!(
            "This machine has {} core{} for readers: more readers than that share {}, and take turns there.",
            lab.reader_cores.len(),
            if lab.reader_cores.len() == 1 { "" } else { "s" },
            if lab.reader_cores.len() == 1 { "it" } else { "them" },
        ));
    }
    let (sizes, readers) = lab.or_quick((&[SMALL, FULL, LARGE][..], &[1, 2, 4][..]), (&[SMALL, FULL], &[1, 2]));
    for &size in sizes {
        let pictures = size.pictures();
        let alone = table(lab, size, &pictures, 0, None, faults);
        let read: Vec<_> =
            readers.iter().map(|&readers| table(lab, size, &pictures, readers, Some(&alone), faults)).collect();
        section.tables.push(alone);
        section.tables.extend(read);
    }
    section
}

fn table(
    lab: &Lab,
    size: Size,
    pictures: &[Picture],
    readers: usize,
    alone: Option<&Table>,
    faults: &mut Vec<String>,
) -> Table {
    let who = if readers == 0 { "no readers".to_owned() } else { lab.readers(readers) };
    let title = format!("{}, {who}", size.name);
    eprintln!("  {title}");
    let mut cast = cast(lab, readers, size.bytes(), Boxed);
    if readers > 0 {
        visit_limits(&mut cast);
    }
    let (rounds, frames) = match size.height {
        0..=500 => lab.or_quick((12, 100), (1, 20)),
        501..=1500 => lab.or_quick((12, 40), (1, 6)),
        _ => lab.or_quick((10, 20), (1, 2)),
    };
    let mut times = vec![Vec::new(); cast.entries.len()];
    let torn: Vec<_> = cast.entries.iter().map(|_| Torn::default()).collect();
    for round in 0..rounds {
        for n in order(round, cast.entries.len()) {
            cast.entries[n].stage.turn(lab, pictures, frames, &mut times[n], &torn[n]);
        }
    }
    let mut table = Table::new(title, &["p50 us", "p99 us", "max us"]);
    for ((entry, times), torn) in cast.entries.iter().zip(&times).zip(&torn) {
        fault(faults, &table.title, entry.name, torn.count());
        table.push(entry.name, entry.kind, cells(Spread::of_ticks(&lab.clock, times), 1e3));
    }
    table.absent = cast.absent;
    table.add_ratios("p50 us", None);
    if let Some(alone) = alone {
        table.add_ratio("to no readers", "p50 us", |row| alone.value(row.contender, "p50 us"));
    }
    table
}
