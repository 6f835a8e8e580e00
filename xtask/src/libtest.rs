//! What the output of test programs says.

use std::io::{BufRead as _, BufReader, Write as _, stdout};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::process::cannot_start;
use crate::progress::{spin, spinner};

/// Totals over the test programs whose output went by.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that ran.
    pub(crate) ran: u64,
    /// Test programs without a single test, which a filter doesn't make of them.
    pub(crate) empty_targets: u64,
}

impl Tally {
    /// Takes in one line: only `test result:` lines count.
    pub(crate) fn add(&mut self, line: &str) {
        let Some(summary) = line.strip_prefix("test result: ") else {
            return;
        };
        let count = |what| count(summary, what).unwrap_or(0);
        let ran = count("passed") + count("failed");
        self.ran += ran;
        if ran + count("ignored") + count("filtered") == 0 {
            self.empty_targets += 1;
        }
    }
}

/// Runs the tests with their output passed on as it comes, and counts them.
pub(crate) fn watch(what: &str, command: &mut Command) -> Result<(bool, Tally)> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let output = child.stdout.take().context("the tests' output is missing")?;
    let mut tally = Tally::default();
    let spinner = spinner(what);
    for line in BufReader::new(output).lines() {
        let line = line?;
        // Not before the first test: cargo shows its own progress until then.
        if line.starts_with("running ") {
            spin(&spinner);
        }
        spinner.suspend(|| writeln!(stdout(), "{line}"))?;
        tally.add(&line);
    }
    spinner.finish_and_clear();
    Ok((child.wait()?.success(), tally))
}

/// The number before the word.
fn count(summary: &str, what: &str) -> Option<u64> {
    let words: Vec<_> = summary.split([' ', ';']).collect();
    let at = words.iter().position(|&word| word == what)?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> (u64, u64) {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.add(line));
        (tally.ran, tally.empty_targets)
    }

    #[test]
    fn programs_add_up() {
        let lines = [
            "running 3 tests",
            "test one_reader ... ok",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.10s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        ];
        assert_eq!(tally(&lines), (6, 0));
    }

    #[test]
    fn empty_is_not_the_same_as_filtered_out() {
        let empty = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let filtered = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.00s";
        assert_eq!(tally(&[empty]), (0, 1));
        assert_eq!(tally(&[filtered]), (0, 0));
    }
}
