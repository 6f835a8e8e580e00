//! The writer's end: claim a slot, fill it, publish it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use crate::head::Position;
use crate::shared::Shared;
use crate::spec::RingSpec;
use crate::sync::Arc;
use crate::{DropCause, FrameEntry};

/// What only the writer knows: which slots are retired, and what it is filling.
///
/// Every slot is in exactly one of: the newest K by the head, `free`, `held`, `claimed`.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Where the newest published frame is.
    position: Position,
    /// Frames published, up to the depth.
    filled: usize,
    next_frame_id: u64,
    /// Retired, not known to be leased; the most recently retired last, which is the first to be tried: its lines are
    /// the likeliest to be in this core's cache still.
    free: Vec<u16>,
    /// Retired, found leased, and shut to new leases since; tried again, the longest waiting first, when `free` is empty.
    held: VecDeque<u16>,
    claimed: Option<u16>,
}

impl Desk {
    pub(crate) fn new(spec: &RingSpec, next_frame_id: u64, position: Position) -> Self {
        let mut free = Vec::with_capacity(spec.slots());
        // Slots number at most 32 + 31 * 32 + 1. The first to be claimed is the first in memory.
        free.extend((0..spec.slots() as u16).rev());
        Self { position, filled: 0, next_frame_id, free, held: VecDeque::with_capacity(spec.slots()), claimed: None }
    }

    pub(crate) const fn heap_bytes(spec: &RingSpec) -> usize {
        2 * spec.slots() * size_of::<u16>()
    }

    /// Finds a retired slot that nobody leases. Tries each at most once.
    #[inline]
    fn claim(&mut self, shared: &Shared) -> Option<(u16, bool)> {
        while let Some(slot) = self.free.pop() {
            let word = shared.word(usize::from(slot)).claim();
            if word.owned() {
                return Some((slot, word.was_leased()));
            }
            self.held.push_back(slot);
        }
        self.claim_held(shared)
    }

    #[cold]
    fn claim_held(&mut self, shared: &Shared) -> Option<(u16, bool)> {
        for _ in 0..self.held.len() {
            let slot = self.held.pop_front()?;
            let word = shared.word(usize::from(slot)).claim();
            if word.owned() {
                return Some((slot, word.was_leased()));
            }
            self.held.push_back(slot);
        }
        None
    }
}

/// The one writer of a ring: the decode thread's end.
///
/// Dropping it closes the ring: readers get [`ReadError::Closed`](crate::ReadError::Closed) once they have seen
/// what they can. [`Ring::writer`](crate::Ring::writer) then hands the seat to another.
///
/// There is one at a time:
///
/// ```
/// # use vas_ring::*;
/// # let spec = RingSpec::new(1, 1, 1, 64)?;
/// let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// assert!(ring.writer().is_none());
/// drop(writer);
/// assert!(ring.writer().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// and it cannot be copied:
///
/// ```compile_fail,E0599
/// # use vas_ring::*;
/// # let spec = RingSpec::new(1, 1, 1, 64)?;
/// let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// let second = writer.clone();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Writer {
    shared: Arc<Shared>,
}

impl Writer {
    /// For a caller that has just taken the writer's seat.
    pub(crate) fn seated(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    #[inline]
    fn desk(&mut self) -> (&mut Desk, &Shared) {
        // SAFETY: a `Writer` is made only where the seat was taken and gives it back when dropped; `&mut self` keeps
        // results apart.
        (unsafe { self.shared.desk() }, &self.shared)
    }

    /// Claims a slot for the next frame.
    ///
    /// Takes one read-modify-write on a slot word, and one more for each retired slot that a reader still holds;
    /// never more than there are slots.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Refused`] when every slot is leased, which the slot count of a [`RingSpec`] rules out. The
    /// frame is then counted as dropped.
    #[inline]
    pub fn claim(&mut self) -> Result<Claim<'_>, ClaimError> {
        let (desk, shared) = self.desk();
        if desk.claimed.is_some() {
            self.recover_forgotten_claim();
            return self.claim();
        }
        match desk.claim(shared) {
            Some((slot, was_leased)) => {
                desk.claimed = Some(slot);
                Ok(Claim { writer: self, slot, was_leased })
            }
            None => {
                self.skip(DropCause::Refused);
                Err(ClaimError::Refused)
            }
        }
    }

    /// A claim that was leaked with `mem::forget` still owns its slot. Its frame is gone.
    #[cold]
    fn recover_forgotten_claim(&mut self) {
        let (desk, _) = self.desk();
        if let Some(slot) = desk.claimed.take() {
            desk.free.push(slot);
            self.skip(DropCause::Abandoned);
        }
    }

    /// Counts a frame that was offered and is not going to be published. It takes an id all the same. Returns the id.
    #[inline]
    pub fn skip(&mut self, cause: DropCause) -> u64 {
        let (desk, shared) = self.desk();
        let id = desk.next_frame_id;
        desk.next_frame_id = id.wrapping_add(1);
        shared.ledger.count_drops(cause, 1);
        id
    }

    /// Goes on counting at `frame_id`, for frames that were offered to this camera elsewhere; they are counted here
    /// as dropped for `cause`. Does nothing when the next id is that or later.
    pub fn resume_at(&mut self, frame_id: u64, cause: DropCause) {
        let (desk, shared) = self.desk();
        let ahead = frame_id.wrapping_sub(desk.next_frame_id);
        // Ids wrap: half of the range lies ahead, the other half behind.
        if ahead != 0 && ahead <= u64::MAX / 2 {
            desk.next_frame_id = frame_id;
            shared.ledger.count_drops(cause, ahead);
        }
    }

    /// The id that the next frame gets.
    pub fn next_frame_id(&mut self) -> u64 {
        self.desk().0.next_frame_id
    }

    /// Whether any reader is subscribed: one load, of a line that changes only when a reader comes or goes.
    #[inline]
    pub fn has_readers(&self) -> bool {
        self.shared.seats.any_reader()
    }

    /// Bytes of pixels that fit into one slot.
    #[inline]
    pub fn slot_bytes(&self) -> usize {
        self.shared.spec.frame_bytes()
    }

    /// The ring's spec.
    pub fn spec(&self) -> &RingSpec {
        &self.shared.spec
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.recover_forgotten_claim();
        let (desk, shared) = self.desk();
        shared.head.set_closed(desk.position, true);
        shared.seats.leave_writer();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("identity", &self.shared.identity).finish_non_exhaustive()
    }
}

/// Opens the ring again after the seat changed hands.
pub(crate) fn reopen(writer: &mut Writer) {
    let (desk, shared) = writer.desk();
    shared.head.set_closed(desk.position, false);
}

/// A slot that is being filled. Publishing consumes it; dropping it, in a panic too, abandons the frame, which is
/// then counted as dropped, and gives the slot back.
///
/// ```
/// # use vas_ring::*;
/// # let spec = RingSpec::new(1, 1, 1, 64)?;
/// # let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// let mut claim = writer.claim()?;
/// claim.pixels_mut()[0] = 1;
/// claim.publish(&FrameEntry::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A published claim is gone:
///
/// ```compile_fail,E0382
/// # use vas_ring::*;
/// # let spec = RingSpec::new(1, 1, 1, 64)?;
/// # let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// let mut claim = writer.claim()?;
/// claim.publish(&FrameEntry::default());
/// claim.pixels_mut()[0] = 1;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a claim abandons the frame"]
pub struct Claim<'w> {
    writer: &'w mut Writer,
    slot: u16,
    was_leased: bool,
}

impl Claim<'_> {
    /// The slot's pixels, [`RingSpec::frame_bytes`] of them, starting on a 64-byte boundary. They hold whatever
    /// frame was there before.
    #[inline]
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        // SAFETY: `desk.claimed` is this slot for as long as the claim lives, and `&mut self` keeps results apart.
        unsafe { self.writer.shared.pixels_mut(usize::from(self.slot)) }
    }

    /// Whether a reader had the slot's former frame, so that another core's cache may hold its lines. Writing past
    /// the cache is then cheaper.
    #[inline]
    pub fn was_leased(&self) -> bool {
        self.was_leased
    }

    /// The id that the frame gets.
    pub fn frame_id(&self) -> u64 {
        // SAFETY: a claim borrows the writer mutably, and the result does not outlive the statement.
        unsafe { self.writer.shared.desk() }.next_frame_id
    }

    /// Makes the frame the newest. Returns its id.
    ///
    /// Of `entry`, the frame id, epoch, generation and camera id are set here.
    #[inline]
    pub fn publish(self, entry: &FrameEntry) -> u64 {
        let slot = self.slot;
        let (desk, shared) = self.writer.desk();
        let frame_id = desk.next_frame_id;
        let position = desk.position.plus(1);
        let identity = &shared.identity;
        let entry = FrameEntry {
            frame_id,
            epoch: identity.epoch,
            generation: identity.generation,
            camera_id: identity.camera_id,
            ..*entry
        };
        let at = usize::from(slot);
        // SAFETY: the slot is claimed until `claimed` is taken back below.
        unsafe { shared.set_entry(at, entry) };
        shared.set_position(at, position);
        desk.claimed = None;
        shared.word(at).publish();
        // The frame that was the K-th newest is not any more. `free` takes each slot once, within its capacity.
        if desk.filled == shared.spec.depth() {
            let oldest = position.minus(shared.spec.depth() as u64);
            desk.free.push(shared.head.slot(oldest) as u16);
        } else {
            desk.filled += 1;
        }
        shared.head.advance(position, slot);
        desk.position = position;
        desk.next_frame_id = frame_id.wrapping_add(1);
        shared.ledger.newest_ns.set(entry.monotonic_ns);
        frame_id
    }
}

impl Drop for Claim<'_> {
    #[inline]
    fn drop(&mut self) {
        // `publish` has taken the slot out of `claimed`.
        if self.writer.desk().0.claimed.is_some() {
            self.writer.recover_forgotten_claim();
        }
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("slot", &self.slot).finish_non_exhaustive()
    }
}

/// Why there is no slot to write into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimError {
    /// Every retired slot is leased. The proof says that this does not happen.
    Refused,
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every slot of the ring is leased: more leases are out than readers times budget")
    }
}

impl core::error::Error for ClaimError {}
