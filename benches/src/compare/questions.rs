//! The questions, one file each.

use super::contenders::{visit_all, visit_limits};
use super::lab::Lab;
use super::stage::{Cast, Wrap};

pub mod bookkeeping;
pub mod decode;
pub mod demand;
pub mod memory;
pub mod publish;
pub mod scale;
pub mod slow;
mod targets;

pub use targets::targets;

/// Frames in a turn that do not count: they find the buffers in another contender's state.
pub(crate) const WARM: usize = 8;

/// Sets up all contenders, and the limits where nobody reads.
fn cast<'a, T, W: Wrap<T>>(lab: &'a Lab, readers: usize, bytes: usize, wrap: W) -> Cast<'a, T, W> {
    let mut cast = Cast::new(lab, super::contender::Shape::new(readers, bytes), wrap);
    visit_all(&mut cast);
    if readers == 0 {
        visit_limits(&mut cast);
    }
    cast
}

/// Contenders in the order of a round: each comes after each other one in turn.
fn order(round: usize, n: usize) -> impl Iterator<Item = usize> {
    (0..n).map(move |place| if round.is_multiple_of(2) { place } else { n - 1 - place })
}

/// Frames that are not what they should be end in a report's list of faults.
fn fault(faults: &mut Vec<String>, where_: &str, contender: &str, torn: u64) {
    if torn > 0 {
        faults.push(format!("{where_}: {contender} delivered {torn} torn frames"));
    }
}
