//! Readers that come and go, leases that outlive them, and who frees the ring.

use loom::thread;
use vas_ring::{Reader, SubscribeError};

use crate::model::{CheckedReader, Model, assert_whole, subscribe};

/// Readers come and go, with the same index, while the writer publishes and drops; their spans are exact all the same.
#[test]
fn subscribe_and_leave() {
    let model = Model::new("subscribe and leave").bound(3);
    model.check_writing(
        |fixture| {
            let ring = fixture.ring.clone();
            fixture.reader(move |it| {
                drop(it.latest(1).into_reader());
                CheckedReader::new(subscribe(&ring).unwrap()).latest(1)
            });
        },
        |fixture| {
            fixture.publish(1);
            fixture.skip();
            fixture.publish(1);
        },
    );
}

/// A lease outlives its reader, which leaves while another thread gives the lease back. The index is taken until both
/// are done, and free after that.
#[test]
fn lease_outlives_reader() {
    Model::new("lease outlives reader").publishes(1).check(|fixture| {
        let mut it = fixture.subscribe_checked();
        fixture.publish(1);
        let lease = it.take_latest().unwrap();
        let ring = fixture.ring.clone();
        let elsewhere = thread::spawn(move || assert_whole(&lease));
        drop(it.into_reader());
        let early = subscribe(&ring);
        assert!(early.is_ok() || matches!(early, Err(SubscribeError::Full { readers: 0, leaving: 1, .. })));
        drop(early);
        elsewhere.join().unwrap();
        let it = CheckedReader::new(subscribe(&ring).expect("the index is free"));
        fixture.spawn_reader(it, |it| it.latest(1));
    });
}

/// A reader has the index of one whose lease has just come back, and leases the slot that this one had.
#[test]
fn index_changes_hands() {
    Model::new("index changes hands").publishes(1).check(|fixture| {
        let mut it = fixture.subscribe_checked();
        fixture.publish(1);
        let lease = it.take_latest().unwrap();
        let ring = fixture.ring.clone();
        drop(it.into_reader());
        fixture.join_later(thread::spawn(move || assert_whole(&lease)));
        fixture.join_later(thread::spawn(move || {
            if let Ok(reader) = subscribe(&ring) {
                drop(CheckedReader::new(reader).latest(1));
            }
        }));
    });
}

/// The writer, the ring and the reader go while a lease is out; whoever comes last frees the ring.
#[test]
fn stop_while_leased() {
    Model::new("stop while leased").check_writing(
        |fixture| {
            let mut it = fixture.subscribe_checked();
            fixture.publish(1);
            let lease = it.take_latest().unwrap();
            fixture.join_later(thread::spawn(move || assert_whole(&lease)));
            fixture.join_later(thread::spawn(move || drop(it.into_reader())));
        },
        |fixture| drop(fixture.writer.take()),
    );
}

/// The reader sees that the lease is back before it goes, and frees the ring: the lease has read by then.
#[test]
fn reader_frees_the_ring() {
    Model::new("reader frees the ring").explore(|mut fixture| {
        let mut it = fixture.subscribe_checked();
        fixture.publish(1);
        let lease = it.take_latest().unwrap();
        fixture.publish(1);
        drop(fixture);
        let elsewhere = thread::spawn(move || assert_whole(&lease));
        // Over its limit until the lease is back.
        if it.take(Reader::next).is_err() {
            elsewhere.join().unwrap();
        }
        drop(it.into_reader());
    });
}

/// The reader goes while its lease comes back elsewhere, and whoever is later frees the ring: the other has read by then.
#[test]
fn lease_or_reader_frees_the_ring() {
    Model::new("lease or reader frees the ring").explore(|mut fixture| {
        let mut it = fixture.subscribe_checked();
        fixture.publish(1);
        let lease = it.take_latest().unwrap();
        drop(fixture);
        thread::spawn(move || assert_whole(&lease));
        drop(it.into_reader());
    });
}

/// An index without leases is left on one thread and taken on another, which finds it as it was left.
#[test]
fn index_is_vacated() {
    Model::new("index is vacated").check(|fixture| {
        let it = fixture.subscribe_checked();
        let ring = fixture.ring.clone();
        fixture.join_later(thread::spawn(move || drop(it.into_reader())));
        fixture.join_later(thread::spawn(move || drop(subscribe(&ring))));
    });
}

/// A reader leaves while another one gives back its lease of the same frame: that is no lease of the first.
#[test]
fn orphan_beside_another_lease() {
    Model::new("orphan beside another lease").readers(2).check(|fixture| {
        let (mut first, mut second) = (fixture.subscribe_checked(), fixture.subscribe_checked());
        fixture.publish(1);
        let (kept, other) = (first.take_latest().unwrap(), second.take_latest());
        fixture.join_later(thread::spawn(move || drop(other)));
        drop(first.into_reader());
        assert_eq!(fixture.ring.stats().leaving, 1, "the first reader's lease is out");
        assert_whole(&kept);
        drop(kept);
        assert_eq!(fixture.ring.stats().leaving, 0);
        fixture.spawn_reader(second, |it| it);
    });
}

/// A reader and its lease go on two threads; whoever is last hands the index on as the other one left it.
#[test]
fn index_is_settled() {
    Model::new("index is settled").check_writing(
        |fixture| {
            let mut it = fixture.subscribe_checked();
            fixture.publish(1);
            let lease = it.take_latest().unwrap();
            fixture.join_later(thread::spawn(move || drop(lease)));
            fixture.join_later(thread::spawn(move || drop(it.into_reader())));
        },
        |fixture| drop(subscribe(&fixture.ring)),
    );
}

/// An index is seen free, taken, and left with a lease out, all before it is taken again: then it is not free.
#[test]
fn index_waits_for_its_lease() {
    Model::new("index waits for its lease").check(|fixture| {
        let ring = fixture.ring.clone();
        fixture.join_later(thread::spawn(move || {
            if let Ok(reader) = subscribe(&ring) {
                assert_eq!(ring.stats().leaving, 0, "an index with a lease out was taken");
                drop(reader);
            }
        }));
        if let Ok(reader) = subscribe(&fixture.ring) {
            let mut it = CheckedReader::new(reader);
            fixture.publish(1);
            let lease = it.take_latest();
            drop(it.into_reader());
            drop(lease);
        }
    });
}

/// An index that is free again is free: that another thread went for it in vain meanwhile takes it from nobody.
#[test]
fn free_index_is_found() {
    Model::new("free index is found").check(|fixture| {
        let ring = fixture.ring.clone();
        let other = thread::spawn(move || subscribe(&ring).ok());
        if let Ok(reader) = subscribe(&fixture.ring) {
            let mut it = CheckedReader::new(reader);
            fixture.publish(1);
            let lease = it.take_latest();
            drop(it.into_reader());
            drop(lease);
            let again = subscribe(&fixture.ring);
            let other = other.join().unwrap();
            assert!(again.is_ok() || other.is_some(), "{:?}, though nobody has the index", again.err());
        } else {
            assert!(other.join().unwrap().is_some());
        }
    });
}
