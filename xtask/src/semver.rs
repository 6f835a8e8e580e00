//! `cargo xtask semver`: whether the public interface changed more than the version says.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::packages::Group;
use crate::process::{cannot_start, root, run, shown, target_dir};
use crate::setup;
use crate::tools::Tool;

const SEMVER_CHECKS: Tool = Tool { name: "cargo-semver-checks", version: "0.51.0" };
const PACKAGES: &[&str] = &["vas-ring", "vas-tap", "vas-lifecycle", "vas-reader-testkit"];

/// Compare the public interface of each crate with that of an earlier revision.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to compare with; the newest tag when not given, and the commit before this one when there is no tag.
    #[arg(long, value_name = "REVISION")]
    baseline: Option<String>,
}

pub(crate) fn semver(args: &Args) -> Result<()> {
    setup::ensure(&[Group::Build])?;
    let (name, why) = match (&args.baseline, git(&["describe", "--tags", "--abbrev=0"])) {
        (Some(given), _) => (given.clone(), "as asked for"),
        (None, Ok(tag)) => (tag, "the newest tag"),
        (None, Err(_)) => ("HEAD~".to_owned(), "the commit before, as there is no tag"),
    };
    let revision = git(&["rev-parse", "--verify", &format!("{name}^{{commit}}")])
        .with_context(|| format!("{name} is no revision of this repository"))?;
    eprintln!("Comparing with {name}, {why}: {revision}");
    let mut checks = SEMVER_CHECKS.command()?;
    checks.args(["semver-checks", "--baseline-rev", &revision]);
    checks.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    run(checks.env("CARGO_TARGET_DIR", target_dir("semver")))
        .context("a public interface changed more than its version says: raise the version, or keep what was there")
}

/// What git answers.
fn git(arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    git.current_dir(root()).args(arguments);
    let output = git.output().with_context(|| cannot_start(&git))?;
    ensure!(output.status.success(), "`{}`: {}", shown(&git), String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_is_passed_on() {
        let error = git(&["rev-parse", "--verify", "no-such-revision"]).unwrap_err().to_string();
        assert!(error.starts_with("`git rev-parse --verify no-such-revision`: "), "{error}");
    }
}
