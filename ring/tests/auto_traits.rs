//! Which types may be sent to and shared with other threads: every public one is asserted, so that neither a raw pointer
//! takes it away unnoticed nor an `unsafe impl` gives too much. A test of `xtask` looks for types that are missing here.
#![cfg(not(loom))]

use static_assertions::{assert_impl_all, assert_not_impl_any};
use vas_ring::*;

// The handles. A claim has no method by shared reference that reaches what it fills.
assert_impl_all!(Ring: Send, Sync);
assert_impl_all!(Writer: Send, Sync);
assert_impl_all!(Claim<'static>: Send, Sync);
assert_impl_all!(Reader: Send, Sync);
assert_impl_all!(Lease: Send, Sync);
assert_impl_all!(Retired: Send, Sync);
assert_impl_all!(HeapMemory: Send, Sync);
assert_impl_all!(Box<dyn PixelMemory>: Send, Sync);
// Views into a lease.
assert_impl_all!(PlaneView<'static>: Send, Sync);
assert_impl_all!(ComponentView<'static>: Send, Sync);
assert_impl_all!(Samples<'static>: Send, Sync);
// Plain data.
assert_impl_all!(FrameEntry: Send, Sync, Copy);
assert_impl_all!(Geometry: Send, Sync, Copy);
assert_impl_all!(Plane: Send, Sync, Copy);
assert_impl_all!(Rational: Send, Sync, Copy);
assert_impl_all!(PixelFormat: Send, Sync, Copy);
assert_impl_all!(Component: Send, Sync, Copy);
assert_impl_all!(FrameFlags: Send, Sync, Copy);
assert_impl_all!(ColorRange: Send, Sync, Copy);
assert_impl_all!(Orientation: Send, Sync, Copy);
assert_impl_all!(CameraId: Send, Sync, Copy);
assert_impl_all!(Identity: Send, Sync, Copy);
assert_impl_all!(RingSpec: Send, Sync, Copy);
assert_impl_all!(StreamSpec: Send, Sync, Copy);
assert_impl_all!(CopyMode: Send, Sync, Copy);
assert_impl_all!(DropCause: Send, Sync, Copy);
assert_impl_all!(Dropped: Send, Sync, Copy);
assert_impl_all!(Missed: Send, Sync, Copy);
assert_impl_all!(ReaderStats: Send, Sync, Copy);
assert_impl_all!(RingStats: Send, Sync, Copy);
// Errors.
assert_impl_all!(CameraIdError: Send, Sync, Copy);
assert_impl_all!(ClaimError: Send, Sync, Copy);
assert_impl_all!(ReadError: Send, Sync, Copy);
assert_impl_all!(RingError: Send, Sync, Copy);
assert_impl_all!(SampleError: Send, Sync, Copy);
assert_impl_all!(LengthError: Send, Sync, Copy);
assert_impl_all!(SpecError: Send, Sync, Copy);
assert_impl_all!(SubscribeError: Send, Sync, Copy);

// There is one of each.
assert_not_impl_any!(Writer: Clone, Copy);
assert_not_impl_any!(Reader: Clone, Copy);
assert_not_impl_any!(Claim<'static>: Clone, Copy);
assert_not_impl_any!(Lease: Clone, Copy);
assert_not_impl_any!(Retired: Clone, Copy);
