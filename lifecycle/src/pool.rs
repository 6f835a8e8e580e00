//! Where rings get their memory from: within the budget, and within what the system has.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vas_ring::RingSpec;

use crate::available::{Limits, MemoryLimit, Step};
use crate::memory::{Budget, Grant, HOME_PLACES, Home, Mapping, OverBudget, RingMemory, mapping_bytes};
use crate::sync::Mutex;
use crate::{HugePages, Settings};

/// How long a mapping waits for a ring of its size before it is unmapped: a camera that reconnects finds its memory.
const IDLE_FOR: Duration = Duration::from_secs(1);

/// Memory for rings. Its methods lock for a moment only; what maps or unmaps does so without any lock that a host may
/// need.
#[derive(Debug)]
pub(crate) struct Pool {
    budget: Arc<Budget>,
    home: Arc<Home>,
    huge_pages: HugePages,
    /// Bytes that are left to the host.
    reserve: u64,
    /// Mappings without a ring, the longest waiting first.
    idle: Mutex<Vec<(Arc<Mapping>, Instant)>>,
    /// Bytes that are being mapped, and may not have been touched yet: spoken for. Held while the system is looked at, so
    /// that two that map at once do not both take the last of it; by nobody but those that map.
    promised: Mutex<u64>,
}

/// Why there is no memory although the budget allows it.
#[derive(Debug)]
pub(crate) enum NoMemory {
    /// The system has not as much, beside the reserve.
    Short { available: u64, limit: MemoryLimit },
    /// The system refused.
    System(io::Error),
}

impl From<io::Error> for NoMemory {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Pool {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            budget: Budget::new(settings.memory_budget),
            home: Arc::new(Home::new(HOME_PLACES)),
            huge_pages: settings.huge_pages,
            reserve: settings.memory_reserve as u64,
            idle: Mutex::new(Vec::new()),
            promised: Mutex::new(0),
        }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) fn bytes_idle(&self) -> usize {
        self.idle.lock().iter().map(|(mapping, _)| mapping.len()).sum()
    }

    /// Takes in what has come home. Returns what has waited long enough, to be unmapped by dropping it.
    pub(crate) fn collect(&self, now: Instant) -> Vec<Arc<Mapping>> {
        let mut idle = self.idle.lock();
        let mut garbage = Vec::new();
        while let Some(mapping) = self.home.pop() {
            if mapping.is_torn() {
                garbage.push(mapping);
            } else {
                idle.push((mapping, now));
            }
        }
        let expired = idle.iter().take_while(|(_, since)| now.duration_since(*since) >= IDLE_FOR).count();
        garbage.extend(idle.drain(..expired).map(|(mapping, _)| mapping));
        garbage
    }

    /// A share of the budget, if need be at the expense of mappings that wait for a ring of another size.
    pub(crate) fn grant(&self, spec: &RingSpec) -> Result<Grant, OverBudget> {
        let bytes = mapping_bytes(spec);
        let mut recycled = {
            let mut idle = self.idle.lock();
            let at = idle.iter().position(|(mapping, _)| mapping.len() == bytes);
            at.map(|at| idle.remove(at).0)
        };
        loop {
            let (error, unused) = match Grant::new(spec, recycled.take(), &self.budget, &self.home) {
                Ok(grant) => return Ok(grant),
                Err(refused) => refused,
            };
            match (self.oldest_idle(), unused) {
                // Unmapped here, which makes room.
                (Some(idle), unused) => {
                    drop(idle);
                    recycled = unused;
                }
                // There is no room for the bookkeeping beside it. Without it the refusal names the whole.
                (None, Some(unused)) => drop(unused),
                (None, None) => return Err(error),
            }
        }
    }

    fn oldest_idle(&self) -> Option<Arc<Mapping>> {
        let mut idle = self.idle.lock();
        (!idle.is_empty()).then(|| idle.remove(0).0)
    }

    /// Maps what was granted and touches all of it: takes up to hundreds of milliseconds.
    pub(crate) fn map(&self, grant: Grant) -> Result<RingMemory, NoMemory> {
        let missing = grant.missing() as u64;
        if missing == 0 {
            return grant.map(self.huge_pages, |_| Ok(()));
        }
        let limits = Limits::find();
        let mut promise = self.promise(&limits, missing)?;
        grant.map(self.huge_pages, |left| {
            // What has been touched is missing from what there is by now.
            promise.shrink_to(left as u64);
            self.look(&limits, Step::Touch, left as u64, 0)
        })
    }

    /// Speaks for `bytes`, if there are as many beside the reserve and what others have spoken for.
    fn promise(&self, limits: &Limits, bytes: u64) -> Result<Promise<'_>, NoMemory> {
        loop {
            let mut promised = self.promised.lock();
            match self.look(limits, Step::Map, bytes, *promised) {
                Ok(()) => {
                    *promised += bytes;
                    return Ok(Promise { pool: self, bytes });
                }
                Err(error) => {
                    drop(promised);
                    // What waits for a ring of another size makes way.
                    let Some(idle) = self.oldest_idle() else { return Err(error) };
                    drop(idle);
                }
            }
        }
    }

    /// Whether there are `bytes`, beside the reserve and what is promised to others.
    fn look(&self, limits: &Limits, step: Step, bytes: u64, promised: u64) -> Result<(), NoMemory> {
        let Some(least) = limits.least(step) else { return Ok(()) };
        let available = least.bytes.saturating_sub(promised);
        if available < bytes.saturating_add(self.reserve) {
            return Err(NoMemory::Short { available, limit: least.limit });
        }
        Ok(())
    }
}

/// Bytes spoken for, until they are touched.
struct Promise<'a> {
    pool: &'a Pool,
    bytes: u64,
}

impl Promise<'_> {
    fn shrink_to(&mut self, bytes: u64) {
        *self.pool.promised.lock() -= self.bytes - bytes;
        self.bytes = bytes;
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

impl fmt::Debug for Promise<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
