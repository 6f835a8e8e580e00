//! MediaSoup as VAS runs it: a worker, an H.264 router, one producer fed by RTP, and three viewers.
//!
//! Prints `{"port": ...}` once RTP may be sent there, and what reached the viewers when its standard input ends. One
//! viewer stays from first to last, one joins late, one leaves early. Each is a UDP socket of this process, so that
//! what MediaSoup sends is seen as a viewer sees it.

mod rtp;
mod sfu;
mod verdict;
mod viewer;

use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_lite::future::block_on;
use serde::Serialize;

use crate::sfu::Sfu;
use crate::verdict::ViewerReport;
use crate::viewer::Viewer;

/// Packets that the first viewer has when the late one joins.
const JOIN_AFTER: usize = 60;
/// Packets that the first viewer has when the early one leaves.
const LEAVE_AFTER: usize = 120;
/// How long nothing may come before all has come.
const QUIET: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(2);

#[derive(Serialize)]
struct Port {
    port: u16,
    rtcp_port: u16,
}

/// What came in and what went out.
#[derive(Serialize)]
struct Report {
    /// Packets that MediaSoup took from the producer, by its own count.
    packets_in: usize,
    lost_in: u32,
    discarded_in: usize,
    viewers: Vec<ViewerReport>,
}

fn main() -> Result<()> {
    let report = block_on(serve())?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

async fn serve() -> Result<Report> {
    let sfu = Sfu::start().await?;
    let whole = sfu.join("whole").await?;
    let early = sfu.join("early").await?;
    println!("{}", serde_json::to_string(&Port { port: sfu.port(), rtcp_port: sfu.rtcp_port()? })?);

    let over = Arc::new(AtomicBool::new(false));
    let watching = over.clone();
    thread::spawn(move || {
        // The end, or an error: it is over either way.
        _ = io::stdin().read_to_end(&mut Vec::new());
        // Ordering: Relaxed, it says nothing about other memory.
        watching.store(true, Ordering::Relaxed);
    });

    let mut reports = Vec::new();
    let reached = |count| wait(&over, &whole.viewer, count);
    ensure!(reached(JOIN_AFTER), "the stream ended before the late viewer was to join, at packet {JOIN_AFTER}");
    let joining = whole.viewer.count();
    let late = sfu.join("late").await?;
    let joined = whole.viewer.count();
    ensure!(reached(LEAVE_AFTER), "the stream ended before the early viewer was to leave, at packet {LEAVE_AFTER}");
    let leaving = whole.viewer.count();
    let left = early.leave().context("the early viewer")?;
    let gone = whole.viewer.count();

    while !over.load(Ordering::Relaxed) {
        thread::sleep(POLL);
    }
    let stats = sfu.quiet(&whole.viewer, QUIET).await?;
    let all = whole.leave().context("the first viewer")?;
    let late = late.leave().context("the late viewer")?;
    reports.push(verdict::whole(&all, stats.packet_count));
    reports.push(verdict::late(&late, &all, joining, joined));
    reports.push(verdict::early(&left, &all, leaving, gone));
    Ok(Report {
        packets_in: stats.packet_count,
        lost_in: stats.packets_lost,
        discarded_in: stats.packets_discarded,
        viewers: reports,
    })
}

/// Waits until a viewer has so many packets; false when the stream is over before.
fn wait(over: &AtomicBool, viewer: &Viewer, count: usize) -> bool {
    while viewer.count() < count {
        // Ordering: Relaxed, as above.
        if over.load(Ordering::Relaxed) && viewer.silent_for() > QUIET {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}
