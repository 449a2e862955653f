//! What came of a run, for people and for programs.

use std::fmt::Write as _;

use crate::address::Outcome;
use crate::address::expected::{Expectations, Verdict};

/// A run, judged.
#[derive(Debug, Clone)]
pub struct Report {
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    name: String,
    outcome: Outcome,
    verdict: Verdict,
}

impl Report {
    /// Judges each outcome.
    #[must_use]
    pub fn new(outcomes: Vec<(String, Outcome)>, expectations: &Expectations) -> Self {
        let row = |(name, outcome): (String, Outcome)| {
            let verdict = expectations.judge(&name, &outcome);
            Row { name, outcome, verdict }
        };
        Self { rows: outcomes.into_iter().map(row).collect() }
    }

    /// Whether nobody needs to look at it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.rows.iter().all(|row| row.verdict.is_good())
    }

    /// A table, then each difference that is not expected.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
        for Row { name, outcome, verdict } in &self.rows {
            let why = match (verdict, outcome) {
                (Verdict::NotApplicable(why) | Verdict::Expected(why), _) => why.as_str(),
                (Verdict::Unexpected, Outcome::Differs(difference)) => &difference.summary,
                (Verdict::NoLonger, _) => "it was expected to differ: take it out of the list",
                _ => "",
            };
            let line = format!("{name:width$}  {:14}  {why}", verdict.name());
            text.push_str(line.trim_end());
            text.push('\n');
        }
        for row in &self.rows {
            if let (Verdict::Unexpected, Outcome::Differs(difference)) =
                (&row.verdict, &row.outcome)
            {
                // Writing to a String cannot fail.
                let _infallible = write!(text, "\n{}\n{difference}\n", row.name);
            }
        }
        text.push('\n');
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    /// How many of each.
    #[must_use]
    pub fn summary(&self) -> String {
        let of = |name: &str| self.rows.iter().filter(|row| row.verdict.name() == name).count();
        format!(
            "{} transcripts: {} passed, {} differ as expected, {} differ, {} differ no longer, \
             {} not applicable",
            self.rows.len(),
            of(Verdict::Passed.name()),
            of("expected"),
            of(Verdict::Unexpected.name()),
            of(Verdict::NoLonger.name()),
            of("not applicable"),
        )
    }

    /// One JSON object a line: `name`, `result`, `why`, and for differences `client`, `expected`
    /// and `heard`.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = String::new();
        for Row { name, outcome, verdict } in &self.rows {
            let why = match verdict {
                Verdict::NotApplicable(why) | Verdict::Expected(why) => why.as_str(),
                _ => "",
            };
            let result = verdict.name().to_ascii_lowercase();
            let mut line = format!(
                "{{\"name\":{},\"result\":{},\"why\":{}",
                string(name),
                string(&result),
                string(why)
            );
            if let Outcome::Differs(difference) = outcome {
                let list = |lines: &[String]| {
                    lines.iter().map(|line| string(line)).collect::<Vec<_>>().join(",")
                };
                let _infallible = write!(
                    line,
                    ",\"summary\":{},\"client\":{},\"expected\":[{}],\"heard\":[{}]",
                    string(&difference.summary),
                    string(&difference.client),
                    list(&difference.expected),
                    list(&difference.heard)
                );
            }
            line.push_str("}\n");
            text.push_str(&line);
        }
        text
    }
}

/// A JSON string.
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c < ' ' => {
                let _infallible = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Difference;

    fn report() -> Report {
        let difference = Difference {
            client: "NOOP \"x\"".into(),
            expected: vec!["250 ok".into()],
            heard: vec!["500 no".into()],
            summary: "expected 250, heard 500".into(),
        };
        let outcomes = vec![
            ("smtp/a".to_owned(), Outcome::Passed),
            ("smtp/longer".to_owned(), Outcome::Differs(difference)),
            ("smtp/c".to_owned(), Outcome::NotApplicable("because".into())),
        ];
        Report::new(outcomes, &Expectations::default())
    }

    #[test]
    fn a_table_tells_all_and_then_the_differences() {
        let text = report().table();
        assert!(text.starts_with("smtp/a       passed\nsmtp/longer  DIFFERS         expected 250"));
        assert!(text.contains("smtp/c       not applicable  because\n"));
        assert!(
            text.contains(
                "    C: NOOP \"x\"\n    S: 250 ok    (expected)\n    S: 500 no    (heard)"
            )
        );
        assert!(!report().is_good());
    }

    #[test]
    fn json_has_a_line_for_each() {
        let text = report().json();
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains(r#""client":"NOOP \"x\"","expected":["250 ok"]"#), "{text}");
        assert_eq!(string("\u{1}\\"), r#""\u0001\\""#);
    }
}
