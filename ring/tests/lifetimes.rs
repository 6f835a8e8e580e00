//! Handles go in any order, on any thread, in a panic: the memory is given back once, by the last of them, and what is
//! borrowed reads right until then.
#![cfg(not(loom))]

#[path = "common/mod.rs"]
mod common;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use common::{Counted, Drops, assert_whole, publish};
use vas_ring::{Identity, Lease, Reader, Ring, RingSpec, Writer};

/// A handle of any kind. Dropping it checks what it borrows first.
#[expect(dead_code, reason = "held only to be dropped")]
enum Handle {
    Ring(Ring),
    Writer(Writer),
    Reader(Reader),
    Lease(Lease),
}

impl Handle {
    fn check(&self) {
        if let Self::Lease(lease) = self {
            assert_whole(lease);
        }
    }
}

/// A ring, its writer, a reader, and two leases of that.
fn handles() -> ([Handle; 5], Drops) {
    let spec = RingSpec::new(2, 1, 2, 100).unwrap();
    let (memory, drops) = Counted::new(&spec);
    let (ring, mut writer) = Ring::new(spec, Identity::default(), memory).unwrap();
    let mut reader = ring.subscribe().unwrap();
    publish(&mut writer);
    publish(&mut writer);
    let leases = [(); 2].map(|()| reader.next().unwrap().unwrap());
    let [one, other] = leases.map(Handle::Lease);
    ([Handle::Ring(ring), Handle::Writer(writer), Handle::Reader(reader), one, other], drops)
}

/// All orders of five.
fn orders() -> Vec<[usize; 5]> {
    let mut orders = Vec::new();
    let mut order = [0, 1, 2, 3, 4];
    permute(&mut order, 0, &mut orders);
    assert_eq!(orders.len(), 120);
    orders
}

fn permute(order: &mut [usize; 5], from: usize, orders: &mut Vec<[usize; 5]>) {
    if from == order.len() {
        orders.push(*order);
    }
    for n in from..order.len() {
        order.swap(from, n);
        permute(order, from + 1, orders);
        order.swap(from, n);
    }
}

/// Lets go of the handles in each order, in the way that `let_go` does.
fn in_each_order(let_go: impl Fn(Handle)) {
    for order in orders() {
        let (handles, drops) = handles();
        let mut handles = handles.map(Some);
        for (gone, &which) in order.iter().enumerate() {
            handles.iter().flatten().for_each(Handle::check);
            assert_eq!(drops.get(), 0, "the memory went with {gone} of 5 handles gone, in order {order:?}");
            let_go(handles[which].take().unwrap());
        }
        assert_eq!(drops.get(), 1, "given back so often, in order {order:?}");
    }
}

#[test]
fn on_this_thread() {
    in_each_order(drop);
}

#[test]
fn on_other_threads() {
    in_each_order(|handle| {
        thread::spawn(move || {
            handle.check();
            drop(handle);
        })
        .join()
        .unwrap();
    });
}

#[test]
fn during_a_panic() {
    in_each_order(|handle| {
        let panicking = thread::spawn(move || {
            let _handle = handle;
            // As a panic, without its message.
            resume_unwind(Box::new("for the test"));
        });
        panicking.join().unwrap_err();
    });
}

/// All at once: five threads, each with one of the handles.
#[test]
fn at_the_same_time() {
    // Miri looks for races where there was none by chance, too.
    let rounds = if cfg!(miri) { 10 } else { 200 };
    for _ in 0..rounds {
        let (handles, drops) = handles();
        let threads = handles.map(|handle| {
            thread::spawn(move || {
                handle.check();
                drop(handle);
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(drops.get(), 1);
    }
}

/// One lease, shared by reference and read on several threads, and given back by whichever comes last.
#[test]
fn shared_lease() {
    let ([ring, writer, reader, lease, other], drops) = handles();
    drop((ring, writer, reader, other));
    let Handle::Lease(lease) = lease else { unreachable!() };
    let lease = Arc::new(lease);
    let threads = [(); 4].map(|()| lease.clone()).map(|lease| thread::spawn(move || assert_whole(&lease)));
    drop(lease);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(drops.get(), 1);
}

/// A lease that outlives everything else keeps the memory, and nothing of it changes.
#[test]
fn lease_outlives_everything() {
    let ([ring, Handle::Writer(mut writer), reader, lease, other], drops) = handles() else { unreachable!() };
    drop((reader, other));
    (0..100).for_each(|_| _ = publish(&mut writer));
    drop((ring, writer));
    lease.check();
    assert_eq!(drops.get(), 0);
    drop(lease);
    assert_eq!(drops.get(), 1);
}

/// A ring that could not be made gives the memory back.
#[test]
fn refused_memory_is_given_back() {
    let spec = RingSpec::new(2, 1, 1, 100).unwrap();
    let (memory, drops) = Counted::new(&RingSpec::new(1, 1, 1, 100).unwrap());
    Ring::new(spec, Identity::default(), memory).unwrap_err();
    assert_eq!(drops.get(), 1);
}

/// Whether the ring is in use is what its owner sees when the others have gone.
#[test]
fn unused_when_all_have_gone() {
    let ([Handle::Ring(ring), writer, reader, one, other], drops) = handles() else { unreachable!() };
    for handle in [writer, reader, one, other] {
        assert!(!ring.is_unused());
        drop(handle);
    }
    assert!(ring.is_unused());
    assert!(!ring.clone().is_unused());
    assert_eq!(drops.get(), 0);
    drop(ring);
    assert_eq!(drops.get(), 1);
}
