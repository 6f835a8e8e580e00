//! Question 6: many cameras.

use std::sync::Barrier;
use std::thread;

use super::{WARM, order};
use crate::compare::contender::{Contender, Kind, Shape};
use crate::compare::contenders::{Visitor, limits, visit_all};
use crate::compare::cores::pin;
use crate::compare::counting;
use crate::compare::lab::Lab;
use crate::compare::picture::{Picture, Size};
use crate::compare::report::{Section, Table};
use crate::compare::spread::median;
use crate::compare::stage::Stage;

/// How many cameras there are.
const CAMERAS: [usize; 4] = [1, 4, 16, 64];
/// One kilobyte, so that it is the bookkeeping that shows.
const SMALL: Size = Size { name: "1 KB frames", width: 64, height: 16, chroma: false };
/// A thumbnail: 14 kilobytes.
const THUMBNAIL: Size = Size { name: "14 KB frames", width: 128, height: 72, chroma: true };

trait Scales: Send {
    /// Publishes `frames` frames on each camera, one camera after the other. Returns nanoseconds per frame.
    fn sweep(&mut self, lab: &Lab, pictures: &[Picture], frames: usize) -> f64;
}

/// The cameras of one core.
struct Share<C: Contender>(Vec<Stage<C>>);

impl<C: Contender> Scales for Share<C> {
    fn sweep(&mut self, lab: &Lab, pictures: &[Picture], frames: usize) -> f64 {
        let cameras = self.0.len().max(1);
        lab.clock.per_call(frames, || {
            for stage in &mut self.0 {
                stage.publish(pictures);
            }
        }) / cameras as f64
    }
}

/// One contender with so many cameras, spread over the cores.
struct Fleet {
    name: &'static str,
    kind: Kind,
    shares: Vec<Box<dyn Scales>>,
    bytes_per_camera: f64,
}

struct Fleets<'a> {
    lab: &'a Lab,
    size: Size,
    pictures: &'a [Picture],
    cameras: usize,
    fleets: Vec<Fleet>,
    absent: Vec<(&'static str, String)>,
}

impl Visitor for Fleets<'_> {
    fn visit<C: Contender>(&mut self) {
        if let Some(reason) = self.lab.unfit.get(C::NAME) {
            return self.absent.push((C::NAME, reason.clone()));
        }
        let cores = self.lab.cores.min(self.cameras);
        let before = counting::live_bytes();
        let mut shares: Vec<Share<C>> = (0..cores).map(|_| Share(Vec::new())).collect();
        for camera in 0..self.cameras {
            match Stage::new(&Shape::new(0, self.size.bytes())) {
                Ok(mut stage) => {
                    // All buffers have been used once, also of those that make them as they go.
                    for _ in 0..2 * WARM {
                        stage.publish(self.pictures);
                    }
                    shares[camera % cores].0.push(stage);
                }
                Err(reason) => return self.absent.push((C::NAME, reason)),
            }
        }
        let bytes_per_camera = (counting::live_bytes() - before) as f64 / self.cameras as f64;
        let shares = shares.into_iter().map(|share| Box::new(share) as Box<dyn Scales>).collect();
        self.fleets.push(Fleet { name: C::NAME, kind: C::KIND, shares, bytes_per_camera });
    }
}

/// The answer.
pub fn ask(lab: &Lab) -> Section {
    let tables = [SMALL, THUMBNAIL].map(|size| table(lab, size)).into();
    Section {
        number: 6,
        question: "Scale: 1, 4, 16 and 64 cameras on the machine's cores",
        notes: vec![format!(
            "A writer thread on each of {} cores serves its share of the cameras in turn; nobody reads. More cameras are \
             more buffers: what the limits lose is the caches' doing. *Grows* is the cost of 64 cameras to that of one \
             per core; *beside limit* is the same after the unsynchronised ring's growth is taken out.",
            lab.cores
        )],
        tables,
    }
}

fn table(lab: &Lab, size: Size) -> Table {
    let pictures = size.pictures();
    let mut costs: Vec<(&'static str, Kind, Vec<Option<f64>>, f64)> = Vec::new();
    let mut absent = Vec::new();
    for cameras in CAMERAS {
        eprintln!("  {}, {cameras} cameras", size.name);
        let mut fleets = Fleets { lab, size, pictures: &pictures, cameras, fleets: Vec::new(), absent: Vec::new() };
        visit_all(&mut fleets);
        fleets.visit::<limits::Memcpy>();
        fleets.visit::<limits::Unsynchronised>();
        absent = fleets.absent;
        let mut fleets = fleets.fleets;
        let mut samples = vec![Vec::new(); fleets.len()];
        for round in 0..lab.or_quick(15, 1) {
            for n in order(round, fleets.len()) {
                samples[n].extend(turn(lab, &mut fleets[n].shares, &pictures, cameras));
            }
        }
        for (fleet, samples) in fleets.iter().zip(&samples) {
            let at = costs.iter().position(|cost| cost.0 == fleet.name).unwrap_or_else(|| {
                costs.push((fleet.name, fleet.kind, Vec::new(), 0.0));
                costs.len() - 1
            });
            costs[at].2.push(median(samples));
            costs[at].3 = fleet.bytes_per_camera;
        }
    }
    let columns = ["1: ns/frame", "4: ns/frame", "16: ns/frame", "64: ns/frame", "KB per camera"];
    let mut table = Table::new(size.name, &columns);
    for (name, kind, values, bytes) in costs {
        table.push(name, kind, [values, vec![Some(bytes / 1e3)]].concat());
    }
    table.absent = absent;
    // Of one camera per core, or as near as the numbers go.
    let first = *columns[..4]
        .iter()
        .zip(CAMERAS)
        .rfind(|(_, cameras)| *cameras <= lab.cores.max(1))
        .map_or(&columns[0], |(name, _)| name);
    let last = columns[3];
    let firsts: Vec<_> = table.rows.iter().map(|row| (row.contender, table.value(row.contender, first))).collect();
    let of_first = |name: &str| firsts.iter().find(|(contender, _)| *contender == name).and_then(|first| first.1);
    let limit = "unsynchronised ring";
    let limit_growth = table.value(limit, last).zip(of_first(limit)).map(|(last, first)| last / first);
    table.add_ratio("grows", last, |row| of_first(row.contender));
    table.add_ratio("beside limit", "grows", |_| limit_growth);
    table.add_ratios(last, table.value(limit, last));
    table
}

/// Each core's cameras publish at the same time. Returns each core's cost per frame.
fn turn(lab: &Lab, shares: &mut [Box<dyn Scales>], pictures: &[Picture], cameras: usize) -> Vec<f64> {
    let frames = lab.or_quick(6_400, 640) / cameras.max(1);
    let all_there = Barrier::new(shares.len());
    let cores: Vec<usize> = std::iter::once(lab.writer_core).chain(lab.reader_cores.iter().copied()).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = shares
            .iter_mut()
            .enumerate()
            .map(|(n, share)| {
                let (cores, all_there) = (&cores, &all_there);
                scope.spawn(move || {
                    pin(cores[n % cores.len()]);
                    all_there.wait();
                    share.sweep(lab, pictures, WARM);
                    share.sweep(lab, pictures, frames.max(20))
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}
