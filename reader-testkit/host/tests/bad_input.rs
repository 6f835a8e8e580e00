//! What the host says to bad input: one line that names the input and the reason, and exit status 1.

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use support::{host, run, text};
use vas_host::clips::clip;

/// Runs the demo on `input`, and checks that it ends with one line that holds all of `words`.
fn refused(input: &str, words: &[&str]) {
    let out = tempfile::tempdir().expect("a folder");
    let mut host = host();
    host.args(["demo", "--seconds", "2", "--timeout", "1", "--out"]).arg(out.path()).arg("--").arg(input);
    let output = run(&mut host);
    let (printed, complained) = text(&output);
    assert_eq!(output.status.code(), Some(1), "{input}: {complained}");
    assert_eq!((&*printed, complained.lines().count()), ("", 1), "{input}: {complained}");
    for word in [&[input], words].concat() {
        assert!(complained.contains(word), "{input}: no '{word}' in: {complained}");
    }
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn files_that_are_not_there_or_not_video() {
    let folder = tempfile::tempdir().expect("a folder");
    refused("no/such/file.mp4", &["No such file"]);
    // A colon is no protocol in a file's name.
    refused("no:such.mp4", &["No such file"]);
    refused(folder.path().to_str().expect("UTF-8"), &["directory"]);
    refused(&file(folder.path(), "empty.mp4", b""), &["broken"]);
    refused(&file(folder.path(), "text.mp4", b"This is no film.\n"), &["not a video"]);
}

#[test]
fn broken_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let film = fs::read(clip("bigbuckbunny.mp4")).expect("the clip");
    // Its index is at the end.
    refused(&file(folder.path(), "cut.mp4", &film[..film.len() / 2]), &["broken"]);
    // The slices of all pictures are overwritten, and the parameter sets in the index left as they are.
    let mut noise = film.clone();
    // The film's data ends where an empty box of data begins, before the index.
    let boxes: Vec<_> = film.windows(4).enumerate().filter(|(_, name)| name == b"mdat").map(|(at, _)| at).collect();
    let [data, empty] = boxes[..] else { panic!("boxes of data at {boxes:?}") };
    noise[data + 4..empty - 4].fill(0xff);
    refused(&file(folder.path(), "noise.mp4", &noise), &["not one frame"]);
}

#[test]
fn a_file_with_sound_alone() {
    // One second of silence: 8-bit samples at 8 kHz.
    let mut sound =
        b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0".to_vec();
    sound.resize(sound.len() + 8000, 0x80);
    let folder = tempfile::tempdir().expect("a folder");
    refused(&file(folder.path(), "sound.wav", &sound), &["has no video"]);
}

#[test]
fn urls_that_are_refused_or_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    // It takes the call, and says nothing.
    refused(&format!("rtsp://127.0.0.1:{port}/camera"), &["has said nothing for 1 s"]);
    drop(listener);
    refused(&format!("rtsp://127.0.0.1:{port}/camera"), &["Connection refused"]);
    refused("http://127.0.0.1/film.mp4", &["http://", "neither a file nor an rtsp:// URL"]);
}

#[test]
fn every_bad_input_among_good_ones_is_named() {
    let good = clip("sintel-captions.ts");
    let output = run(host().args(["demo", "one.mp4"]).arg(&good).arg("two.mp4"));
    let (_, complained) = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(complained.contains("one.mp4: No such") && complained.contains("two.mp4: No such"), "{complained}");
    assert!(!complained.contains("sintel"), "{complained}");
}

/// A setting of export is not the host's: export is off and told, and the film plays.
#[test]
fn settings_that_are_not_accepted() {
    for (name, value, accepted) in [("ENABLED", "maybe", "\"true\" or \"false\""), ("DEPTH", "99", "1 to 32")] {
        let name = format!("AI_FRAME_EXPORT_{name}");
        let out = tempfile::tempdir().expect("a folder");
        let mut host = host();
        host.args(["demo", "--seconds", "1", "--out"]).arg(out.path()).env(&name, value);
        let output = run(&mut host);
        let (_, complained) = text(&output);
        assert_eq!(output.status.code(), Some(0), "{complained}");
        let told: Vec<_> = complained.lines().filter(|line| line.contains(&name)).collect();
        assert_eq!(told.len(), 1, "told once: {complained}");
        for word in [value, accepted, "frame export is off"] {
            assert!(told[0].contains(word), "no '{word}' in: {complained}");
        }
    }
}
