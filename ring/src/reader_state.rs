//! What only a reader knows, and what statistics show of it.

use crate::drops::Drops;
use crate::entry::FrameEntry;
use crate::head::Position;
use crate::slot::Slots;
use crate::spec::MAX_LEASES;
use crate::stats::{Missed, MissedCounters, ReaderStats};
use crate::sync::Counter;

/// Private to a reader.
#[derive(Debug)]
pub(crate) struct ReaderState {
    /// Drops counted as missed so far.
    drops: Drops,
    /// Newest position at the last refusal with all leases out.
    refused_to: Option<Position>,
    pub(crate) leased: LeasedSlots,
}

/// Slots that the reader has leased, as far as it knows: leases that were given back are on the list until it looks.
#[derive(Debug)]
pub(crate) struct LeasedSlots {
    slots: [u16; MAX_LEASES],
    len: usize,
}

impl LeasedSlots {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn as_slice(&self) -> &[u16] {
        &self.slots[..self.len]
    }

    /// Takes those off the list whose leases were given back.
    #[inline]
    pub(crate) fn remove_released(&mut self, slots: &Slots, reader: usize) {
        let mut at = 0;
        while at < self.len {
            if slots.word(self.slots[at]).has_lease(reader) {
                at += 1;
            } else {
                self.len -= 1;
                self.slots[at] = self.slots[self.len];
            }
        }
    }

    /// Puts the slot of a new lease on the list, which has room.
    #[inline]
    pub(crate) fn insert(&mut self, slot: u16) {
        // The slot may be there from an earlier lease, which was given back, as the word had room for this one.
        if !self.as_slice().contains(&slot) {
            self.slots[self.len] = slot;
            self.len += 1;
        }
    }
}

impl ReaderState {
    pub(crate) fn new() -> Self {
        Self { drops: Drops::default(), refused_to: None, leased: LeasedSlots { slots: [0; MAX_LEASES], len: 0 } }
    }

    /// Makes it that of a reader which begins after so many drops.
    pub(crate) fn begin(&mut self, drops: Drops) {
        *self = Self::new();
        self.drops = drops;
    }

    /// Notes that the reader was refused with all leases out when the newest frame was at this position.
    pub(crate) fn refuse(&mut self, newest: Position) {
        self.refused_to = Some(newest);
    }

    /// Counts what was missed between positions `last` and `end`, neither included, when the head is at `newest`, and what was
    /// dropped until there had been `drops`.
    pub(crate) fn miss(
        &mut self,
        depth: usize,
        newest: Position,
        last: Position,
        end: Position,
        drops: Drops,
    ) -> Missed {
        let published = end.since(last) - 1;
        // A reader that keeps up misses nothing, as a rule.
        if published == 0 && self.drops == drops && self.refused_to.is_none() {
            return Missed::default();
        }
        let refused = match self.refused_to {
            Some(to) => to.since(last).min(published),
            None => 0,
        };
        let unreadable = newest.since(last).saturating_sub(depth as u64);
        let overwritten = unreadable.saturating_sub(refused).min(published - refused);
        let missed = Missed {
            overwritten,
            skipped: published - refused - overwritten,
            refused,
            dropped: drops.dropped.wrapping_sub(self.drops.dropped),
            unwanted: drops.unwanted.wrapping_sub(self.drops.unwanted),
        };
        self.drops = drops;
        if self.refused_to.is_some_and(|to| to.since(last) <= end.since(last)) {
            self.refused_to = None;
        }
        missed
    }
}

/// What statistics show of a reader: written by the reader, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct ReaderCounters {
    pub(crate) first_frame_id: Counter,
    position: Counter,
    seen_ns: Counter,
    seen: Counter,
    missed: MissedCounters,
    refusals: Counter,
}

impl ReaderCounters {
    /// Makes them those of a reader that begins after `position`, with this frame id.
    pub(crate) fn begin(&self, first_frame_id: u64, position: Position, now_ns: u64) {
        self.first_frame_id.set(first_frame_id);
        self.position.set(position.to_bits());
        self.seen_ns.set(now_ns);
        self.seen.set(0);
        self.missed.reset();
        self.refusals.set(0);
    }

    pub(crate) fn deliver(&self, entry: &FrameEntry) {
        self.seen.add(1);
        self.seen_ns.set(entry.monotonic_ns);
    }

    pub(crate) fn miss(&self, position: Position, missed: &Missed) {
        self.position.set(position.to_bits());
        if *missed != Missed::default() {
            self.missed.add(missed);
        }
    }

    pub(crate) fn refuse(&self) {
        self.refusals.add(1);
    }

    /// Anyone: the statistics of the reader with this index.
    pub(crate) fn stats(&self, reader: usize, slots: &Slots, newest: Position, newest_ns: u64) -> ReaderStats {
        let position = Position::from_bits(self.position.get());
        let seen_ns = self.seen_ns.get();
        // Slots number at most 1025.
        let leased = (0..slots.len() as u16).filter(|&slot| slots.word(slot).shows_lease(reader));
        let ages = leased.map(|slot| (slots.age(slot, newest), newest_ns.saturating_sub(slots.monotonic_ns(slot))));
        let (leases, (oldest_lease, oldest_lease_ns)) =
            ages.fold((0, (0, 0)), |(n, oldest), age| (n + 1, oldest.max(age)));
        ReaderStats {
            reader,
            first_frame_id: self.first_frame_id.get(),
            seen: self.seen.get(),
            missed: self.missed.get(),
            refusals: self.refusals.get(),
            lag: newest.since_or_zero(position),
            lag_ns: if seen_ns == 0 { 0 } else { newest_ns.saturating_sub(seen_ns) },
            leases,
            oldest_lease,
            oldest_lease_ns,
        }
    }
}
