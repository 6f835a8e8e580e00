//! What holds of the crates' sources and no compiler checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::process::root;

const CRATES: &[&str] = &["ring", "tap", "lifecycle", "reader-testkit"];

/// All sources below a directory, by their path in it.
fn sources(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(sources(&path).into_iter().map(|(below, source)| (format!("{name}/{below}"), source)));
        } else if name.ends_with(".rs") {
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// What comes before the tests, without comments.
fn code(source: &str) -> String {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The word that `text` begins with.
fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Names of the types that are public: `unreachable_pub` sees to it that `pub` means that.
fn public_types(source: &str) -> BTreeSet<String> {
    let code = code(source);
    ["pub struct ", "pub enum "]
        .iter()
        .flat_map(|intro| code.split(intro).skip(1))
        .map(|rest| word(rest).into())
        .collect()
}

#[test]
fn whether_types_may_cross_threads_is_asserted() {
    // Files whose public types are for a macro or the models alone.
    const HIDDEN: &[&str] = &["binding", "ffmpeg_next", "handover"];
    for name in CRATES {
        let dir = root().join(name);
        let asserted = fs::read_to_string(dir.join("tests/auto_traits.rs")).unwrap();
        let asserted: BTreeSet<&str> =
            asserted.split("impl_all!(").chain(asserted.split("not_impl_any!(")).skip(1).map(word).collect();
        let mut types = BTreeSet::new();
        for (file, source) in sources(&dir.join("src")) {
            if !HIDDEN.iter().any(|hidden| file.starts_with(hidden)) {
                types.extend(public_types(&source));
            }
        }
        assert!(types.len() > 2, "{name} has no public types");
        let missing: Vec<_> = types.iter().filter(|name| !asserted.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{name}/tests/auto_traits.rs does not say whether {missing:?} are Send and Sync");
    }
}

/// The functions of a source, each from its `fn` to the next one's.
fn functions(code: &str) -> impl Iterator<Item = &str> {
    code.split("fn ").skip(1)
}

#[test]
fn what_is_exclusive_is_reached_by_exclusive_methods() {
    // Accessors that take `&self`, and give what one caller at a time may have.
    const EXCLUSIVE: &[&str] = &["writer_state", "reader_state", "pixels_mut", "set_frame", "touch_mut"];
    let mut calls = 0;
    for (file, source) in sources(&root().join("ring/src")) {
        for function in functions(&code(&source)) {
            let (head, body) = function.split_once('{').unwrap_or((function, ""));
            if EXCLUSIVE.contains(&word(head)) && (file == "shared.rs" || file == "slot.rs") {
                continue;
            }
            let used: Vec<_> = EXCLUSIVE.iter().filter(|name| body.contains(&format!(".{name}("))).collect();
            calls += used.len();
            let shared = head.contains("&self");
            assert!(used.is_empty() || !shared, "{file}: {} takes &self and calls {used:?}", word(head));
        }
    }
    assert!(calls > 6, "only {calls} calls found: are the accessors called something else by now?");
}

/// Which files of a crate each of them imports from, by the names of the modules below `src`.
fn imports(dir: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let module = |file: &str| file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
    let sources = sources(dir);
    let names: BTreeSet<String> = sources.keys().map(|file| module(file)).collect();
    let of = |source: &str| {
        let code = code(source);
        let paths = code.split("crate::").skip(1);
        paths
            .filter_map(|path| {
                let path: String = path.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
                names.iter().filter(|name| path == **name || path.starts_with(&format!("{name}::"))).max().cloned()
            })
            .collect()
    };
    sources.iter().filter(|(file, _)| *file != "lib.rs").map(|(file, source)| (module(file), of(source))).collect()
}

/// Files that can be reached from each other by imports, in groups of more than `most`.
fn circles(imports: &BTreeMap<String, BTreeSet<String>>, most: usize) -> Vec<BTreeSet<String>> {
    let reached = |from: &String| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(file) = next.pop() {
            let further = imports.get(&file).into_iter().flatten().filter(|to| seen.insert((*to).clone()));
            next.extend(further.cloned().collect::<Vec<_>>());
        }
        seen
    };
    let reach: BTreeMap<&String, BTreeSet<String>> = imports.keys().map(|file| (file, reached(file))).collect();
    let group = |file: &String| -> BTreeSet<String> {
        reach[file].iter().filter(|other| reach.get(other).is_some_and(|back| back.contains(file))).cloned().collect()
    };
    let groups: BTreeSet<_> = imports.keys().map(group).filter(|group| group.len() > most).collect();
    groups.into_iter().collect()
}

#[test]
fn imports_of_the_ring_go_one_way() {
    let imports = imports(&root().join("ring/src"));
    assert!(imports["shared"].contains("word") || imports["slot"].contains("word"), "{imports:?}");
    assert_eq!(circles(&imports, 1), Vec::<BTreeSet<String>>::new());
}

#[test]
fn a_circle_is_found() {
    let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let imports = [("a", &["b"][..]), ("b", &["c"]), ("c", &["a", "d"]), ("d", &["e"]), ("e", &["d"]), ("f", &["a"])];
    let imports = imports.into_iter().map(|(file, to)| (file.to_owned(), set(to))).collect();
    assert_eq!(circles(&imports, 2), [set(&["a", "b", "c"])]);
    assert_eq!(circles(&imports, 1), [set(&["a", "b", "c"]), set(&["d", "e"])]);
}

#[test]
fn public_types_are_found() {
    let source = "pub struct One<T>(T);\npub(crate) struct No;\n// pub struct Not;\n    pub enum Two { A }\n#[cfg(test)]\npub struct Nor;";
    assert_eq!(public_types(source), BTreeSet::from(["One".into(), "Two".into()]));
}
