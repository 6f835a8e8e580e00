//! The host's own parts that have tests of their own, since Cargo runs none of an example's.

#![allow(dead_code, unused_imports, reason = "the host uses the rest")]

#[path = "../examples/host/account.rs"]
mod account;
#[path = "../examples/host/avcc.rs"]
mod avcc;
#[path = "../examples/host/clock.rs"]
mod clock;
#[path = "../examples/host/figures.rs"]
mod figures;
#[path = "../examples/host/pixels.rs"]
mod pixels;
#[path = "../examples/host/process.rs"]
mod process;
#[path = "../examples/host/table.rs"]
mod table;
