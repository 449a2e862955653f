//! Which names LIST and LSUB tell (RFC 3501 §6.3.8, §6.3.9).

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

/// Those of `names` that match, in order. If the pattern ends in `%`, also the levels above them
/// that match: of `a/b`, `%` finds `a`.
#[must_use]
pub fn listed<'n>(
    pattern: &ListPattern,
    names: impl IntoIterator<Item = &'n MailboxName>,
) -> Vec<Listed> {
    let mut known = BTreeMap::new();
    for name in names {
        if pattern.asks_for_levels() {
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
        if pattern.matches(&name) {
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

    /// The names told, with `-` before a mere level and `+` behind what has others below it.
    fn told(reference: &str, pattern: &str, names: &[&str]) -> String {
        let pattern = ListPattern::read(reference.as_bytes(), pattern.as_bytes()).unwrap();
        let names: Vec<_> = names.iter().map(|name| MailboxName::new(*name).unwrap()).collect();
        let told: Vec<_> = listed(&pattern, &names)
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
}
