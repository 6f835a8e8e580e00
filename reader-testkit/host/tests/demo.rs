//! The demo, run as a user runs it.

mod support;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;
use support::{ended, film, host, interrupt, run, text};
use vas_host::clips::clip;
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
fn two_cameras_with_readers_add_up() {
    let out = tempfile::tempdir().expect("a folder");
    let printed = succeeded(&run(&mut demo(out.path(), &["--seconds", "2"])));
    let sheet = out.path().join("contact-sheet.png");
    assert!(printed.contains(sheet.to_str().expect("UTF-8")), "{printed}");
    assert!(printed.contains("the numbers add up"), "{printed}");

    let figures = summary(out.path());
    let seconds = figures["seconds"].as_f64().expect("how long it played");
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
        // At 24 or 25 frames per second, the first one at once. A busy machine may be late, but never early.
        assert!((1..=(25.0 * seconds) as u64 + 3).contains(&decoded), "{camera}");
        assert_eq!(decoded, offered, "{camera}");
        assert_eq!(offered, published + sum(&exported["dropped"]), "{camera}");
        assert_eq!(camera["branches"][0]["frames"], decoded, "{camera}");
        let readers = exported["readers"].as_array().expect("readers");
        for reader in readers {
            assert_eq!(count(&reader["span"]), count(&reader["seen"]) + sum(&reader["missed"]), "{reader}");
            // One that holds each frame for 300 ms gets a frame as often at most, and one that wants 5 a second gets so many.
            let most = match reader["name"].as_str() {
                Some("slow") => seconds / 0.3 + 2.0,
                Some("rated") => seconds * 5.0 + 2.0,
                _ => f64::MAX,
            };
            assert!((1..=most as u64).contains(&count(&reader["seen"])), "{camera}");
        }
    }
    let names = |camera: usize| {
        let readers = cameras[camera]["exported"]["readers"].as_array().expect("readers");
        readers.iter().map(|reader| reader["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((names(0), names(1)), (vec!["brisk".into(), "slow".into()], vec!["rated".into()]));
    // What the rated reader does not want is not copied.
    let exported = &cameras[1]["exported"];
    let (published, spared) = (count(&exported["published"]), exported["dropped"]["not wanted"].as_u64().unwrap_or(0));
    assert!(published as f64 <= seconds * 5.0 + 2.0, "{exported}");
    if count(&exported["offered"]) > published + 5 {
        let line = format!("frames of sintel-captions; {spared} of the others nobody wanted");
        assert!(spared > 0 && printed.contains(&line), "{printed}");
    }
    let sheet = Picture::read_png(sheet).expect("a picture");
    let mut colors: Vec<_> = sheet.rgb().chunks_exact(3).collect();
    colors.sort_unstable();
    colors.dedup();
    assert!(colors.len() > 1000, "a film has more than {} colours", colors.len());
}

#[test]
fn off_allocates_nothing_and_starts_nothing() {
    let out = tempfile::tempdir().expect("a folder");
    let mut demo = demo(out.path(), &["--seconds", "1"]);
    let printed = succeeded(&run(demo.env("AI_FRAME_EXPORT_ENABLED", "false")));
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
    demo.env("AI_FRAME_EXPORT_ENABLED", "true").env("AI_FRAME_EXPORT_MEMORY_BUDGET", "2MiB");
    let printed = succeeded(&run(&mut demo));
    assert!(printed.contains("bigbuckbunny: there was no memory for "), "{printed}");
    let figures = summary(out.path());
    let [large, small] = [0, 1].map(|n| &figures["cameras"][n]);
    let exported = &large["exported"];
    assert_eq!((&exported["offered"], &exported["published"]), (&large["decoded"], &0.into()), "{large}");
    assert!(exported["dropped"]["suspended"].as_u64() >= Some(1), "{large}");
    assert!(small["exported"]["published"].as_u64() >= Some(1), "{small}");
}

#[test]
fn ctrl_c_ends_it_with_its_summary() {
    let out = tempfile::tempdir().expect("a folder");
    // Far longer than anybody waits for its end here.
    let child = demo(out.path(), &["--seconds", "36000"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the host runs");
    // It tells of each second. Once all readers have seen something, what it tells is only taken from the pipe.
    let mut told = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains(" s: ") || line.contains("seen 0 by") || line.contains("and 0 by") {
        line.clear();
        assert!(told.read_line(&mut line).expect("it tells how it goes") > 0, "it ended");
    }
    let draining = thread::spawn(move || told.lines().for_each(drop));
    interrupt(&child);
    let printed = succeeded(&ended(child));
    draining.join().expect("it was read");
    assert!(printed.contains("the numbers add up"), "{printed}");
    assert!(out.path().join("summary.json").exists() && out.path().join("contact-sheet.png").exists());
}

#[test]
fn branches_get_the_same_with_and_without_export() {
    let accounts = ["true", "false"].map(|enabled| {
        let mut host = host();
        host.args(["play", "--fast", "--passes", "2"]).args(["bigbuckbunny.mp4", "sintel-captions.ts"].map(clip));
        let output = run(host.env("AI_FRAME_EXPORT_ENABLED", enabled));
        let figures: Value = serde_json::from_str(&succeeded(&output)).expect("JSON");
        [0, 1].map(|n| figures["cameras"][n]["branches"].clone())
    });
    assert_eq!(accounts[0], accounts[1]);
    assert_eq!([0, 1].map(|n| accounts[0][n][0]["frames"].as_u64()), [Some(2 * 132), Some(2 * 240)]);
}

/// Whatever the environment says of export, with export off and on: the branches get the same, and the host ends well.
#[test]
fn settings_never_change_what_branches_get() {
    let account = |vars: &[(&str, &str)]| {
        let mut host = host();
        host.args(["play", "--fast", "--passes", "1"]).arg(clip("sintel-captions.ts"));
        let output = run(host.envs(vars.iter().map(|(name, value)| (format!("AI_FRAME_EXPORT_{name}"), value))));
        let figures: Value = serde_json::from_str(&succeeded(&output)).expect("JSON");
        (figures["cameras"][0]["branches"].clone(), figures["export"]["state"].clone())
    };
    let (branches, state) = account(&[]);
    assert_eq!((branches[0]["frames"].as_u64(), state), (Some(240), "off".into()));
    // Ours with a wrong value turn export off, foreign ones change nothing.
    let wrong =
        [("ENABLED", "maybe"), ("DEPTH", "0"), ("MAX_READERS", "32"), ("READER_LEASES", " 1"), ("COPY", "fast")];
    let foreign = [("SERVICE_HOST", "10.0.0.1"), ("PORT", "tcp://10.0.0.1:80"), ("enabled", "true"), ("", "")];
    for (name, value) in wrong {
        for enabled in ["true", "false"] {
            let vars = [("ENABLED", enabled), (name, value)];
            assert_eq!(account(&vars), (branches.clone(), "off".into()), "{vars:?}");
        }
    }
    for (enabled, state) in [("true", "on"), ("false", "off")] {
        let mut vars = vec![("ENABLED", enabled)];
        vars.extend(foreign);
        assert_eq!(account(&vars), (branches.clone(), state.into()), "{vars:?}");
    }
    // A budget that no camera fits into, and a reserve that there is not.
    for small in [("MEMORY_BUDGET", "512"), ("MEMORY_RESERVE", "1000000GiB")] {
        assert_eq!(account(&[("ENABLED", "true"), small]), (branches.clone(), "on".into()), "{small:?}");
    }
}

/// The cameras of a demo of two seconds, and what it printed.
fn played(films: &[&Path]) -> (Value, String) {
    let out = tempfile::tempdir().expect("a folder");
    let output = run(demo(out.path(), &["--seconds", "2"]).args(films));
    let printed = succeeded(&output);
    assert!(printed.contains("the numbers add up"), "{printed}");
    (summary(out.path())["cameras"].clone(), printed)
}

#[test]
fn formats_that_are_not_drawn_are_named_and_no_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let film =
        |name, format| film(folder.path(), name, "rate=25:duration=0.5", &["-pix_fmt", format, "-c:v", "rawvideo"]);
    let (drawn, undrawn) = (film("drawn.nut", "uyvy422"), film("undrawn.nut", "xyz12le"));
    let (_, printed) = played(&[&drawn, &undrawn]);
    assert!(printed.contains("contact sheet: /"), "{printed}");
    let lines: Vec<_> = printed.lines().filter(|line| line.contains("pixel format")).collect();
    let [line] = lines[..] else { panic!("once and no more: {printed}") };
    assert!(line.starts_with("not on the contact sheet: undrawn: no picture of pixel format 'xyz12le'"), "{line}");
    let (_, printed) = played(&[&undrawn]);
    assert!(printed.contains("contact sheet: none\nnot on the contact sheet: undrawn: "), "{printed}");
}

/// Files whose times start anew in their midst, which have no times, or which have seconds between their frames.
#[test]
fn every_file_plays_at_its_own_pace() {
    let folder = tempfile::tempdir().expect("a folder");
    let short = "rate=25:duration=0.4";
    let part = film(folder.path(), "part.ts", short, &["-c:v", "libx264", "-bf", "0"]);
    let (anew, part) = (folder.path().join("anew.ts"), std::fs::read(part).expect("made"));
    std::fs::write(&anew, part.repeat(12)).expect("written");
    let raw = film(folder.path(), "raw.h264", short, &["-c:v", "libx264"]);
    let single = film(folder.path(), "single.png", short, &["-frames:v", "1"]);
    let seldom = film(folder.path(), "seldom.mp4", "rate=0.5:duration=20", &["-c:v", "libx264"]);
    let films = [(&anew, 25.0), (&raw, 25.0), (&single, 25.0), (&seldom, 0.5)];
    let out = tempfile::tempdir().expect("a folder");
    succeeded(&run(demo(out.path(), &["--seconds", "2"]).args(films.map(|(film, _)| film))));
    let figures = summary(out.path());
    let seconds = figures["seconds"].as_f64().expect("how long it played");
    for (n, (film, rate)) in films.into_iter().enumerate() {
        let decoded = figures["cameras"][n]["decoded"].as_u64().expect("a count");
        // What the decoder holds back comes at the end at once. A busy machine may be late, but never early.
        let most = (rate * seconds) as u64 + 6;
        assert!((1..=most).contains(&decoded), "{}: {decoded} frames in {seconds:.2} s", film.display());
    }
}
