//! The programs that a run needs, built.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::{Form, testkit};
use crate::process::{cargo, root, target_dir};
use crate::program::{self, Program};

/// The programs.
pub(crate) struct Builds {
    /// The host without the marked lines and the crates.
    pub(crate) absent: PathBuf,
    /// The host with them.
    pub(crate) export: PathBuf,
    /// MediaSoup with its viewers; none in a run without.
    pub(crate) sink: Option<PathBuf>,
}

/// Builds them all; those that are up to date cost an instant.
pub(super) fn all(form: Form) -> Result<Builds> {
    let export = host("Building the host", "release", true)?;
    let absent = host("Building the host without frame export", "accept/absent", false)?;
    let sink = match form {
        Form::Full => Some(sink()?),
        Form::Quick => None,
        // It takes too long to build for this alone.
        Form::Saboteur(_) => Some(sink_program()).filter(|program| program.exists()),
    };
    Ok(Builds { absent, export, sink })
}

/// Each of the two hosts has a target directory: in one they would replace each other.
fn host(what: &str, directory: &str, export: bool) -> Result<PathBuf> {
    let mut build = Program::HOST.cargo("build");
    let target = if export { target_dir("") } else { target_dir(directory) };
    if !export {
        build.arg("--no-default-features").arg("--target-dir").arg(&target);
        build.env("RUSTC_WORKSPACE_WRAPPER", root().join("xtask/noting-rustc.sh")).env("VAS_NOTES", notes());
        fs::create_dir_all(notes())?;
    }
    program::build(&format!("{what} (minutes at first)"), &mut build)?;
    Ok(target.join("release/host"))
}

/// Where the compiler's command for the host without export is noted.
pub(crate) fn notes() -> PathBuf {
    target_dir("accept/notes")
}

/// MediaSoup's C++ is of a time when Python and glibc were older. What makes up for that is in its build's environment
/// only.
fn sink() -> Result<PathBuf> {
    let package = testkit().join("mediasoup");
    let older = package.join("build-env");
    let target = target_dir("mediasoup");
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--locked"]);
    build.arg("--manifest-path").arg(package.join("Cargo.toml")).arg("--target-dir").arg(&target);
    build.env("PYTHON", "/usr/bin/python3").env("PYTHONPATH", &older);
    build.env("CXXFLAGS", format!("-include {}", older.join("sigstksz.h").display()));
    program::build("Building MediaSoup (some 10 minutes at first)", &mut build)?;
    Ok(sink_program())
}

fn sink_program() -> PathBuf {
    target_dir("mediasoup").join("release/vas-mediasoup-sink")
}
