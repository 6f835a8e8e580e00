//! Programs of this workspace, built behind a spinner and then run.

use std::io::{IsTerminal as _, stderr};
use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, root};
use crate::progress::quietly;

/// A program or an example of a package, and always the same build of it.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) package: &'static str,
    /// `--bin` or `--example`, and its name.
    pub(crate) target: [&'static str; 2],
}

impl Program {
    /// The stand-in for VAS.
    pub(crate) const HOST: Self = Self { package: "vas-host", target: ["--bin", "host"] };

    /// A quiet cargo subcommand on the program.
    pub(crate) fn cargo(self, subcommand: &str) -> Command {
        let mut command = cargo();
        command.args([subcommand, "--quiet", "--release", "--package", self.package]).args(self.target);
        // Whoever runs it may set another folder for it.
        command.arg("--manifest-path").arg(root().join("Cargo.toml"));
        command
    }

    /// Builds it.
    pub(crate) fn build(self, what: &str) -> Result<()> {
        build(&format!("Building {what} (minutes at first, an instant from then on)"), &mut self.cargo("build"))
    }
}

/// Runs a build behind a spinner.
pub(crate) fn build(what: &str, command: &mut Command) -> Result<()> {
    // Cargo finds no terminal behind the spinner.
    if stderr().is_terminal() {
        command.args(["--color", "always"]);
    }
    quietly(what, command)
}
