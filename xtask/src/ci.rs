//! `cargo xtask ci`: all that has to hold before a change goes in.

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::accept;
use crate::compare;
use crate::demo;
use crate::dependencies;
use crate::loom::under_loom;
use crate::matrix;
use crate::no_std::no_std;
use crate::packages::Group;
use crate::process::{cargo, run};
use crate::setup;
use crate::test::test;
use crate::views;

type Step = (&'static str, fn() -> Result<()>);

/// From quick to slow, so that a failure shows early.
const STEPS: &[Step] = &[
    ("setup", || setup::ensure(&[Group::Build, Group::Tools])),
    ("format", format),
    ("dependencies", dependencies::dependencies),
    ("clippy", clippy),
    ("clippy under loom", clippy_under_loom),
    ("no-std", no_std),
    ("docs", docs),
    ("views", || views::views(&views::QUICK)),
    ("test", test),
    ("demo", || run(&mut demo::built_host(&demo::Args::clips_for(3))?)),
    ("accept", || accept::run(&accept::Args::QUICK)),
    ("benches", benches),
    ("compare", || compare::compare(&compare::Args::QUICK)),
];

pub(crate) fn ci() -> Result<()> {
    let mut times = Vec::new();
    for (name, step) in STEPS {
        eprintln!("\n==> {name}");
        let start = Instant::now();
        let outcome = step();
        times.push(start.elapsed());
        if let Err(error) = outcome {
            eprintln!("\n{}", summary(&times, true));
            return Err(error).with_context(|| format!("ci step `{name}`"));
        }
        eprintln!("==> {name}: {:.1} s", start.elapsed().as_secs_f64());
    }
    eprintln!("\n{}", summary(&times, false));
    Ok(())
}

fn format() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    for own in std::iter::once("ring/tests/no_std".into()).chain(matrix::sources()) {
        run(cargo().args(["fmt", "--check", "--manifest-path"]).arg(format!("{own}/Cargo.toml")))?;
    }
    Ok(())
}

fn clippy() -> Result<()> {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn clippy_under_loom() -> Result<()> {
    run(under_loom("clippy").args(["--all-targets", "--", "-D", "warnings"]))
}

fn docs() -> Result<()> {
    let own = env::var("RUSTDOCFLAGS").unwrap_or_default();
    run(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", format!("{own} -D warnings")))
}

/// Each bench once, without timing it.
fn benches() -> Result<()> {
    run(cargo().args(["bench", "--workspace", "--bench", "*", "--", "--test"]))
}

/// The steps with their times; with `failed`, the last one that has a time is the one that failed.
fn summary(times: &[Duration], failed: bool) -> String {
    let line = |(index, (name, _)): (usize, &Step)| {
        let outcome = if failed && index + 1 == times.len() { "FAILED" } else { "ok" };
        match times.get(index) {
            Some(time) => format!("{name:<20}{outcome:<8}{:>8.1} s", time.as_secs_f64()),
            None => format!("{name:<20}not run"),
        }
    };
    let total = format!("{:<28}{:>8.1} s", "in all", times.iter().sum::<Duration>().as_secs_f64());
    STEPS.iter().enumerate().map(line).chain([total]).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_ok_failed_and_not_run_apart() {
        let text = summary(&[Duration::from_millis(100), Duration::from_secs(61)], true);
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines.len(), STEPS.len() + 1);
        assert_eq!(lines[..3], ["setup ok 0.1 s", "format FAILED 61.0 s", "dependencies not run"]);
        assert_eq!(lines.last().unwrap(), "in all 61.1 s");
        assert!(!summary(&[Duration::ZERO; STEPS.len()], false).contains("FAILED"));
    }
}
