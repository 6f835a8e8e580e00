//! Readers that give back what they borrow.

use std::time::Duration;

use vas_lifecycle::{Counts, Rate};
use vas_ring::Lease;

use super::{Pick, Step, Stepped};
use crate::source::polled;
use crate::{Source, Taken};

impl Pick {
    pub(super) fn from(self, source: &mut impl Source) -> Taken {
        match self {
            Self::Newest => source.newest(),
            Self::Oldest => source.oldest(),
        }
    }
}

/// Takes a frame per step and gives it back at once.
#[derive(Debug)]
pub struct Brisk<S> {
    source: S,
    pick: Pick,
}

impl<S: Source> Brisk<S> {
    /// A reader of the newest frame.
    pub fn new(source: S) -> Self {
        Self::picking(source, Pick::Newest)
    }

    /// A reader of the frame that `pick` says.
    pub fn picking(source: S, pick: Pick) -> Self {
        Self { source, pick }
    }
}

impl<S: Source> Step for Brisk<S> {
    fn step(&mut self, _now: Duration, look: &mut dyn FnMut(&Lease)) -> Stepped {
        self.pick.from(&mut self.source).then(|frame| {
            look(&frame);
        })
    }

    fn counts(&self) -> Counts {
        self.source.counts()
    }
}

/// Holds each frame for a while before it takes the next.
#[derive(Debug)]
pub struct Slow<S> {
    source: S,
    pick: Pick,
    hold: Duration,
    held: Option<(Lease, Duration)>,
}

impl<S: Source> Slow<S> {
    /// A reader that holds the newest frame for `hold`.
    pub fn new(source: S, hold: Duration) -> Self {
        Self::picking(source, Pick::Newest, hold)
    }

    /// A reader that holds the frame that `pick` says for `hold`.
    pub fn picking(source: S, pick: Pick, hold: Duration) -> Self {
        Self { source, pick, hold, held: None }
    }

    /// The frame that is held.
    pub fn held(&self) -> Option<&Lease> {
        self.held.as_ref().map(|(frame, _)| frame)
    }
}

impl<S: Source> Step for Slow<S> {
    fn step(&mut self, now: Duration, look: &mut dyn FnMut(&Lease)) -> Stepped {
        if let Some((_, until)) = &self.held {
            if now < *until {
                return Stepped::Waited;
            }
            self.held = None;
        }
        self.pick.from(&mut self.source).then(|frame| {
            look(&frame);
            self.held = Some((frame, now.saturating_add(self.hold)));
        })
    }

    fn counts(&self) -> Counts {
        self.source.counts()
    }
}

/// Takes frames at the rate that its camera was subscribed to with, and gives each back at once. One that wants frames on
/// request asks for one from time to time.
#[derive(Debug)]
pub struct Rated {
    source: vas_lifecycle::Reader,
    ask_every: Duration,
    /// When it asks again.
    ask_at: Duration,
}

impl Rated {
    /// A reader of `source` that asks for a frame every `ask_every`, if frames come on request.
    pub fn new(source: vas_lifecycle::Reader, ask_every: Duration) -> Self {
        Self { source, ask_every, ask_at: Duration::ZERO }
    }
}

impl Step for Rated {
    fn step(&mut self, now: Duration, look: &mut dyn FnMut(&Lease)) -> Stepped {
        if self.source.rate() == Rate::OnRequest && now >= self.ask_at {
            self.source.request();
            self.ask_at = now.saturating_add(self.ask_every);
        }
        polled(&mut self.source).then(|frame| look(&frame))
    }

    fn counts(&self) -> Counts {
        self.source.counts()
    }
}
