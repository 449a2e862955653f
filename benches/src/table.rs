//! The figures as text.

use std::fmt::Write as _;

use crate::servers::Kind;
use crate::work::{Beside, Figure, Row};

/// What came of one row on one server.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// It was measured.
    Measured(Figure),
    /// Why it was not.
    Missing(String),
}

/// All figures, and where they were measured.
#[derive(Debug)]
pub struct Table {
    /// Machine and date.
    pub place: String,
    /// The columns.
    pub servers: Vec<Kind>,
    /// The rows, each with a cell for each server.
    pub rows: Vec<(&'static Row, Vec<Cell>)>,
}

impl Table {
    /// The whole as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{HEAD}{}\n\n", self.place);
        let mut line = |title: &str, target: &str, cells: &mut dyn Iterator<Item = String>| {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "{title:<52} {target:>10}");
            for cell in cells {
                let _infallible = write!(text, " {cell:>26}");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        };
        line("", "target", &mut self.servers.iter().map(|kind| kind.name().to_owned()));
        let mut notes: Vec<String> = Vec::new();
        for (row, cells) in &self.rows {
            let target = format!("{} {}", short(row.target), row.unit);
            let mut shown = cells.iter().map(|cell| match cell {
                Cell::Measured(figure) => cell_text(figure, row.unit),
                Cell::Missing(why) => {
                    let known = notes.iter().position(|note| note == why);
                    let index = known.unwrap_or_else(|| {
                        notes.push(why.clone());
                        notes.len() - 1
                    });
                    format!("[{}]", index + 1)
                }
            });
            line(row.title, &target, &mut shown);
        }
        for (index, note) in notes.iter().enumerate() {
            let _infallible = write!(text, "\n[{}] {note}", index + 1);
        }
        if !notes.is_empty() {
            text.push('\n');
        }
        text
    }
}

fn cell_text(figure: &Figure, unit: &str) -> String {
    let cost = format!("{} {unit}", short(figure.cost));
    match figure.beside {
        Beside::Nothing => cost,
        Beside::Rate(rate) => format!("{cost} ({}/s)", short(rate)),
        Beside::Resident(memory) => format!("{cost} (RSS {})", short(memory)),
        Beside::Took(took) => format!("{cost} (in {} ms)", took.as_millis()),
    }
}

/// Three figures are as much as can be trusted.
#[must_use]
pub fn short(value: f64) -> String {
    let decimals = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if decimals == 3 && value < 0.1 { text } else { trim(&text).to_owned() }
}

/// Without zeros at the end of a fraction.
fn trim(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

const HEAD: &str = "\
What Pillarbox costs, and what Postfix 3.7 with Dovecot 2.3 (Maildir) from Debian costs beside it.

Made by `cargo run --release -p pillarbox-benches --bin load`. Each figure is what one operation
costs: CPU time of the server's whole process tree, its children included, from the first byte
until it has fallen idle again; or memory, proportional (PSS), with resident (RSS) behind it.
The kernel's memory for sockets is in neither. Less is better. Rates depend on what else the
machine does; costs repeat within 10 to 15 %. `target` is for Pillarbox on smol.

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.06, 0.1234, 0.25, 1.0, 8.049, 24.0, 13.18, 2_345.6].map(short);
        assert_eq!(shown, ["0.060", "0.123", "0.25", "1", "8.05", "24", "13.2", "2346"]);
    }
}
