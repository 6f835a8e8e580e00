//! The learner in worlds of invented times.

use super::*;
use crate::copy::fast_string::FastString;
use crate::copy::streaming::Streaming;

const BYTES: usize = 345_600;

/// Kernels that this processor may not have, which nothing here runs.
fn all() -> Option<[Kernel; 3]> {
    Some([Kernel::FastString(FastString::find()?), Kernel::Cached, Kernel::Streaming(Streaming::AVAILABLE?)])
}

/// The same without the fast string copy, as for rows with gaps in between.
fn two() -> Option<[Kernel; 2]> {
    Some([Kernel::Cached, Kernel::Streaming(Streaming::AVAILABLE?)])
}

/// A learner at work, and what has become of its frames.
#[derive(Default)]
struct World {
    learner: Learner,
    used: Vec<Kernel>,
    timed: usize,
    /// What the writer paid, and what it would have paid for the cheapest kernel.
    paid: f64,
    least: f64,
}

impl World {
    /// Copies frames, each for the nanoseconds that its kernel takes.
    fn run(&mut self, frames: usize, leased: bool, candidates: &[Kernel], ns: impl Fn(Kernel, usize) -> u64) {
        for frame in 0..frames {
            let usual = *candidates.last().unwrap();
            let Choice { kernel, timed } = self.learner.choose(BYTES, leased, candidates, usual);
            assert!(candidates.contains(&kernel));
            let took = ns(kernel, frame);
            if timed {
                self.learner.learn(BYTES, leased, kernel, took);
            }
            self.timed += usize::from(timed);
            self.used.push(kernel);
            self.paid += took as f64;
            self.least += candidates.iter().map(|&kernel| ns(kernel, frame)).min().unwrap() as f64;
        }
    }

    /// What the writer paid, to the cheapest kernel, since it was asked last.
    fn ratio(&mut self) -> f64 {
        let ratio = self.paid / self.least;
        (self.paid, self.least) = (0.0, 0.0);
        self.used.clear();
        ratio
    }

    fn share(&self, kernel: Kernel) -> f64 {
        self.used.iter().filter(|&&used| used == kernel).count() as f64 / self.used.len() as f64
    }
}

/// 360p with gaps between its rows, as measured: the reader 24 ns away, and 180.
fn near(kernel: Kernel, _: usize) -> u64 {
    [4_500, 6_000, 7_700][kernel.index()]
}

fn far(kernel: Kernel, _: usize) -> u64 {
    [7_500, 37_700, 7_700][kernel.index()]
}

#[test]
fn the_usual_one_until_something_is_known() {
    let Some(kernels) = two() else { return };
    let mut world = World::default();
    world.run((TRIED_AT_FIRST * RUN) as usize - 1, true, &kernels, near);
    assert_eq!(world.share(kernels[1]), 1.0);
    assert_eq!(
        world.learner.choose(BYTES, true, &kernels[..1], kernels[0]),
        Choice { kernel: kernels[0], timed: false }
    );
}

#[test]
fn near_and_far_and_back() {
    let Some(kernels) = two() else { return };
    let mut world = World::default();
    for round in 0..3 {
        // Long enough for the ordinary copy, which is not in use far away, to be tried.
        world.run((2 * TRIED * RUN) as usize, true, &kernels, near);
        world.ratio();
        world.run(4_000, true, &kernels, near);
        assert!(world.share(kernels[0]) > 0.99, "round {round}");
        let ratio = world.ratio();
        assert!(ratio < 1.01, "near, round {round}: {ratio}");

        // That the kernel in use has become dear is known as soon as it has been timed a few times.
        world.run(2 * TIMED as usize, true, &kernels, far);
        world.ratio();
        world.run(4_000, true, &kernels, far);
        let ratio = world.ratio();
        assert!(ratio < 1.02, "far, round {round}: {ratio}");
    }
}

#[test]
fn readers_choose_where_the_writer_does_not_care() {
    let Some(kernels) = all() else { return };
    let mut world = World::default();
    world.run(2_000, true, &kernels, |_, _| 7_000);
    world.ratio();
    world.run(2_000, true, &kernels, |kernel, _| [7_600, 7_300, 7_000][kernel.index()]);
    assert!(world.share(kernels[0]) > 0.99, "9 % more is next to nothing");
    world.run(3_000, true, &kernels, |kernel, _| [7_800, 7_300, 7_000][kernel.index()]);
    world.ratio();
    world.run(2_000, true, &kernels, |kernel, _| [7_800, 7_300, 7_000][kernel.index()]);
    assert!(world.share(kernels[1]) > 0.99, "11 % is not");
}

#[test]
fn trials_are_rare() {
    let Some(kernels) = all() else { return };
    let mut world = World::default();
    world.run(1_000, true, &kernels, far);
    world.ratio();
    world.timed = 0;
    const FRAMES: usize = (TRIED * RUN) as usize * 100;
    world.run(FRAMES, true, &kernels, far);
    let tried = |kernel: Kernel| world.used.iter().filter(|&&used| used == kernel).count();
    let each = RUN as usize * 50;
    assert_eq!((tried(kernels[1]), tried(kernels[2])), (each, each), "each in its turn");
    let begun = world.used.windows(2).filter(|pair| pair[0] == kernels[0] && pair[1] != kernels[0]).count();
    assert_eq!(begun, 100, "a run at a time");
    assert!(world.timed <= FRAMES / TIMED as usize + 100, "{}", world.timed);
    assert!(world.ratio() < 1.02);
}

/// A thread that is put aside takes a hundred times as long, whatever it copies with.
#[test]
fn interruptions_change_nothing() {
    let Some(kernels) = all() else { return };
    let mut world = World::default();
    let mut random = 7_u64;
    let mut interrupted = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        random >> 60 == 0
    };
    let chance: Vec<_> = (0..50_000).map(|_| if interrupted() { 100 } else { 1 }).collect();
    for (times, best) in [(near as fn(_, _) -> _, 0), (far, 0)] {
        let mut world = World::default();
        world.run(50_000, true, &kernels, |kernel, frame| times(kernel, frame) * chance[frame]);
        assert!(world.share(kernels[best]) > 0.98, "{}", world.share(kernels[best]));
    }
    let kernels = two().unwrap();
    world.run(50_000, true, &kernels, |kernel, frame| near(kernel, frame) * chance[frame]);
    assert!(world.share(kernels[0]) > 0.98, "{}", world.share(kernels[0]));
}

/// What a copy takes depends on the former one into the slot: an ordinary one is cheap where that was ordinary too, or a
/// streaming one where that was streaming. One copy alone cannot find that out.
#[test]
fn slots_of_a_former_copy() {
    for leased in [false, true] {
        former_copy(leased);
    }
    // As measured with rows of 1080p with gaps, a far reader, and nothing else on.
    let Some(kernels) = two() else { return };
    let mut learner = Learner::default();
    let mut slots = [kernels[1]; 5];
    let mut streamed = 0;
    for frame in 0..30_000 {
        let Choice { kernel, timed } = learner.choose(BYTES, true, &kernels, kernels[1]);
        let slot = &mut slots[frame % 5];
        let ns = match (kernel, *slot) {
            (Kernel::Cached, Kernel::Cached) => 200_000,
            (Kernel::Cached, _) => 120_000,
            (_, Kernel::Cached) => 200_000,
            _ => 117_000,
        };
        *slot = kernel;
        if timed {
            learner.learn(BYTES, true, kernel, ns);
        }
        streamed += usize::from(kernel == kernels[1]);
    }
    assert!(streamed > 29_500, "{streamed}");
}

fn former_copy(leased: bool) {
    let Some(kernels) = two() else { return };
    let mut learner = Learner::default();
    let mut slots = [kernels[1]; 5];
    let mut run = |frames: usize, busy: bool| {
        let mut ordinary = 0;
        for frame in 0..frames {
            let Choice { kernel, timed } = learner.choose(BYTES, leased, &kernels, kernels[0]);
            let slot = &mut slots[frame % 5];
            let ns = match (kernel, *slot) {
                (Kernel::Cached, Kernel::Cached) if !busy => 5_000,
                (Kernel::Cached, _) => 20_000,
                _ => 7_700,
            };
            *slot = kernel;
            if timed {
                learner.learn(BYTES, leased, kernel, ns);
            }
            ordinary += usize::from(kernel == Kernel::Cached);
        }
        ordinary as f64 / frames as f64
    };
    run(1_000, false);
    let share = run(10_000, false);
    assert!(share > 0.99, "{share}");
    // Somebody else takes the whole cache for a while.
    run(1_000, true);
    assert!(run(10_000, true) < 0.01);
    run((TRIED * RUN) as usize + 1_000, false);
    assert!(run(10_000, false) > 0.99, "it has come back");
}

#[test]
fn what_is_not_alike_is_apart() {
    let Some(kernels) = two() else { return };
    let mut world = World::default();
    world.run(1_000, true, &kernels, near);
    let mut kernel = |bytes, leased| world.learner.choose(bytes, leased, &kernels, kernels[1]).kernel;
    assert_eq!(kernel(BYTES, true), kernels[0]);
    assert_eq!(kernel(BYTES, false), kernels[1]);
    assert_eq!(kernel(BYTES * 2, true), kernels[1]);
    assert_eq!(kernel(BYTES * 5 / 4, true), kernels[0]);
}

#[test]
fn a_candidate_that_is_not_there_this_time() {
    let Some(kernels) = all() else { return };
    let mut world = World::default();
    world.run(2_000, true, &kernels, far);
    for _ in 0..2_000 {
        // `run` asserts that none but the candidates is chosen.
        world.run(1, true, &kernels[1..], far);
        world.run(1, true, &kernels, far);
    }
    world.ratio();
    world.run(100, true, &kernels[1..], far);
    assert!(world.share(kernels[2]) >= 0.98);
    world.run(100, true, &kernels, far);
    assert!(world.share(kernels[0]) > 0.49);
}

#[test]
fn times_that_make_no_sense() {
    let Some(kernels) = all() else { return };
    let mut world = World::default();
    for ns in [0, u64::MAX, 1, u64::MAX / 2] {
        world.run(1_000, false, &kernels, |_, _| ns);
        world.run(1_000, true, &kernels, |_, frame| ns.wrapping_mul(frame as u64));
    }
    for bytes in [0, 1, usize::MAX] {
        world.learner.choose(bytes, true, &kernels, kernels[0]);
        world.learner.learn(bytes, true, kernels[0], u64::MAX);
    }
}
