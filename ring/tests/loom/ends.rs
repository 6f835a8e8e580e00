//! Beginnings and ends: counts that are of one moment, writers that follow each other, and a ring that ends for good.

use loom::thread;
use vas_ring::{DropCause, Missed, ReadError, Reader};

use crate::model::{self, CheckedReader, Model, assert_whole, publish, subscribe};

/// A reader that learns of the end learns of every drop before it at the same time.
#[test]
fn end_counts_the_drops() {
    Model::new("end counts the drops").check_writing(
        |fixture| {
            fixture.reader(|mut it| {
                if it.take(Reader::latest).is_err() {
                    assert_eq!(it.missed().dropped, 1);
                }
                it
            });
        },
        |fixture| {
            fixture.skip();
            drop(fixture.writer.take());
        },
    );
}

/// The same where some were dropped as unwanted: each of the two counts is that of the end.
#[test]
fn end_counts_the_unwanted() {
    Model::new("end counts the unwanted").check_writing(
        |fixture| {
            fixture.reader(|mut it| {
                if it.take(Reader::latest).is_err() {
                    assert_eq!(*it.missed(), Missed { dropped: 1, unwanted: 2, ..Missed::default() });
                }
                it
            });
        },
        |fixture| {
            fixture.skip_for(DropCause::Unwanted);
            fixture.skip();
            fixture.skip_for(DropCause::Unwanted);
            drop(fixture.writer.take());
        },
    );
}

/// A reader that subscribes while frames are dropped and published begins at one moment: each count has what came after that.
#[test]
fn begins_at_one_moment() {
    Model::new("begins at one moment").bound(3).check_writing(
        |fixture| {
            let ring = fixture.ring.clone();
            fixture.join_later(thread::spawn(move || {
                let mut it = CheckedReader::new(subscribe(&ring).unwrap());
                let first = it.next_id.wrapping_sub(model::FIRST);
                if let Some(lease) = it.take_latest() {
                    // What is offered is 0 unwanted, 1 published, 2 unwanted, 3 dropped, and 4 published.
                    let newest = lease.frame_id.wrapping_sub(model::FIRST);
                    let among_missed = |id| u64::from((first..newest).contains(&id));
                    let Missed { unwanted, dropped, .. } = *it.missed();
                    assert_eq!((unwanted, dropped), (among_missed(0) + among_missed(2), among_missed(3)));
                    assert_eq!(it.missed().published(), among_missed(1));
                }
            }));
        },
        |fixture| {
            fixture.skip_for(DropCause::Unwanted);
            fixture.publish(1);
            fixture.skip_for(DropCause::Unwanted);
            fixture.skip();
            fixture.publish(1);
        },
    );
}

/// A reader that was told of the end is told of the drops of a next writer that publishes nothing, though the head is
/// then as it was.
#[test]
fn end_comes_twice() {
    Model::new("end comes twice").check_writing(
        |fixture| {
            let it = fixture.subscribe_checked();
            fixture.skip();
            drop(fixture.writer.take());
            fixture.spawn_reader(it, |mut it| {
                for _ in 0..2 {
                    if it.take(Reader::next).is_err() {
                        assert!([1, 3].contains(&it.missed().dropped), "told of an end that there never was");
                    }
                }
                it
            });
        },
        |fixture| {
            fixture.writer = fixture.ring.writer();
            fixture.skip();
            fixture.skip();
            drop(fixture.writer.take());
        },
    );
}

/// A writer follows another, which has left in the middle of a reader's steps.
#[test]
fn hand_over() {
    Model::new("hand-over").depth(2).bound(3).check_writing(
        |fixture| {
            let mut writer = fixture.writer.take().unwrap();
            fixture.join_later(thread::spawn(move || publish(&mut writer)));
            fixture.reader(|mut it| {
                for _ in 0..2 {
                    match it.take(Reader::next) {
                        Ok(lease) => lease.iter().for_each(assert_whole),
                        Err(error) => assert_ne!(error, ReadError::LeasesOut { limit: 1 }),
                    }
                }
                it
            });
        },
        |fixture| {
            // In some executions the other writer has left by now.
            fixture.writer = fixture.ring.writer();
            if fixture.writer.is_some() {
                fixture.publish(2);
            }
        },
    );
}

/// A reader of a ring that has ended reads on to the end: the newest K stay until it leaves, and what is freed is read by
/// nobody.
#[test]
fn retired_ring_is_read_to_the_end() {
    Model::new("retired ring is read to the end").depth(2).explore(|mut fixture| {
        let it = fixture.subscribe_checked();
        fixture.publish(3);
        fixture.spawn_reader(it, |mut it| {
            for _ in 0..2 {
                it.take(Reader::next).expect("open to the end").iter().for_each(assert_whole);
            }
            it
        });
        let mut ending = fixture.retire();
        assert_eq!(ending.kept(), 2, "the newest two stay");
        ending.reclaim();
        for mut it in fixture.join() {
            assert_eq!(it.take(Reader::next).unwrap_err(), ReadError::Closed);
            assert_eq!(it.missed().overwritten, 0, "missed before it was told");
        }
        ending.reclaim();
        assert_eq!(ending.kept(), 0);
        assert!(fixture.ring.writer().is_none(), "a writer came back");
    });
}

/// Leases of a ring that has ended keep their slots, given back by whom it may be, also after their reader has gone.
#[test]
fn retired_ring_waits_for_leases() {
    Model::new("retired ring waits for leases").readers(2).explore(|mut fixture| {
        let (mut first, mut second) = (fixture.subscribe_checked(), fixture.subscribe_checked());
        fixture.publish(1);
        let old = first.take_latest().unwrap();
        fixture.publish(1);
        let newest = second.take_latest().unwrap();
        fixture.join_later(thread::spawn(move || assert_whole(&old)));
        fixture.join_later(thread::spawn(move || {
            drop(second.into_reader());
            assert_whole(&newest);
        }));
        let mut ending = fixture.retire();
        ending.reclaim();
        fixture.join();
        ending.reclaim();
        assert_eq!(ending.kept(), 1, "the newest stays for the first reader");
        drop(first.into_reader());
        ending.reclaim();
        assert_eq!(ending.kept(), 0);
    });
}

/// A reader that leaves while the ring ends, and one that comes: each gets frames or is told of the end.
#[test]
fn retired_ring_has_guests() {
    Model::new("retired ring has guests").readers(2).bound(3).explore(|mut fixture| {
        let it = fixture.subscribe_checked();
        fixture.publish(1);
        fixture.join_later(thread::spawn(move || drop(it.latest(1).into_reader())));
        let ring = fixture.ring.clone();
        fixture.join_later(thread::spawn(move || {
            let mut it = CheckedReader::new(subscribe(&ring).unwrap());
            match it.take(Reader::next) {
                Ok(lease) => lease.iter().for_each(assert_whole),
                Err(error) => assert_eq!(error, ReadError::Closed),
            }
        }));
        fixture.publish(1);
        let mut ending = fixture.retire();
        ending.reclaim();
        fixture.join();
        ending.reclaim();
        assert_eq!(ending.kept(), 0);
    });
}
