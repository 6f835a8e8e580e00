//! The writer's end: claim a slot, fill it, publish it.

use alloc::collections::VecDeque;
use core::fmt;
use core::mem::ManuallyDrop;

use crate::head::HeadWord;
use crate::shared::Shared;
use crate::spec::RingSpec;
use crate::sync::Arc;
use crate::{DropCause, FrameEntry};

/// What only the writer knows: which slots it may try next, and what it is filling.
///
/// Every slot is either one of the newest K, or in `front`, or `held`, or not used yet.
#[derive(Debug)]
pub(crate) struct Desk {
    head: HeadWord,
    next_frame_id: u64,
    /// Frames dropped as unwanted, which each frame carries.
    unwanted: u64,
    /// How many of the newest K there are by now.
    readable: usize,
    front: Front,
    /// Retired and shut: found leased by a claim, or claimed and not published. Tried again in turn.
    held: VecDeque<u16>,
    /// Slots from here on have never been used. They are the last resort, to keep few buffers in use.
    fresh: u16,
}

/// The slot that the writer goes for first, or has.
///
/// One word for both: a claim takes or shuts the retired slot before it has one, and the next is retired by the publish
/// that ends the claim. In a word of its own, since the stores of a publish are what it costs.
#[derive(Clone, Copy, Debug)]
struct Front(u32);

impl Front {
    const EMPTY: Self = Self(0);
    const RETIRED: u32 = 1 << 16;
    const CLAIMED: u32 = 1 << 17;

    /// The slot that was retired last, open still: the first to be tried, as its lines are the likeliest to be in this
    /// core's cache.
    fn retired(slot: u16) -> Self {
        Self(Self::RETIRED | u32::from(slot))
    }

    /// The slot that is being filled.
    fn claimed(slot: u16) -> Self {
        Self(Self::CLAIMED | u32::from(slot))
    }

    // The low half is the slot.
    #[inline]
    fn get_retired(self) -> Option<u16> {
        (self.0 & Self::RETIRED != 0).then_some(self.0 as u16)
    }

    #[inline]
    fn get_claimed(self) -> Option<u16> {
        (self.0 & Self::CLAIMED != 0).then_some(self.0 as u16)
    }
}

impl Desk {
    pub(crate) fn new(spec: &RingSpec, next_frame_id: u64, head: HeadWord) -> Self {
        Self {
            head,
            next_frame_id,
            unwanted: 0,
            readable: 0,
            front: Front::EMPTY,
            held: VecDeque::with_capacity(spec.slots()),
            fresh: 0,
        }
    }

    pub(crate) const fn heap_bytes(spec: &RingSpec) -> usize {
        spec.slots() * size_of::<u16>()
    }

    /// Finds a slot that nobody leases, and whether somebody did. Looks at each retired slot once; the order is part of
    /// the argument in `word.rs`.
    #[inline]
    fn claim(&mut self, shared: &Shared) -> Option<(u16, bool)> {
        let retired = self.front.get_retired();
        if let Some(slot) = retired {
            let word = shared.word(usize::from(slot)).claim();
            if word.is_owned() {
                self.front = Front::claimed(slot);
                return Some((slot, word.was_leased()));
            }
        }
        self.claim_other(shared, retired)
    }

    /// As `claim`, when the slot retired last is leased, or there is none.
    #[cold]
    fn claim_other(&mut self, shared: &Shared, leased: Option<u16>) -> Option<(u16, bool)> {
        self.front = Front::EMPTY;
        let waiting = self.held.len();
        self.held.extend(leased);
        let found = self.claim_held(shared, waiting).or_else(|| {
            // Slots number at most 1025.
            (self.fresh < shared.spec.slots() as u16).then(|| {
                self.fresh += 1;
                (self.fresh - 1, false)
            })
        });
        if let Some((slot, _)) = found {
            self.front = Front::claimed(slot);
        }
        found
    }

    fn claim_held(&mut self, shared: &Shared, waiting: usize) -> Option<(u16, bool)> {
        for _ in 0..waiting {
            let slot = self.held.pop_front()?;
            let word = shared.word(usize::from(slot)).claim_again();
            if word.is_owned() {
                return Some((slot, word.was_leased()));
            }
            self.held.push_back(slot);
        }
        None
    }

    /// Gives each slot to `free` that nobody leases, once for all time, for a ring that is not written any more. Without
    /// readers that are subscribed, the newest are retired first.
    pub(crate) fn reclaim(&mut self, shared: &Shared, mut free: impl FnMut(u16)) {
        let retired = self.front.get_retired();
        self.front = Front::EMPTY;
        if let Some(slot) = retired {
            self.shut(shared, slot, &mut free);
        }
        // Who subscribes from now on begins after the last frame, and leases none: it takes its place after the last writer
        // left its own, in the same word, and sees what the writer did before.
        if !shared.seats.any_reader() {
            while let Some(n) = self.readable.checked_sub(1) {
                self.readable = n;
                let position = self.head.position().minus(n as u64);
                self.shut(shared, shared.head.slot(self.head, position), &mut free);
            }
        }
        for _ in 0..self.held.len() {
            let Some(slot) = self.held.pop_front() else { return };
            if shared.word(usize::from(slot)).claim_again().is_owned() {
                free(slot);
            } else {
                self.held.push_back(slot);
            }
        }
        while usize::from(self.fresh) < shared.spec.slots() {
            self.fresh += 1;
            free(self.fresh - 1);
        }
    }

    /// Shuts a slot that is open, and frees it or keeps it for later.
    fn shut(&mut self, shared: &Shared, slot: u16, free: &mut impl FnMut(u16)) {
        if shared.word(usize::from(slot)).claim().is_owned() {
            free(slot);
        } else {
            self.held.push_back(slot);
        }
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
    /// Takes one read-modify-write of a slot word, and if a reader holds that slot, one load for each that readers hold:
    /// never more than `readers * budget` loads.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Refused`] when every slot is leased, which the slot count of a [`RingSpec`] rules out. The
    /// frame is then counted as dropped.
    #[inline]
    pub fn claim(&mut self) -> Result<Claim<'_>, ClaimError> {
        let (desk, shared) = self.desk();
        if desk.front.get_claimed().is_some() {
            self.recover_forgotten_claim();
            return self.claim();
        }
        match desk.claim(shared) {
            Some((slot, was_leased)) => {
                let frame_id = desk.next_frame_id;
                Ok(Claim { writer: self, frame_id, slot, was_leased })
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
        if let Some(slot) = desk.front.get_claimed() {
            desk.front = Front::EMPTY;
            // It is shut and without leases, so the next claim owns it at a look.
            desk.held.push_front(slot);
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
        let (desk, shared) = self.desk();
        desk.next_frame_id = desk.next_frame_id.wrapping_add(n);
        if cause == DropCause::Unwanted {
            desk.unwanted = desk.unwanted.wrapping_add(n);
        }
        shared.ledger.count_drops(cause, n);
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
        shared.head.store(desk.head.close());
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
    shared.head.store(desk.head);
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
        // SAFETY: `desk.front` is this slot, claimed, for as long as the claim lives, and `&mut self` keeps results apart.
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
        let (desk, shared) = claim.writer.desk();
        let position = desk.head.position().plus(1);
        // SAFETY: the slot is claimed until its word says otherwise, below.
        unsafe { shared.set_frame(usize::from(slot), position, frame_id, desk.unwanted, entry) };
        shared.word(usize::from(slot)).publish();
        desk.front = if desk.readable == shared.spec.depth() {
            Front::retired(shared.head.oldest(desk.head, desk.readable))
        } else {
            desk.readable += 1;
            Front::EMPTY
        };
        desk.head = HeadWord::open(position, slot);
        shared.head.advance(desk.head);
        desk.next_frame_id = frame_id.wrapping_add(1);
        frame_id
    }
}

impl Drop for Claim<'_> {
    #[inline]
    fn drop(&mut self) {
        self.writer.recover_forgotten_claim();
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
