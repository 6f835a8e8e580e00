//! Which cameras are to be read, and how: what a reader is made of, and how it learns of cameras that are new.

use crate::demand::Wish;
use crate::feed::Feed;
use crate::inbox::Inbox;
use crate::sync::{Arc, AtomicU32, Mutex, Ordering};
use crate::{CameraId, Rate};

/// Which cameras to read, how many frames of each, and under which name: what [`FrameExport::watch`] takes.
///
/// ```
/// use vas_lifecycle::{Rate, Watch};
///
/// let all = Watch::all().rate(Rate::PerSecond(5.0)).name("people");
/// let two = Watch::cameras(["front door", "yard"]);
/// # drop((all, two));
/// ```
///
/// [`FrameExport::watch`]: crate::FrameExport::watch
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// None is all.
    pub(crate) cameras: Option<Vec<CameraId>>,
    pub(crate) rate: Rate,
    pub(crate) name: String,
}

impl Watch {
    /// All cameras that there are and will be.
    pub fn all() -> Self {
        Self { cameras: None, rate: Rate::default(), name: String::new() }
    }

    /// These cameras, by the names that the host gives them, whether they run or not. A long name is shortened as
    /// [`CameraId::from_name`] does.
    pub fn cameras<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        let ids = names.into_iter().map(|name| CameraId::from_name(name.as_ref()));
        let mut cameras: Vec<CameraId> = Vec::new();
        ids.for_each(|id| {
            if !cameras.contains(&id) {
                cameras.push(id);
            }
        });
        Self { cameras: Some(cameras), ..Self::all() }
    }

    /// One camera, as [`cameras`](Self::cameras).
    pub fn camera(name: &str) -> Self {
        Self::cameras([name])
    }

    /// How many frames of each: every frame, unless said otherwise.
    #[must_use]
    pub fn rate(self, rate: Rate) -> Self {
        Self { rate, ..self }
    }

    /// A name for the reader, by which [stats](crate::ReaderStats::name) tell it from others.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }
}

/// A camera's name: `"gate".into()`, `id.into()`.
impl From<&str> for Watch {
    fn from(name: &str) -> Self {
        Self::camera(name)
    }
}

impl From<CameraId> for Watch {
    fn from(camera: CameraId) -> Self {
        Self { cameras: Some(vec![camera]), ..Self::all() }
    }
}

impl From<&CameraId> for Watch {
    fn from(camera: &CameraId) -> Self {
        Self::from(*camera)
    }
}

/// A reader's part in one camera, from the control side.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) camera: CameraId,
    pub(crate) wish: Wish,
    pub(crate) inbox: Arc<Inbox>,
}

/// Shared by a reader of all cameras and the control side, which puts in each camera that is new before it has a ring, so that
/// the reader misses nothing of it by being late.
#[derive(Debug)]
pub(crate) struct Newcomers {
    pub(crate) name: String,
    arrivals: AtomicU32,
    joined: Mutex<(Rate, Vec<Joined>)>,
}

impl Newcomers {
    pub(crate) fn new(name: String, rate: Rate) -> Self {
        Self { name, arrivals: AtomicU32::new(0), joined: Mutex::new((rate, Vec::new())) }
    }

    /// Control side: the rate at which a new camera is to be read.
    pub(crate) fn rate(&self) -> Rate {
        self.joined.lock().0
    }

    /// Control side.
    pub(crate) fn put(&self, joined: Joined) {
        self.joined.lock().1.push(joined);
        // Ordering: Relaxed, a hint: what is there is found under the lock.
        self.arrivals.fetch_add(1, Ordering::Relaxed);
    }

    /// Reader: cameras that will be new are read at this rate.
    pub(crate) fn set_rate(&self, rate: Rate) {
        self.joined.lock().0 = rate;
    }

    /// Reader: takes the new ones, if there are any since `taken` arrivals.
    pub(crate) fn take(&self, taken: &mut u32, now: impl Fn() -> u64) -> Vec<Feed> {
        // Ordering: Relaxed, as in `put`.
        let arrivals = self.arrivals.load(Ordering::Relaxed);
        if std::mem::replace(taken, arrivals) == arrivals {
            return Vec::new();
        }
        let joined = std::mem::take(&mut self.joined.lock().1);
        joined.into_iter().map(|Joined { camera, wish, inbox }| Feed::new(camera, wish, inbox, now())).collect()
    }
}
