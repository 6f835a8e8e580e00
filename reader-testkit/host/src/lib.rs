//! A stand-in for VAS: it ingests cameras, decodes them on a thread each, and hands every raw frame to the branches that
//! VAS has already and to the tap. With it come readers, and whoever runs the two.
//!
//! * [`vas`] and [`camera`]: the host. All that frame export adds to it are the lines marked `frame export` there. Without
//!   the feature `export` they are not compiled, and none of the export crates is linked.
//! * [`input`], [`pace`], [`stop`], [`clips`]: where frames come from.
//! * [`branch`]: recording and the producer, which frame export must not disturb.
//! * [`ai`]: the readers, of which VAS knows nothing.
//! * [`run`]: both together, and the [`figures`] that come of it.
//!
//! The programs are `host`, which is the demo and what `cargo xtask accept` runs, and `soak`.

#![allow(missing_docs, reason = "it is used in this folder only; what is not plain from its name is documented")]

pub mod account;
pub mod ai;
pub mod avcc;
pub mod branch;
pub mod camera;
pub mod clips;
pub mod clock;
pub mod figures;
pub mod gauge;
pub mod input;
pub mod pace;
pub mod pixels;
pub mod process;
pub mod run;
pub mod stop;
pub mod table;
pub mod vas;
