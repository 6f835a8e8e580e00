//! Mistakes that are made in the ring on purpose.

use super::lab::Suite;

/// A mistake that somebody could make in earnest. Its text has to be in the file exactly once.
pub(super) struct Mistake {
    pub(super) file: &'static str,
    pub(super) suite: Suite,
    pub(super) what: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        file: "spec.rs",
        suite: Suite::Models,
        what: "one slot less",
        from: "self.depth + self.readers * self.lease_limit + 1\n",
        to: "self.depth + self.readers * self.lease_limit\n",
    },
    Mistake {
        file: "reader.rs",
        suite: Suite::Models,
        what: "the id is not checked again after the lease",
        from: "if position == target {",
        to: "if position == position {",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "a lease is taken of a slot that is being written",
        from: "Err(now) if now & SHUT != 0 => return false,",
        to: "",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "a slot that was leased stays open",
        from: "Claimed { before: self.0.fetch_add(SHUT, Ordering::AcqRel) }",
        to: "match self.0.compare_exchange(0, SHUT, Ordering::AcqRel, Ordering::Acquire) {
            Ok(before) | Err(before) => Claimed { before },
        }",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "a leased slot counts as the writer's at once",
        from: "self.before & LEASES == 0",
        to: "self.before & SHUT == 0",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "a shut slot counts as the writer's at once",
        from: "Claimed { before: self.0.load(Ordering::Acquire) }",
        to: "Claimed { before: self.0.load(Ordering::Acquire) & !LEASES }",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "the leases of all readers are given back",
        from: "self.0.fetch_sub(lease_bit(reader), Ordering::Release) & orphan_bit(reader) != 0",
        to: "self.0.fetch_and(!LEASES, Ordering::Release) & orphan_bit(reader) != 0",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "the lease is not given back",
        from: "self.0.fetch_sub(lease_bit(reader), Ordering::Release) & orphan_bit(reader) != 0",
        to: "self.0.fetch_sub(0, Ordering::Release) & orphan_bit(reader) != 0",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "the lease is not taken back",
        from: "self.0.fetch_sub(lease_bit(reader), Ordering::Release);",
        to: "self.0.fetch_sub(0, Ordering::Release);",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "the leases of all readers are taken back",
        from: "self.0.fetch_sub(lease_bit(reader), Ordering::Release);",
        to: "self.0.fetch_and(!LEASES, Ordering::Release);",
    },
    Mistake {
        file: "reader.rs",
        suite: Suite::Models,
        what: "a reader may hold one lease too many",
        from: "if state.leased.len() == lease_limit {
                state.refuse",
        to: "if state.leased.len() > lease_limit {
                state.refuse",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "a lease is never seen to be back",
        from: "self.0.load(Ordering::Acquire) & lease_bit(reader) != 0",
        to: "self.0.load(Ordering::Acquire) & lease_bit(reader) != 1 << 63",
    },
    Mistake {
        file: "reader.rs",
        suite: Suite::Models,
        what: "the end is told once, whatever is dropped after it",
        from: "head != self.head || head.is_closed() { self.read_new(wanted, head) } else { Found::Nothing };",
        to: "head != self.head { self.read_new(wanted, head) } \
             else if head.is_closed() { Found::Closed } else { Found::Nothing };",
    },
    Mistake {
        file: "writer_state.rs",
        suite: Suite::Models,
        what: "what leaves the newest is not retired",
        from: "NextSlot::retired(list.oldest(self.head, self.readable))",
        to: "NextSlot::NONE",
    },
    Mistake {
        file: "writer_state.rs",
        suite: Suite::Models,
        what: "the newest is retired, and the oldest kept",
        from: "NextSlot::retired(list.oldest(self.head, self.readable))",
        to: "NextSlot::retired(self.head.slot())",
    },
    Mistake {
        file: "writer_state.rs",
        suite: Suite::Models,
        what: "a slot found leased is forgotten",
        from: "self.waiting.extend(leased);",
        to: "",
    },
    Mistake {
        file: "writer_state.rs",
        suite: Suite::Models,
        what: "the slot of an abandoned claim is lost",
        from: "self.waiting.push_front(slot);",
        to: "let _ = slot;",
    },
    Mistake {
        file: "subscriptions.rs",
        suite: Suite::Models,
        what: "the index of a reader that left with leases out is given to another",
        from: "(before | before >> LEAVING_SHIFT).trailing_ones()",
        to: "(before | WRITER).trailing_ones()",
    },
    Mistake {
        file: "shared.rs",
        suite: Suite::Models,
        what: "the drops are not looked at again",
        from: "if again == drops {",
        to: "if again == again {",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "a lease counts as back when the word changes meanwhile",
        from: "Ok(_) => return true,
                Err(now) => before = now,",
        to: "Ok(_) => return true,
                Err(_) => return false,",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Models,
        what: "an orphan is not marked",
        from: "before | orphan_bit(reader)",
        to: "before",
    },
    Mistake {
        file: "subscriptions.rs",
        suite: Suite::Models,
        what: "a ring counts as full when another came or went meanwhile",
        from: "Ok(_) => return Ok(reader),
                Err(now) => before = now,",
        to: "Ok(_) => return Ok(reader),
                Err(now) => return Err(count(now)),",
    },
    Mistake {
        file: "subscriptions.rs",
        suite: Suite::Models,
        what: "an index is taken beside another reader that took it meanwhile",
        from: "match self.0.compare_exchange(before, before | reader_bit(reader), Ordering::Acquire, Ordering::Relaxed) {",
        to: "match Ok::<u64, u64>(self.0.fetch_or(reader_bit(reader), Ordering::Acquire)) {",
    },
    Mistake {
        file: "head.rs",
        suite: Suite::Models,
        what: "the list has no entry to spare",
        from: "(depth + 1).next_power_of_two()",
        to: "depth.next_power_of_two()",
    },
    Mistake {
        file: "writer_state.rs",
        suite: Suite::Tests,
        what: "a waiting slot that is leased still is lost",
        from: "                return Some((slot, word.was_leased()));
            }
            self.waiting.push_back(slot);",
        to: "                return Some((slot, word.was_leased()));
            }",
    },
    Mistake {
        file: "writer_state.rs",
        suite: Suite::Models,
        what: "the newest of a ring that has ended are taken from its readers",
        from: "while !any_reader && self.readable > 0",
        to: "while self.readable > 0",
    },
    Mistake {
        file: "writer_state.rs",
        suite: Suite::Models,
        what: "an open slot is freed though it is leased",
        from: "if slots.word(slot).claim().is_owned() {
            free(slot);",
        to: "slots.word(slot).claim();
        if true {
            free(slot);",
    },
    Mistake {
        file: "writer_state.rs",
        suite: Suite::Models,
        what: "a waiting slot is freed though it is leased",
        from: "if slots.word(slot).claim_again().is_owned() {
                free(slot);",
        to: "if true {
                free(slot);",
    },
    Mistake {
        file: "writer_state.rs",
        suite: Suite::Models,
        what: "a slot is freed again",
        from: "self.next = NextSlot::NONE;
            self.shut(slots, slot, &mut free);",
        to: "free(slot);",
    },
    Mistake {
        file: "slot.rs",
        suite: Suite::Models,
        what: "a frame does not say how many before it were unwanted",
        from: "frame.unwanted = unwanted;",
        to: "",
    },
    Mistake {
        file: "shared.rs",
        suite: Suite::Models,
        what: "only one of the two counts of drops is looked at again",
        from: "if again == drops {",
        to: "if again.dropped == drops.dropped {",
    },
    Mistake {
        file: "shared.rs",
        suite: Suite::Tests,
        what: "drops are counted modulo 2^52",
        from: "let drops = offered.wrapping_sub(self.published(position.minus(1)));",
        to: "let drops = offered.wrapping_sub(self.published(position.minus(1))) << 12 >> 12;",
    },
    Mistake {
        file: "writer.rs",
        suite: Suite::Tests,
        what: "a writer ends without its forgotten claim",
        from: "self.abandon();
        let (state, shared) = self.state();",
        to: "let (state, shared) = self.state();",
    },
    Mistake {
        file: "writer.rs",
        suite: Suite::Tests,
        what: "unwanted frames count as dropped to readers",
        from: "if cause == DropCause::Unwanted {",
        to: "if false {",
    },
    Mistake {
        file: "word.rs",
        suite: Suite::Tests,
        what: "no slot is ever said to have been leased",
        from: "before | lease_bit(reader) | LEASED",
        to: "before | lease_bit(reader)",
    },
    Mistake {
        file: "head.rs",
        suite: Suite::Tests,
        what: "the oldest is none of more than eight",
        from: "newest.position().minus(depth as u64 - 1)",
        to: "newest.position().minus((depth as u64 - 1).min(7))",
    },
    Mistake {
        file: "reader_state.rs",
        suite: Suite::Tests,
        what: "a reader begins with the refusals of the one before",
        from: "*self = Self::new();",
        to: "let refused_to = self.refused_to;
        *self = Self::new();
        self.refused_to = refused_to;",
    },
    Mistake {
        file: "reader_state.rs",
        suite: Suite::Tests,
        what: "a slot that is leased again counts twice",
        from: "if !self.as_slice().contains(&slot) {",
        to: "if true {",
    },
    Mistake {
        file: "reader_state.rs",
        suite: Suite::Tests,
        what: "the last leased slot is forgotten when one is back",
        from: "self.slots[at] = self.slots[self.len];",
        to: "",
    },
    Mistake {
        file: "reader_state.rs",
        suite: Suite::Tests,
        what: "a lease that is back stays on the list",
        from: "self.len -= 1;
                self.slots[at] = self.slots[self.len];",
        to: "at += 1;",
    },
    Mistake {
        file: "reader_state.rs",
        suite: Suite::Tests,
        what: "frames refused count beyond the one delivered",
        from: "to.since(last).min(published)",
        to: "to.since(last)",
    },
    Mistake {
        file: "reader_state.rs",
        suite: Suite::Tests,
        what: "one frame more counts as overwritten",
        from: "saturating_sub(depth as u64)",
        to: "saturating_sub(depth as u64 - 1)",
    },
    Mistake {
        file: "reader_state.rs",
        suite: Suite::Tests,
        what: "what was refused counts as overwritten too",
        from: "unreadable.saturating_sub(refused).min(published - refused)",
        to: "unreadable.min(published - refused)",
    },
    Mistake {
        file: "reader_state.rs",
        suite: Suite::Tests,
        what: "a refusal is remembered for ever",
        from: "self.refused_to = None;
        }",
        to: "}",
    },
    Mistake {
        file: "reader_state.rs",
        suite: Suite::Tests,
        what: "a refusal is forgotten at the next frame",
        from: "to.since(last) <= end.since(last)",
        to: "true",
    },
];
