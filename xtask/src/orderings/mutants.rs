//! What is changed in the ring's source, one at a time.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::lab::Suite;
use super::mistakes::{MISTAKES, Mistake};

/// One change of one source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// Its name below `ring/src`.
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) function: String,
    /// What the change is, for people.
    pub(super) change: String,
    /// What should notice.
    pub(super) suite: Suite,
    range: Range<usize>,
    with: String,
}

impl Mutant {
    /// What a filter is looked up in.
    pub(super) fn label(&self) -> String {
        format!("{}:{} {}: {}", self.file, self.line, self.function, self.change)
    }

    /// The file with the change made.
    pub(super) fn apply(&self, source: &str) -> Result<String> {
        let (before, after) = (source.get(..self.range.start), source.get(self.range.end..));
        let (Some(before), Some(after)) = (before, after) else {
            bail!("{} has changed since it was read", self.file);
        };
        Ok([before, &self.with, after].concat())
    }
}

/// Every memory ordering in the sources that can be weakened, and every mistake.
pub(super) fn all(src: &Path) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    let mut names = Vec::new();
    for entry in fs::read_dir(src).with_context(|| format!("cannot list {}", src.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    // The shim has the names of the orderings, and a counter that nothing depends on.
    for name in names.iter().filter(|name| name.ends_with(".rs") && *name != "sync.rs") {
        mutants.extend(weakened(name, &read(src, name)?)?);
    }
    ensure!(!mutants.is_empty(), "no memory ordering found in {}", src.display());
    for mistake in MISTAKES {
        mutants.push(mistake.find(&read(src, mistake.file)?)?);
    }
    Ok(mutants)
}

fn read(src: &Path, name: &str) -> Result<String> {
    let path = src.join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

impl Mistake {
    fn find(&self, source: &str) -> Result<Mutant> {
        let Self { file, suite, what, from, to } = *self;
        let found: Vec<_> = source.match_indices(from).map(|(at, _)| at).collect();
        let [at] = found[..] else {
            bail!(
                "{file}: the text to change for \"{what}\" is there {} times, wanted once; \
                 bring it up to date:\n{from}",
                found.len()
            );
        };
        Ok(Mutant {
            file: file.into(),
            line: line(source, at),
            function: function(source, at),
            change: what.into(),
            suite,
            range: at..at + from.len(),
            with: to.into(),
        })
    }
}

/// Each ordering in the code of a file, weakened in each way that there is.
fn weakened(file: &str, source: &str) -> Result<Vec<Mutant>> {
    const PREFIX: &str = "Ordering::";
    let code = &source[..source.find("#[cfg(test)]").unwrap_or(source.len())];
    let mut mutants = Vec::new();
    for (start, _) in code.match_indices(PREFIX) {
        let line_start = code[..start].rfind('\n').map_or(0, |at| at + 1);
        if code[line_start..start].contains("//") {
            continue;
        }
        let at = start + PREFIX.len();
        let from: String = code[at..].chars().take_while(|c| c.is_alphanumeric()).collect();
        let mutant = |range: Range<usize>, change: String, with: &str| Mutant {
            file: file.into(),
            line: line(code, start),
            function: function(code, start),
            change,
            suite: Suite::Models,
            range,
            with: with.into(),
        };
        let operation = operation(code, start);
        if operation == "fence" {
            let whole = code[..start].rfind("fence").unwrap_or(start)..at + from.len() + 1;
            ensure!(code[whole.clone()].ends_with(')'), "{file}:{}: cannot read this fence", line(code, start));
            mutants.push(mutant(whole, format!("no {from} fence"), "()"));
            continue;
        }
        let weaker: &[&str] = match (from.as_str(), operation) {
            ("Relaxed", _) => &[],
            ("Acquire" | "Release", _) => &["Relaxed"],
            ("AcqRel", _) => &["Acquire", "Release"],
            ("SeqCst", "load") => &["Acquire"],
            ("SeqCst", "store") => &["Release"],
            ("SeqCst", _) => &["AcqRel"],
            _ => bail!("{file}:{}: {PREFIX}{from} is not an ordering", line(code, start)),
        };
        for to in weaker {
            mutants.push(mutant(at..at + from.len(), format!("{operation}: {from} -> {to}"), to));
        }
    }
    Ok(mutants)
}

/// The method whose argument is at `at`.
fn operation(code: &str, at: usize) -> &str {
    let mut depth = 0;
    for (index, byte) in code.as_bytes()[..at].iter().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' if depth > 0 => depth -= 1,
            b'(' => {
                let name = code[..index].rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
                return &code[name..index];
            }
            _ => (),
        }
    }
    ""
}

fn line(source: &str, at: usize) -> usize {
    source[..at].matches('\n').count() + 1
}

/// The function that `at` is in.
fn function(source: &str, at: usize) -> String {
    let name = source[..at].rfind("fn ").map_or("", |start| &source[start + 3..at]);
    name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::root;

    const SOURCE: &str = "
fn one(&self) -> bool {
    // Ordering::Acquire is not code.
    self.0.fetch_and(!bit(place), Ordering::Release) != self.0.load(Ordering::Relaxed)
}
fn two(&self) {
    self.0.compare_exchange(a, f(b), Ordering::AcqRel, Ordering::Acquire);
    fence(Ordering::SeqCst);
    self.0.load(Ordering::SeqCst);
}
#[cfg(test)]
mod tests { fn three() { x.load(Ordering::Acquire) } }
";

    #[test]
    fn orderings_are_weakened_one_at_a_time() {
        let mutants = weakened("x.rs", SOURCE).unwrap();
        let labels: Vec<_> = mutants.iter().map(Mutant::label).collect();
        assert_eq!(
            labels,
            [
                "x.rs:4 one: fetch_and: Release -> Relaxed",
                "x.rs:7 two: compare_exchange: AcqRel -> Acquire",
                "x.rs:7 two: compare_exchange: AcqRel -> Release",
                "x.rs:7 two: compare_exchange: Acquire -> Relaxed",
                "x.rs:8 two: no SeqCst fence",
                "x.rs:9 two: load: SeqCst -> Acquire",
            ]
        );
        let changed = |index: usize| -> Vec<_> {
            let mutated = mutants[index].apply(SOURCE).unwrap();
            let lines = SOURCE.lines().zip(mutated.lines()).filter(|(before, after)| before != after);
            lines.map(|(_, after)| after.trim().to_owned()).collect()
        };
        assert_eq!(changed(2), ["self.0.compare_exchange(a, f(b), Ordering::Release, Ordering::Acquire);"]);
        assert_eq!(changed(4), ["();"]);
    }

    #[test]
    fn a_mistake_that_no_longer_fits_is_an_error() {
        let mistake = Mistake { file: "x.rs", suite: Suite::Models, what: "w", from: "fn one", to: "" };
        assert_eq!(mistake.find(SOURCE).unwrap().line, 2);
        for from in ["fn four", "fn "] {
            let error = Mistake { from, ..mistake }.find(SOURCE).unwrap_err().to_string();
            assert!(error.contains("wanted once"), "{error}");
        }
    }

    #[test]
    fn the_sources_as_they_are_give_mutants() {
        let src = root().join("ring/src");
        let mutants = all(&src).unwrap();
        assert!(mutants.len() > MISTAKES.len() + 10);
        for mutant in &mutants {
            let source = read(&src, &mutant.file).unwrap();
            assert_ne!(mutant.apply(&source).unwrap(), source, "{}", mutant.label());
        }
    }
}
