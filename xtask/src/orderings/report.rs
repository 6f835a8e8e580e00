//! The table of what was changed and which model noticed.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::mutants::Mutant;
use crate::process::target_dir;

/// One mutant and what became of it.
pub(super) struct Trial {
    pub(super) mutant: Mutant,
    pub(super) outcome: Outcome,
    /// For all models that it met.
    pub(super) time: Duration,
}

pub(super) enum Outcome {
    Killed {
        model: String,
        /// What the model said.
        why: String,
        /// Of this model alone.
        time: Duration,
    },
    Survived,
    Undecided {
        model: String,
        why: String,
    },
}

impl Trial {
    pub(super) fn is_killed(&self) -> bool {
        matches!(self.outcome, Outcome::Killed { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed { model, why, time } => {
                write!(f, "killed by {model} in {:.1} s: {why}", time.as_secs_f64())
            }
            Self::Survived => f.write_str("SURVIVED"),
            Self::Undecided { model, why } => write!(f, "UNDECIDED: {model}: {why}"),
        }
    }
}

/// The table, aligned.
pub(super) fn markdown(trials: &[Trial]) -> String {
    let head = ["where", "function", "change", "killed by", "which says", "s"].map(str::to_owned);
    let rows: Vec<_> = [head].into_iter().chain(trials.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut table = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} ")).collect();
        table += &format!("|{}|\n", cells.join("|"));
        if index == 0 {
            let rules: Vec<_> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
            table += &format!("|{}|\n", rules.join("|"));
        }
    }
    table
}

fn row(trial: &Trial) -> [String; 6] {
    let Mutant { file, line, function, change, .. } = &trial.mutant;
    let (model, why) = match &trial.outcome {
        Outcome::Killed { model, why, .. } => (model.clone(), why.clone()),
        Outcome::Survived => ("SURVIVED".into(), String::new()),
        Outcome::Undecided { model, why } => (format!("UNDECIDED: {model}"), why.clone()),
    };
    let seconds = format!("{:.1}", trial.time.as_secs_f64());
    // A panic's message may hold anything.
    [format!("{file}:{line}"), function.clone(), change.clone(), model, shortened(&why), seconds]
        .map(|cell| cell.replace('|', "/"))
}

fn shortened(text: &str) -> String {
    const MOST: usize = 72;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= MOST { text } else { text.chars().take(MOST - 3).chain("...".chars()).collect() }
}

/// Writes the table as Markdown and as JSON. Returns where the first is.
pub(super) fn write(trials: &[Trial]) -> Result<PathBuf> {
    let dir = target_dir("orderings");
    let path = dir.join("orderings.md");
    let json = serde_json::to_string_pretty(&trials.iter().map(object).collect::<Vec<_>>())?;
    for (path, text) in [(&path, markdown(trials)), (&dir.join("orderings.json"), json)] {
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(path)
}

fn object(trial: &Trial) -> Value {
    let Mutant { file, line, function, change, .. } = &trial.mutant;
    let (outcome, model, why) = match &trial.outcome {
        Outcome::Killed { model, why, .. } => ("killed", Some(model), Some(why)),
        Outcome::Survived => ("survived", None, None),
        Outcome::Undecided { model, why } => ("undecided", Some(model), Some(why)),
    };
    json!({
        "file": file,
        "line": line,
        "function": function,
        "change": change,
        "outcome": outcome,
        "model": model,
        "why": why,
        "seconds": trial.time.as_secs_f64(),
    })
}
