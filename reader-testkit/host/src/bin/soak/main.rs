//! Cameras for hours: real clips, decoded as fast as they go, through the tap and the ring to readers that behave well
//! and badly, with starts, stops and changes of size at random. Then every promise that can be counted is counted.
//!
//! ```text
//! cargo run --release -p vas-host --bin soak -- [--minutes N] [--frames N] [--seed S] [--out DIR]
//! ```
//!
//! The exit status is 1 when a promise was broken, and the report names it. Input and process figures are those of the
//! host.

mod camera;
mod ledger;
mod memory;
mod progress;
mod reader;
mod report;
mod run;
mod script;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Parser, ValueEnum};
use ffmpeg_next::log;

/// Play cameras for long, with readers good and bad, and check every promise that can be counted.
#[derive(Parser)]
#[command(args_override_self = true)]
struct Args {
    /// At least so many minutes.
    #[arg(long, value_name = "N", default_value_t = 5.0)]
    minutes: f64,
    /// At least so many frames of each camera, however long that takes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    frames: u64,
    /// What starts, stops and changes of size are drawn from; that of the run to be repeated.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// The folder for the report.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do something wrong on purpose, which the report has to find.
    #[arg(long, value_name = "WHAT", hide = true)]
    sabotage: Option<Sabotage>,
}

/// What may be done wrong, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sabotage {
    /// Some frames' samples are taken to be others than they are.
    Torn,
    /// One frame is decoded and never offered.
    Loss,
    /// One lease more is leaked than is told.
    Leak,
    /// Memory is taken and kept, again and again.
    Growth,
    /// Nothing: the run ends while a camera opens its next clip, which is no fault.
    Stop,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = ffmpeg_next::init() {
        eprintln!("soak: FFmpeg does not start: {error}");
        return ExitCode::FAILURE;
    }
    log::set_level(log::Level::Quiet);
    let seed = args.seed.unwrap_or_else(seed);
    match run::run(&args, seed) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error} (seed {seed})");
            ExitCode::FAILURE
        }
    }
}

/// Another one each time, short enough to be typed.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(1, |now| u64::from(now.subsec_micros()))
}
