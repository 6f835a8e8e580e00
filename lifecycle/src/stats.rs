//! How cameras and readers are doing.

use std::fmt;
use std::io;
use std::time::Duration;

use vas_ring::{Dropped, Missed, SpecError};

use crate::CameraId;
use crate::available::MemoryLimit;
use crate::inbox::{Inbox, Tally};
use crate::memory::OverBudget;

/// All of export at one moment: plain numbers, and a table when it is displayed.
///
/// `bytes_in_use` is the sum of the bytes of the cameras, of the retired rings, and of `bytes_idle`, except while a
/// camera is just starting or resizing.
///
/// ```
/// use vas_lifecycle::{FrameExport, Settings};
///
/// let export = FrameExport::new(Settings::default());
/// let writer = export.camera("gate");
/// let reader = export.subscribe("gate");
///
/// let stats = export.stats();
/// println!("{stats}"); // A line of memory, a table of cameras, and one of readers.
/// assert_eq!((stats.cameras[0].offered, stats.cameras[0].readers.len()), (0, 1));
/// assert!(stats.bytes_in_use <= stats.budget);
/// # drop((writer, reader));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportStats {
    /// Bytes taken from the budget.
    pub bytes_in_use: usize,
    /// Bytes that may be taken.
    pub budget: usize,
    /// Bytes that no ring uses, kept for a second for a camera of the same size.
    pub bytes_idle: usize,
    /// Every camera that was started, by name.
    pub cameras: Vec<CameraStats>,
    /// Rings that are not written any more, and that readers or leases still hold.
    pub retired: Vec<RetiredStats>,
}

/// One camera. Frame counts are over all its epochs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraStats {
    /// Its name.
    pub id: CameraId,
    /// Its last start; the first is 0.
    pub epoch: u32,
    /// The ring within the epoch.
    pub generation: u32,
    /// Whether it runs.
    pub state: CameraState,
    /// Writers that were made for it while it runs, and whose turn comes when those before are dropped. Should be 0: the
    /// host starts a camera that it has not stopped.
    pub waiting: usize,
    /// Frames offered: published and dropped.
    pub offered: u64,
    /// Frames published.
    pub published: u64,
    /// Frames dropped before they were published, by cause.
    pub dropped: Dropped,
    /// Bytes that it takes from the budget.
    pub bytes: usize,
    /// Time since the newest frame was offered: what tells a camera that stalls from one that runs.
    pub newest_age: Option<Duration>,
    /// Its readers, those included that have not noticed yet that it stopped.
    pub readers: Vec<ReaderStats>,
}

/// Whether a camera's frames are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CameraState {
    /// It was never started. Readers wait for it.
    Expected,
    /// It has no ring yet: it waits for its first frame, or for memory to be mapped.
    Starting,
    /// It runs.
    Running,
    /// It runs, and its frames wait for larger slots.
    Resizing,
    /// It runs, and there are no slots that its frames fit into.
    Suspended(SuspendReason),
    /// It does not run.
    Stopped,
}

/// Why a camera's frames have no slots. Export goes on when they fit again, or when there is memory again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuspendReason {
    /// The memory budget does not allow it. Tried again every few milliseconds.
    Budget {
        /// Bytes that the ring takes.
        needed: usize,
        /// Bytes in use, those of the present ring included.
        in_use: usize,
        /// Bytes that may be in use.
        budget: usize,
    },
    /// There is too little memory beside the reserve. Nothing was taken, or what was is given back. Tried again every second.
    Memory {
        /// Bytes that the ring takes.
        needed: usize,
        /// Bytes that there are.
        available: usize,
        /// Bytes of them that are left to the host.
        reserve: usize,
        /// Which limit leaves no more.
        limit: MemoryLimit,
    },
    /// The system does not give the memory. Tried again every second.
    Refused {
        /// Bytes asked for.
        needed: usize,
        /// What it said.
        kind: io::ErrorKind,
    },
    /// No ring can be made for frames of this size.
    Spec(SpecError),
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, in_use, budget } = self;
        write!(
            f,
            "the camera takes {needed} bytes, and of the memory budget of {budget} bytes {in_use} are in use: \
             raise AI_FRAME_EXPORT_MEMORY_BUDGET, or lower DEPTH, MAX_READERS or READER_LEASES"
        )
    }
}

impl From<OverBudget> for SuspendReason {
    fn from(OverBudget { needed, in_use, budget }: OverBudget) -> Self {
        Self::Budget { needed, in_use, budget }
    }
}

impl fmt::Display for SuspendReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget { needed, in_use, budget } => {
                OverBudget { needed: *needed, in_use: *in_use, budget: *budget }.fmt(f)
            }
            Self::Memory { needed, available, reserve, limit } => write!(
                f,
                "the camera takes {needed} bytes, and {limit} leaves {available}, of which {reserve} are reserved for the \
                 host: give the process more memory, or lower AI_FRAME_EXPORT_MEMORY_RESERVE, DEPTH, MAX_READERS or \
                 READER_LEASES"
            ),
            Self::Refused { needed, kind } => {
                write!(f, "the system does not give {needed} bytes of memory: {kind}; give the process more memory")
            }
            Self::Spec(error) => error.fmt(f),
        }
    }
}

/// One reader of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderStats {
    /// Counts the readers of the camera, from 0, and anew after it stopped and had none.
    pub reader: u64,
    /// The name that it was given.
    pub name: String,
    /// Whether it has a place at the camera's ring.
    pub has_place: bool,
    /// Id of the first frame that was offered after it came. From there to the last frame handed out,
    /// [`seen`](Self::seen) and [`missed`](Self::missed) add up to the frames offered.
    pub first_frame_id: u64,
    /// Frames handed out.
    pub seen: u64,
    /// Frames missed up to the last one delivered, or up to the end when a read said so after that, by cause.
    pub missed: Missed,
    /// Calls refused because all its leases were out.
    pub refusals: u64,
    /// Frames published since the last one that was delivered or counted as missed.
    pub lag: u64,
    /// Time between the newest published frame and the last one delivered.
    pub lag_time: Duration,
    /// Leases out.
    pub leases: usize,
    /// Frames published since the oldest frame that is leased out; 0 when none is.
    pub oldest_lease: u64,
    /// Time between that frame and the newest published one.
    pub oldest_lease_time: Duration,
}

impl ReaderStats {
    pub(crate) fn new(inbox: &Inbox, tally: &Tally, now: Option<&vas_ring::ReaderStats>) -> Self {
        Self {
            reader: inbox.number,
            name: inbox.name.clone(),
            has_place: inbox.told().has_place,
            first_frame_id: inbox.first_frame_id,
            seen: tally.seen,
            missed: tally.missed,
            refusals: tally.refusals,
            lag: now.map_or(0, |now| now.lag),
            lag_time: Duration::from_nanos(now.map_or(0, |now| now.lag_ns)),
            leases: now.map_or(0, |now| now.leases),
            oldest_lease: now.map_or(0, |now| now.oldest_lease),
            oldest_lease_time: Duration::from_nanos(now.map_or(0, |now| now.oldest_lease_ns)),
        }
    }
}

/// A ring that is not written any more and whose memory is not free yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetiredStats {
    /// The camera.
    pub camera: CameraId,
    /// Its start.
    pub epoch: u32,
    /// The ring within the epoch.
    pub generation: u32,
    /// Bytes that it takes from the budget.
    pub bytes: usize,
    /// Readers that have not noticed.
    pub readers: usize,
    /// Leases out.
    pub leases: usize,
}

impl CameraState {
    fn name(&self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Resizing => "resizing",
            Self::Suspended(_) => "suspended",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for CameraState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for ExportStats {
    /// A table of cameras, one of their readers, and one of retired rings; those without rows are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes_in_use, budget, bytes_idle, .. } = self;
        writeln!(f, "frame export: {bytes_in_use} of {budget} bytes in use, {bytes_idle} of them idle")?;
        self.cameras_table().fmt(f)?;
        for camera in &self.cameras {
            if let CameraState::Suspended(reason) = &camera.state {
                writeln!(f, "{} is suspended: {reason}", camera.id)?;
            }
        }
        self.readers_table().fmt(f)?;
        self.retired_table().fmt(f)
    }
}

impl ExportStats {
    fn cameras_table(&self) -> Table {
        let mut table = Table::new(
            &[0, 1, 9],
            ["camera", "state", "epoch", "generation", "offered", "published", "dropped", "bytes", "newest", "causes"],
        );
        for camera in &self.cameras {
            table.row([
                camera.id.to_string(),
                camera.state.to_string(),
                camera.epoch.to_string(),
                camera.generation.to_string(),
                camera.offered.to_string(),
                camera.published.to_string(),
                camera.dropped.total().to_string(),
                camera.bytes.to_string(),
                camera.newest_age.map_or_else(|| "-".into(), seconds),
                causes(camera.dropped.iter().map(|(cause, n)| (cause.name(), n))),
            ]);
        }
        table
    }

    fn readers_table(&self) -> Table {
        let mut table = Table::new(
            &[0, 2, 10],
            [
                "reader of",
                "no",
                "name",
                "seen",
                "missed",
                "lag",
                "lag time",
                "leases",
                "oldest",
                "oldest time",
                "causes",
            ],
        );
        for (camera, reader) in self.cameras.iter().flat_map(|camera| camera.readers.iter().map(move |r| (camera, r))) {
            let Missed { overwritten, skipped, refused, dropped, unwanted } = reader.missed;
            table.row([
                camera.id.to_string(),
                reader.reader.to_string(),
                reader.name.clone(),
                reader.seen.to_string(),
                reader.missed.total().to_string(),
                reader.lag.to_string(),
                seconds(reader.lag_time),
                reader.leases.to_string(),
                reader.oldest_lease.to_string(),
                seconds(reader.oldest_lease_time),
                causes([
                    ("overwritten", overwritten),
                    ("skipped", skipped),
                    ("refused", refused),
                    ("dropped", dropped),
                    ("not wanted", unwanted),
                ]),
            ]);
        }
        table
    }

    fn retired_table(&self) -> Table {
        let mut table = Table::new(&[0], ["retired ring of", "epoch", "generation", "bytes", "readers", "leases"]);
        for ring in &self.retired {
            table.row([
                ring.camera.to_string(),
                ring.epoch.to_string(),
                ring.generation.to_string(),
                ring.bytes.to_string(),
                ring.readers.to_string(),
                ring.leases.to_string(),
            ]);
        }
        table
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

/// Those that occurred.
fn causes<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let counts = counts.into_iter().filter(|&(_, n)| n != 0).map(|(cause, n)| format!("{cause} {n}"));
    counts.collect::<Vec<_>>().join(", ")
}

/// Rows whose cells are padded to the widest of their column: words to the left, numbers to the right.
struct Table {
    /// Columns of words.
    words: &'static [usize],
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new<const N: usize>(words: &'static [usize], head: [&str; N]) -> Self {
        Self { words, rows: vec![head.map(String::from).into()] }
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.len() == 1 {
            return Ok(());
        }
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
                let words = self.words.contains(&column);
                line += &if words { format!("{cell:<width$}  ") } else { format!("{cell:>width$}  ") };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
