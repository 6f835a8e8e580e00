//! A stand-in for VAS: it ingests cameras, decodes them on a thread each, and hands every raw frame to the branches that
//! VAS has already and to the tap.
//!
//! ```text
//! cargo run --release -p vas-reader-testkit --example host -- demo [INPUT ...] [--seconds N] [--out DIR]
//! ```
//!
//! All that frame export adds to it are the lines marked `frame export` in `vas.rs` and `camera.rs`. With
//! `--no-default-features` they are not compiled, and none of the export crates is linked.

mod account;
mod ai;
mod avcc;
mod branch;
mod camera;
mod clock;
mod demo;
mod figures;
mod gauge;
mod input;
mod pace;
mod pixels;
mod play;
mod process;
mod progress;
mod run;
mod stop;
mod table;
mod vas;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ffmpeg_next::log;

/// A stand-in for VAS, with frame export.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Show what FFmpeg has to say.
    #[arg(long, short, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Play(play::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let exported = match &cli.command {
        Command::Demo(_) => ai::turn_on_unless_told(),
        Command::Play(_) => false,
    };
    if let Err(error) = ffmpeg_next::init() {
        eprintln!("host: FFmpeg does not start: {error}");
        return ExitCode::FAILURE;
    }
    log::set_level(if cli.verbose { log::Level::Info } else { log::Level::Quiet });
    let outcome = match &cli.command {
        Command::Demo(args) => demo::run(args, exported),
        Command::Play(args) => play::run(args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("host: {error}");
            ExitCode::FAILURE
        }
    }
}
