//! MediaSoup with its viewers, a process of its own.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::children::{Child, Children, command};

/// A running one.
pub(crate) struct Sink {
    child: Child,
    ports: Ports,
}

#[derive(Deserialize)]
struct Ports {
    port: u16,
    rtcp_port: u16,
}

/// What came in and what went out.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Received {
    pub(crate) packets_in: u64,
    pub(crate) lost_in: u64,
    pub(crate) discarded_in: u64,
    pub(crate) viewers: Vec<Viewer>,
}

/// One viewer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Viewer {
    pub(crate) name: String,
    pub(crate) packets: u64,
    pub(crate) pictures: u64,
    pub(crate) payloads: String,
    pub(crate) faults: Vec<String>,
}

impl Sink {
    pub(crate) fn start(children: &Children, program: &Path, log: &Path) -> Result<Self> {
        let mut child = children.start("MediaSoup", &command::<&str>(program, []), log)?;
        let line = child.line()?;
        let ports = serde_json::from_str(&line).with_context(|| format!("MediaSoup said {line}"))?;
        Ok(Self { child, ports })
    }

    /// Where the host is to send RTP and RTCP.
    pub(crate) fn target(&self) -> String {
        format!("{}:{}", self.ports.port, self.ports.rtcp_port)
    }

    /// The stream has ended: what did the viewers get?
    pub(crate) fn finish(mut self) -> Result<Received> {
        self.child.close_input();
        let text = self.child.finish(Duration::from_secs(20))?;
        serde_json::from_str(&text).with_context(|| format!("MediaSoup said {text}"))
    }
}
