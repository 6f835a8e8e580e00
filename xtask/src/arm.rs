//! `cargo xtask arm`: the crates on the other processor that hosts have, emulated.
//!
//! What the ring promises about orderings is shown by models, on any machine; here the crates are built for 64-bit ARM, and
//! their tests run. An emulator on x86 shows no weaker memory than x86 has.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::packages::Group;
use crate::process::{cannot_start, cargo, root, run};
use crate::setup;

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Build vas-ring, vas-lifecycle and vas-tap for 64-bit ARM, and run their tests in an emulator.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the tests with this in their name.
    filter: Option<String>,
}

pub(crate) fn arm(args: &Args) -> Result<()> {
    setup::ensure(&[Group::Arm])?;
    ensure_target()?;
    // FFmpeg for that processor is not asked for: without its feature vas-tap links none.
    for arguments in [
        &["-p", "vas-ring"][..],
        &["-p", "vas-lifecycle", "--lib", "--tests"],
        &["-p", "vas-tap", "--no-default-features", "--lib"],
    ] {
        let mut command = cargo();
        command.args(["test", "--no-fail-fast", "--target", TARGET]).args(arguments).args(["--"]).args(&args.filter);
        emulated(&mut command);
        run(&mut command).with_context(|| format!("arm: `{}`", arguments.join(" ")))?;
    }
    Ok(())
}

/// Has cargo link and run what it builds for the target. Tests that measure the machine look at `VAS_EMULATED`.
fn emulated(command: &mut Command) {
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", "qemu-aarch64-static -L /usr/aarch64-linux-gnu");
    // An emulator takes ten times as long: fewer sequences, each as long.
    command.env("VAS_EMULATED", "1").env("PROPTEST_CASES", "16");
}

/// The standard library for the target, by rustup where that is there.
fn ensure_target() -> Result<()> {
    if has_target()? {
        return Ok(());
    }
    let missing = format!("arm: the Rust compiler has no {TARGET}: `rustup target add {TARGET}` brings it");
    let mut rustup = Command::new("rustup");
    rustup.current_dir(root()).args(["target", "add", TARGET]);
    run(&mut rustup).context(missing.clone())?;
    ensure!(has_target()?, missing);
    Ok(())
}

fn has_target() -> Result<bool> {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(root()).args(["--print", "target-libdir", "--target", TARGET]).stderr(Stdio::inherit());
    let output = rustc.output().with_context(|| cannot_start(&rustc))?;
    let folder = String::from_utf8(output.stdout).context("the compiler's folder has a strange name")?;
    let mut files = fs::read_dir(Path::new(folder.trim())).into_iter().flatten().filter_map(Result::ok);
    Ok(files.any(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
}
