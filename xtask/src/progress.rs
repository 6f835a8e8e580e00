//! What shows while something takes long.

use std::io::{Write as _, stderr};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::process::{cannot_start, shown};

/// A spinner with the time that has passed; it draws nothing before its first tick, nor where there is no terminal.
pub(crate) fn spinner(what: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} {msg}, {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style).with_message(what.to_owned())
}

/// Starts the spinner.
pub(crate) fn spin(spinner: &ProgressBar) {
    spinner.enable_steady_tick(Duration::from_millis(100));
}

/// Runs a command behind a spinner; its output shows only when it fails.
pub(crate) fn quietly(what: &str, command: &mut Command) -> Result<()> {
    let spinner = spinner(what);
    spin(&spinner);
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command));
    spinner.finish_and_clear();
    let output = output?;
    if !output.status.success() {
        stderr().write_all(&output.stdout)?;
        stderr().write_all(&output.stderr)?;
    }
    ensure!(output.status.success(), "`{}` failed ({}), for the reason above", shown(command), output.status);
    Ok(())
}
