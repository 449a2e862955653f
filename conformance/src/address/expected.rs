//! Lists of differences that are known, each with its reason.
//!
//! ```text
//! # A remark.
//! smtp/auth-wrong
//!     differs: heard 501
//!     because: it refuses what is no base64 before it looks at the password
//! ```
//!
//! `differs` is a part of the difference's one line, so that another difference in the same
//! transcript is not taken for the known one.

use std::collections::BTreeMap;
use std::path::Path;

use crate::address::Outcome;

/// Known differences by the transcript's name.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    known: BTreeMap<String, Known>,
}

/// One difference that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    differs: String,
    because: String,
}

/// What an outcome means beside what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As the transcript says.
    Passed,
    /// Not run, and why.
    NotApplicable(String),
    /// Known, and why it is so.
    Expected(String),
    /// Not known.
    Unexpected,
    /// It was expected to differ, and does not: the list is out of date.
    NoLonger,
}

impl Expectations {
    /// Adds a list.
    ///
    /// # Errors
    /// The number of a line that cannot be understood.
    pub fn read(&mut self, text: &str) -> Result<(), String> {
        let mut name = None;
        for (index, line) in text.lines().enumerate() {
            let fault = |what| format!("{}: {what}", index + 1);
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            if !line.starts_with(char::is_whitespace) {
                if self.known.insert(trimmed.to_owned(), Known::default()).is_some() {
                    return Err(fault("listed before"));
                }
                name = Some(trimmed.to_owned());
                continue;
            }
            let known = name.as_ref().and_then(|name| self.known.get_mut(name));
            let known = known.ok_or_else(|| fault("the transcript's name is missing"))?;
            match trimmed.split_once(": ") {
                Some(("differs", what)) => what.clone_into(&mut known.differs),
                Some(("because", why)) => why.clone_into(&mut known.because),
                _ => return Err(fault("write `differs: WHAT` or `because: WHY`")),
            }
        }
        let lacking = self
            .known
            .iter()
            .find(|(_, known)| known.differs.is_empty() || known.because.is_empty());
        match lacking {
            Some((name, _)) => Err(format!("{name}: say what differs and because of what")),
            None => Ok(()),
        }
    }

    /// Adds the list in a file.
    ///
    /// # Errors
    /// Where it cannot be read or understood.
    pub fn read_file(&mut self, file: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
        self.read(&text).map_err(|why| format!("{}:{why}", file.display()))
    }

    /// A name in the list that no transcript has.
    #[must_use]
    pub fn unknown(&self, names: &[String]) -> Option<&str> {
        self.known.keys().find(|name| !names.contains(name)).map(String::as_str)
    }

    /// What an outcome means.
    #[must_use]
    pub fn judge(&self, name: &str, outcome: &Outcome) -> Verdict {
        let known = self.known.get(name);
        match (outcome, known) {
            (Outcome::Passed, None) => Verdict::Passed,
            (Outcome::Passed, Some(_)) => Verdict::NoLonger,
            (Outcome::NotApplicable(why), None) => Verdict::NotApplicable(why.clone()),
            (Outcome::NotApplicable(_), Some(_)) => Verdict::NoLonger,
            (Outcome::Differs(difference), Some(known))
                if difference.summary.contains(&known.differs) =>
            {
                Verdict::Expected(known.because.clone())
            }
            (Outcome::Differs(_), _) => Verdict::Unexpected,
        }
    }
}

impl Verdict {
    /// One word or two for a table.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::NotApplicable(_) => "not applicable",
            Self::Expected(_) => "expected",
            Self::Unexpected => "DIFFERS",
            Self::NoLonger => "NO LONGER",
        }
    }

    /// Nobody needs to look at it.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Passed | Self::NotApplicable(_) | Self::Expected(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Difference;

    const LIST: &str = "# x\na/b\n  differs: heard 501\n  because: it is so\n";

    fn differs(summary: &str) -> Outcome {
        Outcome::Differs(Difference {
            client: String::new(),
            expected: Vec::new(),
            heard: Vec::new(),
            summary: summary.into(),
        })
    }

    #[test]
    fn a_known_difference_is_that_one_and_no_other() {
        let mut list = Expectations::default();
        list.read(LIST).unwrap();
        let judge = |outcome| list.judge("a/b", &outcome);
        assert_eq!(
            judge(differs("expected 250, heard 501 x")),
            Verdict::Expected("it is so".into())
        );
        assert_eq!(judge(differs("expected 250, heard 502 x")), Verdict::Unexpected);
        assert_eq!(judge(Outcome::Passed), Verdict::NoLonger);
        assert_eq!(judge(Outcome::NotApplicable("x".into())), Verdict::NoLonger);
        assert_eq!(list.judge("other", &Outcome::Passed), Verdict::Passed);
        assert_eq!(list.judge("other", &differs("x")), Verdict::Unexpected);
        assert_eq!(list.unknown(&["a/b".into()]), None);
        assert_eq!(list.unknown(&[]), Some("a/b"));
    }

    #[test]
    fn lists_without_a_reason_are_refused() {
        for (text, what) in [
            ("a\n differs: x\n", "because of what"),
            (" differs: x\n", "1: "),
            ("a\n differs: x\n because: y\na\n", "4: listed before"),
            ("a\n whatever\n", "2: write"),
        ] {
            let why = Expectations::default().read(text).unwrap_err();
            assert!(why.contains(what), "{why}");
        }
    }
}
