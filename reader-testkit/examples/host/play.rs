//! `host play`: the cameras alone, to compare what the branches got.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use crate::input::{Input, Playback};
use crate::run::Run;

/// Play cameras, and print what the branches got as JSON. Frame export is as the environment says.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files or rtsp:// URLs, one camera each.
    #[arg(required = true)]
    inputs: Vec<Input>,
    /// How long to play; until all files have been played when not given.
    #[arg(long, value_name = "N")]
    seconds: Option<f64>,
    /// How often to play each file.
    #[arg(long, value_name = "N", default_value_t = 1)]
    passes: u64,
    /// Play files as fast as they decode.
    #[arg(long)]
    fast: bool,
    /// How many seconds a stream may be silent before it counts as lost.
    #[arg(long, value_name = "N", default_value_t = 5.0)]
    timeout: f64,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let timeout = Duration::try_from_secs_f64(args.timeout)?;
    let playback = Playback { fast: args.fast, passes: Some(args.passes), timeout };
    let (figures, _) = Run::open(&args.inputs, playback)?.play(args.seconds, |_, _| {})?;
    println!("{}", serde_json::to_string_pretty(&figures)?);
    Ok(if figures.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
