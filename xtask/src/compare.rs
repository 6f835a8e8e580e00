//! `cargo xtask compare`: the ring beside what people use today.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::packages::Group;
use crate::process::{run, target_dir};
use crate::program::Program;
use crate::setup;

const PROGRAM: Program = Program { package: "vas-benches", target: ["--bin", "compare"] };

/// Compare the ring with what people use today: tables, and a plot.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// A short pass that checks every contender; its times are not to be used.
    #[arg(long)]
    quick: bool,
    /// The folder for the report.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only these questions, for instance 1,3.
    #[arg(long, value_name = "N")]
    only: Option<OsString>,
}

impl Args {
    /// `--quick`, for ci.
    pub(crate) const QUICK: Self = Self { quick: true, out: None, only: None };
}

/// Builds the program that compares, and runs it.
pub(crate) fn compare(args: &Args) -> Result<()> {
    setup::ensure(&[Group::Build, Group::Tools])?;
    PROGRAM.build("the comparison")?;
    run(&mut program(args, &env::current_dir()?))
}

/// The program, with paths relative to where the user stands.
fn program(args: &Args, here: &Path) -> Command {
    let mut program = PROGRAM.cargo("run");
    let out = args.out.as_ref().map_or_else(|| target_dir("compare"), |out| here.join(out));
    program.arg("--").arg("--out").arg(out);
    if args.quick {
        program.arg("--quick");
    }
    if let Some(only) = &args.only {
        program.arg("--only").arg(only);
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
        let words = after_dashes(&Args { quick: true, ..Args::default() });
        assert_eq!((words[0].as_str(), &words[2..]), ("--out", &["--quick".to_owned()][..]));
        assert!(words[1].ends_with("/compare"), "{words:?}");
        let args = Args { quick: false, out: Some("there".into()), only: Some("1,3".into()) };
        assert_eq!(after_dashes(&args), ["--out", "/here/there", "--only", "1,3"]);
    }
}
