//! The day and the moment that a Date field names (RFC 5322 §3.3, §4.3).

use super::lexer::{DATE, Lexer, Token};
use crate::UnixSeconds;
use crate::wire::date::{Civil, MONTHS};

/// The day of a Date field as it is written there, at midnight: the time of day and the zone are
/// not looked at. `None` if no day can be made out.
#[must_use]
pub fn day(value: &[u8]) -> Option<Civil> {
    read_day(&mut words(value))
}

/// The moment that a Date field names (RFC 5256 §2.2): with a zone that makes no sense it is read
/// as UTC, with such a time as midnight. `None` if no day can be made out.
#[must_use]
pub fn moment(value: &[u8]) -> Option<UnixSeconds> {
    let mut words = words(value);
    let day = read_day(&mut words)?.to_unix().0;
    let Some(time) = words.next().and_then(time_of_day) else { return Some(UnixSeconds(day)) };
    let east = words.next().and_then(zone).unwrap_or(0);
    Some(UnixSeconds(day + time - east))
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    Lexer::new(value, &DATE).filter_map(|token| match token {
        Token::Atom(atom) => Some(atom),
        _ => None,
    })
}

fn read_day<'a>(words: &mut impl Iterator<Item = &'a [u8]>) -> Option<Civil> {
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

/// `09:55:06` or `09:55`, in seconds since midnight; a fraction of a second is left out.
fn time_of_day(word: &[u8]) -> Option<i64> {
    let mut parts = word.split(|byte| *byte == b':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = match parts.next() {
        Some(second) => number(second.split(|byte| *byte == b'.').next()?)?,
        None => 0,
    };
    // RFC 5322 §3.3: a leap second is one, too.
    let valid = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    valid.then_some(hour * 3_600 + minute * 60 + second)
}

/// How many seconds a zone lies east of UTC (RFC 5322 §3.3, §4.3).
fn zone(word: &[u8]) -> Option<i64> {
    let hours = match word {
        [sign @ (b'+' | b'-'), digits @ ..] if digits.len() == 4 => {
            let value = number(digits)?;
            let (hours, minutes) = (value / 100, value % 100);
            let east = hours * 3_600 + minutes * 60;
            return (minutes < 60).then_some(if *sign == b'-' { -east } else { east });
        }
        _ => ZONES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?.1,
    };
    Some(hours * 3_600)
}

/// Those of RFC 5322 §4.3 that are known to mean what they say: military ones are not.
const ZONES: [(&[u8], i64); 8] = [
    (b"EDT", -4),
    (b"EST", -5),
    (b"CDT", -5),
    (b"CST", -6),
    (b"MDT", -6),
    (b"MST", -7),
    (b"PDT", -7),
    (b"PST", -8),
];

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

    #[test]
    fn moments() {
        // 1 Jan 2001 00:00:00 UTC.
        let new_year = 978_307_200;
        for (value, expected) in [
            // RFC 5256 §2.2.
            ("31 Dec 2000 16:01:33 -0800", Some(new_year + 93)),
            ("1 Jan 2001 00:01:33 +0000", Some(new_year + 93)),
            ("Mon, 1 Jan 2001 01:01 +0100 (CET)", Some(new_year + 60)),
            ("Sun, 31 Dec 2000 19:00:00 EST", Some(new_year)),
            ("31 Dec 2000 17:00:00 pdt", Some(new_year)),
            ("1 Jan 2001 00:00:00 GMT", Some(new_year)),
            ("1 Jan 2001 00:00:01.5 UT", Some(new_year + 1)),
            ("1 Jan 01 12:00 Z", Some(new_year + 43_200)),
            ("31 Dec 2000 23:59:60 +0000", Some(new_year)),
            // A zone that is none is UTC, a time that is none midnight.
            ("1 Jan 2001 12:00 +0199", Some(new_year + 43_200)),
            ("1 Jan 2001 12:00 +100", Some(new_year + 43_200)),
            ("1 Jan 2001 12:00 Mars", Some(new_year + 43_200)),
            ("1 Jan 2001 12:00", Some(new_year + 43_200)),
            ("1 Jan 2001 24:00 +0100", Some(new_year)),
            ("1 Jan 2001 noon +0100", Some(new_year)),
            ("1 Jan 2001 1:2:3:4 +0100", Some(new_year)),
            ("1 Jan 2001", Some(new_year)),
            ("30 Feb 2001 12:00 +0000", None),
            ("", None),
        ] {
            let found = moment(value.as_bytes()).map(|moment| moment.0);
            assert_eq!(found, expected, "{value}");
        }
    }
}
