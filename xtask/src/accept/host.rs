//! The host, a process of its own, and the figures that it prints.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::children::{Child, Children, command};
use super::{Bench, Form};

/// How export is in a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Export {
    /// Not compiled in.
    Absent,
    Off,
    /// On, with readers for each camera that are brisk, slow, at a rate and on request.
    On,
    /// On, with readers that do what no reader should.
    Hostile,
}

impl Export {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Off => "off",
            Self::On => "on",
            Self::Hostile => "hostile",
        }
    }

    /// The readers of each camera.
    const fn readers(self) -> Option<&'static str> {
        match self {
            Self::Absent | Self::Off => None,
            Self::On => Some("brisk,slow,rated,asking"),
            Self::Hostile => Some("brisk,sluggish,stalled,leaking,panicking,spinning"),
        }
    }

    /// How many readers each camera has place for.
    pub(crate) const fn places(self) -> u64 {
        match self {
            Self::Absent | Self::Off => 0,
            Self::On => 4,
            Self::Hostile => 6,
        }
    }
}

/// A host to be run.
pub(crate) struct Host {
    command: Command,
    export: Export,
    log: PathBuf,
}

impl Host {
    /// A host in `folder`, where its log and its files go.
    pub(super) fn new(bench: &Bench, export: Export, folder: &Path) -> Self {
        let command = command::<&str>(Self::program(bench, export), []);
        Self { command: Self::play(command, bench, export, folder), export, log: log(folder) }
    }

    /// A host that is run by another program, such as strace.
    pub(super) fn under<S: AsRef<OsStr>>(
        tool: impl IntoIterator<Item = S>,
        bench: &Bench,
        export: Export,
        folder: &Path,
    ) -> Self {
        let program = Self::program(bench, export);
        let mut words = tool.into_iter();
        let mut command = words.next().map_or_else(|| Command::new(program), Command::new);
        command.args(words).arg(program);
        Self { command: Self::play(command, bench, export, folder), export, log: log(folder) }
    }

    fn program(bench: &Bench, export: Export) -> &Path {
        if export == Export::Absent { &bench.builds.absent } else { &bench.builds.export }
    }

    fn play(mut command: Command, bench: &Bench, export: Export, folder: &Path) -> Command {
        command.arg("play").current_dir(folder);
        if let Form::Saboteur(Some(saboteur)) = bench.form
            && export.readers().is_some()
        {
            command.args(["--sabotage", saboteur.name()]);
        }
        command.env("AI_FRAME_EXPORT_ENABLED", if export.readers().is_some() { "true" } else { "false" });
        if let Some(readers) = export.readers() {
            command.args(["--readers", readers]);
            command.env("AI_FRAME_EXPORT_MAX_READERS", export.places().to_string());
        }
        command
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Starts it.
    pub(crate) fn start(&self, children: &Children) -> Result<Running> {
        let name = format!("the host with export {}", self.export.name());
        Ok(Running { child: children.start(&name, &self.command, &self.log)? })
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, children: &Children, most: Duration) -> Result<Figures> {
        self.start(children)?.finish(most)
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("host.log")
}

/// A host that runs.
pub(crate) struct Running {
    pub(crate) child: Child,
}

impl Running {
    /// Waits for its end. What does not add up by its own account is in the figures, and is for the caller to judge.
    pub(crate) fn finish(self, most: Duration) -> Result<Figures> {
        let (status, text, complaint) = self.child.finish_with_status(most)?;
        let figures = serde_json::from_str::<Figures>(&text);
        ensure!(status.success() || figures.as_ref().is_ok_and(|figures| !figures.faults.is_empty()), "{complaint}");
        figures.with_context(|| format!("its figures cannot be read: {complaint}"))
    }
}

/// What a host prints.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Figures {
    pub(crate) export: ExportFigures,
    pub(crate) cameras: Vec<CameraFigures>,
    /// What does not add up.
    pub(crate) faults: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ExportFigures {
    pub(crate) state: String,
    pub(crate) left: u64,
    pub(crate) threads: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CameraFigures {
    pub(crate) name: String,
    pub(crate) width: u64,
    pub(crate) height: u64,
    pub(crate) decoded: u64,
    pub(crate) damaged: u64,
    pub(crate) opened: u64,
    pub(crate) decode_us: Times,
    pub(crate) decode_cpu_us: Times,
    pub(crate) interval_us: Times,
    pub(crate) hold_us: Times,
    pub(crate) late_us: Times,
    pub(crate) late: f64,
    pub(crate) ran_us: Option<f64>,
    pub(crate) blocked_us: Option<f64>,
    pub(crate) buffers: u64,
    pub(crate) copy_us: Option<Times>,
    pub(crate) branches: Vec<Branch>,
    pub(crate) exported: Option<Exported>,
    pub(crate) warning: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Times {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Branch {
    pub(crate) name: String,
    pub(crate) frames: u64,
    pub(crate) crc32: String,
    pub(crate) pictures: Option<u64>,
    #[serde(default)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Exported {
    pub(crate) offered: u64,
    pub(crate) published: u64,
    pub(crate) dropped: BTreeMap<String, u64>,
    pub(crate) readers: Vec<ReaderFigures>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReaderFigures {
    pub(crate) name: String,
    pub(crate) seen: u64,
    pub(crate) missed: BTreeMap<String, u64>,
    pub(crate) refusals: u64,
    pub(crate) panics: u64,
    pub(crate) epochs: u64,
    pub(crate) generations: u64,
}

impl CameraFigures {
    pub(crate) fn branch(&self, name: &str) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.name == name)
    }

    pub(crate) fn reader(&self, name: &str) -> Option<&ReaderFigures> {
        self.exported.as_ref()?.readers.iter().find(|reader| reader.name == name)
    }
}

/// What there was at a moment of a run, from the host's timeline.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Moment {
    pub(crate) seconds: f64,
    pub(crate) decoded: u64,
    pub(crate) opened: u64,
    pub(crate) resident: u64,
    pub(crate) bytes: u64,
}

/// The timeline so far.
pub(crate) fn timeline(path: &Path) -> Vec<Moment> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last line may be under way.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The distributions of a camera's times, in microseconds.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Curves {
    pub(crate) decode_us: Vec<f64>,
    pub(crate) interval_us: Vec<f64>,
}

/// The distributions of a run's cameras.
pub(crate) fn curves(path: &Path) -> Result<Vec<Curves>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}
