//! The ring beside what people use in its place, in one process, taking turns.
//!
//! Every contender does the same job, as far as it can: it keeps the newest frames for readers on other threads, which
//! take the newest and read it in place. Only ratios are to be read: contenders take turns (A B A B ...), so that a busy
//! machine hits them alike. `cargo xtask compare` runs it.

pub mod check;
pub mod clock;
pub mod contender;
pub mod contenders;
pub mod cores;
pub mod counting;
pub mod lab;
pub mod picture;
pub mod questions;
pub mod report;
pub mod spread;
pub mod stage;
