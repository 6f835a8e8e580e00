//! Off is off: no allocation, no thread, no mapping.
//!
//! One test, so that nothing else starts threads or maps memory meanwhile.

#![cfg(not(loom))]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::env;
use std::fs;

use common::{stream, threads};
use vas_lifecycle::{CameraWriter, DropCause, FrameExport, FrameSink, Settings, Watch};

struct Counting;

thread_local! {
    /// Of this thread: that of the test harness allocates while a test starts. Needs neither memory nor a destructor.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: each method passes its arguments on to the system's allocator, under the caller's own promises.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(f: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let result = f();
    (ALLOCATIONS.get() - before, result)
}

#[test]
fn off_costs_nothing() {
    let stream = stream(common::P1080);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let tasks = threads();

    // Reading the environment is what allocates in `from_env`.
    let (environment, _) = allocations(|| env::vars_os().for_each(drop));
    let (reading, export) = allocations(FrameExport::from_env);
    assert_eq!(reading, environment);
    assert!(!export.is_enabled() && export.problems().is_empty());

    let (living, writer) = allocations(|| {
        let mut writer = export.camera("gate").expecting(stream);
        for _ in 0..10_000 {
            assert!(writer.is_off() && writer.demand(|| 0).is_err());
            writer.skip(DropCause::NoReader);
            assert!(writer.claim(common::P1080).is_err());
        }
        assert!(export.watch(Watch::all()).poll().count() == 0 && export.cameras().is_empty());
        assert!(export.clone().stats().cameras.is_empty());
        writer
    });
    let (stopping, ()) = allocations(|| drop((writer, export)));
    assert_eq!((living, stopping), (0, 0));
    assert_eq!(allocations(|| drop(CameraWriter::off())).0, 0);
    assert_eq!(threads(), tasks);
    assert_eq!(fs::read_to_string("/proc/self/maps").unwrap(), maps);

    // The same counters see export when it is on.
    let (living, (_export, _writer)) = allocations(|| {
        let export = FrameExport::new(Settings::default());
        let writer = export.camera("gate").expecting(stream);
        (export, writer)
    });
    assert!(living > 0);
    assert!(threads().len() > tasks.len());
    assert_ne!(fs::read_to_string("/proc/self/maps").unwrap(), maps);
}
