//! Explores the slot protocol of vas-ring under weak memory: all that threads can do and see, up to a size.
//!
//! Loom runs the ring itself, but shows the stores of a thread to the others in the order in which they were made, gives
//! read-modify-writes the newest value, and gets no further than a few threads and frames. Here the protocol is written
//! down once more (`writer.rs`, `reader.rs`, `step.rs`) and run by a machine (`memory.rs`) that allows all that RC11 without
//! load buffering does. `state.rs` has what must hold in every state, `changes.rs` what must be found to be wrong, and
//! `table.rs` the orderings, with a test that they are those of the ring's sources.
//!
//! `cargo xtask views` runs it.
#![forbid(unsafe_code)]

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

mod changes;
#[cfg(test)]
mod drops;
mod explore;
#[cfg(test)]
mod litmus;
mod memory;
#[cfg(test)]
mod pins;
mod reader;
mod retired;
mod sizes;
mod state;
mod step;
mod table;
mod tidy;
mod writer;

use changes::Change;
use explore::{Outcome, Way, explore};
use state::{Rules, Size};

/// More states than this fit into no more than 8 GiB.
const MOST: usize = 200_000_000;

const USAGE: &str = "usage: vas-ring-views [--full] [TEXT]

Explores each size, and looks for each change; with TEXT, only those with it in their line.
--full  also the sizes that take minutes";

/// What is done: a size is explored, or a change looked for.
enum Job {
    Size(Size),
    Change(String, Change),
}

impl Job {
    fn name(&self) -> String {
        match self {
            Self::Size(size) => size.to_string(),
            Self::Change(name, _) => name.clone(),
        }
    }

    /// What came of it, and whether that is as it should be.
    fn run(&self) -> (String, bool) {
        match self {
            &Self::Size(size) => {
                let outcome = watched(&self.name(), &Rules::of_the_ring(size));
                let Outcome { states, time, broken, .. } = &outcome;
                let line = format!("{states:>11} states {:>8.1} s", time.as_secs_f64());
                match broken {
                    Some((why, path)) => (format!("{line}  BROKEN: {why}\n{}", shown(path)), false),
                    None if *states >= MOST => (format!("{line}  given up"), false),
                    None => (line, true),
                }
            }
            Self::Change(name, change) => {
                let start = Instant::now();
                for &size in changes::SIZES {
                    let Outcome { broken, .. } = watched(name, &change.rules(size));
                    if let Some((why, _)) = broken {
                        let seconds = start.elapsed().as_secs_f64();
                        return (format!("{:>11} {seconds:>14.2} s  at {size}: {why}", "found"), true);
                    }
                }
                ("NOT FOUND".to_owned(), false)
            }
        }
    }
}

fn shown(path: &[&str]) -> String {
    path.iter().map(|step| format!("    {step}\n")).collect()
}

/// Explores, and says every ten seconds how far it is.
fn watched(name: &str, rules: &Rules) -> Outcome {
    let mut told = Instant::now();
    let tick = |states| {
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            eprintln!("views: {name}: {:.1} million states so far", states as f64 / 1e6);
        }
        states < MOST
    };
    explore(rules, Way::QUICKEST, |_| (), tick)
}

/// Whoever reads this may have read enough.
fn say(line: &str) {
    _ = writeln!(stdout(), "{line}");
}

fn main() -> ExitCode {
    let (mut full, mut filter) = (false, None);
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--full" => full = true,
            text if !text.starts_with('-') && filter.is_none() => filter = Some(argument),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    let more = sizes::FULL.iter().filter(|_| full);
    let jobs = sizes::QUICK.iter().chain(more).map(|&size| Job::Size(size));
    let jobs = jobs.chain(changes::all().into_iter().map(|(name, change)| Job::Change(name, change)));
    let jobs: Vec<_> = jobs.filter(|job| filter.as_ref().is_none_or(|text| job.name().contains(text))).collect();
    if jobs.is_empty() {
        eprintln!("views: no size and no change has {:?} in its line", filter.unwrap_or_default());
        return ExitCode::FAILURE;
    }
    say("(depth, readers, lease limit, publishes), or a change");
    let (next, bad) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (line, good) = job.run();
            say(&format!("{:<60}{line}", job.name()));
            if !good {
                bad.lock().expect("no worker panics").push(job.name());
            }
        }
    };
    // Two at a time, so that the sets of states of the largest sizes fit side by side.
    let workers = thread::available_parallelism().map_or(1, |workers| workers.get().min(2));
    thread::scope(|scope| (0..workers).for_each(|_| _ = scope.spawn(work)));
    let bad = bad.into_inner().expect("no worker panics");
    for name in &bad {
        eprintln!("views: not as it should be: {name}");
    }
    if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
