//! `cargo xtask orderings`: whether the models would notice if the ring were wrong.
//!
//! Each memory ordering in `ring/src` is weakened, one at a time, and a number of mistakes are made on purpose; then
//! the loom models run until one fails, or the ordinary tests for mistakes that show without a second thread. A change that
//! nothing notices is an ordering without need, or a test that is missing. One that is undecided counts as such: a model
//! that runs into its limit has to be bounded, so that it fails where it cannot go on.

use std::io::{Write as _, stdout};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::process::root;
use crate::progress::{spin, spinner};
use lab::{Ending, Lab, Suite};
use mutants::Mutant;
use report::{Outcome, Trial};

mod lab;
mod mistakes;
mod mutants;
mod report;

/// Weaken each memory ordering of the ring, make mistakes in it, and see which model or test notices.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the changes with this in their line of `--list`, such as `word.rs`, `claim` or `AcqRel`; may be given again
    /// for more.
    #[arg(long)]
    filter: Vec<String>,
    /// List the changes, and do nothing.
    #[arg(long)]
    list: bool,
    /// How many to try at once; as many as there are processors when not given.
    #[arg(long)]
    jobs: Option<NonZero<usize>>,
    /// Seconds that one model may take with one change.
    #[arg(long, default_value_t = 300)]
    limit: u64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut mutants = mutants::all(&root().join("ring/src"))?;
    if !args.filter.is_empty() {
        mutants.retain(|mutant| args.filter.iter().any(|filter| mutant.label().contains(filter)));
        ensure!(!mutants.is_empty(), "orderings: no change has any of {:?} in its line", args.filter);
    }
    if args.list {
        for mutant in &mutants {
            writeln!(stdout(), "{}", mutant.label())?;
        }
        return Ok(());
    }
    let (start, limit) = (Instant::now(), Duration::from_secs(args.limit));
    let jobs = args.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get).min(mutants.len());
    let labs = (0..jobs).map(|job| Lab::new(&format!("copy-{job}"))).collect::<Result<Vec<_>>>()?;
    let order = Order::new(&labs[0], &mutants, limit)?;
    let trials = try_all(&mutants, &labs, &order, limit)?;

    let seconds = start.elapsed().as_secs_f64();
    let path = report::write(&trials)?;
    writeln!(stdout(), "{}", report::markdown(&trials))?;
    let killed = trials.iter().filter(|trial| trial.is_killed()).count();
    eprintln!("orderings: {killed} of {} changes killed, in {seconds:.0} s; see {}", trials.len(), path.display());
    for trial in trials.iter().filter(|trial| !trial.is_killed()) {
        eprintln!("orderings: not killed: {}", trial.mutant.label());
    }
    ensure!(
        killed == trials.len(),
        "orderings: {} of {} changes were not noticed: make the ordering Relaxed, with the reason, or add a model that \
         shows what it is for",
        trials.len() - killed,
        trials.len()
    );
    Ok(())
}

/// The order in which a mutant meets the models or tests: from quick to slow.
struct Order {
    models: Vec<String>,
    tests: Vec<String>,
}

impl Order {
    fn new(lab: &Lab, mutants: &[Mutant], limit: Duration) -> Result<Self> {
        let of = |suite| {
            let needed = mutants.iter().any(|mutant| mutant.suite == suite);
            if needed { unchanged(lab, suite, limit) } else { Ok(Vec::new()) }
        };
        Ok(Self { models: of(Suite::Models)?, tests: of(Suite::Tests)? })
    }

    fn of(&self, suite: Suite) -> &[String] {
        match suite {
            Suite::Models => &self.models,
            Suite::Tests => &self.tests,
        }
    }
}

/// Runs a suite on the sources as they are, which has to pass. Returns its tests from quick to slow.
fn unchanged(lab: &Lab, suite: Suite, limit: Duration) -> Result<Vec<String>> {
    let spinner = spinner("Running models and tests on the ring as it is");
    spin(&spinner);
    let tests = lab.build(None, suite)?;
    let mut times = Vec::new();
    for name in tests.names() {
        match tests.run(name, limit)? {
            (Ending::Passed, time) => times.push((time, name.to_owned())),
            (Ending::Failed(why) | Ending::Undecided(why), _) => {
                spinner.finish_and_clear();
                bail!("orderings: {name} fails on the ring as it is: {why}");
            }
        }
    }
    spinner.finish_and_clear();
    times.sort();
    Ok(times.into_iter().map(|(_, name)| name).collect())
}

/// Tries each mutant, in as many labs at once as there are.
fn try_all(mutants: &[Mutant], labs: &[Lab], order: &Order, limit: Duration) -> Result<Vec<Trial>> {
    let style = ProgressStyle::with_template("{spinner} {pos}/{len} changes tried, {elapsed}: {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let progress = ProgressBar::new(mutants.len() as u64).with_style(style);
    spin(&progress);
    let next = AtomicUsize::new(0);
    let work = |lab: &Lab| -> Result<Vec<(usize, Trial)>> {
        let mut trials = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(mutant) = mutants.get(index) else { return Ok(trials) };
            progress.set_message(mutant.label());
            // After an error the others need not go on either.
            let trial =
                try_one(mutant, lab, order, limit).inspect_err(|_| next.store(mutants.len(), Ordering::Relaxed))?;
            progress.suspend(|| eprintln!("{}: {}", mutant.label(), trial.outcome));
            progress.inc(1);
            trials.push((index, trial));
        }
    };
    let trials: Result<Vec<_>> = thread::scope(|scope| {
        let workers: Vec<_> = labs.iter().map(|lab| scope.spawn(|| work(lab))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked"))).collect()
    });
    progress.finish_and_clear();
    let mut trials: Vec<_> = trials?.into_iter().flatten().collect();
    trials.sort_by_key(|&(index, _)| index);
    Ok(trials.into_iter().map(|(_, trial)| trial).collect())
}

fn try_one(mutant: &Mutant, lab: &Lab, order: &Order, limit: Duration) -> Result<Trial> {
    let models = lab.build(Some(mutant), mutant.suite)?;
    let start = Instant::now();
    let mut outcome = Outcome::Survived;
    for name in order.of(mutant.suite) {
        let (ending, time) = models.run(name, limit).context("cannot run a model")?;
        match ending {
            Ending::Passed => (),
            Ending::Failed(why) => {
                outcome = Outcome::Killed { model: name.clone(), why, time };
                break;
            }
            // Another model may still decide it.
            Ending::Undecided(why) => outcome = Outcome::Undecided { model: name.clone(), why },
        }
    }
    Ok(Trial { mutant: mutant.clone(), outcome, time: start.elapsed() })
}
