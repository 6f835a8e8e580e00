//! `cargo xtask mutants`: whether the tests would notice if the crates were wrong.
//!
//! cargo-mutants makes one change after the other and runs the tests of the crate that it is in; what those do not notice
//! meets the tests of the whole workspace, documentation included. What no test can notice is left out by
//! `.cargo/mutants.toml`, with its reason. (`cargo xtask orderings` and `views` do the like for memory orderings.)

use std::fs;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::packages::Group;
use crate::process::{cannot_start, root, shown, target_dir};
use crate::setup;
use crate::tools::Tool;

const MUTANTS: Tool = Tool { name: "cargo-mutants", version: "27.1.0" };
const PACKAGES: &[&str] = &["vas-ring", "vas-tap", "vas-lifecycle", "vas-reader-testkit"];

/// Change the crates in every small way, and see whether a test notices: hours for all, so there are shards.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this package; may be given again for more.
    #[arg(long = "package", short, value_parser = clap::builder::PossibleValuesParser::new(PACKAGES))]
    packages: Vec<String>,
    /// Only files like this, such as `ring/src/reader*.rs`; may be given again for more.
    #[arg(long = "file", short)]
    files: Vec<String>,
    /// One part of all changes, such as 0/8 for the first of eight.
    #[arg(long)]
    shard: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[Group::Build, Group::Tools])?;
    let chosen: Vec<_> = PACKAGES
        .iter()
        .filter(|&&package| args.packages.is_empty() || args.packages.iter().any(|one| one == package))
        .collect();
    let mut tallies = Vec::new();
    for package in chosen {
        tallies.extend(test(package, args)?.map(|tally| (*package, tally)));
    }
    ensure!(!tallies.is_empty(), "mutants: there is nothing to change in these files");
    let table = markdown(&tallies);
    let path = output("").join("mutants.md");
    fs::write(&path, &table).with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(stdout(), "{table}")?;
    let bad: usize = tallies.iter().map(|(_, tally)| tally.missed.len() + tally.timeout.len()).sum();
    for (_, tally) in &tallies {
        tally.missed.iter().for_each(|name| eprintln!("mutants: not noticed: {name}"));
        tally.timeout.iter().for_each(|name| eprintln!("mutants: a test hangs: {name}"));
    }
    ensure!(bad == 0, "mutants: {bad} changes were not noticed in time: write the test of what they break");
    Ok(())
}

/// What became of the changes of one package, by name.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    caught: usize,
    /// Of those, the ones that the tests of other packages caught.
    elsewhere: usize,
    unviable: usize,
    missed: Vec<String>,
    timeout: Vec<String>,
}

/// None where no file was chosen that has anything to change.
fn test(package: &str, args: &Args) -> Result<Option<Tally>> {
    let dir = output(package);
    let mut command = mutants(package, &dir)?;
    command.args(args.files.iter().flat_map(|file| ["--file", file]));
    command.args(args.shard.iter().flat_map(|shard| ["--shard", shard]));
    // The quick tests alone: documentation is built again for each change.
    command.args(["--", "--lib", "--bins", "--tests"]);
    eprintln!("\n==> {package}, by its own tests");
    let Some(mut tally) = outcomes(&mut command, &dir)? else { return Ok(None) };
    if tally.missed.is_empty() {
        return Ok(Some(tally));
    }
    eprintln!("\n==> {package}, by all tests: {} changes", tally.missed.len());
    let dir = output(&format!("{package}-by-all"));
    let mut command = mutants(package, &dir)?;
    command.args(["--test-workspace", "true"]);
    command.args(tally.missed.iter().flat_map(|name| ["--re".to_owned(), exactly(name)]));
    let rest = outcomes(&mut command, &dir)?.context("the changes that were missed are gone")?;
    tally.elsewhere = rest.caught;
    tally.caught += rest.caught;
    tally.missed = rest.missed;
    tally.timeout.extend(rest.timeout);
    Ok(Some(tally))
}

fn output(name: &str) -> PathBuf {
    target_dir("mutants").join(name)
}

fn mutants(package: &str, dir: &Path) -> Result<Command> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut command = MUTANTS.command()?;
    command.current_dir(root());
    command.args(["mutants", "--package", package, "--output"]).arg(dir);
    // Tests that sweep, or go on for a while: as long as it takes them to have met everything once.
    command.env("VAS_STRESS_SECONDS", "0.2").env("VAS_FUZZ_FRAMES", "2000");
    Ok(command)
}

/// A pattern for this text and no other. (cargo-mutants looks for it anywhere in a change's name.)
fn exactly(name: &str) -> String {
    let escaped: String = name
        .chars()
        .flat_map(|c| {
            let special = !c.is_alphanumeric() && !c.is_whitespace() && !"_:/,<>-=&'\"".contains(c);
            special.then_some('\\').into_iter().chain([c])
        })
        .collect();
    format!("^{escaped}$")
}

/// What cargo-mutants writes down.
#[derive(Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: String,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant(Mutant),
}

#[derive(Deserialize)]
struct Mutant {
    name: String,
}

fn outcomes(command: &mut Command, dir: &Path) -> Result<Option<Tally>> {
    let path = dir.join("mutants.out/outcomes.json");
    _ = fs::remove_file(&path);
    let status = command.status().with_context(|| cannot_start(command))?;
    // 2: missed; 3: timed out. Both are in the outcomes. Anything else is no result.
    ensure!(is_result(status), "`{}` failed ({status}), for the reason above", shown(command));
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(tally(&text).with_context(|| format!("{} is of another form", path.display()))?))
}

fn is_result(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | 2 | 3))
}

fn tally(json: &str) -> Result<Tally> {
    let mut tally = Tally::default();
    let Outcomes { outcomes } = serde_json::from_str(json)?;
    for Outcome { scenario, summary } in outcomes {
        let Scenario::Mutant(Mutant { name }) = scenario else { continue };
        match summary.as_str() {
            "CaughtMutant" => tally.caught += 1,
            "Unviable" => tally.unviable += 1,
            "MissedMutant" => tally.missed.push(name),
            "Timeout" => tally.timeout.push(name),
            other => anyhow::bail!("{name} ended as {other}, which is new"),
        }
    }
    Ok(tally)
}

fn markdown(tallies: &[(&str, Tally)]) -> String {
    let mut table =
        "| package | caught | of those, by other packages' tests | missed | timed out | unviable |\n".to_owned();
    table += "|---|--:|--:|--:|--:|--:|\n";
    for (package, Tally { caught, elsewhere, unviable, missed, timeout }) in tallies {
        let (missed, timeout) = (missed.len(), timeout.len());
        table += &format!("| {package} | {caught} | {elsewhere} | {missed} | {timeout} | {unviable} |\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"outcomes": [
        {"scenario": "Baseline", "summary": "Success", "phase_results": []},
        {"scenario": {"Mutant": {"name": "a.rs:1:2: replace f -> bool with true", "package": "p"}}, "summary": "CaughtMutant"},
        {"scenario": {"Mutant": {"name": "a.rs:3:4: replace + with *"}}, "summary": "MissedMutant"},
        {"scenario": {"Mutant": {"name": "b"}}, "summary": "Unviable"},
        {"scenario": {"Mutant": {"name": "c"}}, "summary": "Timeout"}
    ], "total_mutants": 4}"#;

    #[test]
    fn outcomes_are_counted() {
        let tally = tally(JSON).unwrap();
        let missed = vec!["a.rs:3:4: replace + with *".to_owned()];
        let expected = Tally { caught: 1, unviable: 1, missed, timeout: vec!["c".to_owned()], elsewhere: 0 };
        assert_eq!(tally, expected);
        assert!(markdown(&[("p", tally)]).ends_with("| p | 1 | 0 | 1 | 1 | 1 |\n"));
        assert!(super::tally(&JSON.replace("Timeout", "Asleep")).is_err());
    }

    #[test]
    fn a_pattern_takes_its_name_literally() {
        assert_eq!(exactly("a.rs:3:4: replace + with *"), r"^a\.rs:3:4: replace \+ with \*$");
        assert_eq!(exactly("f -> Option<u8> (x|y)"), r"^f -> Option<u8> \(x\|y\)$");
    }

    /// Each exclusion says why.
    #[test]
    fn exclusions_have_reasons() {
        let config = fs::read_to_string(root().join(".cargo/mutants.toml")).unwrap();
        let mut explained = false;
        for line in config.lines().map(str::trim) {
            match line.chars().next() {
                Some('#') => explained = true,
                Some('"' | '\'') => assert!(explained, "{line} has no reason above it"),
                _ => explained = false,
            }
        }
    }
}
