//! What the control side knows: all cameras, their memory, and what is left of those that went.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vas_ring::{Ring, RingSpec};

use crate::camera::{Camera, Suspended};
use crate::clock::age_of;
use crate::event::Event;
use crate::handover::{ControlEnd, handover};
use crate::mapped::{GiveBack, MappedRing};
use crate::memory::{HOME_PLACES, Mapping, RingMemory, budget_bytes, mapping_bytes};
use crate::pool::{NoMemory, Pool};
use crate::stats::{CameraStats, ExportStats, ReaderStats, RetiredStats, SuspendReason};
use crate::sync::{Arc, AtomicBool, Counter, Mutex, Ordering, Queue};
use crate::watch::{Joined, Newcomers, Watch};
use crate::work::{Job, Work};
use crate::writer::{CameraWriter, Offer};
use crate::{CameraId, Settings};

/// How long the control thread sleeps while a camera runs: what a first ring or a larger one waits at most, beside the
/// mapping.
const BUSY: Duration = Duration::from_millis(5);

/// The same for a while after a camera's start, when its first frame is likely to come.
const SOON: Duration = Duration::from_millis(1);
const SOON_FOR: Duration = Duration::from_millis(200);

/// How long it sleeps while only memory is left to give back.
const QUIET: Duration = Duration::from_millis(50);

/// How long after the system had no memory it is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Registry {
    settings: Settings,
    pool: Pool,
    /// Writers that were made and that nobody has looked at. It is what a start takes instead of the lock below.
    arrivals: Queue<(CameraId, ControlEnd<Offer>)>,
    /// All handles of export are gone.
    orphaned: AtomicBool,
    work: Work,
    /// Changes with each camera that starts, stops, or changes otherwise.
    changes: Counter,
    /// Held for as long as it takes to look at each camera that runs, never while memory is mapped or unmapped.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Apart from the tree, a third of whose places are empty.
    cameras: BTreeMap<CameraId, Box<Camera>>,
    /// Those of them that run. Only these are looked at: a camera that stopped costs nothing but its entry.
    running: Vec<CameraId>,
    /// Readers of all cameras.
    newcomers: Vec<Arc<Newcomers>>,
    /// Without a writer, and maybe with readers and leases. A handle is kept to each until nobody else has one, so that
    /// its memory is freed here and nowhere else.
    retired: Vec<MappedRing>,
    /// When a camera was last seen to start.
    started: Option<Instant>,
}

/// What a look leaves to be done when the lock is no longer held: events to be told, and what takes time to free.
#[derive(Debug, Default)]
struct Rest {
    events: Vec<(CameraId, Event)>,
    mappings: Vec<std::sync::Arc<Mapping>>,
    give_back: Vec<GiveBack>,
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.mappings.clear();
        self.events.iter().for_each(|(camera, event)| event.tell(camera));
    }
}

/// When the control thread is to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    After(Duration),
    /// When a camera starts.
    Idle,
    /// There is nothing left to look after.
    End,
}

impl Registry {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            pool: Pool::new(&settings),
            arrivals: Queue::new(),
            orphaned: AtomicBool::new(false),
            work: Work::new(),
            changes: Counter::default(),
            state: Mutex::new(State::default()),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn spec(&self, frame_bytes: usize) -> Result<RingSpec, vas_ring::SpecError> {
        let Settings { depth, max_readers, reader_leases, .. } = self.settings;
        RingSpec::new(depth, max_readers, reader_leases, frame_bytes)
    }

    /// A writer for a camera, on the thread that starts it: allocates its box, and locks nothing.
    pub(crate) fn start(&self, id: CameraId) -> CameraWriter {
        let (writer, control) = handover();
        self.arrivals.push((id, control));
        CameraWriter::new(writer, self.settings.copy)
    }

    /// The last handle of export is gone: there will be no more cameras.
    pub(crate) fn orphan(&self) {
        // Ordering: Release pairs with the Acquire in `tick`: who sees it sees all arrivals.
        self.orphaned.store(true, Ordering::Release);
    }

    /// New readers of the cameras that are asked for, and where those of all cameras find new ones.
    pub(crate) fn watch(&self, watch: &Watch) -> (Vec<Joined>, Option<Arc<Newcomers>>) {
        self.look(|state| {
            let State { cameras, newcomers, .. } = state;
            newcomers.retain(|all| Arc::strong_count(all) > 1);
            let Watch { cameras: ids, rate, name } = watch;
            match ids {
                Some(ids) => {
                    let joined = ids.iter().map(|id| cameras.entry(*id).or_default().join(*id, name, *rate));
                    (joined.collect(), None)
                }
                None => {
                    let known = cameras.iter_mut().filter(|(_, camera)| !camera.is_new());
                    let joined = known.map(|(id, camera)| camera.join(*id, name, *rate)).collect();
                    let all = Arc::new(Newcomers::new(name.clone(), *rate));
                    newcomers.push(all.clone());
                    (joined, Some(all))
                }
            }
        })
    }

    /// A number that changes when cameras do.
    pub(crate) fn changes(&self) -> u64 {
        self.look(|_| ());
        self.changes.get()
    }

    /// Cameras that run, by name.
    pub(crate) fn cameras(&self) -> Vec<CameraId> {
        let mut running = self.look(|state| state.running.clone());
        running.sort_unstable();
        running
    }

    /// Sees what decode threads and readers did, and does `then`.
    fn look<T>(&self, then: impl FnOnce(&mut State) -> T) -> T {
        // Dropped in the reverse order: what is left to be done is done without the lock.
        let mut rest = Rest::default();
        let mut state = self.state.lock();
        self.sweep(&mut state, Instant::now(), &mut rest);
        then(&mut state)
    }

    /// Sees what decode threads and readers did since the last time.
    fn sweep(&self, state: &mut State, now: Instant, rest: &mut Rest) {
        let State { cameras, running, newcomers, retired, started } = state;
        while let Some((id, end)) = self.arrivals.pop() {
            let camera = cameras.entry(id).or_default();
            if camera.is_new() {
                for all in newcomers.iter() {
                    all.put(camera.join(id, &all.name, all.rate()));
                }
            }
            let waits = camera.start(end);
            if !waits {
                running.push(id);
            }
            *started = Some(now);
            rest.events.push((id, if waits { Event::StartedTwice } else { Event::Started }));
        }
        running.retain(|id| {
            let Some(camera) = cameras.get_mut(id) else { return false };
            let changes = camera.follow(retired);
            if camera.follow_readers() {
                self.changes.set(self.changes.get().wrapping_add(1));
            }
            let stopped = changes.stopped.then_some(Event::Stopped);
            let began = changes.began.then_some(Event::Started);
            let resized = changes.resized.map(|generation| Event::Resized { generation });
            rest.events.extend(stopped.into_iter().chain(began).chain(resized).map(|event| (*id, event)));
            camera.run.is_some()
        });
        // Their memory goes home, which is no more than a push as long as there is room.
        let mut room = HOME_PLACES / 2;
        retired.retain(|ring| {
            let goes = room > 0 && ring.is_unused();
            room -= usize::from(goes);
            !goes
        });
        // Those that somebody lingers at keep what is lingered at.
        rest.give_back.extend(retired.iter_mut().filter_map(|ring| ring.reclaim(now)));
        rest.mappings.extend(self.pool.collect(now));
    }

    /// One turn of the control thread.
    pub(crate) fn tick(&self, now: Instant) -> Next {
        // Ordering: Acquire pairs with the Release in `orphan`; before the arrivals are taken in.
        let orphaned = self.orphaned.load(Ordering::Acquire);
        let mut rest = Rest::default();
        let mut state = self.state.lock();
        self.sweep(&mut state, now, &mut rest);
        let State { cameras, running, retired, started, .. } = &mut *state;
        let soon = started.is_some_and(|started| now.saturating_duration_since(started) < SOON_FOR);
        let wish = |id: &CameraId| Some((*id, cameras.get_mut(id)?.take_wish(now)?));
        let wishes: Vec<_> = running.iter().filter_map(wish).collect();
        let (busy, left) = (!running.is_empty(), !retired.is_empty());
        drop(state);
        drop(rest);
        for (camera, (epoch, wanted)) in wishes {
            self.grant(camera, epoch, wanted, now);
        }
        match (busy, left || self.pool.bytes_idle() > 0) {
            (true, _) => Next::After(if soon { SOON } else { BUSY }),
            (false, _) if orphaned => Next::End,
            (false, true) => Next::After(QUIET),
            (false, false) => Next::Idle,
        }
    }

    /// A ring for a camera is to be made, if the budget allows it.
    fn grant(&self, camera: CameraId, epoch: u32, wanted: usize, now: Instant) {
        // The writer asks for no more than `MAX_FRAME_BYTES`; with many slots it may be too much all the same.
        let granted = match self.spec(wanted) {
            Ok(spec) => self.pool.grant(&spec).map(|grant| (spec, grant)).map_err(SuspendReason::from),
            Err(error) => Err(SuspendReason::Spec(error)),
        };
        match granted {
            Ok((spec, grant)) => self.work.add(Job { camera, epoch, wanted, spec, grant }),
            Err(reason) => self.suspend(camera, epoch, Suspended { reason, wanted, until: now }),
        }
    }

    /// How many threads are to be started that call [`map_rings`](Self::map_rings). They count as started.
    pub(crate) fn hands_needed(&self) -> usize {
        self.work.hands_needed()
    }

    /// Makes rings until there are none to be made.
    pub(crate) fn map_rings(&self) {
        while let Some(Job { camera, epoch, wanted, spec, grant }) = self.work.next() {
            let needed = mapping_bytes(&spec);
            let reason = match self.pool.map(grant) {
                Ok(memory) => {
                    self.offer(camera, epoch, spec, memory);
                    continue;
                }
                Err(NoMemory::Short { available, limit }) => {
                    let available = usize::try_from(available).unwrap_or(usize::MAX);
                    SuspendReason::Memory { needed, available, reserve: self.settings.memory_reserve, limit }
                }
                Err(NoMemory::System(error)) => SuspendReason::Refused { needed, kind: error.kind() },
            };
            self.suspend(camera, epoch, Suspended { reason, wanted, until: Instant::now() + RETRY_AFTER });
        }
    }

    fn offer(&self, id: CameraId, epoch: u32, spec: RingSpec, memory: RingMemory) {
        // Dropped in the reverse order: what is left to be done is done without the lock.
        let mut rest = Rest::default();
        let _unwanted;
        let mut state = self.state.lock();
        let Some(camera) = state.cameras.get_mut(&id) else { return };
        if !camera.made(epoch) {
            // It stopped meanwhile, and maybe started again.
            _unwanted = memory;
        } else if camera.offer(id, spec, memory) {
            rest.events.push((id, Event::Exporting { bytes: budget_bytes(&spec) }));
        }
    }

    fn suspend(&self, id: CameraId, epoch: u32, suspended: Suspended) {
        let mut rest = Rest::default();
        let mut state = self.state.lock();
        let Some(camera) = state.cameras.get_mut(&id) else { return };
        let reason = suspended.reason;
        if camera.made(epoch) && camera.suspend(suspended) {
            rest.events.push((id, Event::Suspended(reason)));
        }
    }

    pub(crate) fn stats(&self) -> ExportStats {
        self.look(|state| {
            let State { cameras, retired, .. } = state;
            ExportStats {
                bytes_in_use: self.pool.budget().in_use(),
                budget: self.pool.budget().limit(),
                bytes_idle: self.pool.bytes_idle(),
                cameras: cameras.iter().map(|(id, camera)| camera_stats(*id, camera, retired)).collect(),
                retired: retired.iter().map(retired_stats).collect(),
            }
        })
    }

    /// One camera's.
    pub(crate) fn camera_stats(&self, id: &CameraId) -> Option<CameraStats> {
        self.look(|state| state.cameras.get(id).map(|camera| camera_stats(*id, camera, &state.retired)))
    }
}

fn camera_stats(id: CameraId, camera: &Camera, retired: &[MappedRing]) -> CameraStats {
    let (published, dropped) = camera.counts();
    let rings = || {
        let past = retired.iter().map(|ring| &**ring).filter(|ring| ring.identity().camera_id == id);
        camera.rings().chain(past)
    };
    let readers = camera.audience.iter().flat_map(|audience| audience.readers()).map(|inbox| {
        let (tally, now) = inbox.stats(|(epoch, generation, place)| {
            let here = |ring: &&Ring| (ring.identity().epoch, ring.identity().generation) == (epoch, generation);
            rings().find(here)?.readers().into_iter().find(|stats| stats.reader == place)
        });
        ReaderStats::new(inbox, &tally, now.as_ref())
    });
    CameraStats {
        id,
        epoch: camera.epoch,
        generation: camera.rings().next().map_or(camera.generation, |ring| ring.identity().generation),
        state: camera.state(),
        waiting: camera.run.as_ref().map_or(0, |running| running.waiting.len()),
        offered: published + dropped.total(),
        published,
        dropped,
        bytes: camera.bytes(),
        newest_age: age_of(camera.newest_ns()),
        readers: readers.collect(),
    }
}

fn retired_stats(ring: &MappedRing) -> RetiredStats {
    let readers = ring.readers();
    let counts = ring.stats();
    RetiredStats {
        camera: ring.identity().camera_id,
        epoch: ring.identity().epoch,
        generation: ring.identity().generation,
        bytes: ring.bytes(),
        readers: counts.readers,
        leases: readers.iter().map(|reader| reader.leases).sum(),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A turn looks at the cameras that run, however many there ever were, and without any the thread sleeps.
    #[test]
    fn stopped_cameras_cost_nothing() {
        const STOPPED: usize = 50_000;
        let registry = Registry::new(Settings { memory_budget: 1 << 20, memory_reserve: 0, ..Settings::default() });
        let start = |n: usize| registry.start(CameraId::from_name(&format!("camera {n}")));
        for round in 0..2 {
            for n in 0..STOPPED {
                drop(start(n));
            }
            assert_eq!(registry.tick(Instant::now()), Next::Idle, "{round}");
            assert_eq!(registry.look(|state| (state.cameras.len(), state.running.len())), (STOPPED, 0));
        }
        let running = start(7);
        assert!(matches!(registry.tick(Instant::now()), Next::After(_)));
        assert_eq!(registry.look(|state| state.running.len()), 1);
        drop(running);
        assert_eq!(registry.tick(Instant::now()), Next::Idle);
        registry.orphan();
        assert_eq!(registry.tick(Instant::now()), Next::End);
    }
}
