//! Models of what decode threads, readers and the control side do to each other, explored in every order that matters.
//!
//! Run by `cargo xtask loom`. The first few are about one part each; the others run the whole of export, with real rings
//! of one frame's depth, and with the control thread's turns as steps of the model's main thread. What loom does not see
//! is the lock-free queue for mappings, which decides nothing, and statistics.

#![cfg(loom)]
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use vas_lifecycle::model::{handover, turn};
use vas_lifecycle::{
    CameraWriter, DropCause, Frame, FrameEntry, FrameExport, FrameSink, HugePages, Rate, Reader, Settings, StreamSpec,
    Watch,
};
use vas_ring::{Identity, PixelMemory, Ring, RingSpec};

/// `LOOM_MAX_PREEMPTIONS` goes deeper, or less deep.
fn explore(preemptions: impl Into<Option<usize>>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.max_branches = 100_000;
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = preemptions.into();
    }
    let executions = StdArc::new(AtomicUsize::new(0));
    let count = executions.clone();
    builder.check(move || {
        count.fetch_add(1, Relaxed);
        model();
    });
    println!("{} executions", executions.load(Relaxed));
}

/// Something to hand over that notices when two threads touch it at once, and that is counted.
struct Parcel {
    content: UnsafeCell<u32>,
    alive: StdArc<AtomicUsize>,
}

// SAFETY: the cell is what loom watches; a race is what the models look for.
unsafe impl Send for Parcel {}

impl Parcel {
    fn new(content: u32, alive: &StdArc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Relaxed);
        Self { content: UnsafeCell::new(content), alive: alive.clone() }
    }

    fn open(&self) -> u32 {
        // SAFETY: checked by loom.
        self.content.with_mut(|content| unsafe { *content })
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.open();
        self.alive.fetch_sub(1, Relaxed);
    }
}

/// An offer has one taker, whole, whether the writer takes it or it is revoked, and the next one fits in after that.
#[test]
fn an_offer_has_one_taker() {
    explore(None, || {
        let alive = StdArc::new(AtomicUsize::new(0));
        let (mut writer, mut control) = handover();
        let decode = thread::spawn(move || {
            let mut taken = Vec::new();
            for _ in 0..3 {
                taken.extend(writer.take().map(|parcel: Parcel| parcel.open()));
            }
            taken
        });
        control.offer(Parcel::new(1, &alive)).ok().expect("empty");
        let revoked = control.revoke().map(|parcel| parcel.open());
        // Until the writer has read the first one there is no room.
        let second = control.offer(Parcel::new(2, &alive)).is_ok();
        let taken = decode.join().unwrap();
        assert!(control.finish());
        let left = control.revoke().map(|parcel| parcel.open());
        assert!(revoked.is_none_or(|revoked| revoked == 1 && second));
        let mut all: Vec<_> = taken.iter().copied().chain(revoked).chain(left).collect();
        assert!(taken.is_sorted());
        all.sort_unstable();
        assert!(all == [1, 2] && second || all == [1] && !second, "{all:?}, {second}");
        assert_eq!(alive.load(Relaxed), 0);
    });
}

/// Who sees the question sees all that the writer did before, and who finds the writer gone all that it ever did.
#[test]
fn a_question_and_an_end_publish() {
    struct Book(UnsafeCell<u32>);
    // SAFETY: checked by loom.
    unsafe impl Send for Book {}
    // SAFETY: checked by loom.
    unsafe impl Sync for Book {}
    explore(None, || {
        let book = Arc::new(Book(UnsafeCell::new(0)));
        let (mut writer, mut control) = handover::<Parcel>();
        let decode = thread::spawn({
            let book = book.clone();
            move || {
                // SAFETY: checked by loom.
                book.0.with_mut(|book| unsafe { *book = 1 });
                writer.ask(100);
                writer.pend(DropCause::Starting);
            }
        });
        if control.wanted() == 100 {
            // SAFETY: checked by loom.
            book.0.with(|book| assert_eq!(unsafe { *book }, 1));
        }
        if control.finish() {
            // SAFETY: checked by loom.
            book.0.with(|book| assert_eq!(unsafe { *book }, 1));
            assert_eq!(control.pending().total(), 1);
        }
        decode.join().unwrap();
        assert!(control.finish());
    });
}

/// Memory that says who frees it.
struct Watched {
    bytes: Box<[u64; 256]>,
    freed_by: StdArc<std::sync::Mutex<Option<thread::ThreadId>>>,
}

// SAFETY: base and length never change, and the bytes live until the drop. The model's writers and readers touch them
// as the ring lets them.
unsafe impl PixelMemory for Watched {
    fn base(&self) -> NonNull<u8> {
        let base = self.bytes.as_ptr().cast_mut().cast::<u8>();
        NonNull::new(base.wrapping_add(base.align_offset(64))).expect("not null")
    }

    fn len(&self) -> usize {
        size_of_val(&*self.bytes) - 64
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        *self.freed_by.lock().unwrap() = Some(thread::current().id());
    }
}

/// Retirement: with a handle kept until nobody else has one, it is never the writer, the reader or a lease that frees.
#[test]
fn the_keeper_frees() {
    explore(3, || {
        let spec = RingSpec::new(1, 1, 1, 8).unwrap();
        let freed_by = StdArc::default();
        let memory = Watched { bytes: Box::new([0; 256]), freed_by: StdArc::clone(&freed_by) };
        let (ring, mut writer) = Ring::new(spec, Identity::default(), memory).unwrap();
        let mut reader = ring.subscribe().unwrap();
        writer.claim().unwrap().publish(&FrameEntry::default());
        let reading = thread::spawn(move || {
            let lease = reader.latest();
            drop(reader);
            drop(lease);
        });
        let decode = thread::spawn(move || drop(writer));
        let mut kept = Some(ring);
        for _ in 0..2 {
            kept = kept.filter(|ring| !ring.is_unused());
        }
        decode.join().unwrap();
        reading.join().unwrap();
        assert!(kept.is_none_or(|ring| ring.is_unused()));
        assert_eq!(*freed_by.lock().unwrap(), Some(thread::current().id()));
    });
}

const SMALL: usize = 64;
const LARGE: usize = 65;

fn export(budget: usize) -> FrameExport {
    FrameExport::new(Settings {
        depth: 1,
        max_readers: 1,
        reader_leases: 1,
        memory_budget: budget,
        huge_pages: HugePages::Off,
        ..Settings::default()
    })
}

fn hint() -> StreamSpec {
    StreamSpec { width: 8, height: 8, frame_bytes: SMALL }
}

/// Starts the camera, whose first ring is in its box.
fn start(export: &FrameExport) -> CameraWriter {
    let writer = export.camera("a").expecting(hint());
    turn(export);
    writer
}

/// Offers a frame whose id is in its pixels. Returns whether it was published.
fn offer(writer: &mut CameraWriter, bytes: usize) -> bool {
    offer_with_id(writer, bytes).is_some()
}

fn offer_with_id(writer: &mut CameraWriter, bytes: usize) -> Option<u64> {
    let mut claim = writer.claim(bytes).ok()?;
    let id = claim.frame_id();
    claim.pixels_mut()[..8].copy_from_slice(&id.to_ne_bytes());
    Some(claim.publish(&FrameEntry { bytes: bytes as u32, ..FrameEntry::default() }))
}

/// Offers frames of these sizes; one of no bytes is skipped. Each gets the next id, whatever becomes of
/// those before it. Returns how many were published.
fn decode<const N: usize>(writer: &mut CameraWriter, sizes: [usize; N]) -> u64 {
    decode_from(0, writer, sizes)
}

/// The same, when so many frames were offered before.
fn decode_from<const N: usize>(first: u64, writer: &mut CameraWriter, sizes: [usize; N]) -> u64 {
    let mut published = 0;
    for (n, bytes) in (first..).zip(sizes) {
        if bytes == 0 {
            writer.skip(DropCause::Malformed);
        } else if let Some(id) = offer_with_id(writer, bytes) {
            assert_eq!(id, n);
            published += 1;
        }
    }
    published
}

/// A reader's view of one camera start: ids go up, generations do not go down, pixels are the frame's own.
struct View {
    reader: Reader,
    last: Option<(u64, u32)>,
}

impl View {
    fn new(export: &FrameExport) -> Self {
        Self { reader: export.subscribe(Watch::camera("a").rate(Rate::Newest)), last: None }
    }

    fn look(&mut self) -> Option<Frame> {
        let frame = self.reader.poll();
        if let Some(frame) = &frame {
            assert_eq!(frame.pixels()[..8], frame.frame_id.to_ne_bytes());
            let now = (frame.frame_id, frame.generation);
            assert!(self.last.is_none_or(|last| last.0 < now.0 && last.1 <= now.1), "{now:?} after {:?}", self.last);
            assert_eq!(self.reader.at(), Some((frame.epoch, frame.generation)));
            self.last = Some(now);
        }
        frame
    }

    /// Reads to the end. Returns how many frames were accounted for.
    fn end(mut self) -> u64 {
        while self.look().is_some() || self.reader.at().is_some() {
            thread::yield_now();
        }
        let counts = self.reader.counts();
        counts.seen + counts.missed.total()
    }
}

/// Everything is given back, to the last byte.
fn settled(export: &FrameExport, offered: u64) {
    let stats = export.stats();
    assert_eq!(stats.cameras[0].offered, offered);
    assert_eq!(stats.retired, []);
    assert_eq!(stats.bytes_in_use, stats.bytes_idle);
}

/// A stream outgrows its slots while a reader reads and the control side answers: nothing is torn, lost track of, or
/// left behind, wherever the writer stops.
#[test]
fn resize_under_a_reader() {
    explore(2, || {
        let export = export(1 << 20);
        let mut writer = start(&export);
        let mut view = View::new(&export);
        let decode = thread::spawn(move || decode(&mut writer, [SMALL, LARGE, LARGE, LARGE]));
        let reading = thread::spawn(move || {
            let held = view.look();
            drop(view.look());
            drop(held);
            view
        });
        turn(&export);
        turn(&export);
        decode.join().unwrap();
        let view = reading.join().unwrap();
        turn(&export);
        assert_eq!(view.end(), 4);
        settled(&export, 4);
    });
}

/// A stream that goes back before it is answered waits for the answer all the same, and goes on with it.
#[test]
fn resize_and_back() {
    explore(2, || {
        let export = export(1 << 20);
        let mut writer = start(&export);
        let view = View::new(&export);
        let decode = thread::spawn(move || decode(&mut writer, [LARGE, SMALL, LARGE, 0, LARGE, SMALL]));
        turn(&export);
        turn(&export);
        let published = decode.join().unwrap();
        turn(&export);
        assert_eq!(view.end(), 6);
        settled(&export, 6);
        assert_eq!(export.stats().cameras[0].published, published);
    });
}

/// An answer that comes after the stream went back, having been refused before, and grew again, is for ids that are
/// gone: it is declined, and another is made.
#[test]
fn a_late_answer() {
    explore(3, || {
        let settings = *export(1 << 20).settings().unwrap();
        // Room for one more ring than the first, which another camera has.
        let (small, large) = (settings.ring_bytes(SMALL).unwrap(), settings.ring_bytes(LARGE).unwrap());
        let export = export(small + large);
        let mut writer = start(&export);
        let other = export.camera("b").expecting(hint());
        turn(&export);
        let view = View::new(&export);
        offer(&mut writer, LARGE);
        // Refused.
        turn(&export);
        let decode = thread::spawn(move || {
            decode_from(1, &mut writer, [SMALL, LARGE, LARGE]);
            writer
        });
        drop(other);
        turn(&export);
        let mut writer = decode.join().unwrap();
        // Whatever it declined, it is answered at last.
        for _ in 0..3 {
            turn(&export);
            offer(&mut writer, LARGE);
        }
        assert!(offer(&mut writer, LARGE));
        drop(writer);
        turn(&export);
        assert_eq!(view.end(), 8);
        settled(&export, 8);
    });
}

/// A reader that joins in the middle of a resize is seated where its span has no hole.
#[test]
fn subscribe_during_a_resize() {
    explore(2, || {
        let export = export(1 << 20);
        let mut writer = start(&export);
        offer(&mut writer, LARGE);
        turn(&export);
        let decode = thread::spawn(move || {
            offer(&mut writer, LARGE);
            offer(&mut writer, LARGE);
            writer
        });
        let joining = thread::spawn({
            let export = export.clone();
            move || View::new(&export)
        });
        let writer = decode.join().unwrap();
        let mut view = joining.join().unwrap();
        // What it sees first is where its span begins; from there to the end there is no hole.
        let first = view.look().map(|frame| frame.frame_id);
        let before = view.reader.counts();
        drop(writer);
        turn(&export);
        let total = view.end();
        if let Some(first) = first {
            assert_eq!(total - before.seen - before.missed.total(), 2 - first);
        }
        // The first was offered before.
        assert!(total <= 2, "{total}");
        settled(&export, 3);
    });
}

/// The first ring comes through the box while the first frames are offered, and a reader that was there before is seated
/// at it: its span begins with the first frame, whether that found a ring or not.
#[test]
fn the_first_ring() {
    explore(3, || {
        let export = export(1 << 20);
        let mut writer = export.camera("a");
        let mut view = View::new(&export);
        let decode = thread::spawn(move || {
            let first = decode(&mut writer, [SMALL, 0, LARGE]);
            // Whatever was answered by then, it stops.
            drop(writer);
            first
        });
        let reading = thread::spawn(move || {
            drop(view.look());
            view
        });
        turn(&export);
        turn(&export);
        let published = decode.join().unwrap();
        let view = reading.join().unwrap();
        turn(&export);
        assert_eq!(view.end(), 3);
        settled(&export, 3);
        assert_eq!(export.stats().cameras[0].published, published);
    });
}

/// A camera that stops before it had a ring, at any moment of its being made: its frames are in the camera's books and in
/// its reader's, once.
#[test]
fn stop_before_the_first_ring() {
    explore(None, || {
        let export = export(1 << 20);
        let mut writer = export.camera("a");
        let view = View::new(&export);
        let decode = thread::spawn(move || {
            offer(&mut writer, SMALL);
            drop(writer);
        });
        turn(&export);
        decode.join().unwrap();
        turn(&export);
        assert_eq!(view.end(), 1);
        settled(&export, 1);
        assert_eq!(export.stats().cameras[0].published, 0);
    });
}

/// A camera that is started again before it is stopped waits, and has its turn when the first is dropped; ids go on.
#[test]
fn start_and_start_again() {
    explore(2, || {
        let export = export(1 << 20);
        let mut first = start(&export);
        let decode = thread::spawn(move || {
            offer(&mut first, SMALL);
            drop(first);
        });
        let again = thread::spawn({
            let export = export.clone();
            move || {
                let mut second = export.camera("a");
                offer(&mut second, SMALL);
                second
            }
        });
        turn(&export);
        decode.join().unwrap();
        let mut second = again.join().unwrap();
        turn(&export);
        turn(&export);
        let mut view = View::new(&export);
        assert!(offer(&mut second, SMALL));
        let frame = view.look().expect("just published");
        assert_eq!((frame.frame_id, frame.epoch), (2, 1));
        drop((frame, second));
        turn(&export);
        view.end();
        settled(&export, 3);
    });
}

/// Two threads start the same camera, and one of them drops it: whichever comes first, the other one has its turn.
#[test]
fn two_starts_at_once() {
    explore(3, || {
        let export = export(1 << 20);
        let other = thread::spawn({
            let export = export.clone();
            move || {
                let mut writer = export.camera("a");
                offer(&mut writer, SMALL);
                drop(writer);
            }
        });
        let mut writer = export.camera("a").expecting(hint());
        turn(&export);
        other.join().unwrap();
        turn(&export);
        turn(&export);
        assert!(offer(&mut writer, SMALL));
        let stats = export.stats();
        assert_eq!((stats.cameras[0].offered, stats.cameras[0].waiting), (2, 0));
        drop(writer);
        turn(&export);
        settled(&export, 2);
    });
}

/// A reader that joins while pending frames go to the books of the first ring: those that were offered before it joined
/// are not its own, whichever ring counts them, and those offered after are.
#[test]
fn subscribe_while_pending_frames_are_settled() {
    explore(2, || {
        let export = export(1 << 20);
        let mut writer = export.camera("a");
        assert!(!offer(&mut writer, SMALL));
        turn(&export);
        let decode = thread::spawn(move || {
            offer(&mut writer, SMALL);
            offer(&mut writer, SMALL);
            writer
        });
        let view = View::new(&export);
        let after = export.stats().cameras[0].offered;
        assert!((1..=3).contains(&after), "{after}");
        drop(decode.join().unwrap());
        turn(&export);
        let total = view.end();
        assert!((3 - after..=2).contains(&total), "{total} after 1 to {after} of 3");
        settled(&export, 3);
    });
}

/// Stop and start again, on another thread than the one that stops, while a reader still reads the first epoch.
#[test]
fn stop_and_start_again() {
    explore(2, || {
        let export = export(1 << 20);
        let mut writer = start(&export);
        let mut view = View::new(&export);
        offer(&mut writer, SMALL);
        let decode = thread::spawn(move || {
            offer(&mut writer, SMALL);
            drop(writer);
        });
        let reading = thread::spawn(move || {
            let _held = view.look();
            view
        });
        let mut again = export.camera("a").expecting(hint());
        decode.join().unwrap();
        turn(&export);
        offer(&mut again, SMALL);
        // The reader goes over by itself, wherever it was.
        let mut view = reading.join().unwrap();
        offer(&mut again, SMALL);
        let frame = loop {
            if let Some(frame) = view.look().filter(|frame| frame.epoch == 1) {
                break frame;
            }
        };
        assert_eq!((frame.frame_id, frame.epoch), (3, 1));
        drop((frame, again));
        turn(&export);
        assert_eq!(view.end(), 4);
        settled(&export, 4);
    });
}

/// The last handle of export goes while a camera runs and a lease is out.
#[test]
fn export_goes_first() {
    explore(2, || {
        let export = export(1 << 20);
        let mut writer = start(&export);
        let mut view = View::new(&export);
        offer(&mut writer, SMALL);
        let decode = thread::spawn(move || {
            offer(&mut writer, LARGE);
            drop(writer);
        });
        let reading = thread::spawn(move || {
            let held = view.look();
            drop(view);
            drop(held);
        });
        turn(&export);
        drop(export);
        decode.join().unwrap();
        reading.join().unwrap();
    });
}

/// Without room for a larger ring the camera is suspended, and goes on when the frames fit again.
#[test]
fn suspended_and_back() {
    explore(3, || {
        let settings = *export(0).settings().unwrap();
        let export = export(settings.ring_bytes(SMALL).unwrap());
        let mut writer = start(&export);
        let view = View::new(&export);
        let decode = thread::spawn(move || {
            decode(&mut writer, [LARGE, 0, LARGE, SMALL]);
            writer
        });
        turn(&export);
        turn(&export);
        let mut writer = decode.join().unwrap();
        // Whatever it was told by then, it is told now, and goes back.
        turn(&export);
        assert!(!offer(&mut writer, LARGE));
        turn(&export);
        assert!(offer(&mut writer, SMALL));
        drop(writer);
        turn(&export);
        assert_eq!(view.end(), 6);
        settled(&export, 6);
    });
}

/// The models see a race: this box has no orderings. That the crate's own box runs under loom at all is seen by
/// `an_offer_has_one_taker`, which fails with the same words when loom does not see the box's orderings.
#[test]
#[should_panic(expected = "Causality violation")]
fn canary() {
    struct Unordered(loom::sync::atomic::AtomicBool, UnsafeCell<u32>);
    // SAFETY: it is not, which is the point.
    unsafe impl Send for Unordered {}
    // SAFETY: as above.
    unsafe impl Sync for Unordered {}
    explore(None, || {
        let shared = Arc::new(Unordered(loom::sync::atomic::AtomicBool::new(false), UnsafeCell::new(0)));
        let other = shared.clone();
        let thread = thread::spawn(move || {
            other.1.with_mut(|_| ());
            other.0.store(true, loom::sync::atomic::Ordering::Relaxed);
        });
        if shared.0.load(loom::sync::atomic::Ordering::Relaxed) {
            shared.1.with_mut(|_| ());
        }
        thread.join().unwrap();
    });
}
