//! The line before each message of an mbox: `From SENDER DATE`, where the date is that of C's
//! `asctime`, with what programs have put around it over the years.

use crate::UnixSeconds;
use crate::wire::date::{Civil, MONTHS};

/// The longest line that is taken for one, in bytes with its end.
pub const LENGTH_MAX: usize = 1_000;

/// What the line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromLine {
    /// The envelope's sender as it stands there; may be empty.
    pub sender: String,
    /// When the message was delivered. Taken as UTC where no zone is given (RFC 4155, appendix A).
    pub date: UnixSeconds,
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl FromLine {
    /// Reads a line, with its end or without. `None` where it is a line of text: people, too,
    /// begin lines with `From `.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(line.strip_prefix(b"From ")?);
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        // The sender may have blanks in quotes, and may look like a date itself: the last one is it.
        (0..words.len()).rev().find_map(|at| {
            let (sender, date) = words.split_at(at);
            Some(Self { sender: sender.join(" "), date: date_of(date)? })
        })
    }

    /// The line, ended by LF. A sender that could not be read again is left out.
    #[must_use]
    pub fn to_text(&self) -> String {
        let plain = |char: char| char.is_ascii_graphic();
        let sender = if self.sender.is_empty() || !self.sender.chars().all(plain) {
            "MAILER-DAEMON"
        } else {
            &self.sender
        };
        let Civil { year, month, day, hour, minute, second } = Civil::from_unix(self.date);
        // 1970-01-01 was a Thursday.
        let weekday = (self.date.0.div_euclid(86_400) + 3).rem_euclid(7);
        let name = |names: &'static [&str], index: i64| {
            usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or("")
        };
        format!(
            "From {sender} {} {} {day:>2} {hour:02}:{minute:02}:{second:02} {year:04}\n",
            name(&WEEKDAYS, weekday),
            name(&MONTHS, i64::from(month) - 1),
        )
    }
}

/// `Thu Jan  1 00:00:00 1970`, perhaps without seconds, with a zone before or behind the year, and
/// with `remote from HOST` behind all that.
fn date_of(words: &[&str]) -> Option<UnixSeconds> {
    let (weekday, rest) = words.split_first()?;
    let (month, rest) = rest.split_first()?;
    let (day, rest) = rest.split_first()?;
    let (time, mut rest) = rest.split_first()?;
    let known = |names: &[&str], word: &str| {
        names.iter().position(|name| name.eq_ignore_ascii_case(word.trim_end_matches(',')))
    };
    known(&WEEKDAYS, weekday)?;
    let month = u8::try_from(known(&MONTHS, month)? + 1).ok()?;
    let day = number(day, 1..=31)?;
    let mut parts = time.split(':');
    let hour = number(parts.next()?, 0..=23)?;
    let minute = number(parts.next()?, 0..=59)?;
    let second = parts.next().map_or(Some(0), |second| number(second, 0..=60))?;
    let mut zone = None;
    while let Some((word, behind)) = rest.split_first()
        && year_of(word).is_none()
    {
        zone = Some(zone.or_else(|| zone_of(word)).or_else(|| name_of(word))?);
        rest = behind;
    }
    let (year, rest) = rest.split_first()?;
    let year = year_of(year)?;
    match rest {
        [] | ["remote", "from", ..] => {}
        [word, rest @ ..] if rest.len() <= 1 => {
            zone = zone_of(word).or(zone).or_else(|| name_of(word));
        }
        _ => return None,
    }
    if parts.next().is_some() {
        return None;
    }
    let civil = Civil { year, month, day, hour, minute, second };
    Some(UnixSeconds(civil.to_unix().0 - zone.unwrap_or(0)))
}

fn number(word: &str, range: std::ops::RangeInclusive<u8>) -> Option<u8> {
    let digits = !word.is_empty() && word.len() <= 2 && word.bytes().all(|b| b.is_ascii_digit());
    word.parse().ok().filter(|number| digits && range.contains(number))
}

fn year_of(word: &str) -> Option<i64> {
    let digits = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| digits)
}

/// Seconds east of UTC.
fn zone_of(word: &str) -> Option<i64> {
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    let hours = i64::from(number(hours, 0..=23)?);
    let minutes = i64::from(number(minutes, 0..=59)?);
    Some(sign * (hours * 3_600 + minutes * 60))
}

/// The zones of RFC 5322 §4.3; another name says as little as none.
fn name_of(word: &str) -> Option<i64> {
    let letters = (1..=5).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphabetic());
    let hours = match word.to_ascii_uppercase().as_str() {
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => 0,
    };
    letters.then_some(hours * 3_600)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Option<(String, i64)> {
        FromLine::read(line.as_bytes()).map(|line| (line.sender, line.date.0))
    }

    #[test]
    fn dates_as_programs_write_them() {
        // 2021-03-04T05:06:07Z.
        let at = 1_614_834_367;
        for (line, date) in [
            ("From a@b.example Thu Mar  4 05:06:07 2021", at),
            ("From a@b.example Thu Mar  4 05:06:07 2021\n", at),
            ("From a@b.example  Thu Mar 4 05:06:07 2021\r\n", at),
            ("From a@b.example Thu Mar 04 05:06 2021", at - 7),
            ("From a@b.example Thu Mar  4 05:06:07 2021 +0100", at - 3_600),
            ("From a@b.example Thu Mar  4 05:06:07 +0100 2021", at - 3_600),
            ("From a@b.example Thu Mar  4 05:06:07 EST 2021", at + 5 * 3_600),
            ("From a@b.example Thu Mar  4 05:06:07 MET 2021", at),
            ("From a@b.example Thu Mar  4 05:06:07 2021 remote from host", at),
        ] {
            assert_eq!(read(line), Some(("a@b.example".into(), date)), "{line}");
        }
        let at = Some(at);
        let date = |line| read(line).map(|(_, date)| date);
        assert_eq!(date("From Thu Mar  4 05:06:07 2021"), at);
        assert_eq!(date("From - Thu Mar 04 05:06:07 2021"), at);
        assert_eq!(date("From \"a b\"@c Thu Mar  4 05:06:07 2021"), at);
    }

    #[test]
    fn lines_of_text_are_none() {
        for line in [
            "",
            "From",
            "From ",
            "From here on all is well",
            "From Monday on Mar 4 is free",
            "from a@b Thu Mar  4 05:06:07 2021",
            ">From a@b Thu Mar  4 05:06:07 2021",
            "From a@b Thu Mar  4 05:06:07",
            "From a@b Thu Mar 44 05:06:07 2021",
            "From a@b Thu Mar  4 05:66:07 2021",
            "From a@b Thu Mar  4 05:06:07:08 2021",
            "From a@b Thu Mar  4 05:06:07 2021 and so on and on",
            "From a@b 2021-03-04 05:06:07",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_it_was_written(
            sender in "[a-z@.]{1,20}",
            seconds in 0_i64..253_402_300_800,
        ) {
            let line = FromLine { sender, date: UnixSeconds(seconds) };
            prop_assert_eq!(FromLine::read(line.to_text().as_bytes()), Some(line));
        }
    }

    #[test]
    fn a_sender_that_would_break_the_line_is_left_out() {
        for sender in ["", "a b", "a\nFrom b", "é"] {
            let line = FromLine { sender: sender.into(), date: UnixSeconds(0) };
            assert_eq!(line.to_text(), "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n");
        }
    }
}
