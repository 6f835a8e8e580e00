//! Counts, for readers of the ring and for whoever watches it.

use core::fmt;

use crate::sync::Counter;

/// Declares the causes in one place: the enum, its list and its names.
macro_rules! drop_causes {
    ($($(#[doc = $doc:literal])* $cause:ident = $name:literal,)*) => {
        /// Why a frame that was offered to the writer was not published.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        #[non_exhaustive]
        pub enum DropCause {
            $($(#[doc = $doc])* $cause,)*
        }

        impl DropCause {
            /// All causes, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$cause,)*];

            /// A name of one or two words.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$cause => $name,)*
                }
            }
        }
    };
}

drop_causes! {
    /// No reader was subscribed, so nothing was copied.
    NoReader = "no reader",
    /// It needs more bytes than a slot has.
    TooLarge = "too large",
    /// It waits for a ring of another size.
    Resizing = "resizing",
    /// Its pixels are not in memory that a processor may read.
    Hardware = "hardware",
    /// Its format has no byte-addressed planes, or is unknown.
    Unsupported = "unsupported",
    /// Its sizes, strides or pointers make no sense.
    Malformed = "malformed",
    /// A claim for it was dropped without being published.
    Abandoned = "abandoned",
    /// Every slot was leased. The proof says that this does not happen.
    Refused = "refused",
    /// It went to no ring of this camera: export was suspended.
    Suspended = "suspended",
    /// It was offered before the camera's ring was there.
    Starting = "starting",
    /// Readers are subscribed, and none of them wanted this frame. That is what they asked for, and no loss.
    Unwanted = "not wanted",
}

/// How many causes there are: what a table of counts has places for.
pub(crate) const CAUSES: usize = DropCause::ALL.len();

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Frames that were offered and not published, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    counts: [u64; CAUSES],
}

impl Dropped {
    /// Frames dropped for `cause`.
    pub fn get(&self, cause: DropCause) -> u64 {
        self.counts[cause as usize]
    }

    /// Counts `n` more frames dropped for `cause`. Wraps, as frame ids do.
    pub fn add(&mut self, cause: DropCause, n: u64) {
        let count = &mut self.counts[cause as usize];
        *count = count.wrapping_add(n);
    }

    /// Frames dropped for any cause. Wraps, as frame ids do.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |total, n| total.wrapping_add(*n))
    }

    /// Frames that readers may have wanted: all but those under [`DropCause::Unwanted`]. Wraps, as frame ids do.
    pub fn lost(&self) -> u64 {
        self.total().wrapping_sub(self.get(DropCause::Unwanted))
    }

    /// Each cause with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropCause, u64)> + use<> {
        let counts = self.counts;
        DropCause::ALL.iter().map(move |&cause| (cause, counts[cause as usize]))
    }
}

impl core::ops::AddAssign for Dropped {
    fn add_assign(&mut self, other: Self) {
        for (cause, n) in other.iter() {
            self.add(cause, n);
        }
    }
}

/// What became of the frames offered to a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingStats {
    /// Frames published.
    pub published: u64,
    /// Frames dropped before they were published, by cause.
    pub dropped: Dropped,
    /// The next frame's id.
    pub next_frame_id: u64,
    /// [`FrameEntry::monotonic_ns`](crate::FrameEntry::monotonic_ns) of the newest frame, 0 before the first.
    pub newest_ns: u64,
    /// Subscribed readers.
    pub readers: usize,
    /// Readers that left, and some of whose leases are still out.
    pub leaving: usize,
    /// Whether the ring has no writer.
    pub closed: bool,
}

impl RingStats {
    /// Frames offered: published and dropped. Wraps, as frame ids do.
    pub fn offered(&self) -> u64 {
        self.published.wrapping_add(self.dropped.total())
    }
}

/// Declares what a reader may miss in one place: the counts, their sums, and the counters for statistics.
macro_rules! missed {
    ($($(#[doc = $doc:literal])* $cause:ident,)*) => {
        /// Frames that a reader did not get, by cause. Sums wrap, as frame ids do.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Missed {
            $($(#[doc = $doc])* pub $cause: u64,)*
        }

        impl Missed {
            /// Frames missed for any cause: with those delivered, all that were offered.
            pub fn total(&self) -> u64 {
                0u64$(.wrapping_add(self.$cause))*
            }
        }

        impl core::ops::AddAssign for Missed {
            fn add_assign(&mut self, other: Self) {
                $(self.$cause = self.$cause.wrapping_add(other.$cause);)*
            }
        }

        /// A [`Missed`] that is written by one reader and read by anyone.
        #[derive(Debug, Default)]
        pub(crate) struct MissedCounters {
            $($cause: Counter,)*
        }

        impl MissedCounters {
            pub(crate) fn get(&self) -> Missed {
                Missed { $($cause: self.$cause.get(),)* }
            }

            pub(crate) fn reset(&self) {
                $(self.$cause.set(0);)*
            }

            pub(crate) fn add(&self, missed: &Missed) {
                $(self.$cause.add(missed.$cause);)*
            }
        }
    };
}

missed! {
    /// Published, and gone before the reader asked.
    overwritten,
    /// Published and still readable, but passed over for a newer one.
    skipped,
    /// Published while the reader was refused with all its leases out.
    refused,
    /// Offered and never published, for a cause other than [`DropCause::Unwanted`].
    dropped,
    /// Offered and not published because no reader wanted it: [`DropCause::Unwanted`].
    unwanted,
}

impl Missed {
    /// Frames missed although they were published.
    pub fn published(&self) -> u64 {
        self.overwritten.wrapping_add(self.skipped).wrapping_add(self.refused)
    }

    /// Frames that the reader may have wanted: all but [`unwanted`](Self::unwanted).
    pub fn lost(&self) -> u64 {
        self.total().wrapping_sub(self.unwanted)
    }
}

/// What one reader got and what it missed, since it subscribed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderStats {
    /// The reader's index: below the number of readers that the ring is for, and free for another once it left.
    pub reader: usize,
    /// Id of the first frame that was offered after the reader subscribed. From there to the last frame delivered,
    /// [`seen`](Self::seen) and [`missed`](Self::missed) add up to the frames offered.
    pub first_frame_id: u64,
    /// Frames delivered.
    pub seen: u64,
    /// Frames missed up to the last one delivered, or up to the end when a read said so after that, by cause.
    pub missed: Missed,
    /// Calls refused because all its leases were out.
    pub refusals: u64,
    /// Frames published since the last one that was delivered or counted as missed.
    pub lag: u64,
    /// Time between the newest published frame and the last one delivered, or the newest at the subscription, in
    /// nanoseconds; 0 when there was neither.
    pub lag_ns: u64,
    /// Leases out.
    pub leases: usize,
    /// Frames published since the oldest frame that is leased out; 0 when none is.
    pub oldest_lease: u64,
    /// Time between that frame and the newest published one, in nanoseconds.
    pub oldest_lease_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_numbered_in_order() {
        for (n, &cause) in DropCause::ALL.iter().enumerate() {
            assert_eq!(cause as usize, n);
        }
    }
}
