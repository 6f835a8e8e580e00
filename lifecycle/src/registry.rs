//! What the control side knows: all cameras, their memory, and what is left of those that went.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::Thread;
use std::time::{Duration, Instant};

use vas_ring::{Ring, RingSpec, StreamSpec};

use crate::camera::{Camera, Run, Suspended};
use crate::clock::age_of;
use crate::inbox::Inbox;
use crate::memory::{Budget, Grant, HOME_PLACES, Home, Mapping, OverBudget, budget_bytes, mapping_bytes};
use crate::stats::{CameraState, CameraStats, ExportStats, ReaderStats, RetiredStats, SuspendReason};
use crate::sync::Mutex;
use crate::writer::CameraWriter;
use crate::{CameraId, Settings, StartError, SubscribeError, control, event};

/// How long a mapping waits for a ring of its size before it is unmapped: a camera that reconnects finds its memory.
const IDLE_FOR: Duration = Duration::from_secs(1);

/// How long after the system refused memory it is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Registry {
    settings: Settings,
    budget: Arc<Budget>,
    home: Arc<Home>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cameras: BTreeMap<CameraId, Camera>,
    /// Without a writer, and maybe with readers and leases. A handle is kept to each until nobody else has one, so that
    /// its memory is freed here and nowhere else.
    retired: Vec<Ring>,
    /// Mappings without a ring, the longest waiting first.
    idle: Vec<(Mapping, Instant)>,
    /// The control thread, while there is one.
    control: Option<Thread>,
}

/// When the control thread is to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    After(Duration),
    /// There is nothing left to look after.
    End,
}

impl Registry {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            budget: Budget::new(settings.memory_budget),
            home: Arc::new(Home::new(HOME_PLACES)),
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

    pub(crate) fn start(self: &Arc<Self>, id: CameraId, stream: StreamSpec) -> Result<CameraWriter, StartError> {
        let result = self.try_start(id, stream);
        match &result {
            Ok(_) => event::started(&id, &stream),
            Err(error) => event::refused(&id, error),
        }
        result
    }

    fn try_start(self: &Arc<Self>, id: CameraId, stream: StreamSpec) -> Result<CameraWriter, StartError> {
        if id == CameraId::default() {
            return Err(StartError::Unnamed);
        }
        let spec = self.spec(stream.frame_bytes)?;
        let mut garbage = Vec::new();
        let mut state = self.state.lock();
        self.sweep(&mut state, Instant::now(), &mut garbage);
        let known = state.cameras.get(&id);
        if known.is_some_and(|camera| !matches!(camera.run, Run::Stopped)) {
            return Err(StartError::AlreadyRunning { camera: id });
        }
        let grant = self.grant(&mut state, &spec)?;
        state.cameras.entry(id).or_default().run = Run::Starting;
        drop(state);
        drop(garbage);

        let memory = grant.map(self.settings.huge_pages);
        let mut state = self.state.lock();
        let State { cameras, control, .. } = &mut *state;
        let camera = cameras.entry(id).or_default();
        camera.run = Run::Stopped;
        let result =
            memory.map_err(|source| StartError::Memory { needed: mapping_bytes(&spec), source }).and_then(|memory| {
                match control::ensure(control, self) {
                    Ok(()) => Ok(memory),
                    Err(source) => Err(StartError::Thread { source }),
                }
            });
        match result {
            Ok(memory) => {
                let (writer, end) = camera.start(id, spec, memory);
                Ok(CameraWriter::new(writer, end, self.settings.copy))
            }
            Err(error) => {
                if camera.starts == 0 {
                    cameras.remove(&id);
                }
                Err(error)
            }
        }
    }

    /// Memory for a ring, if need be at the expense of mappings that wait for one of another size.
    fn grant(&self, state: &mut State, spec: &RingSpec) -> Result<Grant, OverBudget> {
        let bytes = mapping_bytes(spec);
        let at = state.idle.iter().position(|(mapping, _)| mapping.len() == bytes);
        let mut recycled = at.map(|at| state.idle.remove(at).0);
        loop {
            let (error, unused) = match Grant::new(spec, recycled.take(), &self.budget, &self.home) {
                Ok(grant) => return Ok(grant),
                Err(refused) => refused,
            };
            match (state.idle.is_empty(), unused) {
                (false, unused) => {
                    drop(state.idle.remove(0));
                    recycled = unused;
                }
                // There is no room for the bookkeeping beside it. Without it the refusal names the whole.
                (true, Some(unused)) => drop(unused),
                (true, None) => return Err(error),
            }
        }
    }

    pub(crate) fn subscribe(
        &self,
        id: &CameraId,
    ) -> Result<(crate::sync::Arc<Inbox>, vas_ring::Reader, u32), SubscribeError> {
        let mut garbage = Vec::new();
        let mut state = self.state.lock();
        self.sweep(&mut state, Instant::now(), &mut garbage);
        match state.cameras.get_mut(id) {
            Some(camera) => camera.subscribe(id),
            None => Err(SubscribeError::NotRunning { camera: *id }),
        }
    }

    /// Epoch of a camera that runs.
    pub(crate) fn epoch(&self, id: &CameraId) -> Option<u32> {
        let mut garbage = Vec::new();
        let mut state = self.state.lock();
        self.sweep(&mut state, Instant::now(), &mut garbage);
        let camera = state.cameras.get(id)?;
        camera.generation_in_use().map(|_| camera.epoch)
    }

    /// Cameras that run, by name.
    pub(crate) fn cameras(&self) -> Vec<CameraId> {
        let mut garbage = Vec::new();
        let mut state = self.state.lock();
        self.sweep(&mut state, Instant::now(), &mut garbage);
        let running = |camera: &Camera| matches!(camera.run, Run::Running(_));
        state.cameras.iter().filter(|(_, camera)| running(camera)).map(|(id, _)| *id).collect()
    }

    /// Sees what decode threads and readers did since the last time. What is to be unmapped goes to `garbage`, to be
    /// dropped without the lock.
    fn sweep(&self, state: &mut State, now: Instant, garbage: &mut Vec<Mapping>) {
        for (id, camera) in &mut state.cameras {
            let was = camera.generation_in_use();
            camera.follow(&mut state.retired);
            camera.forget_readers();
            event::changed(id, was, camera.generation_in_use());
        }
        state.retired.retain(|ring| !ring.is_unused());
        while let Some(mapping) = self.home.pop() {
            state.idle.push((mapping, now));
        }
        let expired = state.idle.iter().take_while(|(_, since)| now.duration_since(*since) >= IDLE_FOR).count();
        garbage.extend(state.idle.drain(..expired).map(|(mapping, _)| mapping));
    }

    /// One turn of the control thread.
    pub(crate) fn tick(self: &Arc<Self>, now: Instant) -> Next {
        let mut garbage = Vec::new();
        let mut state = self.state.lock();
        self.sweep(&mut state, now, &mut garbage);
        let wishes: Vec<_> =
            state.cameras.iter_mut().filter_map(|(id, camera)| Some((*id, camera.wants(now)?))).collect();
        for (id, frame_bytes) in wishes {
            state = self.resize(state, id, frame_bytes, now);
        }
        let busy = state.cameras.values().any(|camera| !matches!(camera.run, Run::Stopped));
        let left = !state.retired.is_empty() || !state.idle.is_empty();
        // Whoever holds the registry beside this thread is an export, or a reader that just looks for one.
        let orphaned = Arc::strong_count(self) == 1;
        let next = match (busy, left && !orphaned) {
            (true, _) => Next::After(control::BUSY),
            (false, true) => Next::After(control::QUIET),
            (false, false) => Next::End,
        };
        if next == Next::End {
            state.control = None;
        }
        drop(state);
        next
    }

    fn resize<'a>(
        &'a self,
        mut state: crate::sync::MutexGuard<'a, State>,
        id: CameraId,
        frame_bytes: usize,
        now: Instant,
    ) -> crate::sync::MutexGuard<'a, State> {
        // The writer asks for no more than `MAX_FRAME_BYTES`; with many slots it may be too much all the same.
        let granted = match self.spec(frame_bytes) {
            Ok(spec) => self.grant(&mut state, &spec).map(|grant| (spec, grant)).map_err(SuspendReason::from),
            Err(error) => Err(SuspendReason::Spec(error)),
        };
        let suspend = |state: &mut State, reason: SuspendReason, until| {
            if let Some(camera) = state.cameras.get_mut(&id) {
                if camera.suspend(Suspended { reason, until }) {
                    event::suspended(&id, &reason);
                }
            }
        };
        let (spec, grant) = match granted {
            Ok(granted) => granted,
            Err(reason) => {
                suspend(&mut state, reason, now);
                return state;
            }
        };
        let epoch = state.cameras.get_mut(&id).and_then(|camera| camera.set_resizing(true));
        drop(state);
        let memory = grant.map(self.settings.huge_pages);
        let mut state = self.state.lock();
        let Some(camera) = state.cameras.get_mut(&id) else { return state };
        if camera.set_resizing(false) != epoch {
            // Stopped meanwhile, and maybe started again.
            return state;
        }
        match memory {
            Ok(memory) => camera.offer(id, spec, memory),
            Err(error) => {
                let reason = SuspendReason::Memory { needed: mapping_bytes(&spec), kind: error.kind() };
                suspend(&mut state, reason, now + RETRY_AFTER);
            }
        }
        state
    }

    pub(crate) fn stats(&self) -> ExportStats {
        let mut garbage = Vec::new();
        let mut state = self.state.lock();
        self.sweep(&mut state, Instant::now(), &mut garbage);
        drop(std::mem::take(&mut garbage));
        let cameras = state.cameras.iter().map(|(id, camera)| camera_stats(*id, camera, &state.retired)).collect();
        let retired = state.retired.iter().map(retired_stats).collect();
        ExportStats {
            bytes_in_use: self.budget.in_use(),
            budget: self.budget.limit(),
            bytes_idle: state.idle.iter().map(|(mapping, _)| mapping.len()).sum(),
            cameras,
            retired,
        }
    }
}

fn camera_stats(id: CameraId, camera: &Camera, retired: &[Ring]) -> CameraStats {
    let state = match &camera.run {
        Run::Stopped => CameraState::Stopped,
        Run::Starting => CameraState::Starting,
        Run::Running(running) => match &running.suspended {
            Some(suspended) => CameraState::Suspended(suspended.reason),
            None if running.end.wanted() > running.ring.spec().frame_bytes() => CameraState::Resizing,
            None => CameraState::Running,
        },
    };
    let (published, dropped) = camera.counts();
    let rings = || {
        let past = retired.iter().filter(|ring| ring.identity().camera_id == id);
        camera.rings().chain(past)
    };
    let readers = camera.readers.iter().map(|inbox| {
        let (tally, now) = inbox.stats(|generation, place| {
            let here = |ring: &&Ring| (ring.identity().epoch, ring.identity().generation) == (inbox.epoch, generation);
            rings().find(here)?.readers().into_iter().find(|stats| stats.reader == place)
        });
        ReaderStats::new(inbox.number, inbox.epoch, &tally, now.as_ref())
    });
    CameraStats {
        id,
        epoch: camera.epoch,
        generation: camera.generation_in_use().unwrap_or(camera.generation),
        state,
        offered: published + dropped.total(),
        published,
        dropped,
        bytes: camera.bytes(),
        newest_age: age_of(camera.newest_ns()),
        readers: readers.collect(),
    }
}

fn retired_stats(ring: &Ring) -> RetiredStats {
    let readers = ring.readers();
    let counts = ring.stats();
    RetiredStats {
        camera: ring.identity().camera_id,
        epoch: ring.identity().epoch,
        generation: ring.identity().generation,
        bytes: budget_bytes(ring.spec()),
        readers: counts.readers,
        leases: readers.iter().map(|reader| reader.leases).sum(),
    }
}
