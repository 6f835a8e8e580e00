//! Which types may be sent to and shared with other threads: every public one is asserted. A test of `xtask` looks for types
//! that are missing here.

use std::cell::Cell;
use std::rc::Rc;

use static_assertions::{assert_impl_all, assert_not_impl_any};
use vas_tap::{CopyMode, Offer, StreamSpecError, Tap};

// A tap goes where its sink may go, and no further.
assert_impl_all!(Tap<vas_ring::Writer>: Send, Sync);
assert_impl_all!(Tap<Cell<u8>>: Send);
assert_not_impl_any!(Tap<Cell<u8>>: Sync);
assert_not_impl_any!(Tap<Rc<u8>>: Send, Sync);
assert_not_impl_any!(Tap<u8>: Clone, Copy);
assert_impl_all!(Offer: Send, Sync, Copy);
assert_impl_all!(CopyMode: Send, Sync, Copy);
assert_impl_all!(StreamSpecError: Send, Sync, Copy);
