//! `cargo xtask setup`: the system packages, checked for and installed where that is possible.

use anyhow::{Result, ensure};

use crate::packages::{Group, PACKAGES, Package};

mod apt;
mod dpkg;
pub(crate) mod probe;

/// Check for the system packages, and install what is missing.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What the packages are for.
    #[arg(value_enum, default_value = "build")]
    groups: Vec<Group>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure(&args.groups)?;
    eprintln!("All system packages are there.");
    Ok(())
}

/// Makes sure that the packages of these groups are there. Silent, and a matter of milliseconds, when they are.
pub(crate) fn ensure(groups: &[Group]) -> Result<()> {
    let missing = missing(groups);
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("Missing system packages:\n{}", list(&missing));
    apt::install(&missing)?;

    let missing = self::missing(groups);
    ensure!(
        missing.is_empty(),
        "still missing after apt-get installed them: {}; see why with `dpkg --audit`",
        names(&missing).join(", ")
    );
    Ok(())
}

fn missing(groups: &[Group]) -> Vec<&'static Package> {
    let wanted: Vec<&Package> = PACKAGES.iter().filter(|package| groups.contains(&package.group)).collect();
    let installed = dpkg::installed(&names(&wanted));
    // FFmpeg may also have been built by hand: what dpkg doesn't know gets a look of its own.
    wanted.into_iter().filter(|package| !installed.contains(package.debian) && !package.probe.finds_it()).collect()
}

fn names(packages: &[&'static Package]) -> Vec<&'static str> {
    packages.iter().map(|package| package.debian).collect()
}

fn list(packages: &[&Package]) -> String {
    let lines: Vec<_> =
        packages.iter().map(|package| format!("  {:<16} {}", package.debian, package.needed_for)).collect();
    lines.join("\n")
}
