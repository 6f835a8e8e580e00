//! The demo, run as a user runs it.

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{clip, host, text};
use vas_reader_testkit::snapshot::Picture;

fn demo(out: &Path, args: &[&str]) -> Command {
    let mut host = host();
    host.arg("demo").args(args).arg("--out").arg(out);
    host
}

fn summary(out: &Path) -> Value {
    let json = std::fs::read(out.join("summary.json")).expect("the summary is there");
    serde_json::from_slice(&json).expect("it is JSON")
}

fn succeeded(output: &Output) -> String {
    let (printed, complained) = text(output);
    assert!(output.status.success(), "{printed}{complained}");
    printed
}

#[test]
fn two_cameras_with_two_readers_each_add_up() {
    let out = tempfile::tempdir().expect("a folder");
    let printed = succeeded(&demo(out.path(), &["--seconds", "2"]).output().expect("the host runs"));
    let sheet = out.path().join("contact-sheet.png");
    assert!(printed.contains(sheet.to_str().expect("UTF-8")), "{printed}");
    assert!(printed.contains("the numbers add up"), "{printed}");

    let figures = summary(out.path());
    assert_eq!(figures["export"]["state"], "on");
    assert!(figures["export"]["bytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000));
    assert_eq!(figures["export"]["threads"], serde_json::json!(["frame-export"]));
    let cameras = figures["cameras"].as_array().expect("cameras");
    assert_eq!(cameras.len(), 2);
    let count = |value: &Value| value.as_u64().expect("a count");
    let sum = |causes: &Value| causes.as_object().expect("causes").values().map(count).sum::<u64>();
    for camera in cameras {
        let exported = &camera["exported"];
        let [decoded, offered, published] =
            [&camera["decoded"], &exported["offered"], &exported["published"]].map(count);
        // At 24 or 25 frames per second; a busy machine may be late, but never early.
        assert!((10..=60).contains(&decoded), "{camera}");
        assert_eq!(decoded, offered, "{camera}");
        assert_eq!(offered, published + sum(&exported["dropped"]), "{camera}");
        assert_eq!(camera["branches"][0]["frames"], decoded, "{camera}");
        let readers = exported["readers"].as_array().expect("readers");
        assert_eq!(readers.len(), 2);
        for reader in readers {
            assert_eq!(count(&reader["span"]), count(&reader["seen"]) + sum(&reader["missed"]), "{reader}");
        }
        // A reader that holds each frame for 300 ms gets at most 7 in 2 s.
        assert!((1..=8).contains(&count(&readers[1]["seen"])), "{camera}");
        assert!(count(&readers[0]["seen"]) >= 1, "{camera}");
    }
    // Of the small one, which takes no time to make pictures of, the brisk reader gets more than the slow one.
    let seen = |reader: usize| count(&cameras[1]["exported"]["readers"][reader]["seen"]);
    assert!(seen(0) > seen(1), "{}", cameras[1]);
    let sheet = Picture::read_png(sheet).expect("a picture");
    let mut colors: Vec<_> = sheet.rgb().chunks_exact(3).collect();
    colors.sort_unstable();
    colors.dedup();
    assert!(colors.len() > 10_000, "a film has more than {} colours", colors.len());
}

#[test]
fn off_allocates_nothing_and_starts_nothing() {
    let out = tempfile::tempdir().expect("a folder");
    let mut demo = demo(out.path(), &["--seconds", "1"]);
    let printed = succeeded(&demo.env("AI_FRAME_EXPORT_ENABLED", "false").output().expect("the host runs"));
    for words in ["export is off", "0 bytes allocated for export", "no export thread"] {
        assert!(printed.contains(words), "no '{words}' in: {printed}");
    }
    let export = &summary(out.path())["export"];
    assert_eq!(*export, serde_json::json!({ "state": "off", "bytes": 0, "left": 0, "budget": 0, "threads": [] }));
    assert!(!out.path().join("contact-sheet.png").exists());
}

#[test]
fn a_camera_beyond_the_budget_plays_on_without_export() {
    let out = tempfile::tempdir().expect("a folder");
    let mut demo = demo(out.path(), &["--seconds", "1"]);
    let printed = succeeded(
        &demo
            .env("AI_FRAME_EXPORT_ENABLED", "true")
            .env("AI_FRAME_EXPORT_MEMORY_BUDGET", "2MiB")
            .output()
            .expect("the host runs"),
    );
    assert!(printed.contains("bigbuckbunny ran without export: the camera takes"), "{printed}");
    let figures = summary(out.path());
    let [large, small] = [0, 1].map(|n| &figures["cameras"][n]);
    assert!(large["exported"].is_null() && large["decoded"].as_u64() > Some(5), "{large}");
    assert!(small["exported"]["published"].as_u64() > Some(5), "{small}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_with_its_summary() {
    let out = tempfile::tempdir().expect("a folder");
    let start = Instant::now();
    let child = demo(out.path(), &["--seconds", "60"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("the host runs");
    thread::sleep(Duration::from_secs(2));
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(signalled.success());
    let printed = succeeded(&child.wait_with_output().expect("it ends"));
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(printed.contains("the numbers add up"), "{printed}");
    assert!(out.path().join("summary.json").exists() && out.path().join("contact-sheet.png").exists());
}

#[test]
fn branches_get_the_same_with_and_without_export() {
    let accounts = ["true", "false"].map(|enabled| {
        let mut host = host();
        host.args(["play", "--fast", "--passes", "2"]).args(["bigbuckbunny.mp4", "sintel-captions.ts"].map(clip));
        let output = host.env("AI_FRAME_EXPORT_ENABLED", enabled).output().expect("the host runs");
        let figures: Value = serde_json::from_str(&succeeded(&output)).expect("JSON");
        [0, 1].map(|n| figures["cameras"][n]["branches"].clone())
    });
    assert_eq!(accounts[0], accounts[1]);
    assert_eq!([0, 1].map(|n| accounts[0][n][0]["frames"].as_u64()), [Some(2 * 132), Some(2 * 240)]);
}
