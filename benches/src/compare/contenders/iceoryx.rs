//! `iceoryx2`, publish-subscribe within the process with safe overflow: frames are written and read in place. Its
//! ports go to other threads only in the flavour that locks each port.

use std::sync::atomic::{AtomicU64, Ordering};

use iceoryx2::node::Node;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{Alignment, LogLevel, NodeBuilder, ZeroCopySend, local_threadsafe, set_log_level};
use vas_ring::FrameEntry;

use crate::compare::contender::{Contender, Kind, Reader, Shape};
use crate::compare::picture::Picture;

type Service = local_threadsafe::Service;

/// The entry as the service's header.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub struct Header(FrameEntry);

// SAFETY: plain old data without pointers.
unsafe impl ZeroCopySend for Header {}

/// The writer's end.
pub struct Iceoryx {
    publisher: Publisher<Service, [u8], Header>,
    _node: Node<Service>,
}

/// A reader.
pub struct IceoryxReader(Subscriber<Service, [u8], Header>);

impl Contender for Iceoryx {
    type Reader = IceoryxReader;
    const NAME: &'static str = "iceoryx2, local service";
    const KIND: Kind = Kind::Peer;

    fn new(shape: &Shape) -> Result<(Self, Vec<Self::Reader>), String> {
        make(shape).map_err(|error| error.to_string())
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        let pixels = picture.pixels();
        let Ok(mut sample) = self.publisher.loan_slice_uninit(pixels.len()) else { return false };
        let header = &mut sample.user_header_mut().0;
        *header = *picture.entry();
        header.frame_id = id;
        sample.write_from_slice(pixels).send().is_ok()
    }
}

fn make(shape: &Shape) -> Result<(Iceoryx, Vec<IceoryxReader>), Box<dyn std::error::Error>> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    set_log_level(LogLevel::Error);
    let node = NodeBuilder::new().create::<Service>()?;
    // Ordering: Relaxed, numbers that differ.
    let name = format!("vas/compare/{}/{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let service = node
        .service_builder(&name.as_str().try_into()?)
        .publish_subscribe::<[u8]>()
        .user_header::<Header>()
        .payload_alignment(Alignment::new(64).ok_or("no such alignment")?)
        .enable_safe_overflow(true)
        .max_publishers(1)
        .max_subscribers(shape.readers.max(1))
        .subscriber_max_buffer_size(shape.depth)
        // The one that is held, and a newer one that is looked for.
        .subscriber_max_borrowed_samples(2)
        // What stays readable, also while nobody is subscribed.
        .history_size(shape.depth)
        .create()?;
    let publisher =
        service.publisher_builder().initial_max_slice_len(shape.frame_bytes).max_loaned_samples(1).create()?;
    let readers = (0..shape.readers)
        .map(|_| service.subscriber_builder().create().map(IceoryxReader))
        .collect::<Result<_, _>>()?;
    Ok((Iceoryx { publisher, _node: node }, readers))
}

impl Reader for IceoryxReader {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        let mut newest = self.0.receive().ok()??;
        while let Ok(Some(newer)) = self.0.receive() {
            newest = newer;
        }
        Some(with(&newest.user_header().0, newest.payload()))
    }
}
