//! `cargo xtask package`: each crate as it would be published, tested by itself.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::packages::Group;
use crate::process::{cargo, run, target_dir};
use crate::setup;

/// The crates that are published, each after those of them that it depends on, be it in its tests.
const PUBLISHED: &[(&str, &[&str])] = &[
    ("vas-ring", &[]),
    ("vas-tap", &["vas-ring"]),
    ("vas-lifecycle", &["vas-ring"]),
    ("vas-reader-testkit", &["vas-ring", "vas-lifecycle"]),
];
/// This xtask's version is the workspace's, and so is theirs.
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn package() -> Result<()> {
    setup::ensure(&[Group::Build, Group::Tools])?;
    // All at once: each finds the others as though they were published already. Cargo also builds each from its
    // package alone.
    let packages = PUBLISHED.iter().flat_map(|(package, _)| ["--package", package]);
    run(cargo().args(["package", "--locked", "--allow-dirty"]).args(packages))?;
    for (package, dependencies) in PUBLISHED {
        test(package, dependencies)?;
    }
    Ok(())
}

/// The tests inside a package, run where nothing but the package is.
fn test(package: &str, dependencies: &[&str]) -> Result<()> {
    let folder = unpacked(package);
    ensure!(folder.join("Cargo.toml").is_file(), "cargo left no unpacked {package} in {}", folder.display());
    let settings = folder.join(".cargo");
    fs::create_dir_all(&settings)?;
    fs::write(settings.join("config.toml"), patches(dependencies))
        .with_context(|| format!("cannot write cargo's settings to {}", settings.display()))?;
    eprintln!("\n==> {package}, from its package");
    // Released, as the workspace's own tests are not. In the workspace's target directory, which has the dependencies; by
    // the environment, for tests that call cargo.
    run(cargo().current_dir(&folder).args(["test", "--release"]).env("CARGO_TARGET_DIR", target_dir("")))
        .with_context(|| format!("the package of {package} does not pass its own tests"))
}

/// Where cargo has unpacked what it packaged, to build it.
fn unpacked(package: &str) -> PathBuf {
    target_dir("package").join(format!("{package}-{VERSION}"))
}

/// Settings for cargo: what is not in any registry yet is taken from its package too.
fn patches(dependencies: &[&str]) -> String {
    let mut text = String::from("[patch.crates-io]\n");
    for package in dependencies {
        _ = writeln!(text, "{package} = {{ path = {:?} }}", unpacked(package));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_packaged_first() {
        for (n, (package, dependencies)) in PUBLISHED.iter().enumerate() {
            for dependency in *dependencies {
                assert!(PUBLISHED[..n].iter().any(|(before, _)| before == dependency), "{package}: {dependency}");
            }
        }
    }

    #[test]
    fn patches_point_at_packages() {
        let text = patches(&["vas-ring"]);
        let line = text.strip_prefix("[patch.crates-io]\nvas-ring = { path = \"").unwrap();
        assert!(line.ends_with(&format!("/package/vas-ring-{VERSION}\" }}\n")), "{text}");
        assert_eq!(patches(&[]), "[patch.crates-io]\n");
    }
}
