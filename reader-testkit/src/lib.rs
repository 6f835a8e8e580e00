//! Readers that behave well and badly, checkers and snapshots.
