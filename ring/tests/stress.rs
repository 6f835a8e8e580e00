//! One writer at full speed and readers of every kind, on threads, with pixels of which each byte says which frame it
//! is of. For as long as `VAS_STRESS_SECONDS` says; without it, a few seconds; and longer where the machine is so busy that
//! some reader has not met by then what it is there for.
//!
//! Made to run under ThreadSanitizer as well.
#![cfg(not(loom))]

#[path = "common/mod.rs"]
mod common;

use std::env;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::{assert_whole, entry, fill, ring_from};
use vas_ring::{DropCause, Lease, ReadError, Reader, ReaderStats, Ring, RingSpec, Writer};

const USUAL_SECONDS: f64 = 1.2;
/// When a kind of reader that has not met what it is there for will not meet it any more.
const LIMIT: Duration = Duration::from_secs(120);
/// Ids start here, so that they wrap on the way.
const FIRST: u64 = u64::MAX - 1000;
/// Readers that are there from the first frame to the last, and as many places for those that come and go.
const STAYING: usize = 6;
const PASSING: usize = 2;

fn duration() -> Duration {
    let seconds = env::var("VAS_STRESS_SECONDS").map(|text| text.parse().expect("VAS_STRESS_SECONDS is a number"));
    Duration::from_secs_f64(seconds.unwrap_or(USUAL_SECONDS))
}

/// Numbers that look random (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// A reader that checks that what it gets is whole, in order, and accounted for.
struct Checked {
    reader: Reader,
    next_id: u64,
}

impl Checked {
    fn new(reader: Reader) -> Self {
        Self { next_id: reader.first_frame_id(), reader }
    }

    fn take(&mut self, read: fn(&mut Reader) -> Result<Option<Lease>, ReadError>) -> Result<Option<Lease>, ReadError> {
        let lease = read(&mut self.reader)?;
        if let Some(lease) = &lease {
            assert_whole(lease);
            let passed = lease.frame_id.wrapping_sub(self.next_id);
            assert_eq!(passed, self.reader.missed().total(), "frame {}, {} expected", lease.frame_id, self.next_id);
            self.next_id = lease.frame_id.wrapping_add(1);
        }
        Ok(lease)
    }
}

/// What the threads share.
#[derive(Clone)]
struct Fixture {
    ring: Ring,
    /// Set when no further writer comes: a ring that is closed after that stays so.
    last_writer: Arc<AtomicBool>,
    /// Threads that have not met yet what they are there for.
    waiting: Arc<AtomicUsize>,
}

/// What a thread is there to meet, until it has.
struct Wanted(Option<Arc<AtomicUsize>>);

impl Wanted {
    fn is_met(&mut self, met: impl FnOnce() -> bool) {
        if let Some(waiting) = self.0.take_if(|_| met()) {
            waiting.fetch_sub(1, SeqCst);
        }
    }
}

impl Fixture {
    fn new(ring: Ring) -> Self {
        Self { ring, last_writer: Arc::default(), waiting: Arc::default() }
    }

    fn wanted(&self) -> Wanted {
        self.waiting.fetch_add(1, SeqCst);
        Wanted(Some(self.waiting.clone()))
    }

    /// Reads until the end, lets `keep` do with each frame what this kind of reader does, and checks the sums. The run
    /// goes on until the reader's figures are `enough`.
    fn spawn_reader(
        &self,
        name: &'static str,
        read: fn(&mut Reader) -> Result<Option<Lease>, ReadError>,
        enough: impl Fn(&ReaderStats) -> bool + Send + 'static,
        mut keep: impl FnMut(Result<Lease, usize>) + Send + 'static,
    ) -> JoinHandle<(&'static str, ReaderStats)> {
        let (fixture, mut it) = (self.clone(), Checked::new(self.ring.subscribe().unwrap()));
        let mut wanted = self.wanted();
        thread::spawn(move || {
            loop {
                wanted.is_met(|| enough(&it.reader.stats()));
                let last_writer = fixture.last_writer.load(SeqCst);
                match it.take(read) {
                    Ok(Some(lease)) => keep(Ok(lease)),
                    Err(ReadError::LeasesOut { limit }) => keep(Err(limit)),
                    Err(ReadError::Closed) if last_writer => break,
                    Ok(None) | Err(_) => thread::yield_now(),
                }
            }
            let stats = it.reader.stats();
            let offered = fixture.ring.stats().next_frame_id.wrapping_sub(stats.first_frame_id);
            assert_eq!(stats.seen + stats.missed.total(), offered, "{name}: {stats:?}");
            (name, stats)
        })
    }

    /// Subscribes, reads a little and leaves, now with a lease and now without, again and again.
    fn come_and_go(&self, seed: u64) -> JoinHandle<(&'static str, ReaderStats)> {
        let (fixture, mut wanted) = (self.clone(), self.wanted());
        thread::spawn(move || {
            let mut dice = Dice(seed);
            let mut sum = ReaderStats::default();
            while !fixture.last_writer.load(SeqCst) {
                // The index of the one before may not be free yet.
                let Ok(reader) = fixture.ring.subscribe() else { continue };
                let mut it = Checked::new(reader);
                let mut held = Vec::new();
                for _ in 0..dice.below(20) {
                    let read = if dice.below(2) == 0 { Reader::latest } else { Reader::next };
                    held.extend(it.take(read).ok().flatten());
                    if dice.below(2) == 0 {
                        held.pop();
                    }
                }
                let stats = it.reader.stats();
                assert_eq!(stats.leases, held.len());
                sum.seen += stats.seen;
                sum.missed += stats.missed;
                wanted.is_met(|| sum.seen > 0);
                drop(it);
                held.iter().for_each(assert_whole);
            }
            ("comes and goes", sum)
        })
    }

    /// Looks at the statistics all the time.
    fn watch(&self) -> JoinHandle<u64> {
        let (fixture, mut wanted) = (self.clone(), self.wanted());
        thread::spawn(move || {
            let (mut looks, mut offered) = (0, 0);
            while !fixture.last_writer.load(SeqCst) {
                let stats = fixture.ring.stats();
                assert!(stats.offered() >= offered, "fewer offered than before");
                offered = stats.offered();
                let spec = fixture.ring.spec();
                for reader in fixture.ring.readers() {
                    assert!(reader.leases <= spec.lease_limit() && reader.reader < spec.readers(), "{reader:?}");
                }
                assert!(stats.readers + stats.leaving <= spec.readers());
                looks += 1;
                wanted.is_met(|| true);
                thread::yield_now();
            }
            looks
        })
    }

    /// Offers frames until each thread has met what it is there for, and some were dropped.
    fn write_until_met(&self, mut writer: Writer, dice: &mut Dice) -> Writer {
        let limit = Instant::now() + LIMIT;
        let dropped = || [DropCause::Malformed, DropCause::Abandoned].map(|cause| self.ring.stats().dropped.get(cause));
        while (self.waiting.load(SeqCst) > 0 || dropped().contains(&0)) && Instant::now() < limit {
            writer = self.write(writer, Instant::now() + Duration::from_millis(10), dice);
        }
        writer
    }

    /// Offers frames until the time is up; most are published.
    fn write(&self, mut writer: Writer, until: Instant, dice: &mut Dice) -> Writer {
        while Instant::now() < until {
            // The clock is dear beside a small frame.
            for _ in 0..32 {
                match dice.below(100) {
                    0 => writer.skip(DropCause::Malformed),
                    1 => drop(writer.claim().expect("the writer was refused")),
                    _ => publish(&mut writer),
                }
            }
            // Every frame before may be dropped: the reader that saw the ring closed must see that it was open since.
            publish(&mut writer);
        }
        writer
    }
}

fn publish(writer: &mut Writer) {
    let bytes = writer.slot_bytes();
    let mut claim = writer.claim().expect("the writer was refused");
    let id = claim.frame_id();
    fill(claim.pixels_mut(), id);
    claim.publish(&entry(id, bytes, id));
}

/// All kinds of readers at a ring of this depth and frame size.
fn stress(depth: usize, frame_bytes: usize) {
    const BUDGET: usize = 3;
    let spec = RingSpec::new(depth, STAYING + PASSING, BUDGET, frame_bytes).unwrap();
    let (ring, mut writer) = ring_from(spec, FIRST);
    let fixture = Fixture::new(ring);

    // Frames are given back on yet another thread.
    let (pass, passed) = mpsc::sync_channel::<Lease>(BUDGET);
    let elsewhere = thread::spawn(move || passed.iter().map(|lease| assert_whole(&lease)).count());

    let mut held = Vec::new();
    let mut leaked = 0;
    let lapped_and_refused = |stats: &ReaderStats| stats.refusals > 0 && stats.missed.overwritten > 0;
    let readers = vec![
        fixture.spawn_reader("brisk", Reader::latest, |stats| stats.seen > 0, |lease| drop(lease.unwrap())),
        fixture.spawn_reader("one by one", Reader::next, |stats| stats.seen > 0, |lease| drop(lease.unwrap())),
        fixture.spawn_reader(
            "slow",
            Reader::latest,
            |stats| stats.seen > 0,
            |lease| {
                thread::sleep(Duration::from_millis(2));
                assert_whole(&lease.unwrap());
            },
        ),
        fixture.spawn_reader("holds on", Reader::next, lapped_and_refused, move |lease| match lease {
            Ok(lease) => held.push(lease),
            Err(limit) => {
                assert_eq!(held.len(), limit);
                thread::sleep(Duration::from_millis(5));
                held.iter().for_each(assert_whole);
                held.clear();
            }
        }),
        fixture.spawn_reader(
            "leaks",
            Reader::latest,
            |stats| stats.leases == BUDGET - 1,
            move |lease| {
                let lease = lease.expect("the leaked ones leave one");
                if leaked < BUDGET - 1 {
                    leaked += 1;
                    mem::forget(lease);
                }
            },
        ),
        fixture.spawn_reader(
            "passes on",
            Reader::next,
            |stats| stats.seen > 0,
            move |lease| match lease {
                Ok(lease) => pass.send(lease).unwrap(),
                Err(_) => thread::yield_now(),
            },
        ),
        fixture.come_and_go(7),
        fixture.come_and_go(11),
    ];
    assert_eq!(readers.len(), STAYING + PASSING);
    let watch = fixture.watch();

    let mut dice = Dice(13);
    // One writer follows another a few times.
    let start = Instant::now();
    for part in 1..=5 {
        writer = fixture.write(writer, start + duration() * part / 5, &mut dice);
        if part < 5 {
            drop(writer);
            writer = fixture.ring.writer().expect("there is no writer");
        }
    }
    writer = fixture.write_until_met(writer, &mut dice);
    publish(&mut writer);
    fixture.last_writer.store(true, SeqCst);
    drop(writer);

    let all = readers.into_iter().map(|reader| reader.join().unwrap()).collect::<Vec<_>>();
    let (given_back, looks) = (elsewhere.join().unwrap(), watch.join().unwrap());
    let stats = fixture.ring.stats();
    println!("depth {depth}, {frame_bytes} bytes: {} published, {} dropped", stats.published, stats.dropped.total());
    for (name, stats) in &all {
        println!("  {name}: {} whole, {:?}, {} refusals", stats.seen, stats.missed, stats.refusals);
    }
    println!("  given back elsewhere: {given_back}; looks at the statistics: {looks}");

    assert_eq!(stats.dropped.get(DropCause::Refused), 0);
    assert!(stats.dropped.get(DropCause::Malformed) > 0 && stats.dropped.get(DropCause::Abandoned) > 0);
    assert!(all.iter().all(|(_, stats)| stats.seen > 0), "some reader saw nothing");
    assert!(all[3].1.refusals > 0, "nobody was refused");
    assert_eq!(all[4].1.leases, BUDGET - 1, "the leaked ones");
    assert!(all.iter().map(|(_, stats)| stats.missed.overwritten).sum::<u64>() > 0, "nobody was overwritten");
    assert!(looks > 0 && given_back as u64 == all[5].1.seen);
}

/// Readers that hold all they may all the time, and give one lease back only to take the next: no slot is to spare.
fn hoard(readers: usize, limit: usize) {
    let (ring, mut writer) = ring_from(RingSpec::new(1, readers, limit, 64).unwrap(), FIRST);
    let fixture = Fixture::new(ring);
    let hoard = |seed| {
        let (mut held, mut dice) = (Vec::with_capacity(limit), Dice(seed));
        let enough = move |stats: &ReaderStats| stats.refusals > 0 && stats.seen > limit as u64;
        fixture.spawn_reader("hoards", Reader::latest, enough, move |lease| {
            // Any may be given back first.
            if held.len() == limit {
                assert_whole(&held.swap_remove(dice.below(limit as u64) as usize));
            }
            held.extend(lease.ok());
        })
    };
    let readers: Vec<_> = (17..).map(hoard).take(readers).collect();
    let mut dice = Dice(13);
    writer = fixture.write(writer, Instant::now() + duration() / 2, &mut dice);
    writer = fixture.write_until_met(writer, &mut dice);
    fixture.last_writer.store(true, SeqCst);
    drop(writer);
    let stats = fixture.ring.stats();
    println!("lease limit {limit}: {} published, {} dropped", stats.published, stats.dropped.total());
    assert_eq!(stats.dropped.get(DropCause::Refused), 0);
    for reader in readers {
        let reader = reader.join().unwrap().1;
        println!("  {} whole, {} refusals", reader.seen, reader.refusals);
        assert!(reader.refusals > 0 && reader.seen > limit as u64);
    }
}

#[test]
fn hoarders() {
    // What one reader holds are different frames; what three hold may be the same.
    hoard(1, 4);
    hoard(3, 2);
}

/// Small frames: the writer laps readers between any two of their steps.
#[test]
fn small_frames() {
    stress(1, 64);
}

/// Frames of 160x90 in 4:2:0: it takes a while to write one, and to read one.
#[test]
fn pictures() {
    stress(4, 160 * 90 * 3 / 2);
}
