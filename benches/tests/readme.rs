//! What the README says beside code: versions, settings, links and tasks are those that there are. Its code is compiled as a
//! doc test of this crate.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vas_lifecycle::{PREFIX, Problem, Settings};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between `open` and the `close` after it, everywhere.
fn between<'a>(text: &'a str, open: &str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(inside, _)| inside))
}

#[test]
fn the_manifest_lines_have_the_version() {
    let version = env!("CARGO_PKG_VERSION").rsplit_once('.').unwrap().0;
    for package in ["vas-lifecycle", "vas-tap"] {
        let line = format!("{package} = \"{version}\"");
        assert!(read("README.md").lines().any(|it| it == line), "the README has no line `{line}`");
    }
}

/// None is left out, none too many, each is one, and the defaults are as told.
#[test]
fn the_table_of_settings_is_whole() {
    let readme = read("README.md");
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| line.starts_with(&format!("| `{PREFIX}")))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let told: BTreeSet<_> = rows.iter().map(|cells| cells[1].trim_matches('`').to_owned()).collect();
    let docs = read("lifecycle/src/settings.rs");
    let documented: BTreeSet<_> = between(&docs, "/// | `", '`').map(|name| format!("{PREFIX}{name}")).collect();
    // The documentation's second table begins with a size.
    assert_eq!(told, documented);

    let default = Settings::from_vars([(format!("{PREFIX}ENABLED"), "true")]).0.expect("export is on");
    for cells in rows {
        let (name, said) = (cells[1].trim_matches('`'), cells[2]);
        let (_, problems) = Settings::from_vars([(name, "no such value")]);
        assert!(matches!(&problems[..], [Problem::NotAccepted { .. }]), "{name}: {problems:?}");
        // One that is told in words ends with the most that it may be.
        let value = said.rsplit('`').nth(1).unwrap_or_else(|| panic!("{name}: no value in {said:?}"));
        let vars = [(name.to_owned(), value), (format!("{PREFIX}ENABLED"), "true")];
        let (settings, problems) = Settings::from_vars(vars);
        assert!(problems.is_empty(), "{name}: {problems:?}");
        if name == format!("{PREFIX}ENABLED") {
            assert_eq!((value, settings), ("false", None), "of two of one name the first counts");
        } else if said.starts_with('`') {
            assert_eq!(settings, Some(default), "{name}");
        } else {
            assert!(settings.is_some_and(|settings| settings.memory_budget >= default.memory_budget), "{name}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for page in ["README.md", "benches/figures/README.md"] {
        let folder = root().join(page).parent().unwrap().to_owned();
        let text = read(page);
        let links: Vec<_> = between(&text, "](", ')').filter(|link| !link.contains("://")).collect();
        assert!(!links.is_empty(), "{page}");
        for link in links {
            assert!(folder.join(link).exists(), "{page}: {link}");
        }
    }
}

/// Five minutes are enough for it.
#[test]
fn the_readme_is_short() {
    let readme = read("README.md");
    let words = readme.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
    assert!(words <= 1200, "{words} words: move what does not have to be read first");
}

/// Each task that the README names is one.
#[test]
fn tasks_are_there() {
    let readme = read("README.md");
    let named = readme.split("cargo xtask ").skip(1);
    let word = |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>();
    let tasks: BTreeSet<_> = named.map(word).filter(|task| !task.is_empty() && task != "--help").collect();
    assert!(tasks.contains("demo") && tasks.contains("test"), "{tasks:?}");
    let help = Command::new(env!("CARGO")).args(["xtask", "--help"]).current_dir(root()).output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout);
    for task in tasks {
        let is_there = help.lines().any(|line| line.split_whitespace().next() == Some(&task));
        assert!(is_there, "the README names the task {task:?}, and there is none:\n{help}");
    }
}
