//! What the tests of the host share.

#![allow(dead_code, reason = "each test uses some of it")]

use std::env;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// When a program that does not end is given up. It says nothing about how long one may take.
const LIMIT: Duration = Duration::from_secs(300);

/// A film of FFmpeg's moving test picture in `folder`, 320x180 at 25 frames a second unless `source` says otherwise, made with
/// these options.
pub(crate) fn film(folder: &Path, name: &str, source: &str, options: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let source = format!("testsrc2=size=320x180:{source}");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", &source]).args(options).arg(&path);
    let output = run(&mut ffmpeg);
    assert!(output.status.success(), "{name}: {}", text(&output).1);
    path
}

/// The program `host`, in an environment without settings.
pub(crate) fn host() -> Command {
    without_settings(env!("CARGO_BIN_EXE_host"))
}

/// The program `soak`, in the same.
#[cfg(feature = "export")]
pub(crate) fn soak() -> Command {
    without_settings(env!("CARGO_BIN_EXE_soak"))
}

fn without_settings(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AI_FRAME_EXPORT_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(command.spawn().expect("the program runs"))
}

/// What a program with piped output printed, once it has ended.
///
/// # Panics
///
/// When it has not ended after five minutes; it is killed then.
pub(crate) fn ended(mut child: Child) -> Output {
    let reading = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut bytes).expect("its output is read"));
            bytes
        })
    };
    let stdout = reading(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = reading(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break status;
        }
        if start.elapsed() > LIMIT {
            child.kill().expect("it can be killed");
            panic!("the program has not ended after {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(5));
    };
    let joined = |reading: thread::JoinHandle<Vec<u8>>| reading.join().expect("its output was read");
    Output { status, stdout: joined(stdout), stderr: joined(stderr) }
}

/// Has a program end as Ctrl-C does.
pub(crate) fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).expect("it runs");
}

/// What a program printed: standard output, then standard error.
pub(crate) fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}
