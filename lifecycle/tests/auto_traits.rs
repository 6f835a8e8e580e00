//! Which types may be sent to and shared with other threads: every public one is asserted. A test of `xtask` looks for types
//! that are missing here.
#![cfg(not(loom))]

use static_assertions::{assert_impl_all, assert_not_impl_any};
use vas_lifecycle::*;

// The handles.
assert_impl_all!(FrameExport: Send, Sync, Clone);
assert_impl_all!(CameraWriter: Send, Sync);
assert_impl_all!(Reader: Send, Sync);
assert_not_impl_any!(CameraWriter: Clone, Copy);
assert_not_impl_any!(Reader: Clone, Copy);
// Plain data.
assert_impl_all!(Settings: Send, Sync, Copy);
assert_impl_all!(HugePages: Send, Sync, Copy);
assert_impl_all!(MemoryLimit: Send, Sync);
assert_impl_all!(Counts: Send, Sync);
assert_impl_all!(ExportStats: Send, Sync, Clone);
assert_impl_all!(CameraStats: Send, Sync, Clone);
assert_impl_all!(ReaderStats: Send, Sync, Clone);
assert_impl_all!(RetiredStats: Send, Sync, Copy);
assert_impl_all!(CameraState: Send, Sync, Copy);
assert_impl_all!(SuspendReason: Send, Sync, Copy);
// Errors.
assert_impl_all!(Problem: Send, Sync);
assert_impl_all!(Readers: Send, Sync);
assert_impl_all!(Frame: Send, Sync);
assert_impl_all!(Frames<'static>: Send, Sync);
assert_impl_all!(Watch: Send, Sync);
assert_impl_all!(News: Send, Sync);
assert_impl_all!(Rate: Send, Sync, Copy);
