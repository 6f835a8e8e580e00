//! `cargo xtask accept`: the success criteria, shown on real parts.

mod build;
mod cadence;
mod camera;
mod children;
mod clips;
mod faults;
mod host;
mod identity;
mod load;
mod marked;
mod memory;
mod page;
mod plots;
mod saboteurs;
mod sink;
mod stage;
mod surface;
mod verdict;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::packages::Group;
use crate::process::{root, target_dir};
use crate::setup;
use build::Builds;
use children::Children;
use clips::Clips;
use plots::Plots;
use saboteurs::Saboteur;
use verdict::{Criterion, Report};

/// Show the success criteria on real parts: cameras, recordings, MediaSoup, viewers.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Under two minutes, and without MediaSoup.
    #[arg(long)]
    quick: bool,
    /// The folder for the report and the logs; target/accept/report of this repository when not given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only these criteria; the others are reported as not run.
    #[arg(long, value_delimiter = ',', value_name = "N,...", value_parser = clap::value_parser!(u8).range(1..=9))]
    only: Vec<u8>,
    /// See that the criteria can fail: do in the host what a tap must not do, one thing after the other, and name the
    /// criterion that finds each.
    #[arg(long, conflicts_with = "quick")]
    saboteurs: bool,
}

impl Args {
    /// `--quick`, for ci.
    pub(crate) const QUICK: Self = Self { quick: true, out: None, only: Vec::new(), saboteurs: false };
}

/// How much of the acceptance is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// All of it.
    Full,
    /// As much as can be waited for with each change. Times are told and not judged: other work on the machine would fail
    /// them.
    Quick,
    /// As much as it takes to see this saboteur, or none, in the hosts with export.
    Saboteur(Option<Saboteur>),
}

/// What all criteria share.
struct Bench {
    form: Form,
    /// The criteria that are asked for.
    wanted: Vec<u8>,
    out: PathBuf,
    builds: Builds,
    clips: Clips,
    children: Children,
    plots: Plots,
}

impl Bench {
    /// Whether there is neither MediaSoup nor valgrind, and less of the rest.
    fn is_short(&self) -> bool {
        self.form != Form::Full
    }

    /// Whether times are held against targets.
    fn judges_times(&self) -> bool {
        self.form != Form::Quick
    }

    /// A folder of its own for a part of the run, empty.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.out.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let form = match (args.quick, args.saboteurs) {
        (_, true) => Form::Saboteur(None),
        (true, _) => Form::Quick,
        (false, _) => Form::Full,
    };
    let groups: &[Group] = match form {
        Form::Full => &[Group::Build, Group::Tools, Group::Cameras, Group::Mediasoup],
        Form::Quick | Form::Saboteur(_) => &[Group::Build, Group::Tools, Group::Cameras],
    };
    setup::ensure(groups)?;
    let out = args.out.clone().unwrap_or_else(|| target_dir("accept").join("report"));
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    // The parts run in folders of their own.
    let out = out.canonicalize()?;
    let builds = build::all(form)?;
    let children = Children::new()?;
    let clips = clips::prepare(&children)?;
    let wanted = if args.only.is_empty() { (1..=9).collect() } else { args.only.clone() };
    let mut bench = Bench { form, wanted, out, builds, clips, children, plots: Plots::default() };
    if args.saboteurs {
        return saboteurs::run(&mut bench);
    }

    let start = Instant::now();
    let mut report = Report::new(args.quick);
    for (numbers, part) in PARTS {
        if !numbers.iter().any(|number| bench.wanted.contains(number)) {
            report.add_not_run(numbers, "left out by --only");
            continue;
        }
        let began = Instant::now();
        let found = part(&mut bench);
        report.add(numbers, found, began.elapsed());
    }
    report.finish(start.elapsed());
    print!("{report}");
    let (json, html) = page::write(&report, &bench.plots, &bench.out)?;
    println!("\nreport: {}\n        {}", html.display(), json.display());
    let failed = report.failed();
    ensure!(failed.is_empty(), "not accepted: criterion {failed} failed; logs are in {}", bench.out.display());
    Ok(())
}

/// A part of the run, and the criteria that it judges.
type Part = (&'static [u8], fn(&mut Bench) -> Result<Vec<Criterion>>);

const PARTS: &[Part] = &[
    (&[9], marked::criterion),
    (&[8], surface::criterion),
    (&[5], cadence::criterion),
    (&[1, 2, 3], identity::criteria),
    (&[4], load::criterion),
    (&[7], faults::criterion),
    (&[6], memory::criterion),
];

/// Where the cameras and the films are.
fn testkit() -> PathBuf {
    root().join("reader-testkit")
}
