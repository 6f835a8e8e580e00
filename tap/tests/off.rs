//! Off, the tap is a compare and a branch: counted, not timed.

#![cfg(feature = "ffmpeg-next")]

use std::path::Path;
use std::process::Command;

/// Instructions that a function of the example takes, by callgrind.
fn instructions(example: &Path, function: &str, out: &Path) -> u64 {
    let run = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(format!("--toggle-collect={function}"))
        .arg(example)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let report = std::fs::read_to_string(out).unwrap();
    let totals = report.lines().find_map(|line| line.strip_prefix("totals:")).unwrap();
    totals.trim().parse().unwrap()
}

#[test]
fn three_instructions_a_frame_when_off() {
    let valgrind = Command::new("valgrind").arg("--version").output();
    assert!(
        valgrind.is_ok(),
        "instructions are counted with valgrind, which is not there: cargo xtask setup installs it"
    );
    // What is not optimised is not inlined, so the example is, whatever this test is.
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--example", "off_path", "--message-format=json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let messages = String::from_utf8(build.stdout).unwrap();
    let executable = messages.lines().find_map(|line| line.split("\"executable\":\"").nth(1)?.split('"').next());
    let example = Path::new(executable.expect("cargo says where the example is"));

    let directory = tempfile::tempdir().unwrap();
    let count = |function| instructions(example, function, &directory.path().join(function));
    let (without, with) = (count("decode_loop_without"), count("decode_loop_with"));
    let frames = 10_000;
    assert!(without > frames, "the loop is gone: {without} instructions");
    let more = (with - without) as f64 / frames as f64;
    println!("{more} instructions a frame");
    // Fewer than one would be no check at all.
    assert!((1.0..=3.01).contains(&more), "{more} instructions a frame");
}
