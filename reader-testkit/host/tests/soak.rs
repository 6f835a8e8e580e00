//! The soak test, for seconds: that it passes, and that it finds what is done wrong on purpose.

mod support;

use std::path::Path;

use serde_json::Value;
use support::text;

/// Plays for a moment. Returns whether it succeeded, what it printed, and its figures.
fn soak(out: &Path, args: &[&str]) -> (bool, String, Value) {
    let mut soak = support::soak();
    soak.args(["--minutes", "0.01", "--frames", "250", "--seed", "7", "--out"]).arg(out).args(args);
    let output = support::run(&mut soak);
    let (printed, complained) = text(&output);
    let figures = std::fs::read(out.join("soak.json")).expect("its figures are there");
    (output.status.success(), printed + &complained, serde_json::from_slice(&figures).expect("they are JSON"))
}

/// The promises that were broken.
fn broken(figures: &Value) -> Vec<&str> {
    let promises = figures["promises"].as_array().expect("promises");
    let broken = promises.iter().filter(|promise| promise["kept"] == false);
    broken.map(|promise| promise["promise"].as_str().expect("words")).collect()
}

#[test]
fn a_sound_run_keeps_every_promise() {
    let out = tempfile::tempdir().expect("a folder");
    let (sound, printed, figures) = soak(out.path(), &[]);
    assert!(sound, "{printed}");
    assert!(printed.starts_with("seed 7\n"), "{printed}");
    assert_eq!(broken(&figures), [""; 0]);
    let cameras = figures["cameras"].as_array().expect("cameras");
    assert_eq!(cameras.len(), 4);
    for camera in cameras {
        assert!(camera["offered"].as_u64() >= Some(250), "{camera}");
        let readers = if camera["camera"] == "hall" { 2 } else { 8 };
        assert_eq!(camera["readers"].as_array().map(Vec::len), Some(readers));
    }
}

/// As a busy machine does it now and then.
#[test]
fn a_run_that_ends_while_a_camera_opens_a_clip_has_no_fault() {
    let out = tempfile::tempdir().expect("a folder");
    let (_, printed, figures) = soak(out.path(), &["--sabotage", "stop", "--minutes", "5"]);
    assert_eq!(figures["faults"], serde_json::json!([]), "{printed}");
    assert!(broken(&figures).contains(&"the run went on to its end"), "{printed}");
}

#[test]
fn what_is_done_wrong_is_found() {
    let wrong = [
        ("torn", "no frame is torn"),
        ("loss", "every frame is counted"),
        ("leak", "a leak costs its lease and no more"),
        ("growth", "resident memory is flat"),
    ];
    for (sabotage, promise) in wrong {
        let out = tempfile::tempdir().expect("a folder");
        // Memory has to grow for a while before that is seen.
        let minutes: &[&str] = if sabotage == "growth" { &["--frames", "1", "--minutes", "0.15"] } else { &[] };
        let (sound, printed, figures) = soak(out.path(), &[&["--sabotage", sabotage], minutes].concat());
        assert!(!sound && broken(&figures).contains(&promise), "{sabotage}: {printed}");
    }
}
