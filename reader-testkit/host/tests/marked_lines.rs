//! That frame export adds 4 lines to VAS's stand-in, and that nothing else of it knows of export.

use std::fs;
use std::path::Path;

const MARK: &str = "// frame export";
const LINES: usize = 4;

/// The host's sources by name, without the AI side, which VAS has nothing to do with.
fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = fs::read_dir(folder).expect("the host is there").map(|entry| entry.expect("an entry").path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let named = files.map(|path| {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("text"))
    });
    named.filter(|(name, _)| name != "ai.rs").collect()
}

#[test]
fn they_are_few_and_whole() {
    let sources = sources();
    let marked: Vec<_> =
        sources.iter().flat_map(|(_, text)| text.lines()).filter(|line| line.ends_with(MARK)).collect();
    assert_eq!(marked.len(), LINES, "{marked:#?}");
    for line in marked {
        assert!(line.trim_start().starts_with("#[cfg(feature = \"export\")] "), "compiled without export: {line}");
    }
}

#[test]
fn without_them_the_host_knows_no_export() {
    for (name, text) in sources() {
        for line in text.lines().filter(|line| !line.ends_with(MARK)) {
            for word in ["vas_ring", "vas_tap", "vas_lifecycle", "vas_reader_testkit"] {
                assert!(!line.contains(word), "{name}: {line}");
            }
        }
    }
}
