//! Criterion 5: what VAS feels of export, on against absent, interleaved: the time from a packet to the frame's handing to
//! recording, the time from there until the decode loop takes up the next packet, the offer included, how much the loop gets
//! done, and by how much packets are taken up too late.

use std::time::Duration;

use anyhow::Result;

use super::host::{CameraFigures, Export, Host};
use super::verdict::Criterion;
use super::{Bench, Form};

const MOST: Duration = Duration::from_secs(120);
/// The most that export may add to the median of decoding: the caches that a copy takes.
const DECODE: f64 = 1.03;
/// The most that an offer may take of a 1280x720 frame, in microseconds: its copy at 5 GB/s, which is slow.
const HOLD: f64 = 280.0;
/// The most that export may hold the loop up, in microseconds per frame: what the clock's and the kernel's counts differ by.
const BLOCKED: f64 = 20.0;
/// The most that export may add to a loop that decodes as fast as it can and does nothing else, by the clock and in processor
/// time.
const LOOP: f64 = 1.10;
/// The most that export may add to the share of packets that are taken up more than 5 ms too late.
const LATE: f64 = 0.005;

pub(super) fn criterion(bench: &mut Bench) -> Result<Vec<Criterion>> {
    let mut criterion = Criterion::new(5);
    let judged = bench.judges_times();
    let (pairs, passes) = match bench.form {
        Form::Full => (25, "6"),
        Form::Quick => (3, "3"),
        Form::Saboteur(_) => (7, "3"),
    };
    criterion.tell("pairs of runs", pairs);
    let runs = interleaved(bench, "cadence", pairs, &["--fast", "--passes", passes], 1)?;

    let decode = runs.of(|camera| camera.decode_us.p50);
    criterion.tell("p50 of decoding", decode.shown());
    criterion.tell("p99 of decoding", runs.of(|camera| camera.decode_us.p99).shown());
    // So few pairs say no more than whether decode was held up at all.
    let (target, cpu) = (format!("at most {DECODE}"), runs.of(|camera| camera.decode_cpu_us.p50));
    for (what, ratio) in [("p50 of decoding", decode.ratio()), ("p50 of its processor time", cpu.ratio())] {
        // Where others want the cores too, the clock says more of them than of export.
        let (what, figure) = (format!("{what}, on against absent"), format!("{ratio:.3}"));
        criterion.weigh(bench.form == Form::Full, what, figure, &target, ratio <= DECODE);
    }
    // These do not depend on what else the machine does.
    let known = |figure: Option<f64>| figure.unwrap_or(f64::NAN);
    let (blocked, ran) = (runs.of(|camera| known(camera.blocked_us)), runs.of(|camera| known(camera.ran_us)));
    if blocked.is_known() {
        let more = blocked.difference();
        let figure = format!("{more:+.0} us, {}", blocked.shown());
        criterion.weigh(judged, "held up, per frame", figure, format!("at most {BLOCKED:+.0} us"), more <= BLOCKED);
        let ratio = ran.ratio();
        let figure = format!("{ratio:.3}, {}", ran.shown());
        criterion.weigh(judged, "processor time per frame", figure, format!("at most {LOOP}"), ratio <= LOOP);
    } else {
        criterion.not_run("held up, per frame", "the kernel does not say what threads wait for");
    }
    let hold = runs.of(|camera| camera.hold_us.p50);
    let (what, more) = ("median from handing to the next packet", hold.difference());
    let figure = format!("{more:+.0} us, {}", hold.shown());
    criterion.weigh(judged, what, figure, format!("at most {HOLD:+.0} us"), more <= HOLD);
    criterion.tell("mean from handing to the next packet", runs.of(|camera| camera.hold_us.mean).shown());
    let interval = runs.of(|camera| camera.interval_us.mean);
    let (what, ratio) = ("time per frame of the loop, as fast as it can", interval.ratio());
    let figure = format!("{ratio:.3}, {}", interval.shown());
    criterion.weigh(bench.form == Form::Full, what, figure, format!("at most {LOOP}"), ratio <= LOOP);
    criterion.tell("p50 of the tap itself", format!("{:.0} us", median(runs.copies)));

    // At its own pace, with two cameras to have more packets.
    let (pairs, seconds) = match bench.form {
        Form::Full => (5, "20"),
        Form::Quick => (1, "3"),
        Form::Saboteur(_) => (1, "12"),
    };
    let runs = interleaved(bench, "jitter", pairs, &["--passes", "1000", "--seconds", seconds], 2)?;
    let late = runs.of(|camera| camera.late);
    let percent = |times: &[f64]| format!("{:.2} %", 100.0 * median(times.to_vec()));
    let figure = format!("{} absent, {} on", percent(&late.absent), percent(&late.on));
    let more = late.difference();
    let target = format!("at most {:.1} % more", 100.0 * LATE);
    let (what, full) = ("packets taken up more than 5 ms late", bench.form == Form::Full);
    criterion.weigh(full, what, figure, target, more <= LATE);
    criterion.tell("p99 of how late", runs.of(|camera| camera.late_us.p99).shown());
    Ok(vec![criterion])
}

/// Runs with export and without, in pairs.
struct Runs {
    absent: Vec<CameraFigures>,
    on: Vec<CameraFigures>,
    /// Medians of what the tap took.
    copies: Vec<f64>,
}

/// Plays the same film on so many cameras in both hosts, one after the other, so many times.
fn interleaved(bench: &Bench, name: &str, pairs: usize, how: &[&str], cameras: usize) -> Result<Runs> {
    let folder = bench.folder(name)?;
    let mut runs = Runs { absent: Vec::new(), on: Vec::new(), copies: Vec::new() };
    for pair in 0..pairs {
        // Whichever comes second finds the caches and the clock as the first left them: each comes first in turn.
        let order = if pair % 2 == 0 { [Export::Absent, Export::On] } else { [Export::On, Export::Absent] };
        for export in order {
            let host = Host::new(bench, export, &folder).args(how).args(vec![&bench.clips.bunny; cameras]);
            let figures = host.run(&bench.children, MOST)?;
            runs.copies.extend(figures.cameras.iter().filter_map(|camera| Some(camera.copy_us?.p50)));
            let of_kind = if export == Export::On { &mut runs.on } else { &mut runs.absent };
            of_kind.extend(figures.cameras);
        }
    }
    Ok(runs)
}

impl Runs {
    fn of(&self, figure: impl Fn(&CameraFigures) -> f64) -> Pairs {
        let of = |cameras: &[CameraFigures]| cameras.iter().map(&figure).collect();
        Pairs { absent: of(&self.absent), on: of(&self.on) }
    }
}

/// A figure in pairs of runs.
struct Pairs {
    absent: Vec<f64>,
    on: Vec<f64>,
}

impl Pairs {
    /// The median over the pairs, in which what disturbs one pair does not count for much.
    fn ratio(&self) -> f64 {
        median(self.absent.iter().zip(&self.on).map(|(absent, on)| on / absent).collect())
    }

    /// The same of what is more.
    fn difference(&self) -> f64 {
        median(self.absent.iter().zip(&self.on).map(|(absent, on)| on - absent).collect())
    }

    fn is_known(&self) -> bool {
        self.absent.iter().chain(&self.on).all(|figure| figure.is_finite())
    }

    fn shown(&self) -> String {
        let spread = |times: &[f64]| {
            let mut times = times.to_vec();
            times.sort_by(f64::total_cmp);
            let (least, most) = (times.first().unwrap_or(&f64::NAN), times.last().unwrap_or(&f64::NAN));
            format!("{:.0} us ({least:.0} to {most:.0})", median(times.clone()))
        };
        format!("absent {}, on {}", spread(&self.absent), spread(&self.on))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => values[n / 2 - 1].midpoint(values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_disturbed_pair_does_not_count() {
        let pairs = Pairs { absent: vec![100.0, 100.0, 200.0], on: vec![101.0, 300.0, 202.0] };
        assert!((pairs.ratio() - 1.01).abs() < 1e-9);
        assert!((pairs.difference() - 2.0).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan());
        assert!((median(vec![4.0, 1.0]) - 2.5).abs() < 1e-9);
    }
}
