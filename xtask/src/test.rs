//! `cargo xtask test`: every test of the workspace.

use std::env;
use std::process::Command;

use anyhow::Result;

use crate::packages::Group;
use crate::process::{cargo, run};
use crate::{loom, setup};

pub(crate) fn test() -> Result<()> {
    setup::ensure(&[Group::Build, Group::Tools])?;
    // Without a choice of targets this is libraries, programs, integration tests and doc tests, and it builds the examples as
    // programs, which tests may want to run; `--all-targets` would leave out the doc tests and run the benches.
    run(with_stress(&mut cargo()).args(["test", "--workspace", "--no-fail-fast"]))?;
    run(cargo().args(["test", "--workspace", "--benches", "--no-run"]))?;
    loom::run(&loom::DEFAULT)
}

/// Has each of the ring's stress tests last for ten seconds, unless the user says how long. By themselves they take one,
/// so that `cargo test` is quick.
pub(crate) fn with_stress(command: &mut Command) -> &mut Command {
    const SECONDS: &str = "VAS_STRESS_SECONDS";
    if env::var_os(SECONDS).is_none() {
        command.env(SECONDS, "10");
    }
    command
}
