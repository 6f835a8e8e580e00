//! `cargo xtask deny`: licences, duplicate versions, sources and known flaws of all dependencies.

use anyhow::{Context, Result, bail, ensure};

use crate::process::{cannot_start, run};
use crate::tools::Tool;

const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
const RULES: &str = "xtask/deny.toml";

/// Check the licences, versions, sources and known flaws of all dependencies.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fail when the database of known flaws cannot be had, instead of going on without.
    #[arg(long)]
    advisories: bool,
}

pub(crate) fn deny(args: &Args) -> Result<()> {
    let checks = |network: &str, which: &[&str]| -> Result<()> {
        let mut deny = DENY.command()?;
        deny.args([network, "--config", RULES, "check", "--hide-inclusion-graph"]).args(which);
        run(&mut deny).with_context(|| format!("the rules are in {RULES}"))
    };
    checks("--locked", &["bans", "licenses", "sources"])?;
    match cannot_fetch()? {
        None => checks("--frozen", &["advisories"]),
        Some(why) if args.advisories => bail!("known flaws were not looked for: {why}"),
        Some(why) => {
            eprintln!("warning: known flaws and yanked versions were NOT looked for: {why}");
            Ok(())
        }
    }
}

/// Fetches the database of known flaws. Why that cannot be done, if it cannot.
fn cannot_fetch() -> Result<Option<String>> {
    let mut fetch = DENY.command()?;
    fetch.args(["--config", RULES, "fetch", "db"]);
    let output = fetch.output().with_context(|| cannot_start(&fetch))?;
    if output.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // A mistake in the rules is not a network that is down.
    ensure!(said.contains("failed to fetch"), "`cargo deny fetch` failed: {}", said.trim());
    Ok(Some(reason(&said)))
}

/// The last line that says something: what was tried comes first.
fn reason(said: &str) -> String {
    said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it does not say why").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_comes_last() {
        let said = "[ERROR] failed to fetch database: failed to clone\nCloning into 'db'...\nfatal: no such host\n\n";
        assert_eq!(reason(said), "fatal: no such host");
        assert_eq!(reason(""), "it does not say why");
    }
}
