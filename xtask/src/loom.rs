//! `cargo xtask loom`: the models of the lock-free parts, explored under `--cfg loom`.

use std::env;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::libtest::watch;
use crate::process::{cargo, shown, target_dir};

/// Packages with models, which live in test targets named `loom*`.
pub(crate) const PACKAGES: &[&str] = &["vas-ring", "vas-lifecycle"];

/// Explore the loom models.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Go deeper: more threads, more preemptions, much more time.
    #[arg(long)]
    full: bool,
    /// Only the models with this in their name.
    filter: Option<String>,
}

/// The default set: every model, to the depth that fits into a few minutes.
pub(crate) const DEFAULT: Args = Args { full: false, filter: None };

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = under_loom("test");
    command.args(["--profile", "loom", "--no-fail-fast", "--test", "loom*"]).args(&args.filter);
    if args.full {
        command.env("VAS_LOOM_FULL", "1");
    }
    let start = Instant::now();
    let (success, tally) = watch("Exploring", &mut command)?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(success, "loom: `{}` failed after {seconds:.1} s", shown(&command));
    // A shim or a target that is compiled without `--cfg loom` would pass by checking nothing.
    ensure!(tally.empty_targets == 0, "loom: a `loom*` test target holds no model; is it gated by #![cfg(loom)]?");
    ensure!(tally.ran > 0, "loom: no model has {:?} in its name", args.filter.as_deref().unwrap_or_default());
    eprintln!("loom: models explored: {}; {seconds:.1} s with the build", tally.ran);
    Ok(())
}

/// A cargo command over the packages with models, under `--cfg loom` and in a target directory of its own: sharing the
/// usual one would rebuild everything at each change from one to the other.
pub(crate) fn under_loom(subcommand: &str) -> Command {
    let mut command = cargo();
    command.arg(subcommand).args(PACKAGES.iter().flat_map(|package| ["-p", package]));
    command.arg("--target-dir").arg(target_dir("loom"));
    let (name, flags) = rustflags(env::var("CARGO_ENCODED_RUSTFLAGS").ok(), env::var("RUSTFLAGS").ok());
    command.env(name, flags);
    command
}

/// The user's own flags and `--cfg loom`, in the variable that cargo looks at first.
fn rustflags(encoded: Option<String>, plain: Option<String>) -> (&'static str, String) {
    let (name, flags, separator) = match encoded {
        Some(flags) => ("CARGO_ENCODED_RUSTFLAGS", flags, "\u{1f}"),
        None => ("RUSTFLAGS", plain.unwrap_or_default(), " "),
    };
    let own = if flags.is_empty() { flags } else { flags + separator };
    (name, format!("{own}--cfg{separator}loom"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::process::root;

    /// Loom explores what goes through the shims, and nothing else.
    #[test]
    fn the_ring_takes_its_atomics_from_its_shim() {
        let src = root().join("ring/src");
        let mut looked_at = 0;
        for entry in fs::read_dir(&src).unwrap() {
            let path = entry.unwrap().path();
            let source = fs::read_to_string(&path).unwrap();
            if path.ends_with("sync.rs") {
                assert!(source.contains("core::sync::atomic"), "the shim is elsewhere by now");
                continue;
            }
            for elsewhere in ["sync::atomic", "sync::Arc;", "portable_atomic", "cell::UnsafeCell"] {
                let ours = source.replace("crate::sync::Arc;", "");
                assert!(!ours.contains(elsewhere), "{} has {elsewhere} from past the shim", path.display());
            }
            looked_at += 1;
        }
        assert!(looked_at > 10, "only {looked_at} sources in {}", src.display());
    }

    #[test]
    fn the_users_own_flags_stay() {
        let some = |flags: &str| Some(flags.to_owned());
        assert_eq!(rustflags(None, None), ("RUSTFLAGS", "--cfg loom".into()));
        assert_eq!(rustflags(None, some("-Cdebuginfo=2")), ("RUSTFLAGS", "-Cdebuginfo=2 --cfg loom".into()));
        assert_eq!(
            rustflags(some("-C\u{1f}opt-level=3"), some("ignored")),
            ("CARGO_ENCODED_RUSTFLAGS", "-C\u{1f}opt-level=3\u{1f}--cfg\u{1f}loom".into())
        );
    }
}
