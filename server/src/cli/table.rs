//! Lists for people and for programs.

use std::io::{self, Write as _};

use pillarbox_core::UnixSeconds;
use pillarbox_core::wire::date::Civil;
use serde::Serialize;

/// How a column stands under its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Left(&'static str),
    Right(&'static str),
}

/// Rows under their heads, two blanks apart.
pub(super) fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = columns
        .iter()
        .map(|column| {
            let (Column::Left(name) | Column::Right(name)) = column;
            (*name).to_owned()
        })
        .collect();
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(columns)
            .zip(&widths)
            .map(|((cell, column), width)| match column {
                Column::Left(_) => format!("{cell:<width$}"),
                Column::Right(_) => format!("{cell:>width$}"),
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Rows as a JSON array in one line.
pub(super) fn json<T: Serialize>(rows: &[T]) -> Result<String, String> {
    serde_json::to_string(rows).map(|text| text + "\n").map_err(|error| error.to_string())
}

/// Prints to standard output; a reader that has seen enough is no failure.
pub(super) fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// A line on standard error. That nobody reads it is no failure.
pub(super) fn note(line: &str) {
    let _nobody_reads = writeln!(io::stderr(), "{line}");
}

/// A size as people say it.
pub(super) fn size(bytes: u64) -> String {
    let mut rest = bytes;
    let mut below = 0;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if rest < 1_000 || unit == "TB" {
            return if unit == "B" {
                format!("{rest} B")
            } else {
                format!("{rest}.{} {unit}", below / 100)
            };
        }
        (rest, below) = (rest / 1_000, rest % 1_000);
    }
    bytes.to_string()
}

/// A time, as RFC 3339 §5.6 writes it.
pub(super) fn time(seconds: i64) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::from_unix(UnixSeconds(seconds));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A count with its noun.
pub(super) fn count(number: u64, one: &str) -> String {
    let ending = match (number, one.ends_with('s'), one.ends_with('x')) {
        (1, _, _) => "",
        (_, true, _) | (_, _, true) => "es",
        _ => "s",
    };
    format!("{number} {one}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_heads() {
        let columns = [Column::Left("NAME"), Column::Right("MESSAGES")];
        let rows = [vec!["alice".into(), "3".into()], vec!["b".into(), "123456789".into()]];
        let expected = "NAME    MESSAGES\nalice          3\nb      123456789\n";
        assert_eq!(table(&columns, &rows), expected);
        assert_eq!(table(&columns, &[]), "NAME  MESSAGES\n");
    }

    #[test]
    fn sizes_and_counts() {
        for (bytes, said) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_999_999, "1.9 MB"),
            (5_000_000_000, "5.0 GB"),
            (u64::MAX, "18446744.0 TB"),
        ] {
            assert_eq!(size(bytes), said);
        }
        assert_eq!(count(1, "mailbox"), "1 mailbox");
        assert_eq!(count(0, "mailbox"), "0 mailboxes");
        assert_eq!(count(2, "address"), "2 addresses");
        assert_eq!(count(2, "message"), "2 messages");
    }
}
