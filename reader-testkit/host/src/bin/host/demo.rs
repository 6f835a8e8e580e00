//! `host demo`: real film through the ring, and what its readers get.

use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::progress::{Progress, bytes};
use vas_host::clips::{CLIPS, clip, repository};
use vas_host::figures::{CameraFigures, Causes, ExportState, Figures, ReaderFigures, Times};
use vas_host::input::{Input, Playback};
use vas_host::run::Run;
use vas_host::table::Table;

/// Play cameras at their own pace, each with a brisk and a slow reader, the last of several with one that wants five frames a
/// second, and show what the readers get.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files or rtsp:// URLs, one camera each; two clips of this repository when there are none.
    inputs: Vec<Input>,
    /// How long to play.
    #[arg(long, value_name = "N", default_value = "10", value_parser = seconds)]
    seconds: f64,
    /// The folder for the summary and the contact sheet; target/demo of this repository when not given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Play files as fast as they decode.
    #[arg(long)]
    fast: bool,
    /// How many seconds a stream may be silent before it counts as lost.
    #[arg(long, value_name = "N", default_value = "5", value_parser = seconds)]
    timeout: f64,
}

/// A time that is neither nothing nor for ever.
fn seconds(text: &str) -> Result<f64, String> {
    let accepted = 0.1..=1e6;
    let number = text.parse().ok().filter(|seconds| accepted.contains(seconds));
    number.ok_or_else(|| format!("accepted is a number of seconds from {} to {}", accepted.start(), accepted.end()))
}

/// `exported`: whether the demo turned export on by itself.
pub(crate) fn run(args: &Args, exported: bool) -> Result<ExitCode, Box<dyn Error>> {
    let folder = args.out.clone().unwrap_or_else(|| repository().join("target/demo"));
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    let inputs = if args.inputs.is_empty() { clips() } else { args.inputs.clone() };
    let playback =
        Playback { fast: args.fast, passes: None, once: false, timeout: Duration::from_secs_f64(args.timeout) };
    let run = Run::open(&inputs, playback)?.with_a_rated_reader();
    let mut progress = Progress::new(&run.cameras, args.seconds);
    let played = run.play(Some(args.seconds), |cameras, audience| progress.show(cameras, audience));
    progress.finish();
    let (figures, audience) = played?;
    let sheet = audience.contact_sheet(&folder)?;

    if exported {
        println!("AI_FRAME_EXPORT_ENABLED is not set, which means off: the demo turned export on for itself.\n");
    }
    print!("{}", table(&figures));
    for line in figures.cameras.iter().filter_map(copies) {
        println!("{line}");
    }
    println!("{}", memory(&figures));
    for camera in &figures.cameras {
        if let Some(warning) = &camera.warning {
            println!("{}: {warning}", camera.name);
        }
    }
    let json = folder.join("summary.json");
    serde_json::to_writer_pretty(File::create(&json)?, &figures)?;
    println!("figures: {}", json.display());
    let undrawn = audience.undrawn();
    match sheet {
        Some(path) => println!("contact sheet: {}", path.display()),
        None if !undrawn.is_empty() => println!("contact sheet: none"),
        None => println!("contact sheet: none, since no reader had a frame"),
    }
    for camera in undrawn {
        println!("not on the contact sheet: {camera}");
    }
    Ok(verdict(&figures))
}

/// States whether the numbers add up.
fn verdict(figures: &Figures) -> ExitCode {
    for fault in &figures.faults {
        eprintln!("does not add up: {fault}");
    }
    if !figures.faults.is_empty() {
        return ExitCode::FAILURE;
    }
    match figures.export.state {
        ExportState::On => println!(
            "the numbers add up: decoded = offered = published + dropped for each camera, \
             published = seen + missed in each reader's span"
        ),
        ExportState::Off => println!("export is off: nothing was allocated for it, and it has no thread"),
        ExportState::Absent => println!("this host was built without export"),
    }
    ExitCode::SUCCESS
}

fn table(figures: &Figures) -> Table {
    let mut table = Table::new([
        "",
        "size",
        "decoded",
        "fps",
        "offered",
        "published",
        "seen",
        "missed",
        "lag",
        "copy p50",
        "copy p99",
        "dropped or missed",
    ]);
    for camera in &figures.cameras {
        table.row(camera_row(camera));
        for reader in camera.exported.iter().flat_map(|exported| &exported.readers) {
            table.row(reader_row(reader));
        }
    }
    table
}

fn camera_row(camera: &CameraFigures) -> [String; 12] {
    let exported = camera.exported.as_ref();
    let of = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let copy = |pick: fn(&Times) -> f64| {
        camera.copy_us.as_ref().map_or_else(|| "-".to_owned(), |us| format!("{:.0} us", pick(us)))
    };
    [
        camera.name.clone(),
        format!("{}x{}", camera.width, camera.height),
        camera.decoded.to_string(),
        format!("{:.1}", camera.fps),
        of(exported.map(|exported| exported.offered)),
        of(exported.map(|exported| exported.published)),
        String::new(),
        String::new(),
        String::new(),
        copy(|us| us.p50),
        copy(|us| us.p99),
        exported.map(|exported| causes(&exported.dropped)).unwrap_or_default(),
    ]
}

fn reader_row(reader: &ReaderFigures) -> [String; 12] {
    let none = String::new;
    [
        format!("  {} reader", reader.name),
        none(),
        none(),
        none(),
        reader.span.to_string(),
        reader.published.to_string(),
        reader.seen.to_string(),
        reader.missed.values().sum::<u64>().to_string(),
        reader.lag.to_string(),
        none(),
        none(),
        causes(&reader.missed),
    ]
}

/// What a camera was spared by readers that do not want each frame.
fn copies(camera: &CameraFigures) -> Option<String> {
    let exported = camera.exported.as_ref()?;
    let spared = exported.dropped.get("not wanted")?;
    let (name, published, offered) = (&camera.name, exported.published, exported.offered);
    Some(format!("copies: {published} of {offered} frames of {name}; {spared} of the others nobody wanted"))
}

fn causes(causes: &Causes) -> String {
    causes.iter().map(|(cause, n)| format!("{cause} {n}")).collect::<Vec<_>>().join(", ")
}

fn memory(figures: &Figures) -> String {
    let Figures { export, process, .. } = figures;
    let threads = match &export.threads[..] {
        [] => "no export thread".to_owned(),
        names => format!("{} export thread ({})", names.len(), names.join(", ")),
    };
    format!(
        "memory: {} bytes allocated for export, {threads}; the process has {}, at most {}",
        export.bytes,
        bytes(process.resident),
        bytes(process.most_resident)
    )
}

fn clips() -> Vec<Input> {
    CLIPS.map(|name| Input::file(&clip(name))).into()
}
