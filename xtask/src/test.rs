//! `cargo xtask test`: every test of the workspace.

use anyhow::Result;

use crate::packages::Group;
use crate::process::{cargo, run};
use crate::{loom, setup};

pub(crate) fn test() -> Result<()> {
    setup::ensure(&[Group::Build, Group::Tools])?;
    // Without a choice of targets this is libraries, programs, integration tests and doc tests, and it builds the examples as
    // programs, which tests may want to run; `--all-targets` would leave out the doc tests and run the benches.
    run(cargo().args(["test", "--workspace", "--no-fail-fast"]))?;
    run(cargo().args(["test", "--workspace", "--benches", "--no-run"]))?;
    loom::run(&loom::DEFAULT)
}
