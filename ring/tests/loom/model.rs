//! The driver that all models share.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use loom::thread::{self, JoinHandle};
use vas_ring::{
    DropCause, FrameEntry, HeapMemory, Identity, Lease, Missed, ReadError, Reader, Retired, Ring, RingSpec,
    SubscribeError, Writer, operations,
};

/// Bytes of a frame: the first and the last carry its id.
const BYTES: usize = 64;
/// Ids start here, so that every model crosses the wrap of ids and positions.
pub(crate) const FIRST: u64 = u64::MAX - 1;

/// How often a read starts over: `TRIES` of `reader.rs`.
pub(crate) const TRIES: usize = 2;

/// What one model explores, and how far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    name: &'static str,
    depth: usize,
    readers: usize,
    lease_limit: usize,
    publishes: usize,
    bound: Option<usize>,
    full: bool,
}

impl Model {
    /// One frame deep, for one reader with one lease.
    pub(crate) fn new(name: &'static str) -> Self {
        let full = std::env::var_os("VAS_LOOM_FULL").is_some();
        Self { name, depth: 1, readers: 1, lease_limit: 1, publishes: 0, bound: None, full }
    }

    pub(crate) fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    pub(crate) fn readers(self, readers: usize) -> Self {
        Self { readers, ..self }
    }

    pub(crate) fn lease_limit(self, lease_limit: usize) -> Self {
        Self { lease_limit, ..self }
    }

    /// Frames that the writer publishes while the readers are at work.
    pub(crate) fn publishes(self, publishes: usize) -> Self {
        Self { publishes, ..self }
    }

    /// So many instead under `--full`.
    pub(crate) fn publishes_in_full(self, publishes: usize) -> Self {
        if self.full { Self { publishes, ..self } } else { self }
    }

    /// Bounds the preemptions of an execution; without, all are explored. `--full` adds one.
    pub(crate) fn bound(self, preemptions: usize) -> Self {
        Self { bound: Some(preemptions + usize::from(self.full)), ..self }
    }

    /// `readers` prepares the fixture and starts the readers; then the writer publishes.
    pub(crate) fn check(self, readers: impl Fn(&mut Fixture) + Sync + Send + 'static) {
        self.check_writing(readers, move |fixture| fixture.publish(self.publishes));
    }

    /// As `check`, with another writer.
    pub(crate) fn check_writing(
        self,
        readers: impl Fn(&mut Fixture) + Sync + Send + 'static,
        writer: impl Fn(&mut Fixture) + Sync + Send + 'static,
    ) {
        self.explore(move |mut fixture| {
            readers(&mut fixture);
            writer(&mut fixture);
            fixture.finish();
        });
    }

    /// Explores what is done with a fixture; nothing is checked in the end.
    pub(crate) fn explore(self, act: impl Fn(Fixture) + Sync + Send + 'static) {
        let executions = Arc::new(AtomicUsize::new(0));
        let (counted, start) = (executions.clone(), Instant::now());
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = self.bound;
        builder.max_branches = 10_000;
        builder.check(move || {
            counted.fetch_add(1, Relaxed);
            act(Fixture::new(&self));
        });
        eprintln!("{}: {} executions in {:.1?}", self.name, executions.load(Relaxed), start.elapsed());
    }
}

/// A ring with its writer on this thread, and readers on others.
pub(crate) struct Fixture {
    pub(crate) ring: Ring,
    pub(crate) writer: Option<Writer>,
    /// Frames published by `publish`. No atomic of the model's: a count goes up together with the head.
    pub(crate) published: Arc<AtomicUsize>,
    reader_threads: Vec<JoinHandle<CheckedReader>>,
    others: Vec<JoinHandle<()>>,
}

impl Fixture {
    fn new(model: &Model) -> Self {
        let spec = RingSpec::new(model.depth, model.readers, model.lease_limit, BYTES).unwrap();
        let identity = Identity { first_frame_id: FIRST, ..Identity::default() };
        let (ring, writer) = Ring::new(spec, identity, HeapMemory::for_spec(&spec)).unwrap();
        Self { ring, writer: Some(writer), published: Arc::default(), reader_threads: Vec::new(), others: Vec::new() }
    }

    pub(crate) fn publish(&mut self, n: usize) {
        for _ in 0..n {
            publish(self.writer.as_mut().unwrap());
            self.published.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn skip(&mut self) {
        self.skip_for(DropCause::Malformed);
    }

    pub(crate) fn skip_for(&mut self, cause: DropCause) {
        self.writer.as_mut().unwrap().skip(cause);
    }

    /// A reader, for `spawn_reader`.
    pub(crate) fn subscribe_checked(&mut self) -> CheckedReader {
        CheckedReader::new(self.ring.subscribe().unwrap())
    }

    /// Lets a reader do this on a thread of its own.
    pub(crate) fn spawn_reader(
        &mut self,
        it: CheckedReader,
        act: impl FnOnce(CheckedReader) -> CheckedReader + 'static,
    ) {
        self.reader_threads.push(thread::spawn(move || act(it)));
    }

    /// Subscribes a reader, and lets it do this on a thread of its own.
    pub(crate) fn reader(&mut self, act: impl FnOnce(CheckedReader) -> CheckedReader + 'static) {
        let it = self.subscribe_checked();
        self.spawn_reader(it, act);
    }

    /// Waits for a thread in the end.
    pub(crate) fn join_later(&mut self, thread: JoinHandle<()>) {
        self.others.push(thread);
    }

    /// Ends the ring, and frees what is free by now.
    pub(crate) fn retire(&mut self) -> Ending {
        drop(self.writer.take());
        let mut ending = Ending { retired: self.ring.retire().expect("the writer is gone"), freed: BTreeSet::new() };
        ending.reclaim();
        ending
    }

    /// Waits for everything that was started.
    pub(crate) fn join(&mut self) -> Vec<CheckedReader> {
        self.others.drain(..).for_each(|thread| thread.join().unwrap());
        self.reader_threads.drain(..).map(|thread| thread.join().unwrap()).collect()
    }

    /// Stops the writer, waits for all, and checks every reader's sums.
    fn finish(mut self) {
        drop(self.writer.take());
        for it in self.join() {
            it.finish(self.ring.stats().next_frame_id);
        }
    }
}

/// A ring at its end, with the slots that were given back.
pub(crate) struct Ending {
    retired: Retired,
    freed: BTreeSet<usize>,
}

impl Ending {
    pub(crate) fn reclaim(&mut self) {
        let freed = &mut self.freed;
        self.retired.reclaim(|range| assert!(freed.insert(range.start), "{range:?} is freed again"));
        let spec = self.retired.ring().spec();
        assert_eq!(self.retired.slots_left(), spec.slots() - self.freed.len());
    }

    /// Slots that are kept.
    pub(crate) fn kept(&self) -> usize {
        self.retired.slots_left()
    }
}

/// Subscribes a reader. A ring that says it is full is full: of as many as it is for.
pub(crate) fn subscribe(ring: &Ring) -> Result<Reader, SubscribeError> {
    ring.subscribe().inspect_err(|error| {
        if let SubscribeError::Full { limit, readers, leaving } = *error {
            assert_eq!(readers + leaving, limit, "{error}");
        }
    })
}

/// Claims, fills and publishes a frame, within the promised number of atomic operations.
pub(crate) fn publish(writer: &mut Writer) {
    publish_with(writer, 0);
}

/// As `publish`, after a claim that was forgotten: its frame is counted first, which takes a load and a store.
pub(crate) fn publish_after_a_forgotten_claim(writer: &mut Writer) {
    publish_with(writer, 2);
}

fn publish_with(writer: &mut Writer, more: usize) {
    let waiting = writer.spec().readers() * writer.spec().lease_limit();
    let before = operations();
    let mut claim = writer.claim().expect("the writer was refused");
    let id = claim.frame_id();
    fill(claim.pixels_mut(), id);
    claim.publish(&FrameEntry { raw_pts: id as i64, bytes: BYTES as u32, ..FrameEntry::default() });
    // To claim, the retired slot and those that readers hold; to publish, position, word and head, and where there is a list
    // of the newest, that twice.
    let publish = if writer.spec().depth() > 1 { 5 } else { 3 };
    let made = operations() - before;
    assert!(made <= 1 + waiting + publish + more, "claim and publish took {made} atomic operations");
}

fn fill(pixels: &mut [u8], id: u64) {
    pixels[0] = id as u8;
    pixels[BYTES - 1] = id as u8;
}

/// Asserts that the entry and the pixels are those of one frame.
pub(crate) fn assert_whole(lease: &Lease) {
    let id = lease.frame_id;
    assert_eq!(lease.raw_pts, id as i64, "an entry of another frame");
    let pixels = lease.pixels();
    assert_eq!((pixels[0], pixels[BYTES - 1]), (id as u8, id as u8), "a torn frame");
}

/// A reader that checks what it is given.
pub(crate) struct CheckedReader {
    reader: Reader,
    /// The first id that it has not accounted for.
    pub(crate) next_id: u64,
}

impl CheckedReader {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { next_id: reader.first_frame_id(), reader }
    }

    /// Borrows the newest frame so many times, looking at it when it gets it and before it gives it back.
    pub(crate) fn latest(mut self, times: usize) -> Self {
        (0..times).for_each(|_| drop(self.take_latest().inspect(assert_whole)));
        self
    }

    /// Borrows the next frame so many times.
    pub(crate) fn next(mut self, times: usize) -> Self {
        (0..times).for_each(|_| drop(self.take(Reader::next).ok().flatten().inspect(assert_whole)));
        self
    }

    pub(crate) fn take_latest(&mut self) -> Option<Lease> {
        self.take(Reader::latest).ok().flatten()
    }

    pub(crate) fn take(
        &mut self,
        read: impl FnOnce(&mut Reader) -> Result<Option<Lease>, ReadError>,
    ) -> Result<Option<Lease>, ReadError> {
        let Some(lease) = read(&mut self.reader)? else { return Ok(None) };
        assert_whole(&lease);
        let ahead = lease.frame_id.wrapping_sub(self.next_id);
        assert_eq!(
            ahead,
            self.reader.missed().total(),
            "frame {} after {}: {:?}",
            lease.frame_id,
            self.next_id,
            self.reader.missed()
        );
        self.next_id = lease.frame_id.wrapping_add(1);
        Ok(Some(lease))
    }

    pub(crate) fn missed(&self) -> &Missed {
        self.reader.missed()
    }

    pub(crate) fn into_reader(self) -> Reader {
        self.reader
    }

    /// After the writer is gone: reads on to the end, where the sums must come out.
    pub(crate) fn finish(mut self, next_frame_id: u64) {
        let closed = (0..=self.reader.spec().depth()).any(|_| match self.take(Reader::next) {
            Ok(_) => false,
            Err(ReadError::Closed) => true,
            Err(error) => panic!("{error}"),
        });
        assert!(closed, "not told of the end after the newest frames");
        let stats = self.reader.stats();
        let span = next_frame_id.wrapping_sub(stats.first_frame_id);
        assert_eq!(stats.seen + stats.missed.total(), span, "{stats:?}");
        assert_eq!((stats.lag, stats.leases), (0, 0));
    }
}

/// Counts the outcomes of a race that has two.
pub(crate) fn canary() {
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = outcomes.clone();
    Model::new("canary").check(move |fixture| {
        let mut it = fixture.subscribe_checked();
        let thread = thread::spawn(move || it.take_latest().is_some());
        fixture.publish(1);
        seen.lock().unwrap().insert(thread.join().unwrap());
    });
    let outcomes = outcomes.lock().unwrap().len();
    assert_eq!(outcomes, 2, "a race with two outcomes had {outcomes}: is the loom shim in place?");
}
