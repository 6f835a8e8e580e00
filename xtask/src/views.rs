//! `cargo xtask views`: the slot protocol explored under weak memory, and changes of it that have to be found.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::process::{cargo, run};

/// Explore the ring's slot protocol under weak memory, and find what would be wrong with it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The larger sizes as well, which take half an hour and up to 8 GiB.
    #[arg(long)]
    full: bool,
    /// Only the sizes and changes with this in their line.
    filter: Option<String>,
}

/// What fits into a minute.
pub(crate) const QUICK: Args = Args { full: false, filter: None };

pub(crate) fn views(args: &Args) -> Result<()> {
    let mut command = cargo();
    // Released: it is a hundred times as fast.
    command.args(["run", "--release", "--package", "vas-ring-views", "--"]);
    command.args(args.full.then_some("--full")).args(&args.filter);
    let start = Instant::now();
    run(&mut command).context("views: what the lines above say is not as it should be")?;
    eprintln!("views: all as it should be; {:.1} s with the build", start.elapsed().as_secs_f64());
    Ok(())
}
