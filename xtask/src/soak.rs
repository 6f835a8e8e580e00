//! `cargo xtask soak`: cameras for long, with readers good and bad, and every promise counted at the end.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::packages::Group;
use crate::process::{run, target_dir};
use crate::program::Program;
use crate::setup;

const PROGRAM: Program = Program { package: "vas-host", target: ["--bin", "soak"] };

/// Play four cameras for long, with restarts, changes of size and hostile readers, and check every promise.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// At least so many minutes; 5 when not given.
    #[arg(long, value_name = "N")]
    minutes: Option<OsString>,
    /// At least so many frames of each camera, however long that takes.
    #[arg(long, value_name = "N")]
    frames: Option<OsString>,
    /// The seed that another run printed, to repeat its course.
    #[arg(long, value_name = "S")]
    seed: Option<OsString>,
    /// The folder for the report; target/soak of this repository when not given.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn soak(args: &Args) -> Result<()> {
    setup::ensure(&[Group::Build])?;
    PROGRAM.build("the soak test")?;
    run(&mut program(args, &env::current_dir()?))
}

/// The program, with paths relative to where the user stands.
fn program(args: &Args, here: &Path) -> Command {
    let mut program = PROGRAM.cargo("run");
    let out = args.out.as_ref().map_or_else(|| target_dir("soak"), |out| here.join(out));
    program.arg("--").arg("--out").arg(out);
    for (option, value) in [("--minutes", &args.minutes), ("--frames", &args.frames), ("--seed", &args.seed)] {
        if let Some(value) = value {
            program.arg(option).arg(value);
        }
    }
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_dashes(args: &Args) -> Vec<String> {
        let program = program(args, Path::new("/here"));
        let words = program.get_args().map(|word| word.to_string_lossy().into_owned());
        words.skip_while(|word| word != "--").skip(1).collect()
    }

    #[test]
    fn arguments_reach_the_program() {
        let words = after_dashes(&Args::default());
        assert!(words.len() == 2 && words[1].ends_with("/soak"), "{words:?}");
        let some = |text: &str| Some(text.into());
        let args = Args { minutes: some("2"), frames: some("9"), seed: some("7"), out: Some("there".into()) };
        let expected = ["--out", "/here/there", "--minutes", "2", "--frames", "9", "--seed", "7"];
        assert_eq!(after_dashes(&args), expected);
    }
}
