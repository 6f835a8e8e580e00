//! `cargo xtask matrix`: the tap with each FFmpeg that Debian has, and with each of the bindings to it.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::libtest::Tally;
use crate::packages::{Group, PACKAGES};
use crate::process::target_dir;
use crate::setup;

mod machine;
mod programs;
mod system;
mod table;

use machine::Machine;
use programs::PROGRAMS;
use system::System;
use table::{Cell, Table};

/// Bullseye has FFmpeg 4.3, bookworm 5.1, trixie 7.1, forky 9.0.
const SUITES: [&str; 4] = ["bullseye", "bookworm", "trixie", "forky"];

/// Tests: the row of the table, and what cargo is told.
type Tests = (&'static str, &'static str);
const TESTS: Tests = ("tests of tap and lifecycle", "-p vas-tap -p vas-lifecycle");
const HOST: Tests = ("tests of the host", "-p vas-host");

/// The folder for the systems, when there is no `--keep`.
const KEEP: &str = "VAS_MATRIX_DIR";

/// Run the tests of tap and lifecycle, and a program for each of the bindings, with several versions of FFmpeg: in
/// bare systems, as root.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder for the systems, which are kept for the next run; what VAS_MATRIX_DIR names, or target/matrix of this
    /// repository, when not given.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Only with the FFmpeg of these suites of Debian.
    #[arg(long, value_name = "SUITE", value_delimiter = ',', default_values = SUITES)]
    suites: Vec<String>,
    /// Only the programs of the bindings.
    #[arg(long)]
    programs: bool,
    /// Also the tests of the stand-in host.
    #[arg(long, conflicts_with = "programs")]
    host: bool,
}

pub(crate) fn matrix(args: &Args) -> Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "to make and enter bare systems takes root: run this task as root");
    setup::ensure(&[Group::Matrix])?;
    let keep = args.keep.clone().or_else(|| env::var_os(KEEP).map(PathBuf::from));
    let keep = keep.map_or_else(|| Ok(target_dir("matrix")), |keep| env::current_dir().map(|here| here.join(keep)))?;
    fs::create_dir_all(&keep).with_context(|| format!("cannot make {}", keep.display()))?;
    let machine = Machine::new()?;

    let tests = [(!args.programs).then_some(TESTS), args.host.then_some(HOST)];
    let tests: Vec<_> = tests.into_iter().flatten().collect();
    let rows = tests.iter().map(|(row, _)| *row).chain(PROGRAMS.iter().map(|program| program.folder));
    let mut run = Run { machine, keep, table: Table::new(rows), tests, problems: Vec::new() };
    for suite in &args.suites {
        if let Err(problem) = run.one(suite) {
            run.problems.push(format!("{problem:#}"));
        }
    }
    if run.table.has_systems() {
        println!("{}", run.table);
    }
    ensure!(run.problems.is_empty(), "{}", run.problems.join("\n"));
    Ok(())
}

struct Run {
    machine: Machine,
    keep: PathBuf,
    tests: Vec<Tests>,
    table: Table,
    /// What failed.
    problems: Vec<String>,
}

impl Run {
    /// All that runs in one system. What fails there is noted, and a system that cannot be had is an error.
    fn one(&mut self, suite: &str) -> Result<()> {
        let system = System::new(&self.machine, &self.keep, suite)?;
        let groups = [Group::Build, Group::Tools];
        let packages = PACKAGES.iter().filter(|package| groups.contains(&package.group)).map(|package| package.debian);
        system.install(&packages.chain(programs::PACKAGES).collect::<Vec<_>>())?;
        let version = system.ffmpeg()?;
        self.table.system(format!("FFmpeg {version} ({suite})"));
        let sources = system.copy_sources()?;

        let mut step = |row: &'static str, script: &str, cell: fn(&str) -> Cell| {
            let start = Instant::now();
            let (cell, problem) = match system.inside(&row.replace(' ', "-"), row, script) {
                Ok(printed) => match cell(&printed) {
                    Cell::Failed => (Cell::Failed, Some(format!("{suite}: {row} ended well, and checked nothing"))),
                    cell => (cell, None),
                },
                Err(problem) => (Cell::Failed, Some(format!("{problem:#}"))),
            };
            eprintln!("{suite}, FFmpeg {version}: {row}: {cell}, {:.0} s", start.elapsed().as_secs_f64());
            self.problems.extend(problem);
            self.table.set(row, cell);
        };
        for (row, packages) in &self.tests {
            step(row, &format!("cd /src\ncargo test --locked --no-fail-fast {packages}"), tests);
        }
        system.add_program(programs::PKG_CONFIG, include_str!("matrix/shared-pkg-config"))?;
        let ffmpeg = programs::major_and_minor(&version).with_context(|| format!("which FFmpeg is {version}?"))?;
        for program in PROGRAMS {
            let folder = program.folder;
            let Some(features) = (program.features)(ffmpeg) else { continue };
            program.lock(&sources)?;
            let script = format!(
                "cd /src/{}/{folder}\nexport PKG_CONFIG=/{} CARGO_TARGET_DIR=/target/bindings\n\
                 cargo run --features={features}",
                programs::FOLDER,
                programs::PKG_CONFIG
            );
            step(folder, &script, programs::cell);
        }

        for program in PROGRAMS {
            if (program.features)(ffmpeg).is_none() {
                self.table.set(program.folder, Cell::NotFor);
            } else if let Some(version) = program.version(&sources) {
                self.table.show(program.folder, &program.row(&version));
            }
        }
        Ok(())
    }
}

/// What the output of tests that did not fail says. Without a single one nothing has been checked.
fn tests(printed: &str) -> Cell {
    let mut tally = Tally::default();
    printed.lines().for_each(|line| tally.add(line));
    if tally.ran == 0 { Cell::Failed } else { Cell::Passed(tally.ran) }
}

/// The folders of the programs' sources, in the root of the workspace, which does not have them as members.
pub(crate) fn sources() -> impl Iterator<Item = String> {
    let folders = PROGRAMS.iter().map(|program| program.folder).chain(["check"]);
    folders.map(|folder| format!("{}/{folder}", programs::FOLDER))
}
