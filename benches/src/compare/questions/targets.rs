//! What was aimed at, beside what was reached.

use crate::compare::contender::{Contender as _, Kind};
use crate::compare::contenders::ours::{Plain, Tapped, TappedCached, TappedStreaming};
use crate::compare::cores::Apart;
use crate::compare::picture::{FULL, LARGE, LITTLE, SMALL};
use crate::compare::report::{Report, Table, Target};

/// Sizes in which an offer is held against each way of copying and against peers.
const SIZES: &[&str] = &[LITTLE.name, SMALL.name, FULL.name, LARGE.name];

/// All of them, from the report's tables.
pub fn targets(report: &Report) -> Vec<Target> {
    let value =
        |number, table: &str, contender: &str, column: &str| report.table(number, table)?.value(contender, column);
    let (ring, tap) = (Plain::NAME, Tapped::NAME);
    let spinning = "Publish 64 bytes under 4 spinning readers, back to back";
    // With one reader, near and far.
    let read = |sizes: &'static [&str]| {
        let tables = report.sections.iter().filter(|section| section.number == 1).flat_map(|section| &section.tables);
        tables.filter(move |table| {
            let size = table.title.split_once(", 1 reader").map(|(size, _)| size);
            size.is_some_and(|size| sizes.contains(&size))
        })
    };
    let worst = |sizes, ratio: &dyn Fn(&Table) -> Option<f64>| read(sizes).filter_map(ratio).max_by(f64::total_cmp);
    let to_modes = |table: &Table| {
        let p50 = |contender| table.value(contender, "p50 us");
        Some(p50(tap)? / p50(TappedCached::NAME)?.min(p50(TappedStreaming::NAME)?))
    };
    let to_peer = |table: &Table| table.value(tap, "to best peer");
    let near_read = |table: &Table| {
        let read = |contender| table.value(contender, "read us");
        table.title.ends_with(Apart::Near.name()).then(|| Some(read(tap)? / read(TappedCached::NAME)?))?
    };
    let raw = || {
        let table = report.table(1, "1080p, no readers")?;
        Some(table.value(tap, "p50 us")? / table.best(Kind::Limit, "p50 us")?)
    };
    let slow = || {
        let ratio = |table| value(3, table, tap, "to no holds");
        Some(ratio("Held for 100 ms")?.max(ratio("Held for ever")?))
    };
    let refused = || {
        let count = |table| value(3, table, tap, "refused");
        Some(count("Held for 100 ms")? + count("Held for ever")?)
    };
    let decode = |contender| value(5, "Decode and export", contender, "wall to none");
    let demand = |contender, column| value(7, "Decode and export by demand", contender, column);
    let waiting = |column| value(7, "Waiting for cameras at 25 frames a second", "64 cameras, one set", column);
    let idle = value(7, "Waiting for cameras that are idle", "64 cameras, one set", "% of a core");
    let target = |what, at_most, is, unit| Target { what, at_most, is, unit };
    vec![
        target("publish 64 bytes, median", 8.0, value(2, "Publish 64 bytes, alone", ring, "median ns"), "ns"),
        target("publish 64 bytes under 4 spinning readers, p99", 60.0, value(2, spinning, ring, "p99 ns"), "ns"),
        target("lease and release, median", 15.0, value(2, "Lease and release", ring, "median ns"), "ns"),
        target("idle poll, median", 2.0, value(2, "Idle poll", ring, "median ns"), "ns"),
        target("publish 1080p, to the fastest raw copy", 1.02, raw(), "times"),
        target(
            "publish 1080p with a reader on another core, to without",
            1.1,
            worst(&[FULL.name], &|table| table.value(tap, "to no readers")),
            "times",
        ),
        target("publish to a reader, worst of all sizes, to the better mode", 1.1, worst(SIZES, &to_modes), "times"),
        target("publish to a reader, worst of all sizes, to the best peer", 1.05, worst(SIZES, &to_peer), "times"),
        target(
            "a near reader's first look at 1080p, to an ordinary copy's",
            1.1,
            worst(&[FULL.name], &near_read),
            "times",
        ),
        target("offer 64 bytes, median", 40.0, value(2, "Publish 64 bytes, alone", tap, "median ns"), "ns"),
        target("decode + export with one reader, to decoding alone", 1.03, decode("ours, 1 reader"), "times"),
        target("decode + export with no reader, to decoding alone", 1.001, decode("ours, no reader"), "times"),
        target("slow readers, to none", 1.02, slow(), "times"),
        target("slow readers: frames refused", 0.0, refused(), "frames"),
        target("copies for a reader at 5 per second", 5.2, demand("5 per second", "copies/s"), "a second"),
        target(
            "copies that a reader at 5 per second is short of",
            0.0,
            demand("5 per second", "copies/s").map(|copies| (5.0 - copies).max(0.0)),
            "a second",
        ),
        target(
            "decode + export at 5 per second, to decoding alone",
            1.008,
            demand("5 per second", "wall to none"),
            "times",
        ),
        target(
            "decode + a camera with no reader, to decoding alone",
            1.001,
            demand("no reader", "wall to none"),
            "times",
        ),
        target("64 idle cameras in one set", 1.0, idle, "% of a core"),
        target("64 cameras in one set, wake-ups per frame", 3.0, waiting("wake-ups per frame"), "wake-ups"),
        target("64 cameras in one set, added at the median", 1000.0, waiting("added p50 us"), "us"),
        target("64 cameras, cost per frame to one's", 1.05, value(6, "1 KB frames", ring, "grows"), "times"),
    ]
}
