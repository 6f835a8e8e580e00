//! Shared parts of the benches, and the comparison with what people use today: see [`compare`].

pub mod compare;

/// What the README shows is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
