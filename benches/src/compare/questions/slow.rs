//! Question 3: what readers that hold their frames do to the writer.

use std::hint::spin_loop;
use std::thread;
use std::time::Duration;

use super::{WARM, cast, fault, order};
use crate::compare::contender::{Contender, Reader};
use crate::compare::lab::Lab;
use crate::compare::picture::{FULL, Picture, Torn};
use crate::compare::report::{REFUSED, Section, Table, cells};
use crate::compare::spread::Spread;
use crate::compare::stage::{Call, Stage, Wrap, in_company};

/// Readers, each of which may hold one frame.
const READERS: usize = 2;
/// From the start of a publish to the start of the next.
const PERIOD_NS: f64 = 1e6;

/// How long readers hold a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hold {
    /// They do not read. Those that would stop the writer by that take frames and give them back at once.
    Nothing,
    /// So long, and then take the next.
    For(Duration),
    /// Until the turn is over.
    ForEver,
}

/// What became of the frames of some turns.
#[derive(Default)]
struct Outcome {
    times: Vec<u64>,
    offered: u64,
    refused: u64,
    torn: Torn,
}

trait IsHeldUp {
    fn turn(&mut self, lab: &Lab, pictures: &[Picture], frames: usize, hold: Hold, outcome: &mut Outcome);
}

impl<C: Contender> IsHeldUp for Stage<C> {
    fn turn(&mut self, lab: &Lab, pictures: &[Picture], frames: usize, hold: Hold, outcome: &mut Outcome) {
        let mut readers = std::mem::take(&mut self.readers);
        let torn = &outcome.torn;
        let inspect = |reader: &mut C::Reader, call: &Call<'_>, time: Duration| {
            let held = reader.latest(|entry, pixels| {
                torn.inspect(entry.frame_id, pixels);
                call.sleep(time);
                torn.inspect(entry.frame_id, pixels);
            });
            if held.is_none() {
                // Not a spin: what holding does is to be seen, not what polling does.
                thread::sleep(Duration::from_micros(200));
            }
        };
        let step = |reader: &mut C::Reader, call: &Call<'_>| match hold {
            Hold::Nothing => {
                if C::GATED {
                    reader.latest(|_, _| ());
                }
                thread::sleep(Duration::from_micros(200));
            }
            Hold::For(time) => inspect(reader, call, time),
            Hold::ForEver => inspect(reader, call, Duration::MAX),
        };
        let times = &mut outcome.times;
        let before = self.refused;
        in_company(lab, &mut readers, step, || {
            let mut warm = Vec::with_capacity(WARM);
            for n in 0..WARM + frames {
                let due = lab.clock.now() + lab.clock.ticks(PERIOD_NS);
                self.publish_timed(lab, pictures, if n < WARM { &mut warm } else { times });
                while lab.clock.now() < due {
                    spin_loop();
                }
            }
        });
        outcome.offered += (WARM + frames) as u64;
        outcome.refused += self.refused - before;
        self.readers = readers;
    }
}

struct Boxed;

impl Wrap<Box<dyn IsHeldUp>> for Boxed {
    fn wrap<C: Contender>(&self, stage: Stage<C>) -> Box<dyn IsHeldUp> {
        Box::new(stage)
    }
}

/// The answer.
pub fn ask(lab: &Lab, faults: &mut Vec<String>) -> Section {
    let holds = [
        (Hold::Nothing, "No holds"),
        (Hold::For(Duration::from_millis(100)), "Held for 100 ms"),
        (Hold::ForEver, "Held for ever"),
    ];
    let pictures = FULL.pictures();
    let mut cast = cast(lab, READERS, FULL.bytes(), Boxed);
    let mut outcomes: Vec<[Outcome; 3]> = cast.entries.iter().map(|_| Default::default()).collect();
    for round in 0..lab.or_quick(5, 1) {
        for n in order(round, cast.entries.len()) {
            for ((hold, _), outcome) in holds.iter().zip(&mut outcomes[n]) {
                cast.entries[n].stage.turn(lab, &pictures, lab.or_quick(250, 110), *hold, outcome);
            }
        }
        eprintln!("  round {}", round + 1);
    }
    let mut tables: Vec<Table> = Vec::new();
    for (which, (_, title)) in holds.into_iter().enumerate() {
        let mut table = Table::new(title, &["p50 us", "p99 us", "max us", "offered", REFUSED, "torn"]);
        for (entry, outcomes) in cast.entries.iter().zip(&outcomes) {
            let Outcome { times, offered, refused, torn } = &outcomes[which];
            fault(faults, title, entry.name, torn.count());
            let counts = [*offered, *refused, torn.count()].map(|count| Some(count as f64)).to_vec();
            table.push(entry.name, entry.kind, [cells(Spread::of_ticks(&lab.clock, times), 1e3), counts].concat());
        }
        table.add_ratios("p50 us", None);
        if let Some(none) = tables.first() {
            table.add_ratio("to no holds", "p50 us", |row| none.value(row.contender, "p50 us"));
        }
        table.absent = cast.absent.clone();
        tables.push(table);
    }
    Section {
        number: 3,
        question: "Slow readers: frames held for 100 ms, and for ever",
        notes: vec![format!(
            "1080p, a frame each {:.0} ms, {} that hold one frame each and look at every line of it when they take it \
             and before they give it back. Without holds they do not read; those of *disruptor* and *bus*, which would \
             stop the writer by that, take frames and give them back at once. Times are of frames that were published; \
             contenders that refuse frames are not compared with.",
            PERIOD_NS / 1e6,
            lab.readers(READERS),
        )],
        tables,
    }
}
