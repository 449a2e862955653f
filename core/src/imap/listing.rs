//! Which names LIST and LSUB tell (RFC 3501 §6.3.8, §6.3.9, RFC 5258 §3).

use std::collections::BTreeMap;
use std::ops::Bound;

use super::name::{DELIMITER, ListPattern, MailboxName};

/// A name to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub name: MailboxName,
    /// Whether it is among the names that were looked through. Otherwise it is only a level above
    /// some of them, to be told as `\Noselect`.
    pub itself: bool,
    /// Whether some of the names lie below it (RFC 3348 §3: `\HasChildren`).
    pub children: bool,
}

/// Which levels above the names are told, even where they are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Levels {
    /// Those that match a pattern that ends in `%`: of `a/b`, `%` finds `a` (RFC 3501 §6.3.8).
    Asked,
    /// None.
    Never,
    /// Those that match and lie above a name that does not, so that the client learns of it
    /// (RFC 5258 §3.5: RECURSIVEMATCH).
    AboveUnmatched,
}

/// Those of `names` that match one of the patterns, in order, and levels above them.
#[must_use]
pub fn listed<'n>(
    patterns: &[ListPattern],
    names: impl IntoIterator<Item = &'n MailboxName>,
    levels: Levels,
) -> Vec<Listed> {
    let matches = |name: &MailboxName| patterns.iter().any(|pattern| pattern.matches(name));
    let mut known = BTreeMap::new();
    for name in names {
        let told = match levels {
            Levels::Asked => patterns.iter().any(ListPattern::asks_for_levels),
            Levels::Never => false,
            Levels::AboveUnmatched => !matches(name),
        };
        if told {
            for level in name.above() {
                known.entry(level).or_insert(false);
            }
        }
        known.insert(name.as_str(), true);
    }
    let mut listed = Vec::new();
    for (name, itself) in &known {
        // Each is a name or a level of one, and so a name that can be.
        let Ok(name) = MailboxName::new(*name) else { continue };
        let told = match levels {
            Levels::Asked => patterns
                .iter()
                .any(|pattern| pattern.matches(&name) && (*itself || pattern.asks_for_levels())),
            Levels::Never | Levels::AboveUnmatched => matches(&name),
        };
        if told {
            let children = has_children(&known, name.as_str());
            listed.push(Listed { name, itself: *itself, children });
        }
    }
    listed
}

fn has_children(known: &BTreeMap<&str, bool>, name: &str) -> bool {
    let below = format!("{name}{DELIMITER}");
    let mut behind = known.range::<str, _>((Bound::Excluded(below.as_str()), Bound::Unbounded));
    behind.next().is_some_and(|(next, _)| next.starts_with(&below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::name::Spelling;

    /// The names told, with `-` before a mere level and `+` behind what has others below it.
    fn told(reference: &str, pattern: &str, names: &[&str]) -> String {
        let pattern =
            ListPattern::read(reference.as_bytes(), pattern.as_bytes(), Spelling::Utf7).unwrap();
        told_of(&[pattern], names, Levels::Asked)
    }

    fn told_of(patterns: &[ListPattern], names: &[&str], levels: Levels) -> String {
        let names: Vec<_> = names.iter().map(|name| MailboxName::new(*name).unwrap()).collect();
        let told: Vec<_> = listed(patterns, &names, levels)
            .into_iter()
            .map(|Listed { name, itself, children }| {
                let level = if itself { "" } else { "-" };
                format!("{level}{name}{}", if children { "+" } else { "" })
            })
            .collect();
        told.join(" ")
    }

    #[test]
    fn names_and_levels() {
        let names = ["INBOX", "INBOX/x", "a", "a!b", "a/b", "a/c/d", "e/f", "ef"];
        for (reference, pattern, expected) in [
            ("", "*", "INBOX+ INBOX/x a+ a!b a/b a/c/d e/f ef"),
            ("", "%", "INBOX+ a+ a!b -e+ ef"),
            ("", "%/%", "INBOX/x a/b -a/c+ e/f"),
            ("a/", "%", "a/b -a/c+"),
            ("", "a/%", "a/b -a/c+"),
            ("", "e", ""),
            ("", "e*", "e/f ef"),
            ("", "e%", "-e+ ef"),
            ("", "inbox", "INBOX+"),
            ("", "iNbOx/%", "INBOX/x"),
            ("", "", ""),
        ] {
            assert_eq!(told(reference, pattern, &names), expected, "{reference} {pattern}");
        }
        // RFC 3501 §6.3.9: a level of what is subscribed to, whatever else there is.
        assert_eq!(told("", "%", &["foo/bar"]), "-foo+");
        assert_eq!(told("", "*", &["foo/bar"]), "foo/bar");
        // Names that sort right behind those below one are not below it.
        assert_eq!(told("", "*", &["a", "a0", "a1/b"]), "a a0 a1/b");
        assert_eq!(told("", "%", &["INBOX/a"]), "-INBOX+");
    }

    #[test]
    fn several_patterns_and_other_levels() {
        let patterns: Vec<_> = ["%", "a/*"]
            .map(|pattern| ListPattern::read(b"", pattern.as_bytes(), Spelling::Utf7).unwrap())
            .into();
        let names = ["a/b", "b", "c/d/e"];
        assert_eq!(told_of(&patterns, &names, Levels::Asked), "-a+ a/b b -c+");
        assert_eq!(told_of(&patterns, &names, Levels::Never), "a/b b");
        // What lies below `a` is told itself.
        assert_eq!(told_of(&patterns, &names, Levels::AboveUnmatched), "a/b b -c+");
    }
}
