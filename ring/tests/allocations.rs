//! What the ring takes from the machine: memory when it is made, as much as its spec says, and after that nothing:
//! no allocation, no page fault.
#![cfg(not(loom))]

#[path = "common/mod.rs"]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::mem::{self, MaybeUninit};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use common::{assert_whole, emulated, publish, ring};
use vas_ring::{DropCause, HeapMemory, Identity, Lease, ReadError, Reader, Ring, RingSpec};

const FRAMES: u64 = 10_000;

/// The system's allocator, with a count of what each thread does with it.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    CALLS.set(CALLS.get() + 1);
    BYTES.set(BYTES.get() + bytes);
}

// SAFETY: passes everything on to the system's allocator; the counters neither allocate nor need dropping.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the calling thread has cost so far.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost {
    /// Calls of the allocator, to give memory back as well.
    allocator_calls: u64,
    page_faults: i64,
}

impl Cost {
    fn now() -> Self {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: a place for the answer, which zeroes are valid for.
        let usage = unsafe {
            assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()), 0);
            usage.assume_init()
        };
        let page_faults = if *EMULATED { 0 } else { usage.ru_minflt + usage.ru_majflt };
        Self { allocator_calls: CALLS.get(), page_faults }
    }

    /// What `f` costs.
    fn of(f: impl FnOnce()) -> Self {
        let before = Self::now();
        f();
        let after = Self::now();
        Self {
            allocator_calls: after.allocator_calls - before.allocator_calls,
            page_faults: after.page_faults - before.page_faults,
        }
    }
}

/// Before anything is counted, as asking allocates.
static EMULATED: LazyLock<bool> = LazyLock::new(|| emulated("page faults"));

const NOTHING: Cost = Cost { allocator_calls: 0, page_faults: 0 };

#[test]
fn the_counters_count() {
    assert_eq!(Cost::of(|| drop(black_box(Box::new(1)))).allocator_calls, 2);
    let pages = 64;
    let faults = Cost::of(|| {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh mapping, written within its length, and unmapped in full.
        unsafe {
            let at = libc::mmap(std::ptr::null_mut(), pages * 4096, access, kind, -1, 0);
            assert_ne!(at, libc::MAP_FAILED);
            (0..pages).for_each(|page| at.cast::<u8>().add(page * 4096).write_volatile(1));
            libc::munmap(at, pages * 4096);
        }
    });
    // One each, or fewer where pages are huge.
    assert!(faults.page_faults > 0 || *EMULATED, "{faults:?}");
}

/// Borrows a frame with each kind of read, and gives it back, while leases are out.
fn read(reader: &mut Reader, held: &mut [Option<Lease>]) {
    for (turn, place) in held.iter_mut().enumerate() {
        // It goes before the next one comes: the others use up the leases but for one.
        *place = None;
        let lease = if turn % 2 == 0 { reader.latest() } else { reader.next() };
        // With the writer on another thread it may have been faster; that costs nothing either.
        *place = match lease {
            Err(ReadError::Overtaken) => None,
            lease => lease.unwrap(),
        };
        place.iter().for_each(assert_whole);
    }
}

/// Publishing costs nothing, reading neither, and being refused neither, once every slot was used.
#[test]
fn publish_and_read_for_nothing() {
    let (ring, mut writer) = ring(3, 2, 2, 6000);
    let mut readers = [ring.subscribe().unwrap(), ring.subscribe().unwrap()];
    // With all leases out every slot is used.
    let mut leases: Vec<Option<Lease>> = Vec::with_capacity(4);
    for turn in 0..4 {
        publish(&mut writer);
        leases.push(readers[turn % 2].latest().unwrap());
    }
    (0..4).for_each(|_| _ = publish(&mut writer));
    let cost = Cost::of(|| (0..FRAMES).for_each(|_| _ = publish(&mut writer)));
    assert_eq!(cost, NOTHING, "{FRAMES} frames while all leases are out");

    let refusals = Cost::of(|| {
        for reader in &mut readers {
            assert_eq!(reader.latest().unwrap_err(), ReadError::LeasesOut { limit: 2 });
            assert_eq!(reader.next().unwrap_err(), ReadError::LeasesOut { limit: 2 });
        }
    });
    assert_eq!(refusals, NOTHING);
    leases.clear();

    let mut held = [const { [const { None }; 2] }; 2];
    let cost = Cost::of(|| {
        for n in 0..FRAMES {
            if n % 7 == 0 {
                writer.skip(DropCause::Malformed);
            } else if n % 11 == 0 {
                drop(writer.claim().unwrap());
            } else if n % 13 == 0 {
                mem::forget(writer.claim().unwrap());
            } else {
                publish(&mut writer);
                publish(&mut writer);
            }
            let which = n as usize % 2;
            read(&mut readers[which], &mut held[which]);
        }
    });
    assert_eq!(cost, NOTHING, "{FRAMES} frames offered and read");
    assert!(readers.iter().all(|reader| reader.stats().seen > FRAMES / 4));
}

/// Coming and going allocates nothing, nor does getting another writer, nor looking at one reader's statistics.
#[test]
fn come_and_go_for_nothing() {
    let (ring, mut writer) = ring(1, 2, 2, 64);
    let cost = Cost::of(|| {
        for _ in 0..1000 {
            let mut reader = ring.subscribe().unwrap();
            publish(&mut writer);
            let lease = reader.latest().unwrap();
            assert_eq!((ring.stats().readers, reader.stats().leases), (1, 1));
            drop(reader);
            drop(lease);
        }
    });
    assert_eq!(cost.allocator_calls, 0);
    let cost = Cost::of(|| {
        drop(writer);
        publish(&mut ring.writer().unwrap());
    });
    assert_eq!(cost.allocator_calls, 0);
}

/// Tells the others to stop, when this thread panics too.
struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// The writer's costs are its own: a reader on another thread adds none.
#[test]
fn publish_for_nothing_while_others_read() {
    let (ring, mut writer) = ring(2, 1, 2, 6000);
    let mut reader = ring.subscribe().unwrap();
    let stop = AtomicBool::new(false);
    let mut held = [None, None];
    // Every slot is used once before.
    for lease in &mut held {
        publish(&mut writer);
        *lease = reader.latest().unwrap();
    }
    (0..3).for_each(|_| _ = publish(&mut writer));
    let (writing, reading) = thread::scope(|scope| {
        let reading = scope.spawn(|| {
            // The first frame also touches the pages of this thread's stack.
            read(&mut reader, &mut held);
            Cost::of(|| {
                while !stop.load(Relaxed) {
                    read(&mut reader, &mut held);
                }
            })
        });
        let stop = StopWhenDropped(&stop);
        let writing = Cost::of(|| (0..FRAMES).for_each(|_| _ = publish(&mut writer)));
        drop(stop);
        (writing, reading.join().unwrap())
    });
    assert_eq!(writing, NOTHING, "the writer");
    assert_eq!(reading.allocator_calls, 0, "the reader");
    assert!(reader.stats().seen > 2);
}

/// A ring takes what its spec says, to the byte, but for the box around the caller's handle to its memory. Subscribing
/// takes no more, and all is given back.
#[test]
fn bytes_are_as_stated() {
    for (depth, readers, lease_limit, frame_bytes) in
        [(1, 1, 1, 1), (2, 1, 1, 100), (3, 4, 2, 4096), (5, 3, 3, 5000), (16, 8, 4, 640 * 360), (32, 31, 32, 1)]
    {
        let spec = RingSpec::new(depth, readers, lease_limit, frame_bytes).unwrap();
        let mut subscribed = Vec::with_capacity(readers);
        let before = BYTES.get();
        let made = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).unwrap();
        (0..readers).for_each(|_| subscribed.push(made.0.subscribe().unwrap()));
        let measured = (BYTES.get() - before) as usize;
        assert_eq!(measured - size_of::<HeapMemory>(), spec.total_bytes(), "{spec:?}");
        drop((subscribed, made));
        // The list of readers was there before.
        let list = readers * size_of::<Reader>();
        assert_eq!(BYTES.get() - before, -(list as isize), "{spec:?}");
    }
}
