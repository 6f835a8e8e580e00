//! `cargo xtask demo`: real film, two cameras, and readers that borrow the frames.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Error, Result};

use crate::packages::Group;
use crate::process::cannot_start;
use crate::program::Program;
use crate::setup;

/// Play cameras through the ring, and show what the readers get.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Files or rtsp:// URLs, one camera each; two clips of this repository when there are none.
    inputs: Vec<OsString>,
    /// How long to play.
    #[arg(long, value_name = "N")]
    seconds: Option<OsString>,
    /// The folder for the summary and the contact sheet.
    #[arg(long, value_name = "DIR")]
    out: Option<OsString>,
}

impl Args {
    /// The clips of this repository, for so long.
    pub(crate) fn clips_for(seconds: u32) -> Self {
        Self { seconds: Some(seconds.to_string().into()), ..Self::default() }
    }
}

/// Becomes the host. xtask is out of the way then: Ctrl-C, the exit status and the last word are the host's.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut host = built_host(args)?;
    // Paths among the arguments are relative to where the user stands, not to the workspace.
    host.current_dir(env::current_dir()?);
    let error = host.exec();
    Err(Error::new(error).context(cannot_start(&host)))
}

/// Builds the host, and returns the command that runs it.
pub(crate) fn built_host(args: &Args) -> Result<Command> {
    setup::ensure(&[Group::Build])?;
    Program::HOST.build("the demo")?;
    Ok(host(args))
}

fn host(args: &Args) -> Command {
    let mut host = Program::HOST.cargo("run");
    host.args(["--", "demo"]);
    for (option, value) in [("--seconds", &args.seconds), ("--out", &args.out)] {
        if let Some(value) = value {
            host.arg(option).arg(value);
        }
    }
    // After `--`, so that an input may begin with a dash.
    if !args.inputs.is_empty() {
        host.arg("--").args(&args.inputs);
    }
    host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_demo(args: &Args) -> Vec<String> {
        let host = host(args);
        let words = host.get_args().map(|word| word.to_string_lossy().into_owned());
        words.skip_while(|word| word != "demo").skip(1).collect()
    }

    #[test]
    fn arguments_reach_the_host() {
        assert!(after_demo(&Args::default()).is_empty());
        assert_eq!(after_demo(&Args::clips_for(3)), ["--seconds", "3"]);
        let args = Args {
            inputs: vec!["a.mp4".into(), "-b.ts".into()],
            seconds: Some("5".into()),
            out: Some("sheets".into()),
        };
        assert_eq!(after_demo(&args), ["--seconds", "5", "--out", "sheets", "--", "a.mp4", "-b.ts"]);
    }
}
