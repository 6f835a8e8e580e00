//! `cargo xtask dependencies`: how many crates each of ours brings into a host's tree, against what it may.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{cannot_start, cargo, shown};

/// What a crate may bring, with its default features.
struct Allowance {
    package: &'static str,
    /// Direct dependencies that the host has anyway, or that have a line of their own here: what they bring is free.
    free: &'static [&'static str],
    /// The crates that it may bring, one version of each.
    crates: &'static [&'static str],
}

const ALLOWANCES: &[Allowance] = &[
    Allowance { package: "vas-ring", free: &[], crates: &["bytemuck", "crossbeam-utils", "static_assertions"] },
    // A host of the tap decodes with FFmpeg already.
    Allowance { package: "vas-tap", free: &["ffmpeg-next", "vas-ring"], crates: &[] },
    Allowance {
        package: "vas-lifecycle",
        free: &[],
        crates: &[
            "bitflags",
            "bytemuck",
            "crossbeam-queue",
            "crossbeam-utils",
            "libc",
            "linux-raw-sys",
            "rustix",
            "static_assertions",
        ],
    },
    // Of tests alone. All for `png`, which takes two versions of miniz_oxide.
    Allowance {
        package: "vas-reader-testkit",
        free: &["vas-lifecycle", "vas-ring"],
        crates: &[
            "adler2",
            "cfg-if",
            "crc32fast",
            "fdeflate",
            "flate2",
            "miniz_oxide",
            "miniz_oxide",
            "png",
            "simd-adler32",
        ],
    },
];

pub(crate) fn dependencies() -> Result<()> {
    let mut all_surplus = String::new();
    for Allowance { package, free, crates } in ALLOWANCES {
        let tree = tree(package)?;
        let brought = brought(&tree, free).with_context(|| format!("cannot make out {package}'s tree"))?;
        let beside = if free.is_empty() { String::new() } else { format!(" beside those of {}", free.join(" and ")) };
        println!("{package} brings {} crates{beside}, of at most {}", brought.len(), crates.len());
        let surplus = surplus(brought, crates);
        if !surplus.is_empty() {
            _ = write!(all_surplus, "\n  {package}: {}", named(&surplus));
        }
    }
    ensure!(
        all_surplus.is_empty(),
        "crates that are not allowed for:{all_surplus}\n\
         do without them, or state them in xtask/src/dependencies.rs"
    );
    Ok(())
}

/// What is left of `brought` without the allowed crates, one version for each time that a name is allowed.
fn surplus<'a>(mut brought: Brought<'a>, allowed: &[&str]) -> Brought<'a> {
    for name in allowed {
        let first = brought.keys().find(|(brought, _)| brought == name).copied();
        first.and_then(|key| brought.remove(&key));
    }
    brought
}

/// What is linked into a host that uses the package with its default features, and what its build runs.
fn tree(package: &str) -> Result<String> {
    let mut command = cargo();
    command.args(["tree", "--quiet", "--locked", "--edges", "normal,build", "--prefix", "depth", "--no-dedupe"]);
    command.args(["--format", " {p}", "--package", package]);
    let output = command.output().with_context(|| cannot_start(&command))?;
    ensure!(
        output.status.success(),
        "`{}` failed ({}): {}",
        shown(&command),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// A crate's name and version, and the direct dependencies that bring it.
type Brought<'a> = BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>;

/// The crates in a tree that are not of this workspace. Those that a `free` direct dependency brings are left out,
/// whoever else brings them too.
fn brought<'a>(tree: &'a str, free: &[&str]) -> Result<Brought<'a>> {
    let mut brought = Brought::new();
    let mut direct = None;
    for line in tree.lines() {
        let (depth, name, version, ours) = parse(line).with_context(|| format!("cargo tree says {line:?}"))?;
        match depth {
            0 => continue,
            1 => direct = Some(name),
            _ => (),
        }
        let Some(direct) = direct else { bail!("{name} has no direct dependency above it") };
        if !ours {
            brought.entry((name, version)).or_default().insert(direct);
        }
    }
    brought.retain(|_, by| !by.iter().any(|direct| free.contains(direct)));
    Ok(brought)
}

/// Depth, name, version, and whether it is a crate of this workspace: `2 libc v0.2.191` or
/// `1 vas-ring v0.1.0 (/home/vas/ring)`.
fn parse(line: &str) -> Option<(usize, &str, &str, bool)> {
    let mut words = line.split(' ');
    let depth = words.next()?.parse().ok()?;
    let name = words.next()?;
    let version = words.next().filter(|version| version.starts_with('v'))?;
    // Of a crate from a registry, all that may follow is `(proc-macro)`.
    let ours = words.any(|word| word.starts_with("(/"));
    Some((depth, name, version, ours))
}

fn named(brought: &Brought<'_>) -> String {
    let name = |((name, version), by): (&(&str, &str), &BTreeSet<&str>)| {
        // A direct one is brought by itself.
        if by.contains(name) {
            return format!("{name} {version}");
        }
        format!("{name} {version} (by {})", by.iter().copied().collect::<Vec<_>>().join(", "))
    };
    let names: Vec<_> = brought.iter().map(name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
0 vas-tap v0.1.0 (/vas/tap)
1 ffmpeg-next v9.0.0
2 bitflags v2.13.2
3 macros v1.0.0 (proc-macro)
1 bitflags v2.13.2
1 vas-ring v0.1.0 (/vas/ring)
2 bytemuck v1.25.2
1 tracing v0.1.41
2 log v0.4.2
1 env v0.1.0
2 log v0.4.2
";

    fn names(free: &[&str]) -> Vec<&'static str> {
        brought(TREE, free).unwrap().into_keys().map(|(name, _)| name).collect()
    }

    #[test]
    fn each_crate_counts_once_and_ours_do_not() {
        assert_eq!(names(&[]), ["bitflags", "bytemuck", "env", "ffmpeg-next", "log", "macros", "tracing"]);
    }

    #[test]
    fn what_a_free_one_brings_is_free() {
        assert_eq!(names(&["ffmpeg-next", "vas-ring"]), ["env", "log", "tracing"]);
        assert_eq!(names(&["ffmpeg-next", "vas-ring", "env"]), ["tracing"], "log comes with env anyway");
    }

    #[test]
    fn the_surplus_is_named_with_where_it_comes_from() {
        let brought = brought(TREE, &["ffmpeg-next", "vas-ring"]).unwrap();
        assert_eq!(named(&brought), "env v0.1.0, log v0.4.2 (by env, tracing), tracing v0.1.41");
        assert_eq!(named(&surplus(brought, &["env", "tracing", "serde"])), "log v0.4.2 (by env, tracing)");
    }

    #[test]
    fn two_versions_of_a_crate_are_two() {
        let tree = "0 a v1.0.0 (/a)\n1 b v1.0.0\n2 c v1.0.0\n2 c v2.0.0\n";
        let brought = brought(tree, &[]).unwrap();
        assert_eq!(named(&surplus(brought.clone(), &["b", "c"])), "c v2.0.0 (by b)");
        assert!(surplus(brought, &["b", "c", "c"]).is_empty());
    }

    #[test]
    fn the_allowances_are_the_ones_that_are_promised() {
        let promised = [("vas-ring", 3), ("vas-tap", 0), ("vas-lifecycle", 8)];
        for (allowance, (package, most)) in ALLOWANCES.iter().zip(promised) {
            assert_eq!((allowance.package, allowance.crates.len()), (package, most));
        }
    }

    #[test]
    fn a_tree_that_is_not_one_is_an_error() {
        for tree in ["1vas-ring v0.1.0", "1 vas-ring", "error: no such package", "2 log v0.4.2"] {
            assert!(brought(tree, &[]).is_err(), "{tree}");
        }
    }
}
