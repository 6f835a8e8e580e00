//! A run of the host: cameras start, play, and stop.

use std::error::Error;
use std::fmt;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::ai::{Audience, Kind};
use crate::branch::Outputs;
use crate::camera::Camera;
use crate::figures::{CameraFigures, Exported, Figures, Times};
use crate::gauge::Gauge;
use crate::input::{Input, InputError, Playback, Source};
use crate::process::Memory;
use crate::stop::Stop;
use crate::vas::Vas;

/// How often a run is watched.
const TICK: Duration = Duration::from_millis(100);
/// Nanoseconds by which a packet may be taken up too late, as a machine that does other things too does it.
const LATE: u64 = 5_000_000;
/// How long export may keep memory for a camera that starts again.
const GIVE_BACK: Duration = Duration::from_secs(3);
/// The exit status of a process that SIGINT ended, by custom.
const INTERRUPTED: i32 = 130;

/// The host with its cameras, before and while they play.
pub struct Run {
    pub vas: Arc<Vas>,
    pub cameras: Vec<Arc<Camera>>,
    sources: Vec<Source>,
    outputs: Outputs,
    /// For each camera.
    readers: Vec<Vec<Kind>>,
    pictures: bool,
}

impl Run {
    /// Starts the process and opens all inputs. Ctrl-C ends the run from now on.
    pub fn open(inputs: &[Input], playback: Playback) -> Result<Self, Box<dyn Error>> {
        let stop = Stop::default();
        let vas = Arc::new(Vas::start(stop.clone(), playback));
        ctrlc::set_handler(move || {
            // Whoever asks twice does not want to wait.
            if stop.is_set() {
                process::exit(INTERRUPTED);
            }
            stop.set();
        })?;
        let cameras = cameras(inputs);
        // All at once: a stream may take its time.
        let opened = thread::scope(|scope| {
            let opening: Vec<_> = cameras.iter().map(|camera| scope.spawn(|| camera.open(&vas))).collect();
            let joined = opening.into_iter().map(|thread| thread.join().expect("opening an input does not panic"));
            joined.collect::<Vec<_>>()
        });
        let sources = gathered(opened)?;
        let readers = vec![Kind::USUAL.to_vec(); cameras.len()];
        Ok(Self { vas, cameras, sources, outputs: Outputs::default(), readers, pictures: true })
    }

    /// What is to be made of the cameras, instead of a digest.
    pub fn with_outputs(mut self, outputs: Outputs) -> Self {
        self.outputs = outputs;
        self
    }

    /// The readers take no pictures for a contact sheet.
    pub fn without_pictures(mut self) -> Self {
        self.pictures = false;
        self
    }

    /// Which readers each camera has, instead of the usual ones.
    pub fn with_readers(mut self, readers: Vec<Kind>) -> Self {
        self.readers.fill(readers);
        self
    }

    /// Of several cameras, the last has one reader that wants a few frames a second.
    pub fn with_a_rated_reader(mut self) -> Self {
        if let [_, .., last] = &mut self.readers[..] {
            *last = vec![Kind::Rated];
        }
        self
    }

    /// Plays for so long, or until all files have been played or the user has had enough. `watch` is called every now
    /// and then. Returns the figures, checked, and the audience, which has left.
    pub fn play(
        self,
        seconds: Option<f64>,
        mut watch: impl FnMut(&[Arc<Camera>], &Audience),
    ) -> Result<(Figures, Audience), Box<dyn Error>> {
        let Self { vas, cameras, sources, outputs, readers, pictures } = self;
        let playing = seconds.map_or(Duration::from_secs(10), Duration::from_secs_f64);
        let playing = pictures.then_some(playing);
        let mut audience = Audience::join(&vas, &cameras, &readers, playing);
        let start = Instant::now();
        let threads: Vec<_> = cameras
            .iter()
            .cloned()
            .zip(sources)
            .enumerate()
            .map(|(number, (camera, source))| {
                let (vas, branches) = (vas.clone(), outputs.branches(&camera.name, number));
                thread::Builder::new().name("camera".into()).spawn(move || camera.run(&vas, source, branches))
            })
            .collect::<Result<_, _>>()?;
        let mut time_is_up = false;
        let deadline = seconds.map(|seconds| start + Duration::from_secs_f64(seconds));
        while threads.iter().any(|thread| !thread.is_finished()) {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                time_is_up = true;
                break;
            }
            let tick = deadline.map_or(now + TICK, |deadline| deadline.min(now + TICK));
            if vas.stop.wait_until(tick) {
                break;
            }
            watch(&cameras, &audience);
        }
        let mut export = audience.export();
        let process = Memory::now();
        vas.stop.set();
        let accounts = threads.into_iter().map(|thread| thread.join().expect("a camera's thread does not panic"));
        let accounts = gathered(accounts.collect())?;
        let played = start.elapsed();
        if time_is_up {
            let silent = cameras.iter().filter(|camera| camera.gauge.readings().frames == 0);
            let silent = silent.map(|camera| {
                format!("{}: not one frame came out of it in {:.1} s", camera.input, played.as_secs_f64())
            });
            let silent: Vec<_> = silent.collect();
            if !silent.is_empty() {
                return Err(silent.join("\n").into());
            }
        }
        let faults = audience.leave();
        export.left = left(&audience);
        let figures = |(camera, branches): (&Arc<Camera>, Vec<Account>)| {
            camera_figures(camera, played, branches, audience.exported(camera))
        };
        let cameras = cameras.iter().zip(accounts).map(figures).collect();
        let mut figures = Figures { seconds: played.as_secs_f64(), export, process, cameras, faults };
        figures.check();
        Ok((figures, audience))
    }
}

/// What export still has, once it has had the time to give back what nobody uses.
fn left(audience: &Audience) -> usize {
    let deadline = Instant::now() + GIVE_BACK;
    loop {
        let left = audience.export().bytes;
        if left == 0 || Instant::now() >= deadline {
            return left;
        }
        thread::sleep(TICK);
    }
}

fn camera_figures(
    camera: &Camera,
    played: Duration,
    branches: Vec<Account>,
    exported: Option<Exported>,
) -> CameraFigures {
    let readings = camera.gauge.readings();
    let microseconds = |time: Duration| time.as_secs_f64() * 1e6;
    CameraFigures {
        name: camera.name.clone(),
        input: camera.input.to_string(),
        width: readings.width,
        height: readings.height,
        decoded: readings.frames,
        fps: readings.frames as f64 / played.as_secs_f64(),
        damaged: readings.damaged,
        opened: readings.opened,
        decode_us: Times::of(&readings.decode),
        decode_cpu_us: Times::of(&readings.decode_cpu),
        interval_us: Times::of(&readings.interval),
        hold_us: Times::of(&readings.hold),
        late_us: Times::of(&readings.late),
        late: 1.0 - readings.late.quantile_below(LATE),
        ran_us: readings.spent.map(|spent| microseconds(spent.ran)),
        blocked_us: readings.spent.map(|spent| microseconds(spent.blocked)),
        buffers: readings.buffers(),
        copy_us: exported.is_some().then(|| Times::of(&readings.offer)),
        branches,
        warning: exported.as_ref().and_then(Exported::warning),
        exported,
    }
}

/// All results, or all errors, a line each.
fn gathered<T>(results: Vec<Result<T, InputError>>) -> Result<Vec<T>, InputErrors> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(result) => good.push(result),
            Err(error) => bad.push(error),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(InputErrors(bad)) }
}

/// The inputs that give no frames.
#[derive(Debug)]
struct InputErrors(Vec<InputError>);

impl fmt::Display for InputErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if n == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl Error for InputErrors {}

/// A camera for each input, named after it.
fn cameras(inputs: &[Input]) -> Vec<Arc<Camera>> {
    let mut cameras: Vec<Arc<Camera>> = Vec::new();
    for (n, input) in inputs.iter().enumerate() {
        let numbered = format!("camera-{}", n + 1);
        // Names longer than this do not fit into a camera id with a number behind.
        let stem = input.stem().filter(|stem| stem.len() <= 30).map(str::to_owned);
        let name = match stem {
            None => numbered,
            Some(stem) if cameras.iter().any(|camera| camera.name == stem) => format!("{stem}-{}", n + 1),
            Some(stem) => stem,
        };
        cameras.push(Arc::new(Camera { name, input: input.clone(), gauge: Gauge::default() }));
    }
    cameras
}
