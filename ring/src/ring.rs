//! Making a ring, and the handle to it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::CameraId;
use crate::memory::PixelMemory;
use crate::reader::{Reader, stats_of};
use crate::retired::Retired;
use crate::shared::Shared;
use crate::spec::{LINE, RingSpec};
use crate::stats::{ReaderStats, RingStats};
use crate::sync::Arc;
use crate::writer::{Writer, reopen};

/// What all frames of a ring have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The camera.
    pub camera_id: CameraId,
    /// Which start of the camera.
    pub epoch: u32,
    /// Which ring within the epoch.
    pub generation: u32,
    /// The id that the first frame gets.
    pub first_frame_id: u64,
}

/// A handle to a ring: to subscribe readers, to watch it, and to hand its writer's seat on. Cloning is cheap.
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
        Ok((Self { shared: shared.clone() }, Writer::seated(shared)))
    }

    /// Subscribes a reader. It gets the frames that are published from now on.
    ///
    /// The writer does not take part in it, and publishes no more slowly for it.
    ///
    /// # Errors
    ///
    /// When all reader places are taken.
    pub fn subscribe(&self) -> Result<Reader, SubscribeError> {
        let shared = &self.shared;
        match shared.seats.take_reader(shared.spec.readers()) {
            Ok(place) => Ok(Reader::seated(shared.clone(), place)),
            Err((readers, leaving)) => Err(SubscribeError::Full { places: shared.spec.readers(), readers, leaving }),
        }
    }

    /// Takes the writer's seat after the former writer was dropped, and opens the ring again. None while it is taken.
    pub fn writer(&self) -> Option<Writer> {
        self.shared.seats.take_writer().then(|| {
            let mut writer = Writer::seated(self.shared.clone());
            reopen(&mut writer);
            writer
        })
    }

    /// Ends the ring for good, after its writer was dropped: it takes the writer's seat and keeps it, so that
    /// [`writer`](Self::writer) gives none any more. None while the seat is taken.
    pub fn retire(&self) -> Option<Retired> {
        self.shared.seats.take_writer().then(|| Retired::seated(self.clone()))
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
        let (readers, leaving) = shared.seats.count();
        RingStats {
            published: shared.published(head.position()),
            dropped: shared.ledger.by_cause(),
            next_frame_id: shared.frame_id_after(head.position(), drops),
            newest_ns: shared.newest_ns(),
            readers,
            leaving,
            closed: head.is_closed(),
        }
    }

    /// Each reader that is subscribed, or has gone and left leases out. Disturbs nobody.
    pub fn readers(&self) -> Vec<ReaderStats> {
        self.shared.seats.readers().map(|place| stats_of(&self.shared, place)).collect()
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
    /// All places are taken.
    Full {
        /// Places of the ring.
        places: usize,
        /// Places with a reader.
        readers: usize,
        /// Places that wait for leases of readers that left.
        leaving: usize,
    },
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { places, readers, leaving } => write!(
                f,
                "all {places} reader places are taken: {readers} by readers, {leaving} by leases of readers that left"
            ),
        }
    }
}

impl core::error::Error for SubscribeError {}
