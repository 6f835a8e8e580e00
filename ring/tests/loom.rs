//! Models of the ring: every interleaving and every stale load that the memory model allows, up to the stated bounds.
//!
//! `cargo xtask loom` runs them; `--full` raises the bounds. Each model asserts, in every execution, that the writer
//! was never refused, that it took no more atomic operations than promised, that no frame was torn, that ids went up,
//! and that what each reader was delivered and missed adds up to what was offered.
#![cfg(loom)]

mod model;

use loom::thread;
use model::{Follower, Model, assert_whole, publish};
use vas_ring::{ReadError, Reader, SubscribeError};

/// The shim is alive: a model that explored nothing would see one outcome.
#[test]
fn canary() {
    model::canary();
}

/// The writer laps the reader twice between any two of its steps; nothing bounds the preemptions.
#[test]
fn one_reader() {
    Model::new("one reader").publishes(4).publishes_in_full(5).check(|stage| stage.reader(|it| it.latest(1)));
}

#[test]
fn one_reader_again() {
    Model::new("one reader again").publishes(3).publishes_in_full(4).check(|stage| stage.reader(|it| it.latest(2)));
}

#[test]
fn two_readers() {
    Model::new("two readers").readers(2).publishes(2).publishes_in_full(3).bound(4).check(|stage| {
        stage.reader(|it| it.latest(1));
        stage.reader(|it| it.latest(1));
    });
}

#[test]
fn three_readers() {
    Model::new("three readers").readers(3).publishes(2).publishes_in_full(3).bound(2).check(|stage| {
        for _ in 0..3 {
            stage.reader(|it| it.latest(1));
        }
    });
}

/// One after the other out of a history of two.
#[test]
fn next_of_two() {
    Model::new("next of two").depth(2).publishes(4).bound(4).check(|stage| stage.reader(|it| it.next(2)));
}

/// A budget of two, each lease given back by another thread, while the reader goes on.
#[test]
fn leases_dropped_elsewhere() {
    Model::new("leases dropped elsewhere").budget(2).publishes(3).bound(2).check(|stage| {
        stage.reader(|mut it| {
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
    Model::new("ticket moves on").publishes(3).check(|stage| {
        let mut it = stage.follower();
        stage.publish(1);
        let lease = it.take_latest();
        // The second of these finds the slot leased, and shuts it.
        stage.publish(2);
        stage.follow(it, move |mut it| {
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
    Model::new("ticket comes back elsewhere").publishes(2).check(|stage| {
        let mut it = stage.follower();
        stage.publish(1);
        let lease = it.take_latest();
        stage.publish(2);
        stage.follow(it, move |it| {
            let elsewhere = thread::spawn(move || drop(lease));
            let it = it.latest(1);
            elsewhere.join().unwrap();
            it
        });
    });
}

/// Readers come and go, in the same place, while the writer publishes and drops; their spans are exact all the same.
#[test]
fn subscribe_and_leave() {
    let model = Model::new("subscribe and leave").bound(3);
    model.check_writing(
        |stage| {
            let ring = stage.ring.clone();
            stage.reader(move |it| {
                drop(it.latest(1).into_reader());
                Follower::new(ring.subscribe().unwrap()).latest(1)
            });
        },
        |stage| {
            stage.publish(1);
            stage.skip();
            stage.publish(1);
        },
    );
}

/// A lease outlives its reader, which leaves while another thread gives the lease back. The place is taken until both
/// are done, and free after that.
#[test]
fn lease_outlives_reader() {
    Model::new("lease outlives reader").publishes(1).check(|stage| {
        let mut it = stage.follower();
        stage.publish(1);
        let lease = it.take_latest().unwrap();
        let ring = stage.ring.clone();
        let elsewhere = thread::spawn(move || assert_whole(&lease));
        drop(it.into_reader());
        let early = ring.subscribe();
        assert!(early.is_ok() || matches!(early, Err(SubscribeError::Full { readers: 0, leaving: 1 | 0, .. })));
        drop(early);
        elsewhere.join().unwrap();
        let it = Follower::new(ring.subscribe().expect("the place is free"));
        stage.follow(it, |it| it.latest(1));
    });
}

/// A reader takes the place of one whose lease has just come back, and leases the slot that this one had.
#[test]
fn place_changes_hands() {
    Model::new("place changes hands").publishes(1).check(|stage| {
        let mut it = stage.follower();
        stage.publish(1);
        let lease = it.take_latest().unwrap();
        let ring = stage.ring.clone();
        drop(it.into_reader());
        stage.spare(thread::spawn(move || assert_whole(&lease)));
        stage.spare(thread::spawn(move || {
            if let Ok(reader) = ring.subscribe() {
                drop(Follower::new(reader).latest(1));
            }
        }));
    });
}

/// The writer, the ring and the reader go while a lease is out; whoever comes last frees the ring.
#[test]
fn stop_while_leased() {
    Model::new("stop while leased").check_writing(
        |stage| {
            let mut it = stage.follower();
            stage.publish(1);
            let lease = it.take_latest().unwrap();
            stage.spare(thread::spawn(move || assert_whole(&lease)));
            stage.spare(thread::spawn(move || drop(it.into_reader())));
        },
        |stage| drop(stage.writer.take()),
    );
}

/// A writer follows another, which has left in the middle of a reader's steps.
#[test]
fn hand_over() {
    Model::new("hand-over").depth(2).bound(3).check_writing(
        |stage| {
            let mut writer = stage.writer.take().unwrap();
            stage.spare(thread::spawn(move || publish(&mut writer)));
            stage.reader(|mut it| {
                for _ in 0..2 {
                    match it.take(Reader::next) {
                        Ok(lease) => lease.iter().for_each(assert_whole),
                        Err(error) => assert_ne!(error, ReadError::Budget { budget: 1 }),
                    }
                }
                it
            });
        },
        |stage| {
            while stage.writer.is_none() {
                stage.writer = stage.ring.writer();
                thread::yield_now();
            }
            stage.publish(2);
        },
    );
}

/// Claims that are dropped, and one that is forgotten, cost their frames and nothing else.
#[test]
fn abandoned_claims() {
    Model::new("abandoned claims").check_writing(
        |stage| stage.reader(|it| it.latest(1)),
        |stage| {
            stage.publish(1);
            drop(stage.writer.as_mut().unwrap().claim().unwrap());
            stage.publish(1);
            std::mem::forget(stage.writer.as_mut().unwrap().claim().unwrap());
            stage.publish(1);
        },
    );
}
