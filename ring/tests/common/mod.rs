//! What several test programs share: pixels that tell which frame they are of, and memory that tells when it goes.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use vas_ring::{FrameEntry, Geometry, HeapMemory, Identity, Lease, PixelMemory, Ring, RingSpec, Writer};

/// Whether the machine is an emulator, as `cargo xtask arm` says: what is measured would be the emulator's own. Says so.
pub(crate) fn emulated(what: &str) -> bool {
    let emulated = std::env::var_os("VAS_EMULATED").is_some();
    if emulated {
        eprintln!("not looked at, as the machine is emulated: {what}");
    }
    emulated
}

/// Eight bytes of frame `id`. Multiplying by an odd number maps different ids to different words.
fn word(id: u64, at: usize) -> [u8; 8] {
    (id ^ (at as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()
}

/// Fills a frame with what only frame `id` has.
pub(crate) fn fill(pixels: &mut [u8], id: u64) {
    for (at, bytes) in pixels.chunks_mut(8).enumerate() {
        bytes.copy_from_slice(&word(id, at)[..bytes.len()]);
    }
}

/// Whether every byte is that of frame `id`.
pub(crate) fn is_whole(pixels: &[u8], id: u64) -> bool {
    pixels.chunks(8).enumerate().all(|(at, bytes)| bytes == &word(id, at)[..bytes.len()])
}

/// An entry that is full of what only frame `id` has.
pub(crate) fn entry(id: u64, bytes: usize, monotonic_ns: u64) -> FrameEntry {
    let geometry = Geometry { width: id as u32, height: !id as u32, ..Geometry::default() };
    FrameEntry { raw_pts: id as i64, monotonic_ns, geometry, bytes: bytes as u32, ..FrameEntry::default() }
}

/// Asserts that entry and pixels are those of one frame, down to the last byte.
#[track_caller]
pub(crate) fn assert_whole(lease: &Lease) {
    let id = lease.frame_id;
    let expected = entry(id, lease.bytes as usize, lease.monotonic_ns);
    assert_eq!((lease.raw_pts, lease.geometry), (expected.raw_pts, expected.geometry), "an entry of another frame");
    assert_eq!(lease.pixels().len(), lease.bytes as usize);
    assert!(is_whole(lease.pixels(), id), "frame {id} is torn");
}

/// Claims, fills and publishes a frame of as many bytes as a slot has. Returns its id.
#[track_caller]
pub(crate) fn publish(writer: &mut Writer) -> u64 {
    let bytes = writer.slot_bytes();
    let mut claim = writer.claim().expect("the writer was refused");
    let id = claim.frame_id();
    fill(claim.pixels_mut(), id);
    assert_eq!(claim.publish(&entry(id, bytes, id)), id);
    id
}

/// A ring on the heap whose first frame has this id.
pub(crate) fn ring_from(spec: RingSpec, first_frame_id: u64) -> (Ring, Writer) {
    let identity = Identity { first_frame_id, ..Identity::default() };
    Ring::new(spec, identity, HeapMemory::for_spec(&spec)).unwrap()
}

/// A ring on the heap.
pub(crate) fn ring(depth: usize, readers: usize, lease_limit: usize, frame_bytes: usize) -> (Ring, Writer) {
    ring_from(RingSpec::new(depth, readers, lease_limit, frame_bytes).unwrap(), 0)
}

/// Memory that counts how often it is given back.
pub(crate) struct Counted {
    memory: HeapMemory,
    drops: Arc<AtomicUsize>,
}

impl Counted {
    pub(crate) fn new(spec: &RingSpec) -> (Self, Drops) {
        let drops = Arc::<AtomicUsize>::default();
        (Self { memory: HeapMemory::for_spec(spec), drops: drops.clone() }, Drops(drops))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, SeqCst);
    }
}

// SAFETY: passes on what `HeapMemory` promises.
unsafe impl PixelMemory for Counted {
    fn base(&self) -> NonNull<u8> {
        self.memory.base()
    }

    fn len(&self) -> usize {
        self.memory.len()
    }
}

/// How often a [`Counted`] was given back.
#[derive(Clone, Debug)]
pub(crate) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}
