//! Civil dates for RFC 5322 and IMAP, always in UTC: what we write says `+0000`.

use std::fmt;

use crate::UnixSeconds;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
/// Month names as mail dates write them (RFC 5322 §3.3).
pub const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SECONDS_A_DAY: i64 = 86_400;

/// A date and time of day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// The year, as 2026.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60 when read, 0 to 59 when made from a time.
    pub second: u8,
}

impl Civil {
    /// The civil time of a wall-clock time in the proleptic Gregorian calendar.
    #[must_use]
    pub fn from_unix(time: UnixSeconds) -> Self {
        let (days, rest) = (time.0.div_euclid(SECONDS_A_DAY), time.0.rem_euclid(SECONDS_A_DAY));
        // Years are counted from 1 March, in eras of 400 years (146,097 days), so that the leap
        // day is a year's last.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month: small(month),
            day: small(day),
            hour: small(rest / 3_600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
        }
    }

    /// The wall-clock time of this civil time, taken as UTC.
    #[must_use]
    pub fn to_unix(self) -> UnixSeconds {
        let month = i64::from(self.month);
        let year = self.year - i64::from(month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let month_from_march = (month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        UnixSeconds(
            days * SECONDS_A_DAY
                + i64::from(self.hour) * 3_600
                + i64::from(self.minute) * 60
                + i64::from(self.second),
        )
    }

    fn month_name(self) -> &'static str {
        MONTHS.get(usize::from(self.month.saturating_sub(1))).copied().unwrap_or("Jan")
    }
}

fn small(value: i64) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

impl UnixSeconds {
    fn day_name(self) -> &'static str {
        let index = usize::from(small(self.0.div_euclid(SECONDS_A_DAY).rem_euclid(7)));
        DAYS.get(index).copied().unwrap_or("Thu")
    }
}

/// Prints a time as a message header wants it: `Tue, 24 Nov 2026 13:34:00 +0000` (RFC 5322 §3.3).
#[derive(Debug, Clone, Copy)]
pub struct HeaderDate(pub UnixSeconds);

impl fmt::Display for HeaderDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = Civil::from_unix(self.0);
        let day_name = self.0.day_name();
        let Civil { year, day, hour, minute, second, .. } = civil;
        let month = civil.month_name();
        write!(f, "{day_name}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
    }
}

/// Prints a time as HTTP wants it: `Tue, 24 Nov 2026 13:34:00 GMT` (RFC 9110 §5.6.7, IMF-fixdate).
#[derive(Debug, Clone, Copy)]
pub struct HttpDate(pub UnixSeconds);

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = Civil::from_unix(self.0);
        let day_name = self.0.day_name();
        let Civil { year, day, hour, minute, second, .. } = civil;
        let month = civil.month_name();
        write!(f, "{day_name}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

/// Prints a time as IMAP wants it: `24-Nov-2026 13:34:00 +0000`, the day padded with a space
/// (RFC 9051 §9, date-time).
#[derive(Debug, Clone, Copy)]
pub struct ImapDate(pub UnixSeconds);

impl fmt::Display for ImapDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = Civil::from_unix(self.0);
        let Civil { year, day, hour, minute, second, .. } = civil;
        let month = civil.month_name();
        write!(f, "{day:2}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} +0000")
    }
}

/// Prints a time as `2026-11-24T13:34:00Z` (RFC 3339 §5.6).
#[derive(Debug, Clone, Copy)]
pub struct InternetDate(pub UnixSeconds);

impl fmt::Display for InternetDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second } = Civil::from_unix(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Reads a date and time as RFC 3339 §5.6 writes it, with any offset; fractions of a second are
/// cut off. `None` where it is none, or a day that does not exist.
#[must_use]
pub fn internet_date(text: &str) -> Option<UnixSeconds> {
    let number = |at: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(at).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse().ok()
    };
    let is = |at: usize, wanted: &[u8]| text.as_bytes().get(at).is_some_and(|b| wanted.contains(b));
    let separated = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    if !separated {
        return None;
    }
    let civil = Civil {
        year: number(0..4)?,
        month: small(number(5..7)?),
        day: small(number(8..10)?),
        hour: small(number(11..13)?),
        minute: small(number(14..16)?),
        // A leap second is the last one before it.
        second: small(number(17..19)?.min(60)),
    };
    let time = Civil { second: civil.second.min(59), ..civil }.to_unix();
    let exists = Civil::from_unix(time) == Civil { second: civil.second.min(59), ..civil };
    let rest = text.get(19..).filter(|_| exists && number(17..19) <= Some(60))?;
    let zone = rest.strip_prefix('.').map_or(Some(rest), |rest| {
        let zone = rest.trim_start_matches(|char: char| char.is_ascii_digit());
        (zone.len() < rest.len()).then_some(zone)
    })?;
    zone_seconds(zone).map(|offset| UnixSeconds(time.0 - offset))
}

/// How far a zone is ahead of UTC: `Z`, `+01:30`.
fn zone_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, time) = match zone.split_at_checked(1)? {
        ("+", time) => (1, time),
        ("-", time) => (-1, time),
        _ => return None,
    };
    let (hours, minutes) = time.split_once(':')?;
    let two = |text: &str, max: i64| -> Option<i64> {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().filter(|number| *number <= max)
    };
    Some(sign * (two(hours, 23)? * 3_600 + two(minutes, 59)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_known_by_heart() {
        for (seconds, header, imap) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000", " 1-Jan-1970 00:00:00 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000", "29-Feb-2000 00:00:00 +0000"),
            (1_795_527_240, "Tue, 24 Nov 2026 13:34:00 +0000", "24-Nov-2026 13:34:00 +0000"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000", "31-Dec-1969 23:59:59 +0000"),
        ] {
            assert_eq!(HeaderDate(UnixSeconds(seconds)).to_string(), header);
            let http = HttpDate(UnixSeconds(seconds)).to_string();
            let padded = header.replace(", 1 ", ", 01 ").replace("+0000", "GMT");
            assert_eq!(http, padded);
            assert_eq!(ImapDate(UnixSeconds(seconds)).to_string(), imap);
        }
    }

    #[test]
    fn internet_dates_are_read() {
        for (text, seconds) in [
            ("2026-11-24T13:34:00Z", Some(1_795_527_240)),
            ("2026-11-24t13:34:00.25z", Some(1_795_527_240)),
            ("2026-11-24T15:04:00+01:30", Some(1_795_527_240)),
            ("2026-11-24T05:34:00-08:00", Some(1_795_527_240)),
            ("2000-02-29T00:00:00Z", Some(951_782_400)),
            ("1990-12-31T23:59:60Z", Some(662_687_999)),
            ("2001-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-11-24T24:00:00Z", None),
            ("2026-11-24T13:34:61Z", None),
            ("2026-11-24T13:34:00", None),
            ("2026-11-24T13:34:00.Z", None),
            ("2026-11-24T13:34:00+1:30", None),
            ("2026-11-24", None),
            ("2026-11-24T13:34:0\u{e9}", None),
            ("", None),
        ] {
            assert_eq!(internet_date(text), seconds.map(UnixSeconds), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn internet_dates_round_trip(seconds in -62_000_000_000_i64..250_000_000_000) {
            let time = UnixSeconds(seconds);
            let text = InternetDate(time).to_string();
            proptest::prop_assert_eq!(internet_date(&text), Some(time));
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,30}") {
            let _ = internet_date(&text);
        }

        #[test]
        fn civil_times_round_trip(seconds in -100_000_000_000_i64..100_000_000_000) {
            let time = UnixSeconds(seconds);
            proptest::prop_assert_eq!(Civil::from_unix(time).to_unix(), time);
        }
    }
}
