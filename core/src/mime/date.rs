//! The day that a Date field names (RFC 5322 §3.3, §4.3).

use super::lexer::{DATE, Lexer, Token};
use crate::wire::date::{Civil, MONTHS};

/// The day of a Date field as it is written there, at midnight: the time of day and the zone are
/// not looked at. `None` if no day can be made out.
#[must_use]
pub fn day(value: &[u8]) -> Option<Civil> {
    let mut words = Lexer::new(value, &DATE).filter_map(|token| match token {
        Token::Atom(atom) => Some(atom),
        _ => None,
    });
    let mut first = words.next()?;
    // The day of the week, which may be left out.
    if first.first().is_some_and(u8::is_ascii_alphabetic) {
        first = words.next()?;
    }
    // Some write `1-Jan-2000`.
    let (day, month, year) = if let Some(at) = memchr::memchr(b'-', first) {
        let (day, rest) = first.split_at_checked(at)?;
        let mut rest = rest.get(1..)?.split(|byte| *byte == b'-');
        (day, rest.next()?, rest.next()?)
    } else {
        (first, words.next()?, words.next()?)
    };
    let month = month.get(..3)?;
    let index = MONTHS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(month))?;
    let civil = Civil {
        year: full_year(number(year)?, year.len()),
        month: u8::try_from(index + 1).ok()?,
        day: u8::try_from(number(day)?).ok()?,
        hour: 0,
        minute: 0,
        second: 0,
    };
    // 31 Feb is no day.
    (Civil::from_unix(civil.to_unix()) == civil).then_some(civil)
}

/// RFC 5322 §4.3: years of two and three digits.
const fn full_year(year: i64, digits: usize) -> i64 {
    match digits {
        2 if year < 50 => 2000 + year,
        2 | 3 => 1900 + year,
        _ => year,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 4 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        for (value, expected) in [
            // RFC 5322, appendix A.
            (" Fri, 21 Nov 1997 09:55:06 -0600", Some((1997, 11, 21))),
            (" 21 Nov 97 09:55:06 GMT", Some((1997, 11, 21))),
            (
                " Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n   -0330 (Newfoundland Time)",
                Some((1969, 2, 13)),
            ),
            ("Fri, 1 Jan 2100 00:00:00 +0000", Some((2100, 1, 1))),
            ("1 January 1999", Some((1999, 1, 1))),
            ("Mon, 1-Feb-2010 10:00", Some((2010, 2, 1))),
            ("1 Jan 49", Some((2049, 1, 1))),
            ("1 Jan 50", Some((1950, 1, 1))),
            ("1 Jan 100", Some((2000, 1, 1))),
            ("29 Feb 2023 10:00 +0000", None),
            ("0 Feb 2023", None),
            ("yesterday", None),
            ("", None),
        ] {
            let found = day(value.as_bytes()).map(|civil| (civil.year, civil.month, civil.day));
            assert_eq!(found, expected, "{value}");
        }
    }
}
