//! Sums of what was dropped and missed: each part once, and modulo 2^64, as frame ids wrap.
#![cfg(not(loom))]

use vas_ring::{DropCause, Dropped, Missed, RingStats};

/// A different bit for each cause, so that a sum tells its parts.
fn dropped() -> Dropped {
    let mut dropped = Dropped::default();
    for (at, &cause) in DropCause::ALL.iter().enumerate() {
        dropped.add(cause, 1 << at);
    }
    dropped
}

#[test]
fn drops_add_up() {
    let mut twice = dropped();
    twice += dropped();
    let all = (1 << DropCause::ALL.len()) - 1;
    assert_eq!((dropped().total(), twice.total()), (all, 2 * all));
    assert_eq!(twice.lost(), twice.total() - twice.get(DropCause::Unwanted));
    let listed: Vec<_> = twice.iter().collect();
    let expected: Vec<_> = DropCause::ALL.iter().enumerate().map(|(at, &cause)| (cause, 2 << at)).collect();
    assert_eq!(listed, expected);
    assert!(listed.iter().all(|&(cause, n)| twice.get(cause) == n));

    let stats = RingStats { published: 1 << 40, dropped: twice, ..RingStats::default() };
    assert_eq!(stats.offered(), (1 << 40) + 2 * all);
    twice.add(DropCause::Malformed, u64::MAX);
    assert_eq!(twice.total(), 2 * all - 1);
}

#[test]
fn misses_add_up() {
    let missed = Missed { overwritten: 1, skipped: 2, refused: 4, dropped: 8, unwanted: 16 };
    assert_eq!((missed.published(), missed.lost(), missed.total()), (7, 15, 31));
    let mut twice = missed;
    twice += missed;
    assert_eq!(twice, Missed { overwritten: 2, skipped: 4, refused: 8, dropped: 16, unwanted: 32 });
    twice += Missed { skipped: u64::MAX, ..Missed::default() };
    assert_eq!((twice.skipped, twice.published(), twice.total()), (3, 13, 61));
}
