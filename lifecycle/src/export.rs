//! The handle that a host has.

use std::env;
use std::sync::Arc;
use std::thread::Thread;

use vas_ring::{CameraId, SpecError};

use crate::clock::monotonic_ns;
use crate::feed::Feed;
use crate::memory::budget_bytes;
use crate::problem::{self, Problem};
use crate::registry::Registry;
use crate::stats::{CameraStats, ExportStats};
use crate::watch::{Joined, Watch};
use crate::{CameraWriter, Reader, Readers, Settings, event};

/// Frame export as a whole: one flag, one memory budget, any number of cameras. Cheap to clone, usable from any
/// thread.
///
/// Off, it holds nothing and starts nothing. On, it has one thread from the beginning, which sleeps while no camera runs.
///
/// ```
/// use vas_lifecycle::{CameraWriter, FrameExport, FrameSink};
///
/// // Process start, before the host splits off children that it wants to export.
/// let export = FrameExport::from_env();
/// assert!(!export.is_enabled(), "unless AI_FRAME_EXPORT_ENABLED is true");
///
/// // Camera start.
/// let writer = export.camera("front door");
/// assert!(writer.is_off());
/// ```
#[derive(Clone, Debug, Default)]
pub struct FrameExport {
    on: Option<Arc<Handle>>,
    /// None when there are none: then there is nothing to allocate.
    problems: Option<Arc<[Problem]>>,
}

/// What all clones share. When the last one goes the control thread is told.
#[derive(Debug)]
struct Handle {
    registry: Arc<Registry>,
    /// None in models, which have its turns as steps of their own.
    control: Option<Thread>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.registry.orphan();
        self.wake();
    }
}

impl Handle {
    fn wake(&self) {
        if let Some(control) = &self.control {
            control.unpark();
        }
    }
}

impl FrameExport {
    /// As the environment says, which is read here and nowhere else. See [`Settings`] for the variables.
    ///
    /// What is wrong is told, and kept in [`problems`](Self::problems): a name that is none of ours changes nothing; a wrong
    /// value turns export off. The host goes on in any case.
    ///
    /// To be called once, at the start of the process, and after a daemon has forked: a forked child has no control
    /// thread.
    pub fn from_env() -> Self {
        let (settings, problems) = Settings::from_vars(env::vars_os());
        Self::with(settings, problems)
    }

    /// On, with these settings, unless there is a [problem](Self::problems) with them.
    pub fn new(settings: Settings) -> Self {
        let problem = settings.problem();
        let on = !problem.as_ref().is_some_and(Problem::turns_export_off);
        Self::with(on.then_some(settings), problem.into_iter().collect())
    }

    /// Off.
    pub const fn disabled() -> Self {
        Self { on: None, problems: None }
    }

    fn with(settings: Option<Settings>, mut problems: Vec<Problem>) -> Self {
        let mut on = None;
        if let Some(settings) = settings {
            match Handle::new(settings) {
                Ok(handle) => on = Some(Arc::new(handle)),
                Err(error) => problems.push(Problem::Thread { kind: error.kind() }),
            }
        }
        event::problems(&problems);
        Self { on, problems: problem::kept(problems) }
    }

    /// What was wrong when export was set up. Each has been told by then.
    pub fn problems(&self) -> &[Problem] {
        self.problems.as_deref().unwrap_or_default()
    }

    /// Whether export is on.
    pub fn is_enabled(&self) -> bool {
        self.on.is_some()
    }

    /// What it was made with, none when it is off.
    pub fn settings(&self) -> Option<&Settings> {
        self.on.as_ref().map(|on| on.registry.settings())
    }

    /// Starts a camera. Any name is one: a long one is shortened as [`CameraId::from_name`] does. To stop it, drop the
    /// result, on any thread; it may be started again at once, and frame ids go on counting, for the life of the process.
    ///
    /// It cannot fail, and takes microseconds: it allocates a few hundred bytes, and wakes the control thread if that
    /// sleeps. The first frame, or [`CameraWriter::expecting`], asks for the ring, which is mapped and touched elsewhere;
    /// frames that come before it is there are counted as [`Starting`](crate::DropCause::Starting). What could not be had
    /// is in the [stats](Self::stats), as [`CameraState::Suspended`](crate::CameraState::Suspended).
    ///
    /// A name that still runs waits for its former writer to be dropped; that it waits is in the stats too.
    ///
    /// When export is off, the result does nothing and costs nothing.
    pub fn camera(&self, name: &str) -> CameraWriter {
        let Some(on) = &self.on else { return CameraWriter::off() };
        let writer = on.registry.start(CameraId::from_name(name));
        on.wake();
        writer
    }

    /// Reads cameras: all of them, or some, at a rate. It cannot fail, and the result is good for as long as one wants,
    /// whether the cameras run, or are known yet, or not. From each it gets the frames that are offered from now on.
    ///
    /// While export is off it has no cameras, and gets nothing.
    pub fn watch(&self, watch: impl Into<Watch>) -> Readers {
        let watch = watch.into();
        let Some(on) = &self.on else { return Readers::new(Vec::new(), None, watch.rate) };
        let (joined, newcomers) = on.registry.watch(&watch);
        let now = monotonic_ns();
        let feeds = joined.into_iter().map(|Joined { camera, wish, inbox }| Feed::new(camera, wish, inbox, now));
        Readers::new(feeds.collect(), newcomers, watch.rate)
    }

    /// Reads one camera, by its name, its id, or the first of what a [`Watch`] says, as [`watch`](Self::watch) does.
    pub fn subscribe(&self, watch: impl Into<Watch>) -> Reader {
        let mut watch = watch.into();
        let cameras = watch.cameras.get_or_insert_default();
        cameras.truncate(1);
        let camera = cameras.first().copied().unwrap_or_default();
        Reader::new(self.watch(watch), camera)
    }

    /// The cameras that run, by name.
    pub fn cameras(&self) -> Vec<CameraId> {
        self.on.as_ref().map_or_else(Vec::new, |on| on.registry.cameras())
    }

    /// A number that changes when some camera starts, stops, or is otherwise doing than before.
    pub fn changes(&self) -> u64 {
        self.on.as_ref().map_or(0, |on| on.registry.changes())
    }

    /// How one camera and its readers are doing, by the camera's name; none when it was never heard of.
    pub fn camera_stats(&self, name: &str) -> Option<CameraStats> {
        self.on.as_ref()?.registry.camera_stats(&CameraId::from_name(name))
    }

    /// How all cameras and readers are doing. It disturbs no writer and no reader.
    pub fn stats(&self) -> ExportStats {
        self.on.as_ref().map_or_else(ExportStats::default, |on| on.registry.stats())
    }
}

impl Handle {
    #[cfg(not(loom))]
    fn new(settings: Settings) -> std::io::Result<Self> {
        let registry = Arc::new(Registry::new(settings));
        let control = Some(crate::control::start(&registry)?);
        Ok(Self { registry, control })
    }

    #[cfg(loom)]
    fn new(settings: Settings) -> std::io::Result<Self> {
        Ok(Self { registry: Arc::new(Registry::new(settings)), control: None })
    }
}

#[cfg(loom)]
impl FrameExport {
    /// One turn of the control thread, and of those that map memory.
    pub(crate) fn turn(&self) {
        let Some(on) = &self.on else { return };
        on.registry.tick(std::time::Instant::now());
        for _ in 0..on.registry.hands_needed() {
            on.registry.map_rings();
        }
    }
}

impl Settings {
    /// Bytes that a camera whose frames take `frame_bytes` bytes takes from the budget: its slots, rounded up to whole
    /// pages, and their bookkeeping.
    ///
    /// # Errors
    ///
    /// When the settings or the frame are beyond a limit.
    pub fn ring_bytes(&self, frame_bytes: usize) -> Result<usize, SpecError> {
        let spec = vas_ring::RingSpec::new(self.depth, self.max_readers, self.reader_leases, frame_bytes)?;
        Ok(budget_bytes(&spec))
    }
}
