//! A stand-in for VAS, with readers: what the library has, as a demo and as a program that others watch.
//!
//! ```text
//! cargo run --release -p vas-host --bin host -- demo [INPUT ...] [--seconds N] [--out DIR]
//! ```

mod demo;
mod play;
mod progress;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ffmpeg_next::log;
use vas_host::ai;

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
