//! `cargo xtask compare`: the ring beside what people use today.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use vas_benches::compare::check::check_all;
use vas_benches::compare::contenders;
use vas_benches::compare::counting::Counting;
use vas_benches::compare::lab::Lab;
use vas_benches::compare::questions::{self, bookkeeping, decode, demand, memory, publish, scale, slow};
use vas_benches::compare::report::{Machine, Report};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Compare the ring with what people use today.
#[derive(Parser)]
struct Cli {
    /// A short pass that checks every contender; its times are not to be used.
    #[arg(long)]
    quick: bool,
    /// The folder for the report.
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    out: PathBuf,
    /// The film that is scaled to 1080p and decoded.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../reader-testkit/clips/bigbuckbunny.mp4"))]
    clip: PathBuf,
    /// Only these questions, for instance 1,3.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    only: Vec<u8>,
    /// What the program runs itself as, under strace.
    #[arg(long, hide = true)]
    traced: Option<String>,
    /// What the program runs itself as, to see what it grows by.
    #[arg(long, hide = true)]
    held: Option<String>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Not `main() -> Result`: that prints a backtrace where RUST_BACKTRACE is set.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all was as it has to be.
fn run(cli: &Cli) -> Result<bool> {
    for (task, contender) in [(memory::Alone::Traced, &cli.traced), (memory::Alone::Held, &cli.held)] {
        if let Some(contender) = contender {
            return memory::alone(task, contender).map(|()| true);
        }
    }
    let start = Instant::now();
    fs::create_dir_all(&cli.out).with_context(|| format!("cannot make the folder {}", cli.out.display()))?;
    let mut lab = Lab::new(cli.quick);
    let machine = Machine::look(&lab);
    eprintln!("{}", machine.sentence());
    eprintln!("Whether contenders deliver whole frames:");
    check_all(&mut lab);
    let lab = lab;
    let faults: Vec<_> = lab.unfit.iter().map(|(name, why)| format!("{name} failed its check: {why}")).collect();

    let (short_of, sections, targets) = (contenders::short_of(), Vec::new(), Vec::new());
    let mut report = Report { machine, quick: cli.quick, short_of, sections, targets, faults };
    let mut files = Vec::new();
    for number in (1..=7).filter(|number| cli.only.is_empty() || cli.only.contains(number)) {
        eprintln!("Question {number}, after {:.0} s:", start.elapsed().as_secs_f64());
        report.sections.push(match number {
            1 => publish::ask(&lab, &mut report.faults),
            2 => bookkeeping::ask(&lab),
            3 => slow::ask(&lab, &mut report.faults),
            4 => memory::ask(&lab, &cli.out),
            5 => decode::ask(&lab, &cli.out, &cli.clip)?,
            6 => scale::ask(&lab),
            _ => demand::ask(&lab, &cli.out, &cli.clip)?,
        });
        report.targets = questions::targets(&report);
        // Each time, so that a run that is cut short leaves what it has found.
        files = report.write(&cli.out)?;
    }
    print!("{}", report.markdown());
    eprintln!("\n{:.0} s. Written:", start.elapsed().as_secs_f64());
    for file in files {
        eprintln!("  {}", file.display());
    }
    for fault in &report.faults {
        eprintln!("FAULT: {fault}");
    }
    Ok(report.faults.is_empty())
}
