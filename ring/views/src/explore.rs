//! Goes through all states of one size.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::time::{Duration, Instant};

use crate::state::{Broken, Rules, State};
use crate::step::{Steps, large, small};

/// How the states are gone through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// One access at a time, instead of as many as nobody can tell from one.
    pub(crate) small_steps: bool,
    /// States that differ only in which reader is which are one.
    pub(crate) alike: bool,
}

impl Way {
    pub(crate) const QUICKEST: Self = Self { small_steps: false, alike: true };
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) states: usize,
    pub(crate) time: Duration,
    pub(crate) broken: Option<(Broken, Vec<&'static str>)>,
    /// The steps that were made at least once.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests look whether the sizes make all"))]
    pub(crate) steps: BTreeSet<&'static str>,
}

/// Of the states only their hashes are kept: 128 bits, by SipHash with two beginnings. That two of n states have the same
/// one, so that one of them is not gone on from, has a probability of n * n / 2^129: for a thousand million, 2 in 10^21.
#[derive(Default)]
struct Seen(HashSet<u128, BuildHasherDefault<Hashed>>);

#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are put in");
    }
    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

impl Seen {
    fn is_new(&mut self, bytes: &[u8]) -> bool {
        let half = |beginning: u64| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(beginning);
            hasher.write(bytes);
            u128::from(hasher.finish())
        };
        self.0.insert(half(0) << 64 | half(1))
    }
}

/// Explores until all states are known, or a promise is broken. `each` is shown every state that is new, and `tick` how many
/// there are, every so often; it returns whether to go on.
pub(crate) fn explore(
    rules: &Rules,
    way: Way,
    mut each: impl FnMut(&State),
    mut tick: impl FnMut(usize) -> bool,
) -> Outcome {
    let start = Instant::now();
    let (mut seen, mut bytes, mut states) = (Seen::default(), Vec::new(), 0);
    let mut path: Vec<&'static str> = Vec::new();
    let mut todo = vec![(State::new(rules), 0, "start")];
    let (mut broken, mut out) = (None, Steps::default());
    'all: while let Some((state, depth, what)) = todo.pop() {
        path.truncate(depth);
        path.push(what);
        if let Err(why) = state.check(rules) {
            broken = Some((why, path));
            break;
        }
        states += 1;
        each(&state);
        if states % 4096 == 0 && !tick(states) {
            break;
        }
        for thread in state.threads() {
            let outcome = if way.small_steps {
                small(rules, &state, thread, &mut out)
            } else {
                large(rules, &state, thread, &mut out)
            };
            if let Err(why) = outcome {
                broken = Some((why, path));
                break 'all;
            }
            for mut step in out.all.drain(..) {
                step.state.forget(rules);
                step.state.encode(rules, way.alike, &mut bytes);
                if seen.is_new(&bytes) {
                    todo.push((step.state, depth + 1, step.what));
                }
            }
        }
    }
    Outcome { states, time: start.elapsed(), broken, steps: out.made }
}
