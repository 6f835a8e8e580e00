//! What the tests of the tap have in common.
#![allow(dead_code, reason = "each test uses some of it")]

use vas_ring::{HeapMemory, Identity, Ring, RingSpec, Writer};
use vas_tap::Tap;

/// A ring for one reader, and a tap into it.
pub(crate) fn tap(frame_bytes: usize) -> (Ring, Tap<Writer>) {
    let spec = RingSpec::new(1, 1, 1, frame_bytes).unwrap();
    let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).unwrap();
    (ring, Tap::new(writer))
}
