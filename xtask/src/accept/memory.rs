//! Criterion 6: memory is bounded by the formula, and flat, over ten minutes' worth of frames of four cameras.

use std::time::Duration;

use anyhow::{Context, Result};

use super::host::{CameraFigures, Export, Figures, Host, Moment, timeline};
use super::verdict::Criterion;
use super::{Bench, Form};

const MOST: Duration = Duration::from_secs(900);
/// The defaults of `AI_FRAME_EXPORT_DEPTH` and `AI_FRAME_EXPORT_READER_LEASES`.
const DEPTH: u64 = 4;
const LEASES: u64 = 1;
/// What bookkeeping and rounding to pages may add to a ring's slots.
const BOOKKEEPING: u64 = 64 << 10;
/// What may move in a process that allocates for decoding.
const SLACK: i64 = 4 << 20;
const MIB: f64 = (1 << 20) as f64;

pub(super) fn criterion(bench: &mut Bench) -> Result<Vec<Criterion>> {
    let mut criterion = Criterion::new(6);
    // Ten minutes of each film at its own pace: 132 frames of 25 a second, 240 of 24, 264 of 25.
    let minutes = match bench.form {
        Form::Full => 10.0,
        Form::Quick => 0.3,
        // So many that what is lost with each frame is more than what may move.
        Form::Saboteur(_) => 2.0,
    };
    let passes = |frames: f64, rate: f64| (minutes * 60.0 * rate / frames).ceil() as u64;
    // One number of passes for all films: that of the shortest.
    let passes = passes(132.0, 25.0).to_string();
    let [groups, bunny, sintel] = bench.clips.three();
    let films = [groups, bunny, sintel, groups];
    let mut runs = Vec::new();
    for export in [Export::Absent, Export::On] {
        let folder = bench.folder(&format!("memory-{}", export.name()))?;
        let host = Host::new(bench, export, &folder);
        let host = host.args(["--fast", "--passes", &passes, "--timeline", "timeline.jsonl"]).args(films);
        let figures = host.run(&bench.children, MOST)?;
        let moments = timeline(&folder.join("timeline.jsonl"));
        bench.plots.add_memory(export, &moments);
        runs.push((figures, moments));
    }
    let (on, moments) = runs.pop().context("no run")?;
    let (without, absent) = runs.pop().context("no run")?;

    let frames: u64 = on.cameras.iter().map(|camera| camera.decoded).sum();
    let least = on.cameras.iter().map(|camera| camera.decoded).min().unwrap_or(0);
    let target = format!("at least {:.0} of each of 4 cameras", minutes * 60.0 * 25.0);
    criterion.judge("frames", format!("{frames}, {least} at least"), target, least as f64 >= minutes * 60.0 * 24.0);
    let bound: u64 = on.cameras.iter().map(bound).sum();
    let most = moments.iter().map(|moment| moment.bytes).max().unwrap_or(0);
    let target = format!("at most {:.2} MiB: slots x frame", bound as f64 / MIB);
    criterion.judge("export's bytes", mib(most), target, most <= bound && most > 0);

    let grown = growth(&moments);
    criterion.judge(
        "resident memory, last quarter against second",
        signed(grown),
        format!("within {}", signed(SLACK)),
        grown <= SLACK,
    );
    // A decoder whose frames are kept by somebody needs more of them.
    let buffers = |figures: &Figures| figures.cameras.iter().map(|camera| camera.buffers).collect::<Vec<_>>();
    let (before, after) = (buffers(&without), buffers(&on));
    let figure = format!("{after:?}");
    criterion.judge("buffers that each decoder needed", figure, format!("{before:?}, as absent"), before == after);
    let (before, after) = (median(&absent), median(&moments));
    let more = after - before;
    let allowed = i64::try_from(bound)? + 4 * SLACK;
    criterion.judge(
        "resident memory, on against absent",
        signed(more),
        format!("at most {}", signed(allowed)),
        more <= allowed,
    );
    criterion.judge("bytes left when all have gone", on.export.left, 0, on.export.left == 0);
    let faults = on.faults.join("; ");
    criterion.judge("its sums", if faults.is_empty() { "add up" } else { &faults }, "add up", faults.is_empty());
    for camera in &on.cameras {
        bench.plots.add_losses(camera);
    }
    Ok(vec![criterion])
}

/// Depth + readers x leases + 1 slots of 4:2:0 samples, whose rows and planes start at multiples of 64 bytes.
fn bound(camera: &CameraFigures) -> u64 {
    let row = |samples: u64| samples.next_multiple_of(64);
    let (width, height) = (camera.width, camera.height);
    let luma = row(width) * height;
    let chroma = row(width.div_ceil(2)) * height.div_ceil(2);
    let slots = DEPTH + Export::On.places() * LEASES + 1;
    slots * (luma + 2 * chroma).next_multiple_of(64) + BOOKKEEPING
}

/// How much more is resident in the last quarter of the time than in the second.
fn growth(moments: &[Moment]) -> i64 {
    let quarter = |n: usize| median(&moments[n * moments.len() / 4..(n + 1) * moments.len() / 4]);
    quarter(3) - quarter(1)
}

/// The median, which a moment's peak does not move.
fn median(moments: &[Moment]) -> i64 {
    let mut resident: Vec<_> = moments.iter().map(|moment| moment.resident).collect();
    resident.sort_unstable();
    resident.get(resident.len() / 2).map_or(0, |&bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn mib(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / MIB)
}

fn signed(bytes: i64) -> String {
    format!("{:+.1} MiB", bytes as f64 / MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_seen() {
        let moment = |resident| Moment { seconds: 0.0, decoded: 0, opened: 0, resident, bytes: 0 };
        let flat: Vec<_> = (0..40).map(|_| moment(100 << 20)).collect();
        assert_eq!(growth(&flat), 0);
        let leaking: Vec<_> = (0..40).map(|n| moment((100 + n) << 20)).collect();
        assert!(growth(&leaking) > SLACK);
        assert_eq!(growth(&[]), 0);
    }
}
