//! How a camera's decode thread gets its first ring, and each larger one: it asks, the control side answers, and neither
//! waits.
//!
//! ```text
//! offer  EMPTY   the control side may put an offer in
//!        FULL    an offer is in: the first to take it has it
//!        TAKING  the writer reads the offer
//! ```
//!
//! | step     | by      | before | after  |
//! |----------|---------|--------|--------|
//! | `offer`  | control | EMPTY  | FULL   |
//! | `take`   | writer  | FULL   | TAKING, then EMPTY |
//! | `revoke` | control | FULL   | EMPTY  |
//!
//! Only `offer` leads to FULL and only the control side calls it, so that a `revoke` needs no third state: nothing is put
//! in before it has read. `take` needs one, as an `offer` could otherwise overtake its read.
//!
//! # Who frees
//!
//! Not the writer. It is a handle to memory that the control side also has a handle to, and which that side frees
//! when its own is the last: [`ControlEnd::finish`]. That is so for this box, and for each ring that goes through it.

use std::fmt;

use vas_ring::{DropCause, Dropped};

use crate::sync::{Arc, AtomicU8, AtomicU64, AtomicUsize, Ordering, UnsafeCell, fence, yield_now};

const EMPTY: u8 = 0;
const FULL: u8 = 1;
const TAKING: u8 = 2;

/// How often `steady` looks.
const MOST_LOOKS: usize = 1000;

struct Shared<T> {
    /// Bytes of a frame that there is no slot for; 0 when the writer wants nothing.
    wanted: AtomicUsize,
    /// Bytes of a frame that the control side could make no ring for; 0 when there is no such answer.
    refused: AtomicUsize,
    state: AtomicU8,
    offer: UnsafeCell<Option<T>>,
    /// Odd while the writer takes pending frames to a ring's books; even when each frame is in one place.
    settling: AtomicUsize,
    /// Frames that were offered while the writer waits, by cause: counted in no ring yet.
    pending: [AtomicU64; DropCause::ALL.len()],
}

// SAFETY: the cell is reached by `offer`, `take` and `revoke` alone, which the table above keeps apart; each passes a `T`
// on to another thread, so it must be Send. All else is atomic.
unsafe impl<T: Send> Sync for Shared<T> {}

/// Both ends of a new box.
pub fn handover<T: Send>() -> (WriterEnd<T>, ControlEnd<T>) {
    let shared = Arc::new(Shared {
        wanted: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        state: AtomicU8::new(EMPTY),
        offer: UnsafeCell::new(None),
        settling: AtomicUsize::new(0),
        pending: std::array::from_fn(|_| AtomicU64::new(0)),
    });
    (WriterEnd { shared: shared.clone() }, ControlEnd { shared })
}

/// The decode thread's end. Nothing here waits, allocates or frees.
pub struct WriterEnd<T> {
    shared: Arc<Shared<T>>,
}

impl<T: Send> WriterEnd<T> {
    /// Asks for a ring whose slots hold `bytes`, or, with 0, for none any more.
    pub fn ask(&self, bytes: usize) {
        // Ordering: Release pairs with the Acquire of `wanted`: who sees the question sees the writer's ring as it was
        // then, its next frame id above all.
        self.shared.wanted.store(bytes, Ordering::Release);
    }

    /// Whether the control side has said that there is no ring for frames of `bytes` bytes, or for smaller ones.
    pub fn is_refused(&self, bytes: usize) -> bool {
        // Ordering: Relaxed. It names the cause that a frame is dropped for, and says whether to wait on; a writer that goes
        // back too early or too late declines the offer that comes, by its ids.
        (1..=bytes).contains(&self.shared.refused.load(Ordering::Relaxed))
    }

    /// Takes what is offered: one load when nothing is.
    pub fn take(&mut self) -> Option<T> {
        let state = &self.shared.state;
        // Ordering: Relaxed, a hint; the read-modify-write below decides.
        if state.load(Ordering::Relaxed) != FULL {
            return None;
        }
        // Ordering: Acquire pairs with the Release of `offer`: what it put in is there.
        state.compare_exchange(FULL, TAKING, Ordering::Acquire, Ordering::Relaxed).ok()?;
        // SAFETY: in TAKING the cell is the writer's, and there is one `WriterEnd`, borrowed mutably.
        let offer = self.shared.offer.with_mut(|offer| unsafe { (*offer).take() });
        // Ordering: Release pairs with the Acquire of `offer`: the next one is put in after this one was taken out.
        state.store(EMPTY, Ordering::Release);
        offer
    }

    /// Counts a frame that goes to no ring for now.
    pub fn pend(&mut self, cause: DropCause) {
        let count = &self.shared.pending[cause as usize];
        // Ordering: Relaxed, the writer's own last store.
        let pending = count.load(Ordering::Relaxed).wrapping_add(1);
        // Ordering: Relaxed, a statistic; what is settled of it is ordered in `settle`.
        count.store(pending, Ordering::Relaxed);
    }

    /// Takes the frames out that were counted by `pend`, for `count` to count them in a ring.
    pub fn settle(&mut self, count: impl FnOnce(Dropped)) {
        let dropped = pending(&self.shared);
        if dropped.total() == 0 {
            return;
        }
        let settling = &self.shared.settling;
        // Ordering: Relaxed, the writer's own last store.
        let before = settling.load(Ordering::Relaxed);
        // Ordering: Relaxed; the fence orders it before what follows, for whoever sees any of that.
        settling.store(before.wrapping_add(1), Ordering::Relaxed);
        // Ordering: Release pairs with the Acquire fence in `steady`: who saw something of what follows sees the odd number.
        fence(Ordering::Release);
        for (cause, _) in dropped.iter().filter(|&(_, n)| n != 0) {
            // Ordering: Relaxed, between the fence above and the store below.
            self.shared.pending[cause as usize].store(0, Ordering::Relaxed);
        }
        count(dropped);
        // Ordering: Release pairs with the Acquire load in `steady`: who sees it sees all that was counted.
        settling.store(before.wrapping_add(2), Ordering::Release);
    }
}

/// The control side's end.
pub struct ControlEnd<T> {
    shared: Arc<Shared<T>>,
}

impl<T: Send> ControlEnd<T> {
    /// Bytes that the writer asks for, 0 for none.
    pub fn wanted(&self) -> usize {
        // Ordering: Acquire pairs with the Release of `ask`.
        self.shared.wanted.load(Ordering::Acquire)
    }

    /// Says that there is no ring for frames of `bytes` bytes; with 0, that there may be one again.
    pub fn refuse(&self, bytes: usize) {
        // Ordering: Relaxed, as in `is_refused`.
        self.shared.refused.store(bytes, Ordering::Relaxed);
    }

    /// Whether an offer can be put in.
    pub fn is_empty(&self) -> bool {
        // Ordering: Relaxed, a hint; `offer` decides.
        self.shared.state.load(Ordering::Relaxed) == EMPTY
    }

    /// Offers something. Gives it back when the box is not empty.
    pub fn offer(&mut self, offer: T) -> Result<(), T> {
        // Ordering: Acquire pairs with the Release of `take`: the former offer has been read.
        if self.shared.state.load(Ordering::Acquire) != EMPTY {
            return Err(offer);
        }
        // SAFETY: in EMPTY the cell is the control side's, and there is one `ControlEnd`, borrowed mutably.
        self.shared.offer.with_mut(|at| unsafe { *at = Some(offer) });
        // Ordering: Release pairs with the Acquire of `take`.
        self.shared.state.store(FULL, Ordering::Release);
        Ok(())
    }

    /// Takes an offer back that has not been taken.
    pub fn revoke(&mut self) -> Option<T> {
        // Ordering: Relaxed, since it is this side's own offer that comes back.
        self.shared.state.compare_exchange(FULL, EMPTY, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        // SAFETY: FULL turned into EMPTY by this side, so the writer has not taken it and cannot, and there is one
        // `ControlEnd`, borrowed mutably.
        self.shared.offer.with_mut(|offer| unsafe { (*offer).take() })
    }

    /// What `look` makes of the frames that wait to be counted in a ring, at a moment when none is on its way there. A writer
    /// that is stopped on that way is waited for, for a moment; after that what there is has to do.
    pub fn steady<R>(&self, mut look: impl FnMut(Dropped) -> R) -> R {
        let settling = &self.shared.settling;
        for _ in 0..MOST_LOOKS {
            // Ordering: Acquire pairs with the Release store in `settle`: what was counted by then is seen.
            let before = settling.load(Ordering::Acquire);
            if before % 2 == 0 {
                let seen = look(pending(&self.shared));
                // Ordering: Acquire pairs with the Release fence in `settle`: if `look` saw something of a settling that
                // began meanwhile, the load below sees that it began.
                fence(Ordering::Acquire);
                // Ordering: Relaxed, ordered by the fence.
                if settling.load(Ordering::Relaxed) == before {
                    return seen;
                }
            }
            yield_now();
        }
        look(pending(&self.shared))
    }

    /// Frames that wait to be counted in a ring.
    pub fn pending(&self) -> Dropped {
        pending(&self.shared)
    }

    /// Whether the writer's end is gone. Then this one is the last, and all that the writer did comes before.
    pub fn finish(&mut self) -> bool {
        // Uniqueness is found with an Acquire that pairs with the Release of the other end's drop.
        Arc::get_mut(&mut self.shared).is_some()
    }
}

fn pending<T>(shared: &Shared<T>) -> Dropped {
    let mut dropped = Dropped::default();
    for &cause in DropCause::ALL {
        // Ordering: Relaxed, a statistic; `steady` tells when it is being settled, and `finish` comes after all of it.
        dropped.add(cause, shared.pending[cause as usize].load(Ordering::Relaxed));
    }
    dropped
}

impl<T> fmt::Debug for WriterEnd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterEnd").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ControlEnd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlEnd").finish_non_exhaustive()
    }
}
