//! The handle that a host has.

use std::env;
use std::fmt;
use std::io;
use std::sync::Arc;

use vas_ring::{CameraId, SpecError, StreamSpec};

use crate::memory::{OverBudget, budget_bytes};
use crate::registry::Registry;
use crate::stats::ExportStats;
use crate::{CameraWriter, Reader, Settings, SettingsError};

/// Frame export as a whole: one flag, one memory budget, any number of cameras. Cheap to clone, usable from any
/// thread.
///
/// Off, it holds nothing and starts nothing. On, it takes memory and a thread when the first camera starts. Its methods
/// lock, allocate, map and unmap; they are for the control path.
///
/// ```
/// use vas_lifecycle::FrameExport;
///
/// let export = FrameExport::from_env().unwrap_or_else(|error| {
///     eprintln!("frame export is off: {error}");
///     FrameExport::disabled()
/// });
/// assert!(!export.is_enabled(), "unless AI_FRAME_EXPORT_ENABLED is true");
/// ```
#[derive(Clone, Debug, Default)]
pub struct FrameExport {
    registry: Option<Arc<Registry>>,
}

impl FrameExport {
    /// As the environment says, which is read here and nowhere else. See [`Settings`] for the variables.
    ///
    /// # Errors
    ///
    /// All settings that are not valid, at once.
    pub fn from_env() -> Result<Self, SettingsError> {
        Ok(Settings::from_os_vars(env::vars_os())?.map_or_else(Self::disabled, Self::new))
    }

    /// On, with these settings. Numbers out of range show when a camera starts, as [`StartError`].
    pub fn new(settings: Settings) -> Self {
        Self { registry: Some(Arc::new(Registry::new(settings))) }
    }

    /// Off.
    pub const fn disabled() -> Self {
        Self { registry: None }
    }

    /// Whether export is on.
    pub fn is_enabled(&self) -> bool {
        self.registry.is_some()
    }

    /// What it was made with, none when it is off.
    pub fn settings(&self) -> Option<&Settings> {
        self.registry.as_ref().map(|registry| registry.settings())
    }

    /// Starts a camera whose frames are as `stream` says. Its memory is taken and touched in full, which takes from a
    /// few milliseconds to a few hundred, as the kernel clears every page of it. When export is off, the result does
    /// nothing and costs nothing.
    ///
    /// To stop it, drop the result, on any thread. It may be started again at once: frame ids go on counting, for the
    /// life of the process, for which a few hundred bytes are kept per camera id.
    ///
    /// # Errors
    ///
    /// See [`StartError`]. The camera then goes on with [`CameraWriter::off`].
    pub fn start_camera(&self, id: CameraId, stream: StreamSpec) -> Result<CameraWriter, StartError> {
        match &self.registry {
            Some(registry) => registry.start(id, stream),
            None => Ok(CameraWriter::off()),
        }
    }

    /// Subscribes a reader to a camera that runs. It gets the frames that are published from now on.
    ///
    /// # Errors
    ///
    /// See [`SubscribeError`].
    pub fn subscribe(&self, id: &CameraId) -> Result<Reader, SubscribeError> {
        let registry = self.registry.as_ref().ok_or(SubscribeError::Off)?;
        Reader::subscribe(registry, *id)
    }

    /// The cameras that run, by name.
    pub fn cameras(&self) -> Vec<CameraId> {
        self.registry.as_ref().map_or_else(Vec::new, |registry| registry.cameras())
    }

    #[cfg(loom)]
    pub(crate) fn turn(&self) {
        if let Some(registry) = &self.registry {
            registry.tick(std::time::Instant::now());
        }
    }

    /// How all cameras and readers are doing. It disturbs no writer and no reader.
    pub fn stats(&self) -> ExportStats {
        self.registry.as_ref().map_or_else(ExportStats::default, |registry| registry.stats())
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

/// Why a camera's frames are not exported. The camera itself goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It has been started and not stopped.
    AlreadyRunning {
        /// The camera.
        camera: CameraId,
    },
    /// The id is the default one, which no camera has.
    Unnamed,
    /// No ring can be made with these settings for frames of this size.
    Spec(SpecError),
    /// The memory budget does not allow it.
    Budget {
        /// Bytes that the camera takes.
        needed: usize,
        /// Bytes in use, those of stopped cameras included that readers still hold.
        in_use: usize,
        /// Bytes that may be in use.
        budget: usize,
    },
    /// The system does not give the memory.
    Memory {
        /// Bytes asked for.
        needed: usize,
        /// What it said.
        source: io::Error,
    },
    /// The system does not give a thread.
    Thread {
        /// What it said.
        source: io::Error,
    },
}

impl From<OverBudget> for StartError {
    fn from(OverBudget { needed, in_use, budget }: OverBudget) -> Self {
        Self::Budget { needed, in_use, budget }
    }
}

impl From<SpecError> for StartError {
    fn from(error: SpecError) -> Self {
        Self::Spec(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRunning { camera } => write!(f, "camera {camera} is running: drop its writer first"),
            Self::Unnamed => f.write_str("the camera has no id: give it one of 1 to 39 bytes"),
            Self::Spec(error) => write!(f, "no ring can be made: {error}"),
            Self::Budget { needed, in_use, budget } => {
                OverBudget { needed: *needed, in_use: *in_use, budget: *budget }.fmt(f)
            }
            Self::Memory { needed, source } => {
                write!(f, "the system does not give the {needed} bytes of memory that the camera takes: {source}")
            }
            Self::Thread { source } => write!(f, "the system does not give the control thread: {source}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Memory { source, .. } | Self::Thread { source } => Some(source),
            Self::Spec(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, in_use, budget } = self;
        write!(
            f,
            "the camera takes {needed} bytes, and of the budget of {budget} bytes {in_use} are in use: \
             raise AI_FRAME_EXPORT_MEMORY_BUDGET, or lower DEPTH, MAX_READERS or READER_LEASES"
        )
    }
}

/// Why a reader was not subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// Export is off.
    Off,
    /// No such camera runs, or its export could not start.
    NotRunning {
        /// The camera.
        camera: CameraId,
    },
    /// All reader places are taken.
    Full {
        /// The camera.
        camera: CameraId,
        /// Places that it has.
        places: usize,
        /// Places with a reader.
        readers: usize,
        /// Places that wait for leases of readers that left.
        leaving: usize,
    },
}

impl SubscribeError {
    pub(crate) fn full(camera: CameraId, error: vas_ring::SubscribeError) -> Self {
        match error {
            vas_ring::SubscribeError::Full { limit: places, readers, leaving } => {
                Self::Full { camera, places, readers, leaving }
            }
            // The ring's error may grow; all that it could say is that there is no place.
            _ => Self::Full { camera, places: 0, readers: 0, leaving: 0 },
        }
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("frame export is off: set AI_FRAME_EXPORT_ENABLED=true"),
            Self::NotRunning { camera } => write!(f, "camera {camera} is not running"),
            Self::Full { camera, places, readers, leaving } => write!(
                f,
                "all {places} reader places of camera {camera} are taken: {readers} by readers, {leaving} by leases of \
                 readers that left; drop one or raise AI_FRAME_EXPORT_MAX_READERS"
            ),
        }
    }
}

impl std::error::Error for SubscribeError {}
