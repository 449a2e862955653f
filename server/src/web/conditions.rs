//! What a request says about the form of its answer: not if it is known already, only a part, or
//! compressed.

use hyper::Method;
use hyper::header::{ACCEPT_ENCODING, HeaderMap, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};

use super::service::header;

/// The conditions of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    /// Only the head of the answer.
    pub(super) head: bool,
    if_match: Option<String>,
    if_none_match: Option<String>,
    if_range: Option<String>,
    range: Option<String>,
    gzip: bool,
}

/// Which bytes of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// The first byte and the one behind the last.
    Some(usize, usize),
    /// None that there are.
    Outside,
}

impl Conditions {
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Self {
        // RFC 9110 §13.1.1, §13.1.2, §12.5.3: several fields of a name are one list.
        let list = |name| {
            let values = headers.get_all(name).into_iter();
            let texts: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
            (!texts.is_empty()).then(|| texts.join(","))
        };
        let get = *method == Method::GET;
        Self {
            head: *method == Method::HEAD,
            if_match: list(IF_MATCH),
            if_none_match: list(IF_NONE_MATCH),
            if_range: header(headers, &IF_RANGE).map(str::to_owned),
            // RFC 9110 §14.2: only with GET.
            range: header(headers, &RANGE).filter(|_| get).map(str::to_owned),
            gzip: list(ACCEPT_ENCODING).is_some_and(|list| takes_gzip(&list)),
        }
    }

    /// Whether the answer may be compressed. One of which a part is wanted is not: the numbers
    /// mean the bytes as they are.
    pub(super) fn gzip(&self) -> bool {
        self.gzip && self.range.is_none()
    }

    /// RFC 9110 §13.1.1: the client wants it only as it was, and it is another.
    pub(super) fn is_failed(&self, etags: &[&str]) -> bool {
        self.if_match.as_ref().is_some_and(|list| {
            list.trim() != "*"
                && !entity_tags(list).any(|(weak, tag)| !weak && etags.contains(&tag))
        })
    }

    /// RFC 9110 §13.1.2: the client has it already. The comparison is the weak one.
    pub(super) fn is_known(&self, etags: &[&str]) -> bool {
        self.if_none_match.as_ref().is_some_and(|list| {
            list.trim() == "*" || entity_tags(list).any(|(_, tag)| etags.contains(&tag))
        })
    }

    /// RFC 9110 §14.1.2: which of `length` bytes with this entity tag. Several ranges in one
    /// request are answered with everything, as RFC 9110 §14.2 allows, and so is nonsense.
    pub(super) fn part(&self, length: usize, etag: &str) -> Part {
        let Some(range) = &self.range else { return Part::All };
        // RFC 9110 §13.1.5: a date is no strong validator here, since nothing has one.
        if self.if_range.as_ref().is_some_and(|tag| tag.trim() != etag) {
            return Part::All;
        }
        part(range, length).unwrap_or(Part::All)
    }
}

fn part(range: &str, length: usize) -> Option<Part> {
    let (unit, set) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    // More digits than a number holds lie behind the end.
    let number = |digits: &str| {
        let good = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| digits.parse().unwrap_or(usize::MAX))
    };
    if first.is_empty() {
        let count = number(last)?.min(length);
        return Some(if count == 0 { Part::Outside } else { Part::Some(length - count, length) });
    }
    let first = number(first)?;
    let end = if last.is_empty() { length } else { number(last)?.saturating_add(1).min(length) };
    if !last.is_empty() && number(last)? < first {
        return None;
    }
    Some(if first < length { Part::Some(first, end) } else { Part::Outside })
}

/// RFC 9110 §8.8.3: each tag with its quotes, and whether it is weak.
fn entity_tags(list: &str) -> impl Iterator<Item = (bool, &str)> {
    list.split(',').map(|tag| {
        let tag = tag.trim();
        tag.strip_prefix("W/").map_or((false, tag), |strong| (true, strong))
    })
}

/// RFC 9110 §12.5.3, §12.4.2.
fn takes_gzip(list: &str) -> bool {
    let mut any = false;
    for item in list.split(',') {
        let mut words = item.split(';').map(str::trim);
        let coding = words.next().unwrap_or_default();
        let weight = words.find_map(|word| {
            let (name, value) = word.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        let wanted = weight.is_none_or(|q| q.parse::<f32>().is_ok_and(|q| q > 0.0));
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            return wanted;
        }
        any |= coding == "*" && wanted;
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, expected) in [
            ("bytes=0-0", Some(Part::Some(0, 1))),
            ("bytes=0-9", Some(Part::Some(0, 10))),
            ("bytes=0-10", Some(Part::Some(0, 10))),
            ("BYTES=9-", Some(Part::Some(9, 10))),
            ("bytes=10-", Some(Part::Outside)),
            ("bytes=10-12", Some(Part::Outside)),
            ("bytes=-1", Some(Part::Some(9, 10))),
            ("bytes=-11", Some(Part::Some(0, 10))),
            ("bytes=-0", Some(Part::Outside)),
            ("bytes=3-99999999999999999999999", Some(Part::Some(3, 10))),
            ("bytes=99999999999999999999999-", Some(Part::Outside)),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("bytes", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Some(Part::Outside));
    }

    #[test]
    fn a_range_holds_only_for_what_the_client_has_begun_with() {
        let with = |if_range: Option<&str>| Conditions {
            if_range: if_range.map(str::to_owned),
            range: Some("bytes=2-3".into()),
            ..Conditions::default()
        };
        assert_eq!(with(None).part(10, "\"a\""), Part::Some(2, 4));
        assert_eq!(with(Some("\"a\"")).part(10, "\"a\""), Part::Some(2, 4));
        for other in ["\"b\"", "W/\"a\"", "Tue, 24 Nov 2026 13:34:00 GMT"] {
            assert_eq!(with(Some(other)).part(10, "\"a\""), Part::All, "{other}");
        }
    }

    #[test]
    fn entity_tags_are_compared() {
        let known = |list: &str| {
            let conditions =
                Conditions { if_none_match: Some(list.into()), ..Conditions::default() };
            conditions.is_known(&["\"a\"", "\"a-gz\""])
        };
        for list in ["*", "\"a\"", "W/\"a\"", "\"x\", \"a-gz\""] {
            assert!(known(list), "{list}");
        }
        for list in ["", "a", "\"x\"", "\"a"] {
            assert!(!known(list), "{list}");
        }
        let failed = |list: &str| {
            let conditions = Conditions { if_match: Some(list.into()), ..Conditions::default() };
            conditions.is_failed(&["\"a\""])
        };
        assert!(!failed("*") && !failed("\"x\",\"a\""));
        assert!(failed("W/\"a\"") && failed("\"x\""));
    }

    #[test]
    fn gzip_is_taken_by_who_says_so() {
        for list in ["gzip", "GZIP", "br, gzip;q=0.5", "*", "x-gzip", "gzip; q=1.000"] {
            assert!(takes_gzip(list), "{list}");
        }
        for list in ["", "br", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "gzip;q=x", "gzipped"] {
            assert!(!takes_gzip(list), "{list}");
        }
    }
}
