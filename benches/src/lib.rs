//! Shared parts of the benches, and the comparison with what people use today: see [`compare`].

pub mod compare;
