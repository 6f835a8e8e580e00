//! What many times of one thing come to.

use super::clock::Clock;

/// Median, 99th percentile and maximum, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// How many there were.
    pub n: usize,
    /// Half of them took no longer.
    pub p50: f64,
    /// 99 in 100 took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Spread {
    /// Of nanoseconds; none when there are none.
    pub fn of(mut ns: Vec<f64>) -> Option<Self> {
        ns.sort_unstable_by(f64::total_cmp);
        let rank = |part: f64| ns[((ns.len() as f64 * part).ceil() as usize).clamp(1, ns.len()) - 1];
        let max = *ns.last()?;
        Some(Self { n: ns.len(), p50: rank(0.5), p99: rank(0.99), max })
    }

    /// Of differences of two readings of the clock.
    pub fn of_ticks(clock: &Clock, ticks: &[u64]) -> Option<Self> {
        Self::of(ticks.iter().map(|&ticks| clock.ns(ticks)).collect())
    }
}

/// The median; none of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    Spread::of(values.to_vec()).map(|spread| spread.p50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks() {
        assert_eq!(Spread::of(Vec::new()), None);
        let spread = Spread::of((1..=1000).rev().map(f64::from).collect()).unwrap();
        assert_eq!(spread, Spread { n: 1000, p50: 500.0, p99: 990.0, max: 1000.0 });
        assert_eq!(Spread::of(vec![7.0]).unwrap(), Spread { n: 1, p50: 7.0, p99: 7.0, max: 7.0 });
    }
}
