//! The small words of the grammar: atoms, strings, numbers, dates.

use std::borrow::Cow;

use nom::Parser;
use nom::bytes::complete::{tag_no_case, take, take_while, take_while1};

use super::{Miss, Read};
use crate::UnixSeconds;
use crate::wire::date::{Civil, MONTHS};

/// A string as the peer meant it, unescaped: any bytes, though mostly UTF-8.
pub type Text<'a> = Cow<'a, [u8]>;

/// A calendar day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The day on which a moment lies, in UTC.
    #[must_use]
    pub const fn of(time: UnixSeconds) -> Self {
        Self(time.0.div_euclid(86_400))
    }
}

/// Whether a byte may stand in an atom: printable ASCII outside `atom-specials` (RFC 3501 §9).
pub(crate) const fn atom_char(byte: u8) -> bool {
    is(byte, ATOM)
}

/// One space, never more: RFC 3501 §9 counts them.
pub(super) fn space(input: &[u8]) -> Read<'_, ()> {
    byte(input, b' ', "a space")
}

/// One given byte.
pub(super) fn byte<'a>(input: &'a [u8], wanted: u8, expected: &'static str) -> Read<'a, ()> {
    match input.split_first() {
        Some((first, rest)) if *first == wanted => Ok((rest, ())),
        _ => Err(Miss::error(input, expected)),
    }
}

/// Nothing more.
pub(super) fn end(input: &[u8]) -> Read<'_, ()> {
    if input.is_empty() {
        Ok((input, ()))
    } else {
        Err(Miss::error(input, "the end of the command"))
    }
}

/// A given word in any case.
pub(super) fn word<'a>(input: &'a [u8], wanted: &'static str) -> Read<'a, ()> {
    let (rest, _) = tag_no_case(wanted)
        .parse(input)
        .map_err(|_: nom::Err<Miss<'a>>| Miss::error(input, wanted))?;
    Ok((rest, ()))
}

/// `tag` (RFC 3501 §9): what may stand in a string without quotes, but no `+`.
pub(super) fn command_tag(input: &[u8]) -> Read<'_, &str> {
    let miss = || Miss::error(input, "a tag of at most 64 bytes");
    // Longer ones are not looked through.
    let looked_at = input.get(..=TAG_BYTES_MAX).unwrap_or(input);
    let (_, tag) = run(looked_at, TAG, "a tag").map_err(|_| miss())?;
    if tag.len() > TAG_BYTES_MAX {
        return Err(miss());
    }
    Ok((input.get(tag.len()..).unwrap_or_default(), tag))
}

/// `atom` (RFC 3501 §9).
pub(super) fn atom(input: &[u8]) -> Read<'_, &str> {
    run(input, ATOM, "an atom")
}

/// `astring` (RFC 3501 §9): a string with or without quotes, or a literal.
pub(super) fn astring(input: &[u8]) -> Read<'_, Text<'_>> {
    text(input, ASTRING, "a string")
}

/// `string` (RFC 3501 §9): with quotes, or a literal.
pub(super) fn string(input: &[u8]) -> Read<'_, Text<'_>> {
    match input.first() {
        Some(b'{') => literal(input),
        _ => quoted(input),
    }
}

/// `list-mailbox` (RFC 3501 §9): as `astring`, with wildcards.
pub(super) fn list_mailbox(input: &[u8]) -> Read<'_, Text<'_>> {
    text(input, LIST, "a mailbox pattern")
}

/// `number` (RFC 3501 §9), up to 63 bits as `number64` of RFC 9051 §9.
pub(super) fn number(input: &[u8]) -> Read<'_, u64> {
    let (rest, digits) = digits(input, "a number")?;
    let value = digits.iter().try_fold(0_u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
    });
    match value {
        Some(value) if value <= NUMBER_MAX => Ok((rest, value)),
        _ => Err(Miss::error(input, "a number below 2^63")),
    }
}

/// `nz-number` (RFC 3501 §9): 1 to 2^32-1, no leading zero.
pub(super) fn nz_number(input: &[u8]) -> Read<'_, u32> {
    let (rest, digits) = digits(input, NZ_NUMBER)?;
    if digits.first() == Some(&b'0') {
        return Err(Miss::error(input, NZ_NUMBER));
    }
    let value = digits.iter().try_fold(0_u32, |value, digit| {
        value.checked_mul(10)?.checked_add(u32::from(digit.wrapping_sub(b'0')))
    });
    value.map(|value| (rest, value)).ok_or_else(|| Miss::error(input, NZ_NUMBER))
}

/// `date` (RFC 3501 §9): `1-Feb-1994`, with or without quotes.
pub(super) fn date(input: &[u8]) -> Read<'_, Day> {
    if let Some((b'"', inner)) = input.split_first() {
        let (rest, day) = bare_date(inner)?;
        let (rest, ()) = byte(rest, b'"', "a closing quote")?;
        return Ok((rest, day));
    }
    bare_date(input)
}

/// `date-time` (RFC 3501 §9): `"17-Jul-1996 02:44:25 -0700"`, a day below 10 behind a space.
pub(super) fn date_time(input: &[u8]) -> Read<'_, UnixSeconds> {
    let miss = || Miss::error(input, "a date and time");
    let (rest, ()) = byte(input, b'"', "a date and time")?;
    let (rest, inner) = take(26_usize).parse(rest).map_err(|_: nom::Err<Miss<'_>>| miss())?;
    let (rest, ()) = byte(rest, b'"', "a closing quote")?;
    read_date_time(inner).map(|time| (rest, time)).ok_or_else(miss)
}

/// Appends a number in decimal digits, without an allocation.
pub(crate) fn write_number(mut value: u64, put: impl FnOnce(&[u8])) {
    let mut digits = [b'0'; 20];
    let mut begin = digits.len();
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        begin -= 1;
        if value == 0 {
            break;
        }
    }
    put(digits.get(begin..).unwrap_or_default());
}

fn run<'a>(input: &'a [u8], class: u8, expected: &'static str) -> Read<'a, &'a str> {
    let (rest, bytes) = take_while1(|byte| is(byte, class))
        .parse(input)
        .map_err(|_: nom::Err<Miss<'a>>| Miss::error(input, expected))?;
    // All classes are ASCII.
    let text = std::str::from_utf8(bytes).map_err(|_| Miss::error(input, expected))?;
    Ok((rest, text))
}

fn text<'a>(input: &'a [u8], class: u8, expected: &'static str) -> Read<'a, Text<'a>> {
    match input.first() {
        Some(b'"') => quoted(input),
        Some(b'{') => literal(input),
        _ => {
            let (rest, bytes) = take_while1(|byte| is(byte, class))
                .parse(input)
                .map_err(|_: nom::Err<Miss<'a>>| Miss::error(input, expected))?;
            Ok((rest, Cow::Borrowed(bytes)))
        }
    }
}

/// `quoted` (RFC 3501 §9), with UTF-8 in it as RFC 9051 §9 has it.
fn quoted(input: &[u8]) -> Read<'_, Text<'_>> {
    let (rest, text) = any_quoted(input)?;
    // RFC 6855 §3: what is not UTF-8 is refused.
    match std::str::from_utf8(&text) {
        Ok(_) => Ok((rest, text)),
        Err(_) => Err(Miss::error(input, "UTF-8 in a quoted string")),
    }
}

fn any_quoted(input: &[u8]) -> Read<'_, Text<'_>> {
    let unclosed = || Miss::error(input, "a quoted string that ends");
    let (start, ()) = byte(input, b'"', "a quoted string")?;
    let (mut rest, plain) = take_while(plain_in_quotes).parse(start)?;
    if let Some((b'"', after)) = rest.split_first() {
        return Ok((after, Cow::Borrowed(plain)));
    }
    let mut text = plain.to_vec();
    loop {
        match rest.split_first() {
            Some((b'"', after)) => return Ok((after, Cow::Owned(text))),
            Some((b'\\', after)) => match after.split_first() {
                Some((escaped @ (b'"' | b'\\'), after)) => {
                    text.push(*escaped);
                    rest = after;
                }
                _ => return Err(Miss::error(after, "a quote or backslash after a backslash")),
            },
            Some((b'\r' | b'\n' | 0, _)) => return Err(Miss::error(rest, "a closing quote")),
            Some(_) => {
                let (after, plain) = take_while(plain_in_quotes).parse(rest)?;
                text.extend_from_slice(plain);
                rest = after;
            }
            None => return Err(unclosed()),
        }
    }
}

/// `literal` (RFC 3501 §9, RFC 7888), whose bytes have come already.
fn literal(input: &[u8]) -> Read<'_, Text<'_>> {
    let (rest, (size, _)) = announced(input)?;
    let missing = || Miss::error(rest, "the bytes of the literal");
    let size = usize::try_from(size).map_err(|_| missing())?;
    let (bytes, after) = rest.split_at_checked(size).ok_or_else(missing)?;
    // A NUL is no CHAR8: it may stand in no string (RFC 3501 §9).
    if memchr::memchr(0, bytes).is_some() {
        return Err(Miss::error(rest, "a literal without NUL"));
    }
    Ok((after, Cow::Borrowed(bytes)))
}

/// The announcement of a literal with its CRLF: its size, and whether the peer waits for a `+`.
pub(super) fn announced(input: &[u8]) -> Read<'_, (u64, bool)> {
    let (rest, ()) = byte(input, b'{', "a literal")?;
    let (rest, size) = number(rest)?;
    let (rest, waits) = match rest.split_first() {
        Some((b'+', after)) => (after, false),
        _ => (rest, true),
    };
    let (rest, ()) = byte(rest, b'}', "a closing brace")?;
    match rest.strip_prefix(b"\r\n") {
        Some(rest) => Ok((rest, (size, waits))),
        None => Err(Miss::error(rest, "a line end after a literal's size")),
    }
}

fn digits<'a>(input: &'a [u8], expected: &'static str) -> Read<'a, &'a [u8]> {
    take_while1(|byte: u8| byte.is_ascii_digit())
        .parse(input)
        .map_err(|_: nom::Err<Miss<'a>>| Miss::error(input, expected))
}

fn bare_date(input: &[u8]) -> Read<'_, Day> {
    let miss = || Miss::error(input, "a date such as 1-Feb-1994");
    let length = input
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'-'))
        .unwrap_or(input.len());
    let (text, rest) = input.split_at_checked(length).ok_or_else(miss)?;
    read_date(text).map(|civil| (rest, Day::of(civil.to_unix()))).ok_or_else(miss)
}

/// `day-Mon-year`; the day with one or two digits.
fn read_date(text: &[u8]) -> Option<Civil> {
    let mut parts = text.splitn(3, |byte| *byte == b'-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if day.len() > 2 || year.len() != 4 {
        return None;
    }
    let index = MONTHS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(month))?;
    let civil = Civil {
        year: i64::from(decimal(year)?),
        month: u8::try_from(index + 1).ok()?,
        day: u8::try_from(decimal(day)?).ok()?,
        hour: 0,
        minute: 0,
        second: 0,
    };
    // 31-Feb becomes a day of March: only days of the calendar stay what they are.
    (Civil::from_unix(civil.to_unix()) == civil).then_some(civil)
}

fn read_date_time(text: &[u8]) -> Option<UnixSeconds> {
    let (day, rest) = text.split_at_checked(11)?;
    let day = day.strip_prefix(b" ").unwrap_or(day);
    let date = read_date(day)?;
    let [b' ', h1, h2, b':', m1, m2, b':', s1, s2, b' ', sign, z1, z2, z3, z4] = *rest else {
        return None;
    };
    let (hour, minute) = (decimal(&[h1, h2])?, decimal(&[m1, m2])?);
    let second = decimal(&[s1, s2])?;
    let (zone_hour, zone_minute) = (decimal(&[z1, z2])?, decimal(&[z3, z4])?);
    if hour > 23 || minute > 59 || second > 60 || zone_hour > 23 || zone_minute > 59 {
        return None;
    }
    let zone = i64::from(zone_hour) * 3_600 + i64::from(zone_minute) * 60;
    let east = match sign {
        b'+' => zone,
        b'-' => -zone,
        _ => return None,
    };
    let of_day = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    Some(UnixSeconds(date.to_unix().0 + of_day - east))
}

/// A short run of digits and nothing else.
fn decimal(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 4 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits.iter().try_fold(0_u16, |value, digit| {
        value.checked_mul(10)?.checked_add(u16::from(digit.wrapping_sub(b'0')))
    })
}

const fn plain_in_quotes(byte: u8) -> bool {
    !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0)
}

#[expect(clippy::indexing_slicing, reason = "the table has an entry for every byte")]
const fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// The longest tag.
pub(super) const TAG_BYTES_MAX: usize = 64;
const ATOM: u8 = 1;
const ASTRING: u8 = 2;
const LIST: u8 = 4;
const TAG: u8 = 8;
const NUMBER_MAX: u64 = i64::MAX.unsigned_abs();
const NZ_NUMBER: &str = "a number from 1 to 4294967295";

/// Which bytes may stand in which unquoted words (RFC 3501 §9).
const CLASSES: [u8; 256] = {
    let mut classes = [0_u8; 256];
    let mut byte = 0x21;
    while byte < 0x7F {
        #[expect(clippy::cast_possible_truncation, reason = "below 0x7F")]
        let character = byte as u8;
        #[expect(clippy::indexing_slicing, reason = "below 0x7F")]
        {
            classes[byte] = match character {
                b'(' | b')' | b'{' | b'"' | b'\\' => 0,
                b'%' | b'*' => LIST,
                b']' => ASTRING | LIST | TAG,
                b'+' => ATOM | ASTRING | LIST,
                _ => ATOM | ASTRING | LIST | TAG,
            };
        }
        byte += 1;
    }
    classes
};
