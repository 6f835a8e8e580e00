//! The table is what the sources have.

use std::fs;
use std::path::Path;

use crate::table::SITES;

type Found = (String, String, String, Vec<String>);

/// The atomic operations of a source, in its order: file, function, name, orderings.
fn sites(file: &str, source: &str) -> Vec<Found> {
    let code: Vec<_> = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let (mut found, mut orderings) = (Vec::new(), 0);
    for (at, _) in code.match_indices('(') {
        let name: String = code[..at].chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let name: String = name.chars().rev().collect();
        let is_atomic = ["load", "store", "swap"].contains(&name.as_str())
            || name.starts_with("fetch_")
            || name.starts_with("compare_exchange");
        let arguments = &code[at + 1..end_of(&code, at)];
        let orders: Vec<_> = arguments.split("Ordering::").skip(1).map(word).collect();
        if is_atomic && !orders.is_empty() {
            let function = code[..at].rsplit("fn ").next().map(word).unwrap_or_default();
            orderings += orders.len();
            found.push((file.to_owned(), function, name, orders));
        }
    }
    // An ordering in a fence, in a constant or the like is one that this does not know about.
    assert_eq!(code.matches("Ordering::").count(), orderings, "{file} has orderings outside of atomic operations");
    found
}

/// Where the parenthesis that opens at `start` closes.
fn end_of(code: &str, start: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[start..].char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return start + at;
        }
    }
    panic!("a parenthesis does not close");
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Each file of the ring's sources but the shim, which has no operations of its own that the protocol knows of.
#[test]
fn the_table_has_the_atomic_operations_of_the_ring() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.retain(|file| file != "sync.rs");
    let mut found = Vec::new();
    for file in files {
        let source = fs::read_to_string(folder.join(&file)).unwrap();
        found.extend(sites(&file.to_string_lossy(), &source));
    }
    let listed = SITES.iter().map(|(file, function, name, orders)| {
        let orders = orders.iter().map(|(order, _)| (*order).to_owned()).collect();
        ((*file).to_owned(), (*function).to_owned(), (*name).to_owned(), orders)
    });
    let mut listed: Vec<Found> = listed.collect();
    // By file alone, so that the operations of a function stay in their order.
    found.sort_by(|one, other| one.0.cmp(&other.0));
    listed.sort_by(|one, other| one.0.cmp(&other.0));
    for site in &found {
        assert!(listed.contains(site), "not in the table: {site:?}");
    }
    for site in &listed {
        assert!(found.contains(site), "in the table, and not in the ring: {site:?}");
    }
    assert_eq!(found, listed, "the table is not in the order of the sources");
}

#[test]
fn an_operation_is_found_however_it_is_written() {
    let source = "fn one() { // .load(Ordering::SeqCst)\n self.0.store(f(1), Ordering::Release)\n}\n
        fn two(&self) { match a.compare_exchange(b, c | d(e), Ordering::AcqRel,\n Ordering::Relaxed) { _ => g(h.load(Ordering::Acquire)) } }";
    let found = sites("a.rs", source);
    let expected = [
        ("one", "store", &["Release"][..]),
        ("two", "compare_exchange", &["AcqRel", "Relaxed"]),
        ("two", "load", &["Acquire"]),
    ];
    let expected = expected.map(|(function, name, orders)| {
        (
            "a.rs".to_owned(),
            function.to_owned(),
            name.to_owned(),
            orders.iter().map(|&order| order.to_owned()).collect(),
        )
    });
    assert_eq!(found, expected);
}

#[test]
#[should_panic(expected = "outside of atomic operations")]
fn a_fence_is_noticed() {
    sites("a.rs", "fn one() { fence(Ordering::SeqCst) }");
}
