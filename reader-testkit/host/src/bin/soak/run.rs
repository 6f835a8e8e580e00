//! A run: cameras and readers on threads of their own, watched until the goal is reached.

use std::error::Error;
use std::fs;
use std::process;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use vas_lifecycle::{ExportStats, FrameExport, Settings};
use vas_reader_testkit::readers::keep_quiet_about_panics;

use crate::camera::{Camera, PLAYBACK, Tally};
use crate::memory::Samples;
use crate::progress::{Goal, Progress};
use crate::reader::{Kind, Notes, Seat};
use crate::report::Report;
use crate::script::Script;
use crate::{Args, Sabotage};
use vas_host::clips::{CLIPS, clip, repository};
use vas_host::input::{Input, Source};
use vas_host::stop::Stop;

/// The last has no reader that wants each frame.
const CAMERAS: [&str; 4] = ["gate", "yard", "dock", "hall"];
/// How often the run is looked at.
const TICK: Duration = Duration::from_millis(200);
/// How long export may keep memory once nobody uses it: what waits for the next camera waits a second.
const GIVE_BACK: Duration = Duration::from_secs(10);
/// The exit status of a process that SIGINT ended, by custom.
const INTERRUPTED: i32 = 130;

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) goal: Goal,
    pub(crate) played: Duration,
    pub(crate) cameras: Vec<Played>,
    pub(crate) samples: Samples,
    /// Export's own figures, once all has come to rest.
    pub(crate) stats: ExportStats,
    /// Bytes that a frame of each clip takes.
    pub(crate) frame_bytes: Vec<usize>,
}

/// What came of one camera.
pub(crate) struct Played {
    pub(crate) name: &'static str,
    pub(crate) tally: Tally,
    pub(crate) readers: Vec<(Kind, Notes)>,
}

/// Plays, and reports. True when no promise was broken.
pub(crate) fn run(args: &Args, seed: u64) -> Result<bool, Box<dyn Error>> {
    let goal = Goal { time: Duration::try_from_secs_f64(args.minutes * 60.0)?, frames: args.frames };
    let clips = CLIPS.map(|name| Input::file(&clip(name)));
    let out = args.out.clone().unwrap_or_else(|| repository().join("target/soak"));
    fs::create_dir_all(&out).map_err(|error| format!("cannot make the folder {}: {error}", out.display()))?;
    println!("seed {seed}");

    let settings = Settings { max_readers: Kind::ALL.len(), ..Settings::default() };
    let export = FrameExport::new(settings);
    let stop = Stop::default();
    let interrupted = stop.clone();
    ctrlc::set_handler(move || {
        // Whoever asks twice does not want to wait.
        if interrupted.is_set() {
            process::exit(INTERRUPTED);
        }
        interrupted.set();
    })?;
    keep_quiet_about_panics();
    let cameras: Vec<_> =
        CAMERAS.iter().map(|id| Ok(Camera::new(id.parse()?))).collect::<Result<_, Box<dyn Error>>>()?;
    let frame_bytes = clips.iter().map(frame_bytes).collect::<Result<Vec<_>, _>>()?;
    let ring_bytes = settings.ring_bytes(frame_bytes.iter().max().copied().unwrap_or(0))?;
    let samples = Samples::new(cameras.len() * ring_bytes);
    let mut outcome = play(&export, &cameras, &clips, seed, goal, &stop, args.sabotage, samples);
    outcome.stats = at_rest(&export);
    outcome.frame_bytes = frame_bytes;

    let report = Report::of(&outcome);
    print!("{report}");
    let json = out.join("soak.json");
    fs::write(&json, report.json(&outcome)?).map_err(|error| format!("cannot write {}: {error}", json.display()))?;
    println!("figures: {}", json.display());
    Ok(report.is_sound())
}

/// Bytes that a frame of a clip takes.
fn frame_bytes(clip: &Input) -> Result<usize, Box<dyn Error>> {
    let source = Source::open(clip, PLAYBACK, &Stop::default())?;
    Ok(vas_tap::stream_spec_of(source.decoder())?.frame_bytes)
}

#[expect(clippy::too_many_arguments, reason = "once, and each is another thing")]
fn play(
    export: &FrameExport,
    cameras: &[Camera],
    clips: &[Input],
    seed: u64,
    goal: Goal,
    stop: &Stop,
    sabotage: Option<Sabotage>,
    mut samples: Samples,
) -> Outcome {
    let start = Instant::now();
    let mut kept = Vec::new();
    let cameras = thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, camera) in cameras.iter().enumerate() {
            let script = Script::new(seed, number, clips.len());
            let playing = scope.spawn(move || camera.play(export, clips, script, stop, sabotage));
            let kinds = if number + 1 == CAMERAS.len() { &Kind::THRIFTY[..] } else { &Kind::ALL };
            let reader = |&kind: &Kind| {
                let seat = Seat { camera, kind, sabotage };
                (kind, scope.spawn(move || seat.attend(export)))
            };
            let readers: Vec<_> = kinds.iter().map(reader).collect();
            threads.push((CAMERAS[number], playing, readers));
        }
        let mut progress = Progress::new(cameras, goal);
        while !stop.wait(TICK) && !threads.iter().any(|(_, playing, _)| playing.is_finished()) {
            let passed = start.elapsed();
            samples.take(passed, &export.stats());
            progress.show(cameras);
            if sabotage == Some(Sabotage::Growth) {
                kept.push(vec![1_u8; 1 << 20]);
            }
            // Ordering: Relaxed, a frame more or less does not matter.
            let least = cameras.iter().map(|camera| camera.offered.load(Ordering::Relaxed)).min().unwrap_or(0);
            if goal.is_reached(passed, least) {
                break;
            }
        }
        stop.set();
        let joined = threads.into_iter().map(|(name, playing, readers)| {
            // A panic in a thread is a broken promise like any other.
            let tally = playing.join().unwrap_or_else(|_| Tally::panicked());
            let notes = |(kind, thread): (Kind, thread::ScopedJoinHandle<'_, Notes>)| {
                (kind, thread.join().unwrap_or_else(|_| Notes::panicked()))
            };
            Played { name, tally, readers: readers.into_iter().map(notes).collect() }
        });
        let joined = joined.collect();
        progress.finish();
        joined
    });
    let played = start.elapsed();
    Outcome { seed, goal, played, cameras, samples, stats: ExportStats::default(), frame_bytes: Vec::new() }
}

/// Export's figures once it has had the time to give back what nobody uses.
fn at_rest(export: &FrameExport) -> ExportStats {
    let deadline = Instant::now() + GIVE_BACK;
    let mut before = usize::MAX;
    loop {
        let stats = export.stats();
        // The last reader may just have left: what nobody reads any more goes back a moment later.
        let settled = std::mem::replace(&mut before, stats.bytes_in_use) == stats.bytes_in_use;
        let leased = stats.retired.iter().all(|ring| ring.leases > 0);
        if (settled && stats.bytes_idle == 0 && leased && stats.cameras.iter().all(|camera| camera.bytes == 0))
            || Instant::now() >= deadline
        {
            return stats;
        }
        thread::sleep(TICK);
    }
}
