//! The promises, one by one, and whether the run kept them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};
use vas_lifecycle::{CameraStats, ExportStats, Missed, RetiredStats};

use crate::camera::Tally;
use crate::memory::{SLACK, sum};
use crate::reader::{ASK_EVERY, Kind, Notes, RATE};
use crate::run::{Outcome, Played};
use vas_host::table::Table;

const MIB: f64 = (1 << 20) as f64;
/// What a ring has beside the frames that are leased, at most: the rest of their pages, and its own books.
const BESIDE: usize = 64 << 10;
/// Why a frame may be dropped here: nobody wants it, the ring is not there yet, or larger slots are made. Any other cause is a
/// fault, *refused* above all: the writer found no slot.
const EXPECTED: [&str; 4] = ["no reader", "resizing", "starting", "not wanted"];

/// What was promised, what came of it, and whether that is what was promised.
struct Line {
    promise: &'static str,
    figure: String,
    kept: bool,
}

pub(crate) struct Report {
    cameras: Table,
    readers: Table,
    lines: Vec<Line>,
    faults: Vec<String>,
}

impl Report {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let lines = lines(outcome);
        Self { cameras: cameras(outcome), readers: readers(outcome), lines, faults: faults(outcome) }
    }

    /// Whether every promise was kept.
    pub(crate) fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.lines.iter().all(|line| line.kept)
    }

    /// All figures.
    pub(crate) fn json(&self, outcome: &Outcome) -> serde_json::Result<String> {
        let camera = |Played { name, tally, readers }: &Played| {
            let reader = |(kind, notes): &(Kind, Notes)| {
                json!({
                    "reader": kind.name(),
                    "starts": notes.starts,
                    "span": notes.spans,
                    "seen": notes.seen,
                    "missed": causes(&notes.missed),
                    "refusals": notes.refusals,
                    "panics": notes.panics,
                    "leaked": notes.leaked,
                    "compared": notes.compared,
                    "torn": notes.torn,
                })
            };
            json!({
                "camera": name,
                "offered": tally.decoded,
                "published": tally.published,
                "dropped": tally.dropped,
                "starts": tally.starts,
                "resizes": tally.resizes,
                "readers": readers.iter().map(reader).collect::<Vec<_>>(),
            })
        };
        let line = |line: &Line| json!({"promise": line.promise, "figure": line.figure, "kept": line.kept});
        let sample = |sample: &crate::memory::Sample| json!({"seconds": sample.at.as_secs_f64(), "export": sample.export, "resident": sample.resident});
        // A run of hours has more moments than a plot has points.
        let step = outcome.samples.all.len() / 1000 + 1;
        let all: Value = json!({
            "seed": outcome.seed,
            "seconds": outcome.played.as_secs_f64(),
            "cameras": outcome.cameras.iter().map(camera).collect::<Vec<_>>(),
            "promises": self.lines.iter().map(line).collect::<Vec<_>>(),
            "faults": self.faults,
            "memory": outcome.samples.all.iter().step_by(step).map(sample).collect::<Vec<_>>(),
        });
        serde_json::to_string_pretty(&all)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.cameras, self.readers)?;
        for Line { promise, figure, kept } in &self.lines {
            writeln!(f, "{:<8}{promise}: {figure}", if *kept { "kept" } else { "BROKEN" })?;
        }
        for fault in &self.faults {
            writeln!(f, "fault: {fault}")?;
        }
        Ok(())
    }
}

fn lines(outcome: &Outcome) -> Vec<Line> {
    let Outcome { goal, played, cameras, samples, stats, frame_bytes, .. } = outcome;
    let mut lines = Vec::new();
    let mut judge = |promise, kept, figure: String| lines.push(Line { promise, figure, kept });

    let least = cameras.iter().map(|camera| camera.tally.decoded).min().unwrap_or(0);
    let rate = cameras.iter().map(|camera| camera.tally.decoded).sum::<u64>() as f64 / played.as_secs_f64();
    let minutes = played.as_secs_f64() / 60.0;
    let reached = goal.is_reached(*played, least);
    let figure = format!("{least} frames of each camera at least, in {minutes:.1} minutes: {rate:.0} a second of all");
    judge("the run went on to its end", reached, figure);

    let offered: u64 = stats.cameras.iter().map(|camera| camera.offered).sum();
    let own = |Played { name, tally, .. }: &Played| {
        let camera = stats.cameras.iter().find(|camera| camera.id.as_str() == *name);
        camera.is_some_and(|camera| agrees(camera, tally))
    };
    let decoded: u64 = cameras.iter().map(|camera| camera.tally.decoded).sum();
    let figure =
        format!("{decoded} decoded, {offered} offered; published + dropped is that, by cause, for each camera");
    judge("every frame is counted", offered == decoded && cameras.iter().all(own), figure);

    let notes = || cameras.iter().flat_map(|camera| &camera.readers);
    let total = |of: fn(&Notes) -> u64| notes().map(|(_, notes)| of(notes)).sum::<u64>();
    let (spans, seen, missed) =
        (total(|notes| notes.spans), total(|notes| notes.seen), total(|notes| notes.missed.total()));
    let each = notes().all(|(_, notes)| notes.spans == notes.seen + notes.missed.total() && notes.seen > 0);
    let figure = format!("{spans} offered to all readers, {seen} seen + {missed} missed");
    judge("every loss is counted", each && spans == seen + missed, figure);

    let (compared, torn) = (total(|notes| notes.compared), total(|notes| notes.torn));
    let figure = format!("{torn} of {compared} borrowed frames differ from what was decoded");
    judge("no frame is torn", torn == 0 && compared > 0, figure);

    let refused: u64 = cameras.iter().filter_map(|camera| camera.tally.dropped.get("refused")).sum();
    judge("the writer is never refused", refused == 0, format!("{refused} times"));

    // By readers that do not want each frame, where there are no others.
    let thrifty = |camera: &&Played| camera.readers.iter().all(|(kind, _)| Kind::THRIFTY.contains(kind));
    let (mut copied, mut spared, mut most) = (0, 0, 0.0);
    for Played { tally, readers, .. } in cameras.iter().filter(thrifty) {
        copied += tally.published;
        spared += tally.dropped.get("not wanted").copied().unwrap_or(0);
        // One more at the beginning of each start; a request is answered by the first frame after it.
        let each = |kind: Kind| match kind {
            Kind::Rated => played.as_secs_f64() * RATE + 1.0,
            _ => played.as_secs_f64() / ASK_EVERY.as_secs_f64() + 1.0,
        };
        most += readers.iter().map(|(kind, _)| each(*kind)).sum::<f64>() + tally.starts as f64;
    }
    let figure = format!("{copied} frames copied that were wanted, at most {most:.0}; {spared} were not");
    judge("copies follow demand", copied as f64 <= most && copied > 0 && spared > 0, figure);

    let leaked = total(|notes| notes.leaked);
    let (out, rings) = (stats.retired.iter().map(|ring| ring.leases as u64).sum::<u64>(), stats.retired.len());
    let figure = format!("{leaked} leases leaked, {out} of {rings} rings are out at the end");
    judge("a leak costs its lease and no more", leaked == out, figure);

    let most = samples.most_export();
    // A lease keeps its frame, and a ring what it has beside its pixels.
    let largest = frame_bytes.iter().max().copied().unwrap_or(0);
    let known = |ring: &RetiredStats| ring.readers == 0 && ring.bytes <= ring.leases * largest + BESIDE;
    let known = stats.retired.iter().all(known);
    let often = samples.added_up > samples.all.len() as u64 / 2;
    let exact = samples.faults.is_empty() && often && known && at_rest(stats);
    let figure = format!(
        "{:.1} MiB at most of {:.0} MiB; what the rings have is what is in use, at {} of {} moments; at the end {:.1} MiB, the \
         frames that were leaked",
        most as f64 / MIB,
        stats.budget as f64 / MIB,
        samples.added_up,
        samples.all.len(),
        stats.bytes_in_use as f64 / MIB
    );
    judge("the memory budget is exact", exact, figure);

    let growth = samples.growth();
    let figure = format!(
        "{:+.1} MiB beside export, last quarter against second; up to {:.0} MiB is noise",
        growth as f64 / MIB,
        SLACK as f64 / MIB
    );
    judge("resident memory is flat", growth <= SLACK, figure);
    lines
}

/// Whether lifecycle's figures are those of the camera's thread.
fn agrees(camera: &CameraStats, tally: &Tally) -> bool {
    let dropped: BTreeMap<_, _> =
        camera.dropped.iter().filter(|&(_, n)| n != 0).map(|(cause, n)| (cause.name(), n)).collect();
    camera.offered == tally.decoded
        && camera.published == tally.published
        && camera.offered == camera.published + camera.dropped.total()
        && dropped == tally.dropped
}

/// All that is in use is what retired rings have.
fn at_rest(stats: &ExportStats) -> bool {
    stats.bytes_in_use == sum(stats) && stats.cameras.iter().all(|camera| camera.bytes == 0)
}

/// What threads and moments complained of, and what should not have happened at all.
fn faults(outcome: &Outcome) -> Vec<String> {
    let mut faults = outcome.samples.faults.clone();
    for Played { name, tally, readers } in &outcome.cameras {
        faults.extend(tally.faults.iter().cloned());
        for (cause, n) in tally.dropped.iter().filter(|(cause, _)| !EXPECTED.contains(cause)) {
            faults.push(format!("{name}: {n} frames dropped: {cause}"));
        }
        for (kind, notes) in readers {
            faults.extend(notes.faults.iter().map(|fault| format!("{name}, {} reader: {fault}", kind.name())));
            if (notes.panics > 0) != (*kind == Kind::Panicking) {
                faults.push(format!("{name}, {} reader: {} panics", kind.name(), notes.panics));
            }
        }
    }
    faults
}

fn cameras(outcome: &Outcome) -> Table {
    let mut table = Table::new(["", "offered", "published", "starts", "resizes", "frames/s", "dropped"]);
    for Played { name, tally, .. } in &outcome.cameras {
        table.row([
            (*name).to_owned(),
            tally.decoded.to_string(),
            tally.published.to_string(),
            tally.starts.to_string(),
            tally.resizes.to_string(),
            format!("{:.0}", tally.decoded as f64 / outcome.played.as_secs_f64()),
            listed(&tally.dropped),
        ]);
    }
    table
}

/// The readers of all cameras, by kind.
fn readers(outcome: &Outcome) -> Table {
    let mut table =
        Table::new(["readers", "starts", "offered", "seen", "compared", "refusals", "panics", "leaked", "missed"]);
    for kind in Kind::ALL {
        let of_kind = || outcome.cameras.iter().flat_map(|camera| &camera.readers).filter(|(of, _)| *of == kind);
        let total = |of: fn(&Notes) -> u64| of_kind().map(|(_, notes)| of(notes)).sum::<u64>().to_string();
        let mut missed = Missed::default();
        of_kind().for_each(|(_, notes)| missed += notes.missed);
        table.row([
            kind.name().to_owned(),
            total(|notes| notes.starts),
            total(|notes| notes.spans),
            total(|notes| notes.seen),
            total(|notes| notes.compared),
            total(|notes| notes.refusals),
            total(|notes| notes.panics),
            total(|notes| notes.leaked),
            listed(&causes(&missed)),
        ]);
    }
    table
}

fn causes(missed: &Missed) -> BTreeMap<&'static str, u64> {
    let Missed { overwritten, skipped, refused, dropped, unwanted } = *missed;
    let causes = [
        ("overwritten", overwritten),
        ("skipped", skipped),
        ("refused", refused),
        ("dropped", dropped),
        ("not wanted", unwanted),
    ];
    causes.into_iter().filter(|&(_, n)| n != 0).collect()
}

fn listed(causes: &BTreeMap<&'static str, u64>) -> String {
    causes.iter().map(|(cause, n)| format!("{cause} {n}")).collect::<Vec<_>>().join(", ")
}
