//! All readers of all cameras.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vas_lifecycle::{CameraId, CameraStats, FrameExport, Missed, Watch};
use vas_reader_testkit::readers::keep_quiet_about_panics;

use super::reader::Seat;
use super::sheet;
use crate::ai::{EXPORT_THREAD, Kind};
use crate::camera::Camera;
use crate::figures::{Causes, ExportFigures, ExportState, Exported, ReaderFigures};
use crate::process;
use crate::vas::Vas;

const ENABLED: &str = "AI_FRAME_EXPORT_ENABLED";

/// Turns export on if the environment doesn't say whether it is to be. Returns whether it did.
///
/// To be called before there are threads.
pub fn turn_on_unless_told() -> bool {
    let told = env::var_os(ENABLED).is_some_and(|value| !value.is_empty());
    if !told {
        // SAFETY: no other thread reads or writes the environment, as there is none yet.
        unsafe { env::set_var(ENABLED, "true") };
    }
    !told
}

/// The readers.
pub struct Audience {
    export: FrameExport,
    seats: Vec<Arc<Seat>>,
    threads: Vec<JoinHandle<()>>,
    /// No camera is started any more.
    over: Arc<AtomicBool>,
}

impl Audience {
    /// Has readers wait for the cameras, each camera those of its kinds. They take pictures for a contact sheet of a run that
    /// takes `playing`, or none.
    pub fn join(vas: &Arc<Vas>, cameras: &[Arc<Camera>], kinds: &[Vec<Kind>], playing: Option<Duration>) -> Self {
        let export = vas.export.clone();
        let mut audience =
            Self { export: export.clone(), seats: Vec::new(), threads: Vec::new(), over: Arc::default() };
        if audience.export.is_enabled() {
            if kinds.iter().flatten().any(|kind| *kind == Kind::Panicking) {
                keep_quiet_about_panics();
            }
            let each =
                |(camera, kinds): (_, &Vec<Kind>)| kinds.iter().map(move |kind| (camera, *kind)).collect::<Vec<_>>();
            for (camera, kind) in cameras.iter().zip(kinds).flat_map(each) {
                let seat = Arc::new(Seat::new(&camera.name, kind, playing));
                let reader = export.subscribe(Watch::camera(&camera.name).name(kind.name()).rate(kind.rate()));
                let (export, taken, over) = (export.clone(), seat.clone(), audience.over.clone());
                // The kernel keeps 15 bytes of a name.
                let thread = thread::Builder::new().name(format!("{}-reader", kind.name()));
                let thread =
                    thread.spawn(move || taken.attend(reader, &export, &over)).expect("the system gives a thread");
                audience.seats.push(seat);
                audience.threads.push(thread);
            }
        }
        audience
    }

    /// Frame export as a whole.
    pub fn export(&self) -> ExportFigures {
        let stats = self.export.stats();
        let state = if self.export.is_enabled() { ExportState::On } else { ExportState::Off };
        let threads = process::threads_named(EXPORT_THREAD);
        ExportFigures { state, bytes: stats.bytes_in_use, budget: stats.budget, left: 0, threads }
    }

    /// What became of a camera's frames; none when it runs without export.
    pub fn exported(&self, camera: &Camera) -> Option<Exported> {
        let stats = camera_stats(&self.export, &CameraId::from_name(&camera.name))?;
        let seats = self.seats.iter().filter(|seat| seat.camera == camera.name);
        Some(Exported {
            offered: stats.offered,
            published: stats.published,
            dropped: stats.dropped.iter().filter(|&(_, n)| n != 0).map(|(cause, n)| (cause.name(), n)).collect(),
            readers: seats.map(|seat| figures(seat, stats.offered)).collect(),
        })
    }

    /// Waits for the readers, who leave now that their cameras have stopped, when they have seen all. Returns what they found
    /// wrong.
    pub fn leave(&mut self) -> Vec<String> {
        // Ordering: Release pairs with the Acquire of `Seat::attend`.
        self.over.store(true, Ordering::Release);
        let mut wrong = Vec::new();
        for (thread, seat) in self.threads.drain(..).zip(&self.seats) {
            if thread.join().is_err() {
                wrong.push(format!("{}, {} reader: it panicked", seat.camera, seat.kind.name()));
            }
            let about = |fault: String| format!("{}, {} reader: {fault}", seat.camera, seat.kind.name());
            wrong.extend(seat.notes().wrong.drain(..).map(about));
        }
        wrong
    }

    /// Why there are no pictures of some cameras' frames, a line for each camera.
    pub fn undrawn(&self) -> Vec<String> {
        let undrawn = |seat: &Arc<Seat>| Some(format!("{}: {}", seat.camera, seat.notes().undrawn.as_ref()?));
        let mut undrawn: Vec<_> = self.seats.iter().filter_map(undrawn).collect();
        undrawn.dedup();
        undrawn
    }

    /// Makes a contact sheet of the readers' pictures in `folder`; none when there are no pictures.
    pub fn contact_sheet(&self, folder: &Path) -> Result<Option<PathBuf>, Box<dyn Error>> {
        let path = folder.join("contact-sheet.png");
        // An earlier run's would be taken for this one's.
        if path.exists() {
            fs::remove_file(&path)?;
        }
        let rows = self.seats.iter().map(|seat| {
            let title = format!("{}, {} reader", seat.camera, seat.kind.name());
            (title, std::mem::take(&mut seat.notes().shots))
        });
        match sheet::of(&rows.collect::<Vec<_>>()) {
            Some(picture) => {
                picture.write_png(&path)?;
                Ok(Some(path))
            }
            None => Ok(None),
        }
    }
}

/// A camera's figures in lifecycle's.
pub(super) fn camera_stats(export: &FrameExport, id: &CameraId) -> Option<CameraStats> {
    export.stats().cameras.into_iter().find(|camera| camera.id == *id)
}

fn figures(seat: &Seat, offered: u64) -> ReaderFigures {
    let notes = seat.notes();
    let counts = notes.counts();
    ReaderFigures {
        name: seat.kind.name(),
        span: notes.span(),
        published: notes.published(),
        seen: counts.seen,
        missed: causes(&counts.missed),
        refusals: counts.refusals,
        panics: notes.panics,
        epochs: notes.epochs,
        generations: notes.generations,
        lag: notes.last_id().map_or(0, |last| offered.saturating_sub(last + 1)),
    }
}

fn causes(missed: &Missed) -> Causes {
    let Missed { overwritten, skipped, refused, dropped, unwanted } = *missed;
    let causes = [
        ("overwritten", overwritten),
        ("skipped", skipped),
        ("refused", refused),
        ("dropped", dropped),
        ("not wanted", unwanted),
    ];
    BTreeMap::from_iter(causes.into_iter().filter(|&(_, n)| n != 0))
}
