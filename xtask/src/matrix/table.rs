//! What came of it all, as a table.

use std::fmt::{self, Display};

/// What came of one row in one system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// So many tests passed.
    Passed(u64),
    /// The program found each frame to be the decoder's.
    Same,
    /// The bindings are not made for this FFmpeg.
    NotFor,
    Failed,
}

impl Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(tests) => write!(f, "{tests} passed"),
            Self::Same => f.write_str("same frames"),
            Self::NotFor => f.write_str("-"),
            Self::Failed => f.write_str("FAILED"),
        }
    }
}

/// One column for each system, one row for each thing that runs there.
#[derive(Debug)]
pub(super) struct Table {
    heads: Vec<String>,
    rows: Vec<Row>,
}

/// What it is known by, what the reader is shown, and a cell for each system.
#[derive(Debug)]
struct Row {
    name: &'static str,
    shown: String,
    cells: Vec<Option<Cell>>,
}

impl Table {
    /// A table with these rows.
    pub(super) fn new(names: impl Iterator<Item = &'static str>) -> Self {
        let rows = names.map(|name| Row { name, shown: name.to_owned(), cells: Vec::new() }).collect();
        Self { heads: Vec::new(), rows }
    }

    /// Whether it has any column.
    pub(super) fn has_systems(&self) -> bool {
        !self.heads.is_empty()
    }

    /// Begins the next column.
    pub(super) fn system(&mut self, head: String) {
        self.heads.push(head);
    }

    /// Fills in a row of the newest column.
    pub(super) fn set(&mut self, name: &str, cell: Cell) {
        let columns = self.heads.len();
        for row in self.rows.iter_mut().filter(|row| row.name == name) {
            row.cells.resize(columns, None);
            if let Some(newest) = row.cells.last_mut() {
                *newest = Some(cell.clone());
            }
        }
    }

    /// Calls a row by what is known of it by now.
    pub(super) fn show(&mut self, name: &str, shown: &str) {
        for row in self.rows.iter_mut().filter(|row| row.name == name) {
            shown.clone_into(&mut row.shown);
        }
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| |")?;
        self.heads.iter().try_for_each(|head| write!(f, " {head} |"))?;
        write!(f, "\n|---|{}", "---|".repeat(self.heads.len()))?;
        for row in &self.rows {
            write!(f, "\n| {} |", row.shown)?;
            for n in 0..self.heads.len() {
                match row.cells.get(n).and_then(Option::as_ref) {
                    Some(cell) => write!(f, " {cell} |")?,
                    None => write!(f, " |")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_columns() {
        let mut table = Table::new(["tests", "one", "two"].into_iter());
        table.system("FFmpeg 4.3".into());
        table.set("tests", Cell::Passed(72));
        table.set("one", Cell::NotFor);
        table.system("FFmpeg 9.0".into());
        table.set("two", Cell::Same);
        table.show("two", "two 2.0");
        table.set("tests", Cell::Passed(73));
        let expected = "| | FFmpeg 4.3 | FFmpeg 9.0 |\n|---|---|---|\n| tests | 72 passed | 73 passed |\n\
                        | one | - | |\n| two 2.0 | | same frames |";
        assert_eq!(table.to_string(), expected);
    }
}
