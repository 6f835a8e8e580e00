//! Making a ring, and the handle to it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::identity::Identity;
use crate::memory::PixelMemory;
use crate::reader::Reader;
use crate::shared::Shared;
use crate::spec::{LINE, RingSpec};
use crate::stats::{ReaderStats, RingStats};
use crate::sync::Arc;
use crate::writer::Writer;

/// A handle to a ring: to subscribe readers, to watch it, and to give it another writer. Cloning is cheap.
///
/// The ring goes when its last handle, writer, reader and lease are gone.
///
/// ```
/// use vas_ring::{DropCause, FrameEntry, HeapMemory, Identity, Ring, RingSpec};
///
/// let spec = RingSpec::new(4, 2, 1, 64)?;
/// let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// let reader = ring.subscribe()?;
///
/// writer.claim()?.publish(&FrameEntry::default());
/// writer.skip(DropCause::Malformed);
///
/// // From any thread, for instance one that watches.
/// let stats = ring.stats();
/// assert_eq!((stats.published, stats.dropped.get(DropCause::Malformed), stats.next_frame_id), (1, 1, 2));
/// assert_eq!(ring.readers()[0].lag, 1);
/// # drop(reader);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Ring {
    shared: Arc<Shared>,
}

impl Ring {
    /// A ring with its pixels in `memory`, and its writer.
    ///
    /// # Errors
    ///
    /// When the memory is smaller than [`RingSpec::pixel_bytes`] or does not start on a 64-byte boundary.
    pub fn new(
        spec: RingSpec,
        identity: Identity,
        memory: impl PixelMemory + 'static,
    ) -> Result<(Self, Writer), RingError> {
        let (needed, given) = (spec.pixel_bytes(), memory.len());
        if given < needed {
            return Err(RingError::MemoryTooSmall { needed, given });
        }
        let address = memory.base().as_ptr().addr();
        if address % LINE != 0 {
            return Err(RingError::MemoryMisaligned { address, alignment: LINE });
        }
        let shared = Arc::new(Shared::new(spec, identity, Box::new(memory)));
        Ok((Self { shared: shared.clone() }, Writer::new(shared)))
    }

    /// Subscribes a reader. It gets the frames that are published from now on.
    ///
    /// The writer does not take part in it, and publishes no more slowly for it.
    ///
    /// # Errors
    ///
    /// When as many readers are subscribed, or have left with leases out, as the ring is for.
    pub fn subscribe(&self) -> Result<Reader, SubscribeError> {
        let shared = &self.shared;
        match shared.subscriptions.subscribe(shared.spec.readers()) {
            Ok(index) => Ok(Reader::new(shared.clone(), index)),
            Err((readers, leaving)) => Err(SubscribeError::Full { limit: shared.spec.readers(), readers, leaving }),
        }
    }

    /// Another writer, after the former one was dropped: it opens the ring again. None while there is a writer, and after
    /// [`retire`](Self::retire).
    pub fn writer(&self) -> Option<Writer> {
        self.shared.subscriptions.attach_writer().then(|| Writer::new(self.shared.clone()))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What all frames of the ring have in common.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// The ring's spec.
    pub fn spec(&self) -> &RingSpec {
        &self.shared.spec
    }

    /// What became of the frames offered so far. Disturbs nobody; exact when the writer rests.
    pub fn stats(&self) -> RingStats {
        let shared = &self.shared;
        let (head, drops) = shared.head_and_drops();
        let (readers, leaving) = shared.subscriptions.count();
        RingStats {
            published: shared.published(head.position()),
            dropped: shared.drops.by_cause(),
            next_frame_id: shared.frame_id_after(head.position(), drops),
            newest_ns: shared.newest_ns(),
            readers,
            leaving,
            closed: head.is_closed(),
        }
    }

    /// Each reader that is subscribed, or has gone and left leases out. Disturbs nobody, and allocates the list.
    pub fn readers(&self) -> Vec<ReaderStats> {
        self.shared.subscriptions.readers().map(|index| self.shared.reader_stats(index)).collect()
    }

    /// Whether the ring has no writer.
    pub fn is_closed(&self) -> bool {
        self.shared.head.peek().is_closed()
    }

    /// Whether this is the last handle, and neither writer, reader nor lease is left: dropping it frees the ring.
    pub fn is_unused(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("identity", self.identity()).field("spec", self.spec()).finish_non_exhaustive()
    }
}

/// Why a ring was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingError {
    /// The pixel memory is too small.
    MemoryTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// The pixel memory starts at the wrong place.
    MemoryMisaligned {
        /// Where it starts.
        address: usize,
        /// What that must be a multiple of.
        alignment: usize,
    },
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MemoryTooSmall { needed, given } => {
                write!(f, "the ring needs {needed} bytes of pixel memory and was given {given}")
            }
            Self::MemoryMisaligned { address, alignment } => {
                write!(f, "pixel memory at {address:#x} does not start on a {alignment}-byte boundary")
            }
        }
    }
}

impl core::error::Error for RingError {}

/// Why a reader was not subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The ring has as many readers as it is for, counting those that left with leases out.
    Full {
        /// Readers that the ring is for.
        limit: usize,
        /// Readers that are subscribed.
        readers: usize,
        /// Readers that left, and some of whose leases are still out: dropping those makes room.
        leaving: usize,
    },
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { limit, readers, leaving } => write!(
                f,
                "the ring is for {limit} readers: {readers} are subscribed, and {leaving} left with leases out"
            ),
        }
    }
}

impl core::error::Error for SubscribeError {}
