//! The questions of `cargo xtask compare` that a single thread can answer, under criterion: one group each, ours, the
//! peers and the limits in it. For ratios, run `cargo xtask compare`, where contenders take turns.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use vas_benches::compare::contender::{Contender, Kind, Reader, Shape};
use vas_benches::compare::contenders::{Visitor, visit_all, visit_limits};
use vas_benches::compare::picture::{FULL, LARGE, Picture, SMALL, Size, TINY};
use vas_benches::compare::stage::Stage;

/// Publishes frames that nobody reads.
struct Publish<'a> {
    criterion: &'a mut Criterion,
    size: Size,
    pictures: Vec<Picture>,
}

impl Visitor for Publish<'_> {
    fn visit<C: Contender>(&mut self) {
        let Ok(mut stage) = Stage::<C>::new(&Shape::new(0, self.size.bytes())) else { return };
        let mut group = self.criterion.benchmark_group(format!("publish/{}", self.size.name));
        group.throughput(Throughput::Bytes(self.size.bytes() as u64));
        group.bench_function(C::NAME, |bencher| bencher.iter(|| black_box(stage.publish(&self.pictures))));
        group.finish();
    }
}

/// Publishes a line, takes it and gives it back; and looks when there is nothing new.
struct Lease<'a> {
    criterion: &'a mut Criterion,
    pictures: Vec<Picture>,
}

impl Visitor for Lease<'_> {
    fn visit<C: Contender>(&mut self) {
        let Ok(mut stage) = Stage::<C>::new(&Shape::new(1, TINY.bytes())) else { return };
        let Some(mut reader) = stage.readers.pop() else { return };
        debug_assert!(C::KIND != Kind::Limit);
        let mut group = self.criterion.benchmark_group("publish, lease and release/64 bytes");
        group.bench_function(C::NAME, |bencher| {
            bencher.iter(|| {
                stage.publish(&self.pictures);
                reader.latest(|_, pixels| black_box(pixels.as_ptr()))
            });
        });
        group.finish();
        let mut group = self.criterion.benchmark_group("idle poll");
        group.bench_function(C::NAME, |bencher| {
            bencher.iter(|| reader.latest(|_, pixels| black_box(pixels.as_ptr())));
        });
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for size in [TINY, SMALL, FULL, LARGE] {
        let mut publish = Publish { criterion: &mut criterion, size, pictures: size.pictures() };
        visit_all(&mut publish);
        visit_limits(&mut publish);
    }
    visit_all(&mut Lease { criterion: &mut criterion, pictures: TINY.pictures() });
    criterion.final_summary();
}
