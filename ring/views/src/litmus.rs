//! The machine on the programs that tell memory models apart: what it must show, and what it must not.

use std::collections::BTreeSet;

use crate::memory::{LOCATIONS, Memory, Order, View};

const RELAXED: Order = Order::RELAXED;
const ACQUIRE: Order = Order::ACQUIRE;
const RELEASE: Order = Order::RELEASE;

#[derive(Clone, Copy)]
enum Do {
    Load(usize, Order),
    Store(usize, u16, Order),
    /// Adds one.
    Add(usize, Order),
}

use Do::{Add, Load, Store};

/// All results of the threads together: what each load and each addition has read, thread after thread.
fn results(threads: &[&[Do]]) -> BTreeSet<Vec<Vec<u16>>> {
    let mut all = BTreeSet::new();
    let (views, read) = (vec![View::default(); threads.len()], vec![Vec::new(); threads.len()]);
    go_on(threads, &vec![0; threads.len()], &Memory::new([0; LOCATIONS]), &views, &read, &mut all);
    all
}

fn go_on(
    threads: &[&[Do]],
    at: &[usize],
    memory: &Memory,
    views: &[View],
    read: &[Vec<u16>],
    all: &mut BTreeSet<Vec<Vec<u16>>>,
) {
    if threads.iter().zip(at).all(|(thread, &at)| at == thread.len()) {
        all.insert(read.to_vec());
    }
    for thread in 0..threads.len() {
        let Some(&what) = threads[thread].get(at[thread]) else { continue };
        let location = match what {
            Load(location, _) | Store(location, ..) | Add(location, _) => location,
        };
        let choices: Vec<_> = match what {
            Load(..) => (usize::from(views[thread].seen[location])..memory.at(location).len()).collect(),
            Store(..) | Add(..) => memory.ends(location, &views[thread]).collect(),
        };
        for index in choices {
            let (mut memory, mut others, mut read, mut at) =
                (memory.clone(), views.to_vec(), read.to_vec(), at.to_vec());
            let mut view = others[thread];
            match what {
                Load(_, order) => read[thread].push(memory.read(location, index, order, &mut view)),
                Store(_, value, order) => {
                    memory.store((location, index), value, order, &mut view, others.iter_mut());
                }
                Add(_, order) => {
                    let value = memory.at(location)[index].value;
                    read[thread].push(value);
                    memory.update((location, index), value + 1, order, &mut view, others.iter_mut());
                }
            }
            others[thread] = view;
            at[thread] += 1;
            go_on(threads, &at, &memory, &others, &read, all);
        }
    }
}

fn can(threads: &[&[Do]], result: &[&[u16]]) -> bool {
    results(threads).contains(&result.iter().map(|read| read.to_vec()).collect::<Vec<_>>())
}

const X: usize = 0;
const Y: usize = 1;

#[test]
fn a_message_is_passed_by_release_and_acquire_alone() {
    let pass = |store, load| {
        can(&[&[Store(X, 1, RELAXED), Store(Y, 1, store)], &[Load(Y, load), Load(X, RELAXED)]], &[&[], &[1, 0]])
    };
    assert!(!pass(RELEASE, ACQUIRE));
    assert!(pass(RELAXED, ACQUIRE) && pass(RELEASE, RELAXED) && pass(RELAXED, RELAXED));
}

#[test]
fn stores_are_buffered_and_loads_are_not() {
    let stores = [&[Store(X, 1, RELEASE), Load(Y, ACQUIRE)][..], &[Store(Y, 1, RELEASE), Load(X, ACQUIRE)]];
    assert!(can(&stores, &[&[0], &[0]]));
    let loads = [&[Load(Y, RELAXED), Store(X, 1, RELAXED)][..], &[Load(X, RELAXED), Store(Y, 1, RELAXED)]];
    assert!(!can(&loads, &[&[1], &[1]]), "the model is the one without load buffering");
}

#[test]
fn a_location_is_coherent() {
    let two = &[Store(X, 1, RELAXED), Store(X, 2, RELAXED)];
    assert!(!can(&[two, &[Load(X, RELAXED), Load(X, RELAXED)]], &[&[], &[2, 1]]));
    assert!(can(&[two, &[Load(X, RELAXED), Load(X, RELAXED)]], &[&[], &[0, 2]]));
    // Two threads' stores come in one order for all.
    let (one, other) = (&[Store(X, 1, RELAXED)][..], &[Store(X, 2, RELAXED)][..]);
    let look = &[Load(X, RELAXED), Load(X, RELAXED)][..];
    assert!(!can(&[one, other, look, look], &[&[], &[], &[1, 2], &[2, 1]]));
    assert!(can(&[one, other, look], &[&[], &[], &[2, 1]]));
}

/// Both second stores may be overtaken by the other thread's first one.
#[test]
fn a_store_need_not_be_the_newest() {
    let threads = [
        &[Store(X, 1, RELAXED), Store(Y, 2, RELAXED), Load(Y, RELAXED)][..],
        &[Store(Y, 1, RELAXED), Store(X, 2, RELAXED), Load(X, RELAXED)],
    ];
    assert!(can(&threads, &[&[1], &[1]]));
}

#[test]
fn observers_need_not_agree_on_two_writers() {
    let see = |one, other| vec![Load(one, ACQUIRE), Load(other, ACQUIRE)];
    let (first, second) = (see(X, Y), see(Y, X));
    let threads = [&[Store(X, 1, RELEASE)][..], &[Store(Y, 1, RELEASE)], &first, &second];
    assert!(can(&threads, &[&[], &[], &[1, 0], &[1, 0]]));
}

#[test]
fn additions_do_not_get_lost() {
    let add = &[Add(X, RELAXED)][..];
    for result in results(&[add, add, add]) {
        let mut read = result.concat();
        read.sort_unstable();
        assert_eq!(read, [0, 1, 2]);
    }
    // Nothing comes between an addition and what it read; a store may come before both, or after.
    let threads = [add, &[Store(X, 7, RELAXED), Load(X, RELAXED)][..]];
    assert!(can(&threads, &[&[0], &[7]]) && can(&threads, &[&[7], &[8]]) && !can(&threads, &[&[0], &[1]]));
}

/// A relaxed addition hands on what the store before it released; a relaxed store does not.
#[test]
fn a_release_sequence_goes_on_through_additions() {
    let writer = &[Store(X, 1, RELAXED), Store(Y, 1, RELEASE)][..];
    let reader = &[Load(Y, ACQUIRE), Load(X, RELAXED)][..];
    assert!(!can(&[writer, &[Add(Y, RELAXED)], reader], &[&[], &[1], &[2, 0]]));
    assert!(can(&[writer, &[Load(Y, RELAXED), Store(Y, 2, RELAXED)], reader], &[&[], &[1], &[2, 0]]));
}

/// What has been handed on twice is still there.
#[test]
fn happens_before_adds_up() {
    let threads = [
        &[Store(X, 1, RELAXED), Store(Y, 1, RELEASE)][..],
        &[Load(Y, ACQUIRE), Store(2, 1, RELEASE)],
        &[Load(2, ACQUIRE), Load(X, RELAXED)],
    ];
    assert!(!can(&threads, &[&[], &[1], &[1, 0]]));
}

#[test]
fn an_access_that_is_not_ordered_is_a_race() {
    let mut memory = Memory::new([0; LOCATIONS]);
    let (mut writer, mut reader) = (View::default(), View::default());
    assert!(memory.write_cell(0, &mut writer, [&mut reader].into_iter()));
    let nobody = || [].into_iter();
    assert!(!memory.clone().read_cell(0, 1, &mut reader.clone(), nobody()));
    reader.join(&writer);
    assert!(memory.read_cell(0, 1, &mut reader, [&mut writer].into_iter()));
    assert!(!memory.clone().write_cell(0, &mut writer.clone(), nobody()));
    assert!(memory.knows_all(&reader) && !memory.knows_all(&writer));
    writer.join(&reader);
    assert!(memory.write_cell(0, &mut writer, [&mut reader].into_iter()));
}
