//! Programs for single tasks, built from source once and kept in the target directory.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, run, target_dir};

/// A cargo subcommand, of one version: what it finds should not change by the day.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Tool {
    /// The installed program.
    pub(crate) fn command(&self) -> Result<Command> {
        let program = self.program();
        if !self.is_there() {
            eprintln!("Installing {} {} into target/tools; it takes minutes, once", self.name, self.version);
            let version = format!("={}", self.version);
            // Cargo shows its own progress.
            run(cargo()
                .args(["install", "--locked", "--version", &version, "--root"])
                .arg(target_dir("tools"))
                .arg("--target-dir")
                .arg(target_dir("tools").join("build"))
                .arg(self.name))?;
        }
        let mut command = Command::new(program);
        command.current_dir(crate::process::root());
        Ok(command)
    }

    fn program(&self) -> PathBuf {
        target_dir("tools").join("bin").join(self.name)
    }

    /// Whether it is there, and of the version that is wanted.
    fn is_there(&self) -> bool {
        let subcommand = self.name.trim_start_matches("cargo-");
        let output = Command::new(self.program()).args([subcommand, "--version"]).output();
        output.is_ok_and(|output| says_version(&String::from_utf8_lossy(&output.stdout), self.version))
    }
}

/// `cargo-deny 0.20.2`
fn says_version(said: &str, wanted: &str) -> bool {
    said.split_whitespace().nth(1) == Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_not_taken() {
        assert!(says_version("cargo-deny 0.20.2\n", "0.20.2"));
        assert!(!says_version("cargo-deny 0.20.20\n", "0.20.2"));
        assert!(!says_version("", "0.20.2"));
    }
}
