//! The ring: fed by the tap, which chooses how to copy, and by hand, with an ordinary copy as the peers have it.

use vas_ring::{FrameEntry, HeapMemory, Identity, Ring, RingSpec, Writer};
use vas_tap::{CopyMode, Offer, Tap};

use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

/// A tap and its ring: what a host has.
pub struct Tapped {
    tap: Tap<Writer>,
    /// A tap copies nothing while nobody is subscribed, so where there are no readers there is one that never reads.
    _audience: Option<vas_ring::Reader>,
}

/// The ring alone.
pub struct Plain {
    writer: Writer,
    _ring: Ring,
}

fn ring(shape: &Shape) -> Result<(Ring, Writer, Vec<vas_ring::Reader>), String> {
    let spec = RingSpec::new(shape.depth, shape.readers.max(1), 1, shape.frame_bytes).map_err(|e| e.to_string())?;
    let (ring, writer) =
        Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).map_err(|e| e.to_string())?;
    let readers = (0..shape.readers).map(|_| ring.subscribe()).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    Ok((ring, writer, readers))
}

impl Tapped {
    fn new(shape: &Shape, mode: CopyMode) -> Result<(Self, Vec<vas_ring::Reader>), String> {
        let (ring, writer, readers) = ring(shape)?;
        let audience = if readers.is_empty() { ring.subscribe().ok() } else { None };
        Ok((Self { tap: Tap::new(writer).with_copy(mode), _audience: audience }, readers))
    }

    #[inline]
    fn offer(&mut self, picture: &Picture) -> bool {
        matches!(self.tap.offer(picture.video()), Offer::Published(_))
    }
}

impl Contender for Tapped {
    type Reader = vas_ring::Reader;
    const NAME: &'static str = "vas-tap + vas-ring";
    const KIND: Kind = Kind::Ours;

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        Self::new(shape, CopyMode::Auto)
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, _: u64) -> bool {
        self.offer(picture)
    }
}

macro_rules! tapped {
    ($(#[$doc:meta])* $name:ident, $mode:expr, $shown:literal) => {
        $(#[$doc])*
        pub struct $name(Tapped);

        impl Contender for $name {
            type Reader = vas_ring::Reader;
            const NAME: &'static str = $shown;
            const KIND: Kind = Kind::Ours;

            fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
                let (tapped, readers) = Tapped::new(shape, $mode)?;
                Ok((Self(tapped), readers))
            }

            #[inline]
            fn publish(&mut self, picture: &Picture, _: u64) -> bool {
                self.0.offer(picture)
            }
        }
    };
}

tapped! {
    /// With the mode `cached`.
    TappedCached, CopyMode::Cached, "vas-tap + vas-ring, cached"
}
tapped! {
    /// With the mode `streaming`.
    TappedStreaming, CopyMode::Streaming, "vas-tap + vas-ring, streaming"
}

impl Contender for Plain {
    type Reader = vas_ring::Reader;
    const NAME: &'static str = "vas-ring, ordinary copy";
    const KIND: Kind = Kind::Ours;

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        let (ring, writer, readers) = ring(shape)?;
        Ok((Self { writer, _ring: ring }, readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, _: u64) -> bool {
        let Ok(mut claim) = self.writer.claim() else { return false };
        let pixels = picture.pixels();
        claim.pixels_mut()[..pixels.len()].copy_from_slice(pixels);
        claim.publish(picture.entry());
        true
    }
}

impl Reader for vas_ring::Reader {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        // It was overtaken, or has another lease out, which no caller here has: nothing for now.
        let lease = Self::latest(self).ok()??;
        Some(with(lease.entry(), lease.pixels()))
    }
}
