//! Question 1: what it takes to publish a picture, with and without readers.

use super::{WARM, cast, fault, order};
use crate::compare::contender::{Contender, Kind, Reader};
use crate::compare::contenders::{visit_limits, visit_modes};
use crate::compare::cores::Apart;
use crate::compare::lab::Lab;
use crate::compare::picture::{FULL, LARGE, LITTLE, Picture, SMALL, Size, TINY, Torn};
use crate::compare::report::{Section, Table, cells};
use crate::compare::spread::{Spread, median};
use crate::compare::stage::{Progress, Stage, Wrap, in_company};

/// The longest turn.
const TURN_NS: f64 = 3e8;

/// Frames of one turn.
struct Turn {
    /// Ticks of each publish.
    writes: Vec<u64>,
    /// Ticks of each look of the first reader at a frame: lease, a word of every line, release.
    reads: Vec<u64>,
    /// Where the first reader was; none when there is none, or it moved.
    apart: Option<(Apart, f64)>,
}

/// A contender that publishes to readers who read every line of every frame.
trait Publishes {
    /// Publishes so many frames, each as soon as every reader is done with the one before, and notes how long the later
    /// ones took.
    fn turn(&mut self, lab: &Lab, pictures: &[Picture], frames: usize, torn: &Torn) -> Turn;
}

impl<C: Contender> Publishes for Stage<C> {
    fn turn(&mut self, lab: &Lab, pictures: &[Picture], frames: usize, torn: &Torn) -> Turn {
        let reads = || Vec::with_capacity(WARM + frames);
        let mut readers: Vec<_> =
            std::mem::take(&mut self.readers).into_iter().map(|reader| (reader, reads())).collect();
        let progress = Progress::new(readers.len());
        let step = |(reader, reads): &mut (C::Reader, Vec<u64>), call: &crate::compare::stage::Call<'_>| {
            let start = lab.clock.now();
            let read = reader.latest(|entry, pixels| {
                torn.inspect(entry.frame_id, pixels);
                entry.frame_id
            });
            match read {
                Some(id) => {
                    reads.push(lab.clock.now() - start);
                    progress.done(call.reader, id);
                }
                None => call.idle(),
            }
        };
        let one_way = || if readers.is_empty() { None } else { lab.one_way_ns() };
        let before = one_way();
        let mut writes = Vec::with_capacity(frames);
        in_company(lab, &mut readers, step, || {
            let mut warm = Vec::with_capacity(WARM);
            let deadline = lab.clock.now() + lab.clock.ticks(TURN_NS);
            for n in 0..WARM + frames {
                // On a busy machine readers may be long in coming.
                if n > WARM && lab.clock.now() > deadline {
                    break;
                }
                let published = self.publish_timed(lab, pictures, if n < WARM { &mut warm } else { &mut writes });
                if let Some(id) = published {
                    progress.wait(lab, id);
                }
            }
        });
        let one_way = || if readers.is_empty() { None } else { lab.one_way_ns() };
        let apart = before.zip(one_way()).filter(|&(before, after)| Apart::of(before) == Apart::of(after));
        let apart = apart.map(|(before, after)| (Apart::of(before), before.midpoint(after)));
        let mut reads = Vec::new();
        for (reader, mut times) in readers {
            if self.readers.is_empty() {
                reads = times.split_off(times.len().min(WARM));
            }
            self.readers.push(reader);
        }
        Turn { writes, reads, apart }
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
        question: "Publish a picture to readers on other cores that read every line: what the writer pays, and the reader",
        notes: vec![
            "*p50*, *p99* and *max* are of one publish, copy included. The next frame comes when all readers are done with \
             this one. *Read* is the median of the reader's first look at a frame: lease, a word of every line, release; \
             *sum* is both. *Apart* is what a line takes from core to core, one way, measured before and after each \
             contender's turns: less than 60 ns is *near*, and in a virtual machine it changes as time goes by. The source \
             is one of four pictures in turn; peers copy with `copy_from_slice`, and so does *vas-ring, ordinary copy*. \
             *vas-tap + vas-ring* chooses how to copy; the two below with a mode do not. *To limit* is to the fastest raw \
             copy, which goes in step with its readers; *to no readers* is to the same contender's median without \
             readers, where ours has one subscribed that does not read."
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
    let labs = lab.near_and_far();
    let (sizes, readers) = lab
        .or_quick((&[TINY, LITTLE, SMALL, FULL, LARGE][..], &[1, 2, 4][..]), (&[TINY, LITTLE, SMALL, FULL], &[1, 2]));
    for &size in sizes {
        let pictures = size.pictures();
        let alone = tables(&labs[..1], size, &pictures, 0, None, faults).remove(0);
        // Many readers of small frames are the next question.
        let readers = if size.bytes() < SMALL.bytes() { &readers[..1] } else { readers };
        let read: Vec<_> =
            readers.iter().flat_map(|&readers| tables(&labs, size, &pictures, readers, Some(&alone), faults)).collect();
        section.tables.push(alone);
        section.tables.extend(read);
    }
    section
}

/// A table for each distance between writer and first reader that was met.
fn tables(
    labs: &[Lab],
    size: Size,
    pictures: &[Picture],
    readers: usize,
    alone: Option<&Table>,
    faults: &mut Vec<String>,
) -> Vec<Table> {
    let lab = &labs[0];
    let who = if readers == 0 { "no readers".to_owned() } else { lab.readers(readers) };
    let title = format!("{}, {who}", size.name);
    eprintln!("  {title}");
    let mut cast = cast(lab, readers, size.bytes(), Boxed);
    visit_modes(&mut cast);
    // With the other rows of ours.
    cast.entries.sort_by_key(|entry| entry.kind != Kind::Ours);
    if readers > 0 {
        visit_limits(&mut cast);
    }
    let (rounds, frames) = match size.bytes() {
        0..1_000_000 => lab.or_quick((12, 100), (1, 20)),
        1_000_000..8_000_000 => lab.or_quick((12, 40), (1, 6)),
        _ => lab.or_quick((10, 20), (1, 2)),
    };
    let mut turns: Vec<Vec<Turn>> = cast.entries.iter().map(|_| Vec::new()).collect();
    let torn: Vec<_> = cast.entries.iter().map(|_| Torn::default()).collect();
    for round in 0..rounds {
        for lab in labs {
            for n in order(round, cast.entries.len()) {
                let turn = cast.entries[n].stage.turn(lab, pictures, frames, &torn[n]);
                turns[n].push(turn);
            }
        }
    }
    for (entry, torn) in cast.entries.iter().zip(&torn) {
        fault(faults, &title, entry.name, torn.count());
    }
    let distances: Vec<_> = Apart::ALL
        .into_iter()
        .map(Some)
        // What few contenders met says nothing.
        .filter(|&apart| 2 * turns.iter().filter(|turns| met(turns, apart).count() > 0).count() > turns.len())
        .collect();
    let distances = if distances.is_empty() { vec![None] } else { distances };
    let mut tables = Vec::new();
    for apart in distances {
        let title = apart.map_or_else(|| title.clone(), |apart| format!("{title}, {}", apart.name()));
        let mut table = Table::new(title, &["p50 us", "p99 us", "max us"]);
        table.columns.extend((readers == 1).then_some(["read us", "sum us"]).into_iter().flatten().map(str::to_owned));
        table.columns.extend((readers > 0).then(|| "apart ns".to_owned()));
        for (entry, turns) in cast.entries.iter().zip(&turns) {
            let all = |pick: fn(&Turn) -> &Vec<u64>| -> Vec<u64> {
                met(turns, apart).flat_map(|turn| pick(turn).iter().copied()).collect()
            };
            let us = |ticks: &[u64]| Spread::of_ticks(&lab.clock, ticks);
            let writes = us(&all(|turn| &turn.writes));
            let mut values = cells(writes, 1e3);
            if readers == 1 {
                let read = us(&all(|turn| &turn.reads)).map(|spread| spread.p50 / 1e3);
                values.extend([read, values[0].zip(read).map(|(write, read)| write + read)]);
            }
            if readers > 0 {
                let ways: Vec<_> = met(turns, apart).filter_map(|turn| Some(turn.apart?.1)).collect();
                values.push(median(&ways));
            }
            table.push(entry.name, entry.kind, values);
        }
        table.absent = cast.absent.clone();
        table.add_ratios("p50 us", None);
        if readers == 1 {
            let best = table.best(Kind::Peer, "sum us");
            table.add_ratio("sum to best peer's", "sum us", |_| best);
        }
        if let Some(alone) = alone {
            table.add_ratio("to no readers", "p50 us", |row| alone.value(row.contender, "p50 us"));
        }
        tables.push(table);
    }
    tables
}

/// The turns with the first reader at this distance; all of them where there is none.
fn met(turns: &[Turn], apart: Option<Apart>) -> impl Iterator<Item = &Turn> {
    turns.iter().filter(move |turn| apart.is_none() || turn.apart.map(|turn| turn.0) == apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_told_apart_by_distance() {
        let turn = |apart: Option<f64>| Turn {
            writes: Vec::new(),
            reads: Vec::new(),
            apart: apart.map(|ns| (Apart::of(ns), ns)),
        };
        let turns = [Some(24.0), Some(180.0), None, Some(33.0)].map(turn);
        let ways = |apart| met(&turns, apart).map(|turn| turn.apart.map(|turn| turn.1)).collect::<Vec<_>>();
        assert_eq!(ways(Some(Apart::Near)), [Some(24.0), Some(33.0)]);
        assert_eq!(ways(Some(Apart::Far)), [Some(180.0)], "and not the one whose reader moved");
        assert_eq!(ways(None).len(), 4);
    }
}
