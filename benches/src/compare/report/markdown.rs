//! The report to read.

use std::fmt::Write as _;

use super::{Report, Table};
use crate::compare::contender::Kind;

impl Report {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from("# The frame ring beside what people use today\n\n");
        let line = |text: &mut String, line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        line(&mut text, &self.machine.sentence());
        line(&mut text, "");
        if self.quick {
            line(&mut text, "A quick pass, to see that everything works. **Its times are not to be used.**\n");
        }
        line(
            &mut text,
            "Made by `cargo xtask compare`. Contenders take turns in one process; only ratios are to be read.",
        );
        line(
            &mut text,
            "Ours is in bold; *limits* copy, and do no more than they must; those with a ° keep the newest frame only, and \
             the *best peer* is the best of those that do the whole job.\n",
        );
        if !self.faults.is_empty() {
            line(&mut text, "## Faults\n");
            for fault in &self.faults {
                line(&mut text, &format!("- {fault}"));
            }
            line(&mut text, "");
        }
        line(&mut text, "## Targets\n");
        line(&mut text, "| target | at most | is | |\n|---|---:|---:|---|");
        for target in &self.targets {
            let met = match target.is_met() {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "not measured",
            };
            let is = target.is.map_or_else(|| "-".to_owned(), digits);
            line(
                &mut text,
                &format!("| {} | {} {} | {is} | {met} |", target.what, digits(target.at_most), target.unit),
            );
        }
        line(&mut text, "\nWhat contenders do less than the job, or otherwise:\n");
        for (contender, short_of) in &self.short_of {
            line(&mut text, &format!("- {contender}: {short_of}"));
        }
        for section in &self.sections {
            line(&mut text, &format!("\n## {}. {}", section.number, section.question));
            for note in &section.notes {
                line(&mut text, &format!("\n{note}"));
            }
            for table in &section.tables {
                text.push_str(&table.markdown());
            }
        }
        text
    }
}

impl Table {
    fn markdown(&self) -> String {
        let mut text = format!("\n### {}\n\n| |", self.title);
        for column in &self.columns {
            // Writing to a string does not fail; nor below.
            _ = write!(text, " {column} |");
        }
        text.push_str("\n|---|");
        text.push_str(&"---:|".repeat(self.columns.len()));
        text.push('\n');
        for row in &self.rows {
            let name = match row.kind {
                Kind::Ours => format!("**{}**", row.contender),
                Kind::Peer => row.contender.to_owned(),
                Kind::Partial => format!("{} °", row.contender),
                Kind::Limit => format!("*{}*", row.contender),
            };
            _ = write!(text, "| {name} |");
            for value in &row.values {
                _ = write!(text, " {} |", value.map_or_else(|| "-".to_owned(), digits));
            }
            text.push('\n');
        }
        if !self.absent.is_empty() {
            let absent: Vec<_> = self.absent.iter().map(|(name, reason)| format!("{name} ({reason})")).collect();
            _ = writeln!(text, "\nNot in this table: {}.", absent.join("; "));
        }
        text
    }
}

/// Three digits, or more where they stand before the point.
pub(super) fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size.fract() == 0.0 && size < 1e15 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.5}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table() {
        let mut table = super::super::tests::table();
        table.absent.push(("other", "has one reader".into()));
        let text = table.markdown();
        assert!(text.contains("| | p50 us |\n|---|---:|\n| **ours** | 3 |\n| slow | 12 |"), "{text}");
        assert!(text.contains("| none | - |\n| part ° | 4 |\n| *copy* | 2 |"), "{text}");
        assert!(text.contains("Not in this table: other (has one reader)."), "{text}");
    }

    #[test]
    fn digits_are_few() {
        let shown = [0.0, 0.00042, 0.25, 7.125, 45.67, 1234.5, 3.0].map(digits);
        assert_eq!(shown, ["0", "0.00042", "0.250", "7.125", "45.7", "1234", "3"]);
    }
}
