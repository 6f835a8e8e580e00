//! Models of the ring: every interleaving and every stale load that the memory model allows, up to the stated bounds.
//!
//! `cargo xtask loom` runs them; `--full` raises the bounds. Each model asserts, in every execution, that the writer
//! was never refused, that it took no more atomic operations than promised, that no frame was torn, that ids went up,
//! and that what each reader was delivered and missed adds up to what was offered.
#![cfg(loom)]

mod model;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use loom::thread;
use model::{CheckedReader, Model, TRIES, assert_whole, publish, publish_after_a_forgotten_claim, subscribe};
use vas_ring::{Claim, DropCause, Missed, ReadError, Reader, SubscribeError};

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
