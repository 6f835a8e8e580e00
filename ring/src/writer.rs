//! The writer's end: claim a slot, fill it, publish it.

use core::fmt;
use core::mem::ManuallyDrop;

use crate::entry::FrameEntry;
use crate::head::HeadWord;
use crate::shared::Shared;
use crate::spec::RingSpec;
use crate::stats::DropCause;
use crate::sync::Arc;
use crate::writer_state::WriterState;

/// The one writer of a ring: the decode thread's end.
///
/// Dropping it closes the ring: readers get [`ReadError::Closed`](crate::ReadError::Closed) once they have seen
/// what they can. [`Ring::writer`](crate::Ring::writer) then gives another one.
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
    /// For a caller that has just attached a writer. Opens the ring, again if there was a writer before.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let mut writer = Self { shared };
        let (state, shared) = writer.state();
        shared.head.store(state.head);
        writer
    }

    #[inline]
    fn state(&mut self) -> (&mut WriterState, &Shared) {
        // SAFETY: a `Writer` is made only where one was attached, and detaches itself when dropped; `&mut self` keeps
        // results apart.
        (unsafe { self.shared.writer_state() }, &self.shared)
    }

    /// Claims a slot for the next frame.
    ///
    /// Takes one read-modify-write of a slot word, and if a reader holds that slot, one load for each that readers hold:
    /// never more than `readers * lease_limit` loads.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Refused`] when every slot is leased, which the slot count of a [`RingSpec`] rules out. The
    /// frame is then counted as dropped.
    #[inline]
    pub fn claim(&mut self) -> Result<Claim<'_>, ClaimError> {
        if self.state().0.has_claim() {
            self.abandon();
        }
        let (state, shared) = self.state();
        match state.claim(&shared.slots) {
            Some((slot, was_leased)) => {
                let frame_id = state.next_frame_id;
                Ok(Claim { writer: self, frame_id, slot, was_leased })
            }
            None => {
                self.skip(DropCause::Refused);
                Err(ClaimError::Refused)
            }
        }
    }

    /// Counts the frame of a claim that was dropped, or leaked with `mem::forget`, and takes its slot back.
    #[cold]
    fn abandon(&mut self) {
        if self.state().0.abandon() {
            self.skip(DropCause::Abandoned);
        }
    }

    /// Counts a frame that was offered and is not going to be published. It takes an id all the same.
    #[inline]
    pub fn skip(&mut self, cause: DropCause) {
        self.skip_many(cause, 1);
    }

    #[inline]
    fn skip_many(&mut self, cause: DropCause, n: u64) {
        let (state, shared) = self.state();
        state.next_frame_id = state.next_frame_id.wrapping_add(n);
        if cause == DropCause::Unwanted {
            state.unwanted = state.unwanted.wrapping_add(n);
        }
        shared.drops.add(cause, n);
    }

    /// Goes on counting at `frame_id`, for frames that were offered to this camera elsewhere; they are counted here
    /// as dropped for `cause`. Does nothing when the next id is that or later.
    pub fn resume_at(&mut self, frame_id: u64, cause: DropCause) {
        let ahead = frame_id.wrapping_sub(self.next_frame_id());
        // Ids wrap: half of the range lies ahead, the other half behind.
        if ahead != 0 && ahead <= u64::MAX / 2 {
            self.skip_many(cause, ahead);
        }
    }

    /// The id that the next frame gets. A claim that was leaked with `mem::forget` is counted by the next claim, before.
    pub fn next_frame_id(&mut self) -> u64 {
        self.state().0.next_frame_id
    }

    /// Whether any reader is subscribed: one load, of a line that changes only when a reader comes or goes.
    #[inline]
    pub fn has_readers(&self) -> bool {
        self.shared.subscriptions.any_reader()
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
        self.abandon();
        let (state, shared) = self.state();
        shared.head.store(state.head.close());
        shared.subscriptions.detach_writer();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("identity", &self.shared.identity).finish_non_exhaustive()
    }
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
/// claim.publish(&FrameEntry { bytes: 1, ..FrameEntry::default() });
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
    frame_id: u64,
    slot: u16,
    was_leased: bool,
}

impl Claim<'_> {
    /// The slot's pixels, [`RingSpec::frame_bytes`] of them, starting on a 64-byte boundary. They hold whatever
    /// frame was there before.
    #[inline]
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        // SAFETY: the slot stays claimed as long as the claim lives, and `&mut self` keeps results apart.
        unsafe { self.writer.shared.pixels_mut(self.slot) }
    }

    /// Whether a reader had the slot's former frame, so that another core's cache may hold its lines. Writing past
    /// the cache is then cheaper.
    #[inline]
    pub fn was_leased(&self) -> bool {
        self.was_leased
    }

    /// The id that the frame gets.
    pub fn frame_id(&self) -> u64 {
        self.frame_id
    }

    /// Makes the frame the newest. Returns its id.
    ///
    /// Of `entry`, the frame id, epoch, generation and camera id are set here. Readers see the first `entry.bytes` bytes
    /// of the slot; more than it has counts as all of it, and a plane that lies outside reads as none. `monotonic_ns` is
    /// what ages in statistics are counted from.
    #[inline]
    pub fn publish(self, entry: &FrameEntry) -> u64 {
        // Nothing below unwinds, and nothing is left to abandon.
        let mut claim = ManuallyDrop::new(self);
        let (slot, frame_id) = (claim.slot, claim.frame_id);
        let (state, shared) = claim.writer.state();
        let position = state.head.position().plus(1);
        // SAFETY: the slot is claimed until its word says otherwise, below.
        unsafe { shared.slots.set_frame(slot, position, frame_id, state.unwanted, entry) };
        shared.slots.word(slot).publish();
        state.publish(shared.spec.depth(), &shared.head, HeadWord::open(position, slot));
        shared.head.advance(state.head);
        state.next_frame_id = frame_id.wrapping_add(1);
        frame_id
    }
}

impl Drop for Claim<'_> {
    #[inline]
    fn drop(&mut self) {
        self.writer.abandon();
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
        f.write_str("every slot of the ring is leased: more leases are out than the readers may hold")
    }
}

impl core::error::Error for ClaimError {}
