//! Without the feature `ffmpeg-next` this crate brings no binding into a host, and no FFmpeg.

use std::collections::BTreeSet;
use std::process::Command;

/// What a cargo command says, which has to succeed.
fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn tree(features: &[&str]) -> BTreeSet<String> {
    let printed =
        cargo(&[&["tree", "--offline", "--edges=normal", "--prefix=none", "--format={p}"], features].concat());
    printed.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn no_other_crates_than_these() {
    let without = tree(&["--no-default-features"]);
    let expected = ["bytemuck", "crossbeam-utils", "libc", "static_assertions", "vas-ring", "vas-tap"];
    assert_eq!(without.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    // The list is alive.
    assert!(tree(&[]).contains("ffmpeg-sys-next"));
    cargo(&["check", "--offline", "--quiet", "--lib", "--no-default-features"]);
}
