//! The head and the two counts of drops at one moment: `Shared::head_and_drops` of the ring reads each count twice, and takes
//! what it read when the second look agrees with the first.

use crate::memory::{HEAD, LOCATIONS, Memory, Order, View};

const DROPPED: usize = 0;
const UNWANTED: usize = 1;
const LOOKS: [usize; 5] = [DROPPED, UNWANTED, HEAD, DROPPED, UNWANTED];

/// Whether all that a reader may take for one moment's is that, whatever `steps` frames the writer publishes or drops.
fn is_exact(steps: u32, store: Order, load: Order) -> bool {
    (0..3_usize.pow(steps)).all(|program| {
        // A load that is put off until the writer is done can still read all that it could.
        let (mut memory, mut view) = (Memory::new([0; LOCATIONS]), View::default());
        let mut moments = vec![[0; 3]];
        for step in 0..steps {
            let what = program / 3_usize.pow(step) % 3;
            let mut now = *moments.last().unwrap();
            now[what] += 1;
            moments.push(now);
            let location = [DROPPED, UNWANTED, HEAD][what];
            let last = memory.at(location).len() - 1;
            memory.store((location, last), now[what], store, &mut view, [].into_iter());
        }
        looks(&memory, View::default(), &mut Vec::new(), load, &moments)
    })
}

fn looks(memory: &Memory, view: View, read: &mut Vec<u16>, order: Order, moments: &[[u16; 3]]) -> bool {
    let Some(&location) = LOOKS.get(read.len()) else {
        return read[..2] != read[3..] || moments.contains(&[read[0], read[1], read[2]]);
    };
    (usize::from(view.seen[location])..memory.at(location).len()).all(|index| {
        let mut view = view;
        read.push(memory.read(location, index, order, &mut view));
        let exact = looks(memory, view, read, order, moments);
        read.pop();
        exact
    })
}

#[test]
fn head_and_drops_are_of_one_moment() {
    assert!(is_exact(6, Order::RELEASE, Order::ACQUIRE));
    assert!(!is_exact(6, Order::RELAXED, Order::ACQUIRE));
    assert!(!is_exact(6, Order::RELEASE, Order::RELAXED));
}
