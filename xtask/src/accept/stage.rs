//! Hosts side by side, each with cameras and viewers of its own, on the same film.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::Bench;
use super::camera::Camera;
use super::host::{Curves, Export, Figures, Host, curves};
use super::sink::{Received, Sink};

/// The longest film takes some 10 s.
const MOST: Duration = Duration::from_secs(90);

/// What came of one host.
pub(crate) struct Shown {
    pub(crate) figures: Figures,
    /// Of the first camera's viewers; none without MediaSoup.
    pub(crate) received: Option<Received>,
    pub(crate) folder: PathBuf,
    pub(crate) curves: Vec<Curves>,
}

/// Plays films as RTSP over TCP to a host of each kind, all at once. The first film goes to MediaSoup too.
pub(crate) fn rtsp(bench: &Bench, name: &str, films: &[&Path], kinds: &[Export]) -> Result<BTreeMap<Export, Shown>> {
    let mut started = Vec::new();
    for &export in kinds {
        let folder = bench.folder(&format!("{name}-{}", export.name()))?;
        let camera = |(n, film): (usize, &&Path)| {
            Camera::start(&bench.children, film, &folder.join(format!("camera-{}.log", n + 1)))
        };
        let cameras = films.iter().enumerate().map(camera).collect::<Result<Vec<_>>>()?;
        let sink = bench
            .builds
            .sink
            .as_ref()
            .map(|program| Sink::start(&bench.children, program, &folder.join("mediasoup.log")));
        let sink = sink.transpose()?;
        let mut host = Host::new(bench, export, &folder);
        host = host.args(["--once", "--record", "recordings", "--curves", "curves.json"]);
        if let Some(sink) = &sink {
            host = host.args(["--produce", &sink.target()]);
        }
        host = host.args(cameras.iter().map(|camera| camera.url.as_str()));
        let running = host.start(&bench.children)?;
        started.push((export, running, cameras, sink, folder));
    }
    let mut shown = BTreeMap::new();
    for (export, running, cameras, sink, folder) in started {
        let figures = running.finish(MOST)?;
        let received = sink.map(Sink::finish).transpose()?;
        drop(cameras);
        let curves = curves(&folder.join("curves.json"))?;
        shown.insert(export, Shown { figures, received, folder, curves });
    }
    Ok(shown)
}

/// Plays films as files, as fast as they decode, one host after the other.
pub(crate) fn files(bench: &Bench, name: &str, films: &[&Path], kinds: &[Export]) -> Result<BTreeMap<Export, Shown>> {
    let mut shown = BTreeMap::new();
    for &export in kinds {
        let folder = bench.folder(&format!("{name}-{}", export.name()))?;
        let host = Host::new(bench, export, &folder);
        let host = host.args(["--fast", "--record", "recordings", "--curves", "curves.json"]).args(films);
        let figures = host.run(&bench.children, MOST)?;
        let curves = curves(&folder.join("curves.json"))?;
        shown.insert(export, Shown { figures, received: None, folder, curves });
    }
    Ok(shown)
}
