//! Which types may be sent to and shared with other threads: every public one is asserted. A test of `xtask` looks for types
//! that are missing here.

use std::cell::Cell;

use static_assertions::{assert_impl_all, assert_not_impl_any};
use vas_reader_testkit::Taken;
use vas_reader_testkit::check::{ContentError, Loss, LossError, Order, OrderError, PaintError};
use vas_reader_testkit::readers::{Brisk, Leaking, Panicking, Pick, Rated, Slow, Spinning, Stalled, Stepped};
#[cfg(feature = "snapshot")]
use vas_reader_testkit::snapshot::{Picture, PngError, SnapshotError};

// Readers go where what they read from may go.
assert_impl_all!(Brisk<vas_ring::Reader>: Send, Sync);
assert_impl_all!(Rated: Send, Sync);
assert_impl_all!(Slow<vas_ring::Reader>: Send, Sync);
assert_impl_all!(Stalled<vas_ring::Reader>: Send, Sync);
assert_impl_all!(Leaking<vas_ring::Reader>: Send, Sync);
assert_impl_all!(Panicking<vas_ring::Reader>: Send, Sync);
assert_impl_all!(Spinning<vas_ring::Reader>: Send, Sync);
assert_not_impl_any!(Brisk<Cell<u8>>: Sync);
assert_impl_all!(Taken: Send, Sync);
assert_impl_all!(Stepped: Send, Sync, Copy);
assert_impl_all!(Pick: Send, Sync, Copy);
assert_impl_all!(Loss: Send, Sync);
assert_impl_all!(Order: Send, Sync);
assert_impl_all!(LossError: Send, Sync);
assert_impl_all!(OrderError: Send, Sync);
assert_impl_all!(PaintError: Send, Sync);
assert_impl_all!(ContentError: Send, Sync);
#[cfg(feature = "snapshot")]
assert_impl_all!(Picture: Send, Sync);
#[cfg(feature = "snapshot")]
assert_impl_all!(SnapshotError: Send, Sync);
#[cfg(feature = "snapshot")]
assert_impl_all!(PngError: Send, Sync);
