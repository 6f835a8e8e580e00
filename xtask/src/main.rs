//! The tasks of this repository: `cargo xtask --help`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod accept;
mod arm;
mod ci;
mod compare;
mod demo;
mod deny;
mod dependencies;
mod libtest;
mod loom;
mod matrix;
mod mutants;
mod no_std;
mod orderings;
mod package;
mod packages;
mod process;
mod program;
mod progress;
mod sanitize;
mod semver;
mod setup;
mod soak;
#[cfg(test)]
mod sources;
mod test;
mod tools;
mod views;

/// The tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Setup(setup::Args),
    Demo(demo::Args),
    Accept(accept::Args),
    Compare(compare::Args),
    Soak(soak::Args),
    /// Run every test: the workspace's, the documentation's, and the loom models.
    Test,
    Loom(loom::Args),
    Orderings(orderings::Args),
    Views(views::Args),
    Mutants(mutants::Args),
    Arm(arm::Args),
    Sanitize(sanitize::Args),
    Matrix(matrix::Args),
    /// Prove that vas-ring needs no std.
    NoStd,
    /// Check how many crates each of ours brings into a host's tree.
    Dependencies,
    Deny(deny::Args),
    Semver(semver::Args),
    /// Package each of our crates, and run the tests that are inside.
    Package,
    /// Run all that has to hold before a change goes in.
    Ci,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Setup(args) => setup::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Accept(args) => accept::run(&args),
        Task::Compare(args) => compare::compare(&args),
        Task::Soak(args) => soak::soak(&args),
        Task::Test => test::test(),
        Task::Loom(args) => loom::run(&args),
        Task::Orderings(args) => orderings::run(&args),
        Task::Views(args) => views::views(&args),
        Task::Mutants(args) => mutants::run(&args),
        Task::Arm(args) => arm::arm(&args),
        Task::Sanitize(args) => sanitize::run(&args),
        Task::Matrix(args) => matrix::matrix(&args),
        Task::NoStd => no_std::no_std(),
        Task::Dependencies => dependencies::dependencies(),
        Task::Deny(args) => deny::deny(&args),
        Task::Semver(args) => semver::semver(&args),
        Task::Package => package::package(),
        Task::Ci => ci::ci(),
    };
    // Not `main() -> Result`: that prints a backtrace where RUST_BACKTRACE is set.
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
