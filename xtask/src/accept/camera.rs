//! A camera of the run: GStreamer's RTSP server, a process of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde::Deserialize;

use super::children::{Child, Children, command};
use super::testkit;

/// An RTSP server with one film.
pub(crate) struct Camera {
    server: Child,
    film: PathBuf,
    port: u16,
    pub(crate) url: String,
    log: PathBuf,
    children: Children,
}

#[derive(Deserialize)]
struct Served {
    port: u16,
    url: String,
}

impl Camera {
    /// A camera at a free port.
    pub(crate) fn start(children: &Children, film: &Path, log: &Path) -> Result<Self> {
        let (server, Served { port, url }) = serve(children, film, 0, log)?;
        Ok(Self { server, film: film.into(), port, url, log: log.into(), children: children.clone() })
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.server.signal(Signal::KILL)
    }

    /// Starts it again at the same port.
    pub(crate) fn restart(&mut self) -> Result<()> {
        (self.server, _) = serve(&self.children, &self.film, self.port, &self.log)?;
        Ok(())
    }

    /// The server stops where it is, with its connections open.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.server.signal(Signal::STOP)
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        self.server.signal(Signal::CONT)
    }
}

fn serve(children: &Children, film: &Path, port: u16, log: &Path) -> Result<(Child, Served)> {
    // Debian's, which has the bindings; another may be first on the path.
    let mut server = command("/usr/bin/python3", [testkit().join("cameras/camera.py").as_path(), film]);
    server.args(["--port", &port.to_string()]);
    let mut server = children.start("the camera", &server, log)?;
    let line = server.line()?;
    let served = serde_json::from_str(&line).with_context(|| format!("the camera said {line}"))?;
    Ok((server, served))
}
