//! `cargo xtask sanitize`: the tests under ThreadSanitizer, AddressSanitizer, valgrind and Miri.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::libtest::watch;
use crate::packages::Group;
use crate::process::{cargo, root, shown, target_dir};
use crate::setup;
use crate::test::with_stress;

/// Run tests under the sanitizers of the nightly compiler, under valgrind, and in Miri.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which; all of them when none is given.
    #[arg(value_enum)]
    tools: Vec<Tool>,
    /// Pass over a tool that is not installed, and say so, instead of failing.
    #[arg(long)]
    if_present: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// ThreadSanitizer: data races between the ring's ends.
    Thread,
    /// AddressSanitizer: accesses outside of buffers and after they were freed, and leaks.
    Address,
    /// Valgrind's memcheck: the same, and the use of what was never written, inside FFmpeg too.
    Valgrind,
    /// Miri, an interpreter of Rust: undefined behaviour of any kind, with the weak memory that the hardware here lacks.
    Miri,
}

/// Tests of a package. Those that count instructions, allocations or system calls are left out: they'd count the tool's.
struct Tests {
    package: &'static str,
    targets: &'static [&'static str],
}

impl Tool {
    fn tests(self) -> &'static [Tests] {
        match self {
            Self::Thread => {
                &[Tests { package: "vas-ring", targets: &["--test=stress", "--test=lifetimes", "--test=pitfalls"] }]
            }
            Self::Address => &[
                Tests {
                    package: "vas-ring",
                    targets: &["--lib", "--test=stress", "--test=lifetimes", "--test=pitfalls", "--test=sequences"],
                },
                Tests {
                    package: "vas-tap",
                    targets: &[
                        "--lib",
                        "--test=buffers",
                        "--test=formats",
                        "--test=hostile",
                        "--test=offer",
                        "--test=random",
                        "--test=samples",
                        "--test=streams",
                    ],
                },
            ],
            Self::Valgrind => &[
                Tests {
                    package: "vas-tap",
                    targets: &[
                        "--lib",
                        "--test=buffers",
                        "--test=hostile",
                        "--test=offer",
                        "--test=samples",
                        "--test=streams",
                    ],
                },
                Tests {
                    package: "vas-lifecycle",
                    targets: &["--lib", "--test=budget", "--test=cameras", "--test=settings", "--test=sizes"],
                },
            ],
            Self::Miri => &[Tests { package: "vas-ring", targets: &["--lib", "--test=lifetimes"] }],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Address => "address",
            Self::Valgrind => "valgrind",
            Self::Miri => "miri",
        }
    }

    /// Components of the nightly compiler that it takes. All of them have std built anew, from its sources.
    const fn components(self) -> &'static [&'static str] {
        match self {
            Self::Valgrind => &[],
            Self::Thread | Self::Address => &["rust-src"],
            Self::Miri => &["rust-src", "miri"],
        }
    }

    /// Installs what is missing here. What is still missing then, and how to install it.
    fn missing(self) -> Option<String> {
        if self == Self::Valgrind {
            return setup::ensure(&[Group::Tools]).err().map(|error| format!("{error:#}"));
        }
        let components = self.components();
        let Some(sysroot) = sysroot() else {
            let install = format!("rustup toolchain install nightly --component {}", components.join(","));
            return Some(format!("it is the nightly compiler's, and rustup has none: {install}"));
        };
        let lacks = || components.iter().copied().filter(|name| !has_component(&sysroot, name)).collect::<Vec<_>>();
        let lacking = lacks();
        if lacking.is_empty() {
            return None;
        }
        let mut add = Command::new("rustup");
        add.args(["component", "add", "--toolchain", "nightly"]).args(&lacking);
        // Where this fails for want of a network or of the right to write there, the line below says what to do.
        _ = add.status();
        let lacking = lacks().join(" and ");
        (!lacking.is_empty()).then(|| format!("the nightly compiler here has no {lacking}: {}", shown(&add)))
    }

    /// What to repeat the tests with.
    const fn seeds(self) -> &'static [u32] {
        match self {
            Self::Miri => &SEEDS,
            _ => &[0],
        }
    }

    /// The command up to its tests. The user's own flags for the compiler would not be all that it is told.
    fn cargo_test(self, seed: u32) -> Result<Command> {
        let mut command = match self {
            Self::Valgrind => {
                let mut command = cargo();
                // Cargo splits it at spaces, and runs it in the package's folder.
                let suppressions = format!("--suppressions={}", Path::new("..").join(LEAKS[1]).display());
                command.arg("test").env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", "");
                command.env(runner_variable(&host()?), [VALGRIND, &[&suppressions]].concat().join(" "));
                command
            }
            Self::Miri => {
                let mut command = Command::new("rustup");
                command.args(["run", "nightly", "cargo", "miri", "test"]);
                command
                    .env_remove("CARGO_ENCODED_RUSTFLAGS")
                    .env("RUSTFLAGS", "")
                    .env("MIRIFLAGS", format!("{MIRI} -Zmiri-seed={seed}"));
                command.current_dir(root()).args(["--no-fail-fast", "--target-dir"]).arg(target_dir(self.name()));
                // It interprets: optimised code is the same to it, but has fewer assertions.
                return Ok(command);
            }
            Self::Thread | Self::Address => {
                let mut command = Command::new("rustup");
                command.args(["run", "nightly", "cargo", "test", "-Zbuild-std", "--target", &host()?]);
                command.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", format!("-Zsanitizer={}", self.name()));
                command.env("LSAN_OPTIONS", format!("suppressions={}", root().join(LEAKS[0]).display()));
                command.current_dir(root());
                command
            }
        };
        command.args(["--release", "--no-fail-fast", "--target-dir"]).arg(target_dir(self.name()));
        Ok(command)
    }
}

/// Leaks that are meant, with the reason of each, for AddressSanitizer and for valgrind.
const LEAKS: [&str; 2] = ["xtask/sanitize/leaks.txt", "xtask/sanitize/leaks.supp"];
/// Tests sleep and look at the clock, and some leak leases on purpose.
const MIRI: &str = "-Zmiri-disable-isolation -Zmiri-ignore-leaks";
/// What Miri draws the course of threads from, and the value that a load returns of those that it may.
const SEEDS: [u32; 2] = [0, 1];
/// Fails the program for what memcheck finds, leaks included that nothing points to any more.
const VALGRIND: &[&str] = &[
    "valgrind",
    "--quiet",
    "--error-exitcode=99",
    "--leak-check=full",
    "--show-leak-kinds=definite",
    "--errors-for-leak-kinds=definite",
];

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[Group::Build, Group::Tools])?;
    let tools = if args.tools.is_empty() { Tool::value_variants() } else { &args.tools };
    let mut notes = Vec::new();
    for &tool in tools {
        let name = tool.name();
        notes.push(match tool.missing() {
            Some(missing) if args.if_present => format!("{name}: NOT RUN: {missing}"),
            Some(missing) => bail!("{name}: {missing}"),
            None => format!("{name}: clean, {} tests", check(tool)?),
        });
    }
    println!("{}", notes.join("\n"));
    Ok(())
}

/// Runs a tool's tests. Returns how many ran.
fn check(tool: Tool) -> Result<u64> {
    let mut ran = 0;
    for (Tests { package, targets }, &seed) in
        tool.tests().iter().flat_map(|tests| tool.seeds().iter().map(move |seed| (tests, seed)))
    {
        let mut command = tool.cargo_test(seed)?;
        with_stress(&mut command).args(["--package", package]).args(*targets).args(["--", "--test-threads=1"]);
        let start = Instant::now();
        let (success, tally) = watch("Testing", &mut command)?;
        let seconds = start.elapsed().as_secs_f64();
        ensure!(success, "{}: {package}: `{}` failed after {seconds:.1} s", tool.name(), shown(&command));
        ensure!(tally.ran > 0, "{}: {package}: not one test ran", tool.name());
        ran += tally.ran;
        eprintln!("{}: {package}: clean, {} tests in {seconds:.1} s with the build", tool.name(), tally.ran);
    }
    Ok(ran)
}

/// Where the nightly compiler is; none when there is none.
fn sysroot() -> Option<String> {
    let mut rustc = Command::new("rustup");
    rustc.args(["run", "nightly", "rustc", "--print", "sysroot"]);
    let output = rustc.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Whether a toolchain has a component.
fn has_component(sysroot: &str, name: &str) -> bool {
    let rustlib = Path::new(sysroot).join("lib/rustlib");
    match name {
        "rust-src" => rustlib.join("src/rust/library").is_dir(),
        _ => Path::new(sysroot).join("bin").join(name).is_file(),
    }
}

/// What programs that run here are compiled for.
fn host() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = Command::new(rustc).arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what its host is")?.to_owned())
}

/// The variable that has cargo run tests by another program.
fn runner_variable(host: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", host.to_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_told_how_to_run_tests() {
        assert_eq!(runner_variable("x86_64-unknown-linux-gnu"), "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER");
        assert!(host().unwrap().contains('-'));
    }

    #[test]
    fn the_tests_are_there() {
        for tool in Tool::value_variants() {
            for Tests { package, targets, .. } in tool.tests() {
                let folder = root().join(package.trim_start_matches("vas-")).join("tests");
                for target in targets.iter().filter_map(|target| target.strip_prefix("--test=")) {
                    let there = [format!("{target}.rs"), format!("{target}/main.rs")];
                    assert!(there.iter().any(|file| folder.join(file).is_file()), "{package}: {target}");
                }
            }
        }
    }
}
