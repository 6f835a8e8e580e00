//! How readers behave.

/// How a reader behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Gives each frame back at once.
    Brisk,
    /// Holds each frame for 300 ms.
    Slow,
    /// Wants five frames a second.
    Rated,
    /// Wants frames on request, and asks for one every 400 ms.
    Asking,
    /// Holds each frame for 500 ms.
    Sluggish,
    /// Holds as many frames as it may, for ever.
    Stalled,
    /// Leaks each frame that it gets.
    Leaking,
    /// Panics while it holds a frame, again and again.
    Panicking,
    /// Asks for frames without a pause.
    Spinning,
}

impl Kind {
    /// What cameras have when nothing else is said.
    pub const USUAL: [Self; 2] = [Self::Brisk, Self::Slow];
}
