//! What would be wrong with the ring, each to be found.

use crate::memory::Order;
use crate::state::{Mistake, Rules, Size};
use crate::table::{Op, Orders, Part, SITES, order};

/// Something other than the ring as it is.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    Order(Op, Order),
    Mistake(Mistake),
}

const MISTAKES: &[(&str, Mistake)] = &[
    ("one slot less", Mistake::OneSlotLess),
    ("a slot that was never used is open", Mistake::UnusedSlotsOpen),
    ("the position is not checked", Mistake::PositionUnchecked),
    ("waiting slots before the retired one", Mistake::WaitingBeforeRetired),
    ("a leased slot is left open", Mistake::LeasedLeftOpen),
    ("a list of exactly K entries", Mistake::ListOfDepth),
    ("an index is taken, and given back if not free", Mistake::TakeAndUndo),
    ("the newest are freed whoever is subscribed", Mistake::ReclaimUnasked),
];

/// Each change by name: the mistakes, and each ordering made weaker in each way.
pub(crate) fn all() -> Vec<(String, Change)> {
    let mut all: Vec<_> = MISTAKES.iter().map(|&(name, mistake)| (name.to_owned(), Change::Mistake(mistake))).collect();
    for (file, function, name, orders) in SITES {
        for &(from, part) in *orders {
            let Part::Is(op) = part else { continue };
            let weaker: &[&str] = match from {
                "AcqRel" => &["Relaxed", "Acquire", "Release"],
                "Acquire" | "Release" => &["Relaxed"],
                _ => &[],
            };
            for &to in weaker {
                all.push((format!("{file} {function}, {name}: {from} to {to}"), Change::Order(op, order(to))));
            }
        }
    }
    all
}

/// Where each is looked for, in this order, until it is found.
pub(crate) const SIZES: &[Size] = &[
    Size::new(1, 1, 1, 4),
    Size::new(2, 1, 1, 4),
    Size::new(1, 1, 2, 4),
    Size::new(1, 1, 1, 3).leaving(1, 1),
    Size::new(1, 1, 1, 2).leaving(1, 0).freed(),
    Size::new(1, 1, 1, 2).handed_over(1),
    Size::new(2, 1, 1, 3).leaving(1, 1).retired(),
    Size::new(1, 1, 1, 2).leaving(2, 2),
    Size::new(1, 2, 1, 3),
    Size::new(2, 1, 2, 5),
    Size::new(1, 1, 2, 3).leaving(1, 0).freed(),
    Size::new(2, 1, 1, 4).leaving(1, 1),
    Size::new(1, 2, 1, 4),
    Size::new(1, 1, 2, 3).leaving(1, 1),
    Size::new(1, 1, 1, 5),
    Size::new(2, 1, 1, 4).progressing(),
    Size::new(3, 2, 1, 5),
];

impl Change {
    pub(crate) fn rules(self, size: Size) -> Rules {
        let mut rules = Rules::of_the_ring(size);
        match self {
            Self::Order(op, order) => rules.orders = Orders::of_the_ring().with(op, order),
            Self::Mistake(mistake) => rules.mistake = Some(mistake),
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Way, explore};

    /// The list may be written before the head or after: until the next frame is published, the head tells of the slot.
    #[test]
    fn the_order_of_list_and_head_is_free() {
        for size in SIZES.iter().filter(|size| size.depth == 2) {
            let rules = Change::Mistake(Mistake::ListAfterHead).rules(*size);
            assert_eq!(explore(&rules, Way::QUICKEST, |_| (), |_| true).broken, None, "{size}");
        }
    }
}
