//! Models of the ring: every interleaving and every stale load that the memory model allows, up to the stated bounds.
//!
//! `cargo xtask loom` runs them; `--full` raises the bounds. Each model asserts, in every execution, that the writer
//! was never refused, that it took no more atomic operations than promised, that no frame was torn, that ids went up,
//! and that what each reader was delivered and missed adds up to what was offered.
#![cfg(loom)]

mod ends;
mod model;
mod subscriptions;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use loom::thread;
use model::{Model, TRIES, assert_whole, publish_after_a_forgotten_claim};
use vas_ring::{Claim, ReadError, Reader};

/// The shim is alive: a model that explored nothing would see one outcome.
#[test]
fn canary() {
    model::canary();
}

/// The writer laps the reader twice between any two of its steps; nothing bounds the preemptions.
#[test]
fn one_reader() {
    Model::new("one reader").publishes(4).publishes_in_full(5).check(|fixture| fixture.reader(|it| it.latest(1)));
}

#[test]
fn one_reader_again() {
    Model::new("one reader again").publishes(3).publishes_in_full(4).check(|fixture| fixture.reader(|it| it.latest(2)));
}

#[test]
fn two_readers() {
    Model::new("two readers").readers(2).publishes(2).publishes_in_full(3).bound(4).check(|fixture| {
        fixture.reader(|it| it.latest(1));
        fixture.reader(|it| it.latest(1));
    });
}

#[test]
fn three_readers() {
    Model::new("three readers").readers(3).publishes(2).publishes_in_full(3).bound(2).check(|fixture| {
        for _ in 0..3 {
            fixture.reader(|it| it.latest(1));
        }
    });
}

/// The writer laps the reader and then comes back to the slot that the reader has looked into in vain.
#[test]
fn reader_is_lapped() {
    Model::new("reader is lapped").publishes(4).bound(3).check(|fixture| {
        let it = fixture.subscribe_checked();
        fixture.publish(1);
        fixture.spawn_reader(it, |it| it.latest(1));
    });
}

/// One after the other out of a history of two.
#[test]
fn next_of_two() {
    Model::new("next of two").depth(2).publishes(4).bound(4).check(|fixture| fixture.reader(|it| it.next(2)));
}

/// The newest two frames stay leasable, also while the writer fills the next.
#[test]
fn newest_stay() {
    Model::new("newest stay").depth(2).check_writing(
        |fixture| {
            let it = fixture.subscribe_checked();
            fixture.publish(3);
            fixture.spawn_reader(it, |mut it| {
                match it.take(Reader::latest) {
                    Ok(lease) => assert_whole(&lease.expect("a new frame")),
                    Err(error) => assert_eq!(error, ReadError::Closed),
                }
                it
            });
        },
        |fixture| {
            fixture.publish(1);
            drop(fixture.writer.as_mut().unwrap().claim().unwrap());
        },
    );
}

/// The newest K frames stay leasable, wherever the writer is stopped: a reader that finds them taken away was overtaken by a
/// publish at each try, and `next` gives no later frame than the oldest of them.
fn newest_are_leasable(depth: usize, publishes: usize, oldest: bool) {
    let before = depth + 1;
    Model::new("newest are leasable").depth(depth).publishes(publishes).publishes_in_full(publishes + 1).check(
        move |fixture| {
            let it = fixture.subscribe_checked();
            fixture.publish(before);
            let published = fixture.published.clone();
            fixture.spawn_reader(it, move |mut it| {
                let found = it.take(if oldest { Reader::next } else { Reader::latest });
                // The first try goes by a head that tells of `before` frames or more.
                let published = published.load(Relaxed);
                match found {
                    Ok(lease) => {
                        assert_whole(&lease.expect("there are new frames"));
                        let unread = it.missed().published() as usize + if oldest { depth } else { 1 };
                        assert!(unread <= published, "{unread} frames passed over or readable, of {published}");
                    }
                    Err(ReadError::Overtaken) => assert!(published >= before + TRIES, "overtaken by {published}"),
                    Err(error) => assert_eq!((error, oldest), (ReadError::Closed, false)),
                }
                it
            });
        },
    );
}

#[test]
fn newest_one_is_leasable() {
    newest_are_leasable(1, 3, false);
    newest_are_leasable(1, 3, true);
}

#[test]
fn newest_two_are_leasable() {
    newest_are_leasable(2, 3, false);
    newest_are_leasable(2, 3, true);
}

#[test]
fn newest_three_are_leasable() {
    newest_are_leasable(3, 3, false);
    newest_are_leasable(3, 3, true);
}

#[test]
fn newest_four_are_leasable() {
    newest_are_leasable(4, 3, false);
    newest_are_leasable(4, 3, true);
}

/// Two threads look at one claim while it is filled.
#[test]
fn claim_is_shared() {
    Model::new("claim is shared").explore(|mut fixture| {
        let writer = Box::into_raw(Box::new(fixture.writer.take().unwrap()));
        // SAFETY: the writer is not touched elsewhere until its claim is gone, below.
        let claim = Arc::new(unsafe { &mut *writer }.claim().unwrap());
        let other = claim.clone();
        let look = |claim: &Claim<'_>| assert_eq!((claim.frame_id(), claim.was_leased()), (model::FIRST, false));
        let thread = thread::spawn(move || look(&other));
        look(&claim);
        thread.join().unwrap();
        drop(claim);
        // SAFETY: made by `Box::into_raw` above.
        drop(unsafe { Box::from_raw(writer) });
    });
}

/// A limit of two leases, each lease given back by another thread, while the reader goes on.
#[test]
fn leases_dropped_elsewhere() {
    Model::new("leases dropped elsewhere").lease_limit(2).publishes(3).bound(2).check(|fixture| {
        fixture.reader(|mut it| {
            let leases = [it.take_latest(), it.take_latest()];
            let elsewhere = thread::spawn(move || leases.iter().flatten().for_each(assert_whole));
            let it = it.latest(1);
            elsewhere.join().unwrap();
            it
        });
    });
}

/// The reader's one ticket goes from a slot that the writer waits for to another one: the writer must not see it in
/// both (case 1 of the argument in `word.rs`).
#[test]
fn ticket_moves_on() {
    Model::new("ticket moves on").publishes(3).check(|fixture| {
        let mut it = fixture.subscribe_checked();
        fixture.publish(1);
        let lease = it.take_latest();
        // The second of these finds the slot leased, and shuts it.
        fixture.publish(2);
        fixture.spawn_reader(it, move |mut it| {
            drop(lease);
            let lease = it.take_latest();
            lease.iter().for_each(assert_whole);
            drop(lease);
            it
        });
    });
}

/// As before, with the lease given back on a thread that the reader does not wait for.
#[test]
fn ticket_comes_back_elsewhere() {
    Model::new("ticket comes back elsewhere").publishes(2).check(|fixture| {
        let mut it = fixture.subscribe_checked();
        fixture.publish(1);
        let lease = it.take_latest();
        fixture.publish(2);
        fixture.spawn_reader(it, move |it| {
            let elsewhere = thread::spawn(move || drop(lease));
            let it = it.latest(1);
            elsewhere.join().unwrap();
            it
        });
    });
}

/// Two readers have the same frame: it stays until both have given it back.
#[test]
fn slot_is_shared() {
    Model::new("slot is shared").readers(2).publishes(2).check(|fixture| {
        let (mut first, mut second) = (fixture.subscribe_checked(), fixture.subscribe_checked());
        fixture.publish(1);
        let leases = [first.take_latest(), second.take_latest()];
        for (it, lease) in [first, second].into_iter().zip(leases) {
            fixture.spawn_reader(it, move |it| {
                lease.iter().for_each(assert_whole);
                it
            });
        }
    });
}

/// A reader that was lapped backs out of a slot that another reader leases, and takes nothing with it.
#[test]
fn lapped_beside_a_lease() {
    Model::new("lapped beside a lease").readers(2).bound(2).check(|fixture| {
        let (lapped, mut other) = (fixture.subscribe_checked(), fixture.subscribe_checked());
        fixture.publish(1);
        fixture.spawn_reader(lapped, |it| it.latest(1));
        // The second of these is in the slot of the first frame.
        fixture.publish(2);
        let lease = other.take_latest().unwrap();
        let id = lease.frame_id;
        fixture.publish(2);
        assert_eq!(lease.frame_id, id, "a leased frame was overwritten");
        drop(lease);
        fixture.spawn_reader(other, |it| it);
    });
}

/// The writer waits for two slots, and gets back the one whose reader has nothing to do with the other: what was read
/// there was read before it is overwritten.
#[test]
fn held_slot_comes_back() {
    Model::new("held slot comes back").readers(2).publishes(1).check(|fixture| {
        let (mut first, mut second) = (fixture.subscribe_checked(), fixture.subscribe_checked());
        fixture.publish(1);
        let lease = first.take_latest().unwrap();
        // The second of these finds the slot leased, and shuts it.
        fixture.publish(2);
        let kept = second.take_latest();
        fixture.publish(1);
        fixture.join_later(thread::spawn(move || assert_whole(&lease)));
        fixture.spawn_reader(first, |it| it);
        fixture.spawn_reader(second, move |it| {
            drop(kept);
            it
        });
    });
}

/// Claims that are dropped, and one that is forgotten, cost their frames and nothing else.
#[test]
fn abandoned_claims() {
    Model::new("abandoned claims").check_writing(
        |fixture| fixture.reader(|it| it.latest(1)),
        |fixture| {
            fixture.publish(1);
            drop(fixture.writer.as_mut().unwrap().claim().unwrap());
            fixture.publish(1);
            std::mem::forget(fixture.writer.as_mut().unwrap().claim().unwrap());
            publish_after_a_forgotten_claim(fixture.writer.as_mut().unwrap());
        },
    );
}
