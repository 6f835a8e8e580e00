//! Criterion 5: the time from a packet to the frame's handing to recording, on against absent, interleaved.

use std::time::Duration;

use anyhow::Result;

use super::Bench;
use super::host::{Export, Host};
use super::verdict::Criterion;

const MOST: Duration = Duration::from_secs(60);
/// The most that export may add to the median.
const TARGET: f64 = 1.03;
/// The same in a quick run, whose few pairs say no more than whether decode was held up.
const QUICK_TARGET: f64 = 1.25;

pub(super) fn criterion(bench: &mut Bench) -> Result<Vec<Criterion>> {
    let mut criterion = Criterion::new(5);
    let pairs = if bench.quick { 7 } else { 25 };
    let passes = if bench.quick { "3" } else { "6" };
    let folder = bench.folder("cadence")?;
    let (mut p50, mut p99, mut cpu) = (Ratios::default(), Ratios::default(), Ratios::default());
    let mut copies = Vec::new();
    for pair in 0..pairs {
        // Whichever comes second finds the caches and the clock as the first left them: each comes first in turn.
        let order = if pair % 2 == 0 { [Export::Absent, Export::On] } else { [Export::On, Export::Absent] };
        let mut times = [None; 2];
        for export in order {
            let host = Host::new(&bench.builds, export, &folder);
            let figures =
                host.args(["--fast", "--passes", passes]).args([&bench.clips.bunny]).run(&bench.children, MOST)?;
            let camera = &figures.cameras[0];
            times[usize::from(export == Export::On)] = Some((camera.decode_us, camera.decode_cpu_us));
            copies.extend(camera.copy_us.map(|copy| copy.p50));
        }
        if let [Some((absent, absent_cpu)), Some((on, on_cpu))] = times {
            p50.add(absent.p50, on.p50);
            p99.add(absent.p99, on.p99);
            cpu.add(absent_cpu.p50, on_cpu.p50);
        }
    }
    let target = if bench.quick { QUICK_TARGET } else { TARGET };
    let at_most = format!("at most {target}");
    let ratio = p50.ratio();
    criterion.tell("pairs of runs", pairs);
    criterion.tell("p50", p50.shown());
    criterion.tell("p99", p99.shown());
    criterion.tell("p50 of processor time", cpu.shown());
    criterion.judge("p50, on against absent", format!("{ratio:.3}"), &at_most, ratio <= target);
    // Where others want the cores too, the clock says more of them than of export.
    let ratio = cpu.ratio();
    criterion.judge("p50 of processor time, on against absent", format!("{ratio:.3}"), &at_most, ratio <= target);
    criterion.tell("p99, on against absent", format!("{:.3}", p99.ratio()));
    criterion.tell("p50 of the tap itself", format!("{:.0} us", median(copies)));
    Ok(vec![criterion])
}

/// A time in pairs of runs.
#[derive(Default)]
struct Ratios {
    absent: Vec<f64>,
    on: Vec<f64>,
}

impl Ratios {
    fn add(&mut self, absent: f64, on: f64) {
        self.absent.push(absent);
        self.on.push(on);
    }

    /// The median over the pairs, in which what disturbs one pair does not count for much.
    fn ratio(&self) -> f64 {
        median(self.absent.iter().zip(&self.on).map(|(absent, on)| on / absent).collect())
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
        let mut ratios = Ratios::default();
        for (absent, on) in [(100.0, 101.0), (100.0, 300.0), (200.0, 202.0)] {
            ratios.add(absent, on);
        }
        assert!((ratios.ratio() - 1.01).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan());
        assert!((median(vec![4.0, 1.0]) - 2.5).abs() < 1e-9);
    }
}
