//! `cargo xtask no-std`: a program without std links vas-ring, and runs.

use std::fs;

use anyhow::{Context, Result};

use crate::process::{cargo, root, run, target_dir};

pub(crate) fn no_std() -> Result<()> {
    let package = root().join("ring/tests/no_std");
    // The package is a workspace of its own, with its own lock file: starting from ours, cargo keeps the versions that we
    // build with.
    fs::copy(root().join("Cargo.lock"), package.join("Cargo.lock"))
        .context("cannot copy Cargo.lock to ring/tests/no_std")?;
    let manifest = package.join("Cargo.toml");
    run(cargo()
        .args(["run", "--release"])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target_dir("no_std")))
    .context("vas-ring does not link into a program without std, or does not work there")
}
