//! That the criteria can fail: what a tap must not do is done in the host beside the tap, one thing after the other.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::verdict::{Outcome, Report, Row};
use super::{Bench, Form, PARTS};

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saboteur {
    Sleep,
    Stall,
    Write,
    Keep,
    Leak,
    Open,
    Thread,
    Drop,
}

impl Saboteur {
    const ALL: [Self; 8] =
        [Self::Sleep, Self::Stall, Self::Write, Self::Keep, Self::Leak, Self::Open, Self::Thread, Self::Drop];

    /// As the host knows it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Stall => "stall",
            Self::Write => "write",
            Self::Keep => "keep",
            Self::Leak => "leak",
            Self::Open => "open",
            Self::Thread => "thread",
            Self::Drop => "drop",
        }
    }

    const fn does(self) -> &'static str {
        match self {
            Self::Sleep => "sleeps for 0.5 ms with each frame",
            Self::Stall => "sleeps for 50 ms with one frame of 100",
            Self::Write => "changes one byte of one frame of 100",
            Self::Keep => "keeps references to the last 8 frames",
            Self::Leak => "loses 2 KiB with each frame",
            Self::Open => "opens a file",
            Self::Thread => "starts a thread",
            Self::Drop => "keeps one frame of 100 from the recording",
        }
    }

    /// The criteria that have to find it. The second is one that looks elsewhere: with MediaSoup, with hostile readers, under
    /// load, when cameras come back.
    const fn criteria(self) -> &'static [u8] {
        match self {
            Self::Sleep | Self::Stall => &[5],
            Self::Write => &[1, 3],
            Self::Keep | Self::Leak => &[6],
            Self::Open => &[8],
            Self::Thread => &[7, 8],
            Self::Drop => &[1, 2, 4],
        }
    }
}

/// Runs the criteria without a saboteur, which they have to pass, and then with each. One that is not found is an error.
pub(super) fn run(bench: &mut Bench) -> Result<()> {
    let start = Instant::now();
    let asked_for = bench.wanted.clone();
    let of = |saboteur: Saboteur| {
        saboteur.criteria().iter().copied().filter(|number| asked_for.contains(number)).collect::<Vec<_>>()
    };
    let mut criteria = Saboteur::ALL.map(of).concat();
    criteria.sort_unstable();
    criteria.dedup();
    let without = judged(bench, None, &criteria)?;
    print!("{without}");
    ensure!(without.failed().is_empty(), "without a saboteur criterion {} failed by itself", without.failed());

    let mut unfound = Vec::new();
    let mut lines = Vec::new();
    for saboteur in Saboteur::ALL {
        let report = judged(bench, Some(saboteur), &of(saboteur))?;
        for criterion in &report.criteria {
            let line = format!("{:<8}{:<46}criterion {}", saboteur.name(), saboteur.does(), criterion.number);
            let found = match criterion.failure() {
                Some(Row { what, figure, target, .. }) => format!("{what}: {figure} ({target})"),
                None if criterion.outcome() == Outcome::NotRun => "not run".into(),
                None => {
                    unfound.push(format!("{} by {}", saboteur.name(), criterion.number));
                    print!("{report}");
                    "DOES NOT FIND IT".into()
                }
            };
            eprintln!("{line}: {found}");
            lines.push(format!("{line}: {found}"));
        }
    }
    println!("\n{}\n\n{:.0} s", lines.join("\n"), start.elapsed().as_secs_f64());
    ensure!(unfound.is_empty(), "not found: {}", unfound.join(", "));
    Ok(())
}

/// Some of the criteria, with a saboteur or without. A part that breaks off has found nothing.
fn judged(bench: &mut Bench, saboteur: Option<Saboteur>, criteria: &[u8]) -> Result<Report> {
    bench.form = Form::Saboteur(saboteur);
    bench.wanted = criteria.to_vec();
    let mut report = Report::new(true);
    let start = Instant::now();
    for (numbers, part) in PARTS {
        let wanted: Vec<_> = numbers.iter().copied().filter(|number| criteria.contains(number)).collect();
        if !wanted.is_empty() {
            let began = Instant::now();
            let found = part(bench)?;
            report.add(&wanted, Ok(found), began.elapsed());
        }
    }
    report.finish(start.elapsed());
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::process::root;

    #[test]
    fn the_host_knows_each_of_them() {
        let host = fs::read_to_string(root().join("reader-testkit/host/src/branch/sabotage.rs")).unwrap();
        let (_, variants) = host.split_once("enum Sabotage {\n").expect("it has them");
        let variants = variants.lines().take_while(|line| *line != "}").map(str::trim);
        let variants: Vec<_> = variants.filter(|line| !line.starts_with("///")).collect();
        assert_eq!(variants, Saboteur::ALL.map(|saboteur| format!("{saboteur:?},")));
        for saboteur in Saboteur::ALL {
            assert_eq!(format!("{saboteur:?}").to_lowercase(), saboteur.name());
        }
    }
}
