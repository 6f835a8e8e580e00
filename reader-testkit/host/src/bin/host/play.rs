//! `host play`: the cameras alone, to compare what the branches got.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::json;

use vas_host::ai::Kind;
use vas_host::branch::{Outputs, Sabotage, Target};
use vas_host::input::{Input, Playback};
use vas_host::process::Memory;
use vas_host::run::Run;

/// Points of a distribution, from its least to its greatest value.
const POINTS: u32 = 200;

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
    /// Leave a stream alone when it has ended.
    #[arg(long)]
    once: bool,
    /// How many seconds a stream may be silent before it counts as lost.
    #[arg(long, value_name = "N", default_value_t = 5.0)]
    timeout: f64,
    /// Record each camera, in this folder.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Send the cameras' pictures as RTP to these ports of 127.0.0.1, a pair for each camera.
    #[arg(long, value_name = "RTP:RTCP")]
    produce: Vec<Target>,
    /// The readers of each camera.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND,...")]
    readers: Option<Vec<Kind>>,
    /// Write the distributions of the times of decoding, and from frame to frame, to this file.
    #[arg(long, value_name = "FILE")]
    curves: Option<PathBuf>,
    /// Write what there is every 100 ms to this file, a line of JSON each.
    #[arg(long, value_name = "FILE")]
    timeline: Option<PathBuf>,
    /// Do something wrong on purpose, which has to be found out.
    #[arg(long, value_enum, value_name = "WHAT", hide = true)]
    sabotage: Option<Sabotage>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let timeout = Duration::try_from_secs_f64(args.timeout)?;
    let playback = Playback { fast: args.fast, passes: Some(args.passes), once: args.once, timeout };
    if let Some(folder) = &args.record {
        fs::create_dir_all(folder)?;
    }
    let outputs = Outputs { record: args.record.clone(), produce: args.produce.clone(), sabotage: args.sabotage };
    let mut run = Run::open(&args.inputs, playback)?.with_outputs(outputs).without_pictures();
    if let Some(readers) = &args.readers {
        run = run.with_readers(readers.clone());
    }
    let cameras = run.cameras.clone();
    let mut timeline = args.timeline.as_ref().map(|path| File::create(path).map(BufWriter::new)).transpose()?;
    let start = Instant::now();
    let (figures, _) = run.play(args.seconds, |cameras, audience| {
        let Some(timeline) = &mut timeline else { return };
        let decoded: u64 = cameras.iter().map(|camera| camera.gauge.readings().frames).sum();
        let opened: u64 = cameras.iter().map(|camera| camera.gauge.readings().opened).sum();
        let (resident, bytes) = (Memory::now().resident, audience.export().bytes);
        let seconds = start.elapsed().as_secs_f64();
        let line =
            json!({"seconds": seconds, "decoded": decoded, "opened": opened, "resident": resident, "bytes": bytes});
        // Whoever reads it sees it grow; if it cannot be written, there is nobody to tell.
        _ = writeln!(timeline, "{line}").and_then(|()| timeline.flush());
    })?;
    if let Some(path) = &args.curves {
        let curves = cameras.iter().map(|camera| {
            let readings = camera.gauge.readings();
            json!({
                "camera": camera.name,
                "decode_us": curve(&readings.decode),
                "interval_us": curve(&readings.interval),
                "offer_us": curve(&readings.offer),
            })
        });
        fs::write(path, serde_json::to_string(&curves.collect::<Vec<_>>())?)?;
    }
    println!("{}", serde_json::to_string_pretty(&figures)?);
    Ok(if figures.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Times in microseconds at equal steps of their rank.
fn curve(nanoseconds: &Histogram<u64>) -> Vec<f64> {
    let at = |point| nanoseconds.value_at_quantile(f64::from(point) / f64::from(POINTS)) as f64 / 1e3;
    (0..=POINTS).map(at).collect()
}
