//! What comes out: tables, targets, and where and when they were made.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::contender::Kind;
use super::spread::Spread;

mod machine;
mod markdown;
mod plot;

pub use machine::Machine;

/// The column with the frames that a contender refused.
pub const REFUSED: &str = "refused";

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where and when.
    pub machine: Machine,
    /// Whether this was the short pass, whose times are not to be used.
    pub quick: bool,
    /// What contenders do less than the job, or otherwise.
    pub short_of: Vec<(&'static str, &'static str)>,
    /// Question by question.
    pub sections: Vec<Section>,
    /// What was aimed at.
    pub targets: Vec<Target>,
    /// What must not be: torn frames, failed checks.
    pub faults: Vec<String>,
}

/// One question.
#[derive(Debug, Default, Serialize)]
pub struct Section {
    /// Its number.
    pub number: u8,
    /// What it asks.
    pub question: &'static str,
    /// How it was measured, and what to know when reading the tables.
    pub notes: Vec<String>,
    /// The answers.
    pub tables: Vec<Table>,
}

/// One table.
#[derive(Debug, Serialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// What the columns after the contender's name are, with their units.
    pub columns: Vec<String>,
    /// One contender each.
    pub rows: Vec<Row>,
    /// Contenders that could not do this, and why.
    pub absent: Vec<(&'static str, String)>,
}

/// One contender's figures.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The contender's name.
    pub contender: &'static str,
    /// In which part.
    pub kind: Kind,
    /// A figure for each column, where there is one.
    pub values: Vec<Option<f64>>,
}

/// Something to reach.
#[derive(Debug, Serialize)]
pub struct Target {
    /// The figure that is to be reached.
    pub what: &'static str,
    /// At most this.
    pub at_most: f64,
    /// What it is; none when it could not be measured here.
    pub is: Option<f64>,
    /// The unit of both numbers.
    pub unit: &'static str,
}

impl Target {
    /// Whether it was reached.
    pub fn is_met(&self) -> Option<bool> {
        self.is.map(|is| is <= self.at_most)
    }
}

impl Table {
    /// With no rows yet.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
            absent: Vec::new(),
        }
    }

    /// Adds a contender's figures.
    pub fn push(&mut self, contender: &'static str, kind: Kind, values: Vec<Option<f64>>) {
        debug_assert_eq!(values.len(), self.columns.len());
        self.rows.push(Row { contender, kind, values });
    }

    /// One figure.
    pub fn value(&self, contender: &str, column: &str) -> Option<f64> {
        let column = self.columns.iter().position(|name| name == column)?;
        self.rows.iter().find(|row| row.contender == contender)?.values[column]
    }

    /// The least figure of a kind in a column, of those that refused no frame: to do less takes less time.
    pub fn best(&self, kind: Kind, column: &str) -> Option<f64> {
        let column = self.columns.iter().position(|name| name == column)?;
        let refused = self.columns.iter().position(|name| name == REFUSED);
        let did_all = |row: &&Row| refused.and_then(|refused| row.values[refused]).is_none_or(|count| count == 0.0);
        let rows = self.rows.iter().filter(|row| row.kind == kind).filter(did_all);
        rows.filter_map(|row| row.values[column]).min_by(f64::total_cmp)
    }

    /// Adds, for one column, its ratios to the best peer that does the whole job, to the best of all peers, and to the
    /// physical limit: the best of this table, or `limit`.
    pub fn add_ratios(&mut self, column: &str, limit: Option<f64>) {
        let limit = limit.or_else(|| self.best(Kind::Limit, column));
        let peer = self.best(Kind::Peer, column);
        let any = peer.into_iter().chain(self.best(Kind::Partial, column)).min_by(f64::total_cmp);
        for (name, base) in [("to best peer", peer), ("to best of any", any), ("to limit", limit)] {
            if base.is_some() {
                self.add_ratio(name, column, |_| base);
            }
        }
    }

    /// Adds a column with another's ratios to a base.
    pub fn add_ratio(&mut self, name: &str, column: &str, base: impl Fn(&Row) -> Option<f64>) {
        let Some(index) = self.columns.iter().position(|name| name == column) else { return };
        self.columns.push(name.to_owned());
        for row in &mut self.rows {
            let ratio = row.values[index].zip(base(row)).map(|(value, base)| value / base);
            row.values.push(ratio.filter(|ratio| ratio.is_finite()));
        }
    }
}

/// Median, 99th percentile and maximum in a unit of so many nanoseconds.
pub fn cells(spread: Option<Spread>, unit_ns: f64) -> Vec<Option<f64>> {
    [|s: &Spread| s.p50, |s: &Spread| s.p99, |s: &Spread| s.max]
        .map(|pick| spread.as_ref().map(|spread| pick(spread) / unit_ns))
        .to_vec()
}

impl Report {
    /// One table.
    pub fn table(&self, number: u8, title: &str) -> Option<&Table> {
        let section = self.sections.iter().find(|section| section.number == number)?;
        section.tables.iter().find(|table| table.title == title)
    }

    /// Writes `compare.md`, `compare.json` and `compare.svg`. Returns their paths.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub fn write(&self, out: &Path) -> Result<Vec<PathBuf>> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        let files = [("compare.md", self.markdown()), ("compare.json", json), ("compare.svg", plot::svg(self)?)];
        files
            .into_iter()
            .map(|(name, content)| {
                let path = out.join(name);
                fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
                Ok(path)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn table() -> Table {
        let mut table = Table::new("t", &["p50 us"]);
        table.push("ours", Kind::Ours, vec![Some(3.0)]);
        table.push("slow", Kind::Peer, vec![Some(12.0)]);
        table.push("fast", Kind::Peer, vec![Some(6.0)]);
        table.push("none", Kind::Peer, vec![None]);
        table.push("part", Kind::Partial, vec![Some(4.0)]);
        table.push("copy", Kind::Limit, vec![Some(2.0)]);
        table
    }

    #[test]
    fn who_refuses_is_not_best() {
        let mut table = Table::new("t", &["p50 us", REFUSED]);
        table.push("ours", Kind::Ours, vec![Some(3.0), Some(0.0)]);
        table.push("lazy", Kind::Peer, vec![Some(1.0), Some(5.0)]);
        table.push("busy", Kind::Peer, vec![Some(6.0), Some(0.0)]);
        table.add_ratios("p50 us", None);
        assert_eq!(table.value("ours", "to best peer"), Some(0.5));
        assert_eq!(table.columns.len(), 4, "there is no limit");
    }

    #[test]
    fn ratios_to_the_best_peer_and_the_limit() {
        let mut table = table();
        table.add_ratios("p50 us", None);
        assert_eq!(table.value("ours", "to best peer"), Some(0.5));
        assert_eq!(table.value("ours", "to best of any"), Some(0.75));
        assert_eq!(table.value("ours", "to limit"), Some(1.5));
        assert_eq!(table.value("slow", "to best peer"), Some(2.0));
        assert_eq!(table.value("none", "to limit"), None);
    }
}
