//! What came of the criteria.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

/// Their names, by number.
const NAMES: [&str; 9] = [
    "Absent, off and on: identical recordings, counts and PTS",
    "RTP into MediaSoup: identical payloads, every packet to every viewer",
    "On, with hostile readers: recordings and viewers as before",
    "Under CPU load: nothing lost to recording or viewers",
    "Decode cadence, on against absent",
    "Memory: bounded by the formula, and flat",
    "Faults: killed, frozen and resized cameras",
    "Off: nothing; on: no socket, file or shared memory",
    "Removing the marked lines gives the absent build",
];

/// One criterion.
#[derive(Debug, Serialize)]
pub(crate) struct Criterion {
    pub(crate) number: u8,
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
    /// Text to show below, such as a diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    #[serde(skip)]
    pub(crate) time: Duration,
}

/// One figure.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) figure: String,
    pub(crate) target: String,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Pass,
    Fail,
    /// Nobody looked.
    NotRun,
    /// For information: there is no target, or a quick run does not judge by it.
    Told,
}

impl Outcome {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::NotRun => "not run",
            Self::Told => "",
        }
    }
}

impl Criterion {
    pub(crate) fn new(number: u8) -> Self {
        let name = NAMES[usize::from(number - 1)];
        Self { number, name, rows: Vec::new(), detail: None, time: Duration::ZERO }
    }

    /// A figure, and whether it is as it should be.
    pub(crate) fn judge(&mut self, what: impl Into<String>, figure: impl ToString, target: impl ToString, good: bool) {
        self.weigh(true, what, figure, target, good);
    }

    /// A figure that is held against its target only where that is asked for.
    pub(crate) fn weigh(
        &mut self,
        judged: bool,
        what: impl Into<String>,
        figure: impl ToString,
        target: impl ToString,
        good: bool,
    ) {
        let outcome = match (judged, good) {
            (false, _) => Outcome::Told,
            (true, true) => Outcome::Pass,
            (true, false) => Outcome::Fail,
        };
        self.row(what, figure, target, outcome);
    }

    /// A figure without a target.
    pub(crate) fn tell(&mut self, what: impl Into<String>, figure: impl ToString) {
        self.row(what, figure, "", Outcome::Told);
    }

    /// What nobody looked at, and why.
    pub(crate) fn not_run(&mut self, what: impl Into<String>, why: impl ToString) {
        self.row(what, why, "", Outcome::NotRun);
    }

    fn row(&mut self, what: impl Into<String>, figure: impl ToString, target: impl ToString, outcome: Outcome) {
        self.rows.push(Row { what: what.into(), figure: figure.to_string(), target: target.to_string(), outcome });
    }

    /// The first figure that failed.
    pub(crate) fn failure(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.outcome == Outcome::Fail)
    }

    /// Fails when one figure does, and passes only when one did.
    pub(crate) fn outcome(&self) -> Outcome {
        let any = |outcome| self.rows.iter().any(|row| row.outcome == outcome);
        match (any(Outcome::Fail), any(Outcome::Pass)) {
            (true, _) => Outcome::Fail,
            (false, true) => Outcome::Pass,
            (false, false) => Outcome::NotRun,
        }
    }
}

/// The whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) quick: bool,
    pub(crate) seconds: f64,
    pub(crate) accepted: bool,
    pub(crate) criteria: Vec<Criterion>,
}

impl Report {
    pub(crate) fn new(quick: bool) -> Self {
        Self { quick, seconds: 0.0, accepted: false, criteria: Vec::new() }
    }

    /// What a part found of the criteria that it is to judge. A part that breaks off fails them all.
    pub(crate) fn add(&mut self, numbers: &[u8], found: Result<Vec<Criterion>>, time: Duration) {
        let mut criteria = found.unwrap_or_else(|error| {
            let failed = |&number: &u8| {
                let mut criterion = Criterion::new(number);
                criterion.judge("the run itself", format!("{error:#}"), "comes to its end", false);
                criterion
            };
            numbers.iter().map(failed).collect()
        });
        for criterion in &mut criteria {
            criterion.time = time;
            eprintln!("==> {} {}: {}", criterion.number, criterion.name, criterion.outcome().name());
        }
        self.criteria.append(&mut criteria);
    }

    pub(crate) fn add_not_run(&mut self, numbers: &[u8], why: &str) {
        for &number in numbers {
            let mut criterion = Criterion::new(number);
            criterion.not_run("all of it", why);
            self.criteria.push(criterion);
        }
    }

    pub(crate) fn finish(&mut self, time: Duration) {
        self.criteria.sort_by_key(|criterion| criterion.number);
        self.seconds = time.as_secs_f64();
        self.accepted = self.failed().is_empty();
    }

    /// The numbers of what failed.
    pub(crate) fn failed(&self) -> String {
        let failed = self.criteria.iter().filter(|criterion| criterion.outcome() == Outcome::Fail);
        failed.map(|criterion| criterion.number.to_string()).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = || self.criteria.iter().flat_map(|criterion| &criterion.rows);
        let widest = |cell: fn(&Row) -> &str| rows().map(|row| cell(row).chars().count()).max().unwrap_or(0).min(60);
        let (what, figure) = (widest(|row| &row.what), widest(|row| &row.figure));
        let target = widest(|row| &row.target);
        for criterion in &self.criteria {
            writeln!(f, "\n{} {}: {}", criterion.number, criterion.name, criterion.outcome().name())?;
            for row in &criterion.rows {
                let line = format!(
                    "  {:<what$}  {:<figure$}  {:<target$}  {}",
                    row.what,
                    row.figure,
                    row.target,
                    row.outcome.name()
                );
                writeln!(f, "{}", line.trim_end())?;
            }
        }
        writeln!(f, "\n{:.0} s", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn what_was_not_run_did_not_pass() {
        let mut criterion = Criterion::new(2);
        criterion.not_run("viewers", "MediaSoup is left out");
        criterion.tell("packets", 3);
        assert_eq!(criterion.outcome(), Outcome::NotRun);
        criterion.judge("payloads", 1, 1, true);
        assert_eq!(criterion.outcome(), Outcome::Pass);
        criterion.judge("payloads", 1, 2, false);
        assert_eq!(criterion.outcome(), Outcome::Fail);
    }

    #[test]
    fn a_part_that_breaks_off_fails_all_that_it_judges() {
        let mut report = Report::new(true);
        report.add(&[3, 1], Err(anyhow!("no camera")), Duration::ZERO);
        report.add_not_run(&[2], "no time");
        report.finish(Duration::ZERO);
        assert_eq!(report.failed(), "1, 3");
        assert!(!report.accepted && report.to_string().contains("no camera"));
    }
}
