//! Checkers of what a reader is promised. Each says what is wrong in its own error, with the numbers.

mod content;
mod loss;
mod order;

pub use content::{CELLS, ContentError, PaintError, paint, read_back};
pub use loss::{Loss, LossError};
pub use order::{Order, OrderError};
