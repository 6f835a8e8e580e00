//! What is explored to the end: (depth, readers, lease limit, publishes), and what else happens.

use crate::state::Size;

/// In continuous integration.
pub(crate) const QUICK: &[Size] = &[
    Size::new(1, 2, 1, 4),
    Size::new(1, 1, 2, 5),
    Size::new(2, 1, 1, 5),
    Size::new(2, 2, 1, 4),
    Size::new(2, 1, 2, 6),
    Size::new(3, 1, 2, 6),
    Size::new(1, 1, 3, 6),
    Size::new(4, 1, 1, 7),
    Size::new(1, 1, 1, 7),
    Size::new(1, 2, 1, 4).dropped_by_readers(),
    Size::new(2, 1, 2, 5).dropping(2),
    Size::new(1, 1, 2, 4).leaving(1, 1),
    Size::new(2, 1, 1, 5).leaving(1, 1),
    Size::new(1, 1, 1, 3).leaving(2, 2),
    Size::new(2, 1, 1, 3).handed_over(2),
    Size::new(1, 1, 1, 3).leaving(1, 1).handed_over(1),
    Size::new(1, 1, 2, 3).leaving(1, 0).freed(),
    Size::new(1, 2, 1, 2).leaving(2, 0).freed(),
    Size::new(2, 1, 1, 4).leaving(1, 1).retired(),
    Size::new(1, 1, 2, 3).leaving(1, 1).retired(),
    Size::new(2, 1, 2, 5).progressing(),
    Size::new(1, 2, 1, 4).progressing(),
];

/// By hand as well.
pub(crate) const FULL: &[Size] = &[
    Size::new(1, 3, 1, 4),
    Size::new(1, 2, 2, 4),
    Size::new(2, 2, 1, 6),
    Size::new(3, 2, 1, 5),
    Size::new(2, 2, 1, 5).dropped_by_readers(),
    Size::new(1, 2, 1, 4).leaving(1, 1),
    Size::new(1, 1, 2, 4).leaving(2, 2).dropping(1),
    Size::new(1, 2, 1, 2).leaving(2, 1).freed(),
    Size::new(2, 1, 2, 4).leaving(1, 1).handed_over(1).freed(),
    Size::new(2, 2, 1, 5).progressing(),
    Size::new(2, 1, 2, 4).leaving(1, 1).retired(),
    Size::new(1, 1, 2, 3).leaving(2, 2).retired(),
    Size::new(1, 1, 3, 8),
    Size::new(2, 1, 2, 8),
    Size::new(4, 1, 1, 10),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::explore::{Way, explore};
    use crate::state::Rules;

    /// Everything that the sources here say a thread may do is done in some small size, but for a mistake's own step.
    #[test]
    fn every_step_is_made() {
        let mut made = BTreeSet::new();
        for &size in QUICK {
            let outcome = explore(&Rules::of_the_ring(size), Way::QUICKEST, |_| (), |states| states < 20_000);
            assert_eq!(outcome.broken, None, "{size}");
            made.extend(outcome.steps);
        }
        let mut named = BTreeSet::new();
        for file in ["writer.rs", "reader.rs", "step.rs", "retired.rs"] {
            let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap();
            let quoted = source.split('"').skip(1).step_by(2);
            let steps = quoted.filter(|text| {
                ["writer: ", "reader: ", "lease: ", "leaving: ", "retired: "].iter().any(|who| text.starts_with(who))
            });
            named.extend(steps.map(str::to_owned));
        }
        let made: BTreeSet<_> = made.into_iter().map(str::to_owned).collect();
        let never: Vec<_> = named.difference(&made).collect();
        assert_eq!(never, ["reader: gets nothing", "reader: undoes what it took"]);
        assert!(made.len() > 25, "only {} steps", made.len());
    }
}
