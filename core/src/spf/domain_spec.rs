//! Names that are made for each message: macros (RFC 7208 §7).

use core::net::IpAddr;
use std::fmt::Write as _;

use super::record::SyntaxFault;
use crate::UnixSeconds;
use crate::dns::{Name, NameFault};

/// A text with macros in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroString(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Macro(Macro),
}

/// `%{letter transformers delimiters}`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Macro {
    letter: u8,
    /// What it stands for is escaped as in a URI.
    escaped: bool,
    /// How many parts on the right are kept; 0: all.
    parts: u32,
    reversed: bool,
    delimiters: Vec<u8>,
}

/// What macros stand for.
#[derive(Debug, Clone)]
pub(super) struct Values<'a> {
    pub(super) ip: IpAddr,
    pub(super) helo: &'a str,
    pub(super) localpart: &'a str,
    pub(super) sender_domain: &'a str,
    /// Whose record it is.
    pub(super) domain: &'a Name,
    /// The name that the address was proved to have; `None` where there is none.
    pub(super) validated: Option<&'a Name>,
    pub(super) receiver: &'a str,
    pub(super) now: UnixSeconds,
}

/// Only explanations may have these letters (RFC 7208 §7.2).
const EXPLAINING: &[u8] = b"crt";
const LETTERS: &[u8] = b"slodiphvcrt";
const DELIMITERS: &[u8] = b".-+,/_=";
/// What stands for the name of an address that has none (RFC 7208 §7.3).
const UNKNOWN: &str = "unknown";
/// The longest name that is asked for, with dots (RFC 7208 §7.3).
const NAME_MAX: usize = 253;

impl MacroString {
    /// Reads all of `text`, which is visible ASCII; in explanations spaces too.
    pub(super) fn parse(text: &str, explains: bool) -> Result<Self, SyntaxFault> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let visible = character.is_ascii_graphic() || explains && character == ' ';
            if !visible {
                return Err(SyntaxFault::Character);
            }
            let Some(escape) = rest.strip_prefix('%') else {
                literal.push(character);
                rest = rest.get(1..).unwrap_or_default();
                continue;
            };
            rest = escape.get(1..).unwrap_or_default();
            match escape.bytes().next() {
                Some(b'%') => literal.push('%'),
                Some(b'_') => literal.push(' '),
                Some(b'-') => literal.push_str("%20"),
                Some(b'{') => {
                    let (inside, after) = rest.split_once('}').ok_or(SyntaxFault::Macro)?;
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Macro(Macro::parse(inside, explains)?));
                    rest = after;
                }
                _ => return Err(SyntaxFault::Macro),
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The same where it is to be a name (`domain-spec`): it ends with a macro or with the name of a
    /// top level (RFC 7208 §7.1).
    pub(super) fn parse_name(text: &str) -> Result<Self, SyntaxFault> {
        let parsed = Self::parse(text, false)?;
        match parsed.0.last() {
            Some(Piece::Macro(_)) => Ok(parsed),
            // The dot in front of the top level may follow a macro.
            Some(Piece::Literal(end)) if ends_with_top_level(end) => Ok(parsed),
            _ => Err(SyntaxFault::Domain),
        }
    }

    fn has(&self, letter: u8) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Macro(found) if found.letter == letter))
    }

    /// Whether the name of the address must be known before.
    pub(super) fn asks_validated(&self) -> bool {
        self.has(b'p')
    }

    /// Whether it has the sender's local part in it.
    pub(super) fn asks_localpart(&self) -> bool {
        self.has(b's') || self.has(b'l')
    }

    /// As text.
    pub(super) fn expand(&self, values: &Values<'_>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Macro(found) => found.expand(values, &mut out),
            }
        }
        out
    }

    /// As a name to be asked for. One that is too long loses labels on its left (RFC 7208 §7.3).
    pub(super) fn name(&self, values: &Values<'_>) -> Result<Name, NameFault> {
        let text = self.expand(values);
        let mut text = text.strip_suffix('.').unwrap_or(&text);
        while text.len() > NAME_MAX {
            text = text.split_once('.').ok_or(NameFault::TooLong)?.1;
        }
        Name::from_labels(text.split('.').map(str::as_bytes))
    }
}

impl Macro {
    fn parse(inside: &str, explains: bool) -> Result<Self, SyntaxFault> {
        let (letter, rest) = inside.as_bytes().split_first().ok_or(SyntaxFault::Macro)?;
        let lower = letter.to_ascii_lowercase();
        if !LETTERS.contains(&lower) || EXPLAINING.contains(&lower) && !explains {
            return Err(SyntaxFault::Macro);
        }
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = rest.split_at_checked(digits).unwrap_or_default();
        let parts = number.iter().fold(0_u32, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
        });
        if digits > 0 && parts == 0 {
            return Err(SyntaxFault::Macro);
        }
        let (reversed, rest) = match rest.split_first() {
            Some((b'r' | b'R', rest)) => (true, rest),
            _ => (false, rest),
        };
        if !rest.iter().all(|byte| DELIMITERS.contains(byte)) {
            return Err(SyntaxFault::Macro);
        }
        let escaped = letter.is_ascii_uppercase();
        Ok(Self { letter: lower, escaped, parts, reversed, delimiters: rest.to_vec() })
    }

    fn expand(&self, values: &Values<'_>, out: &mut String) {
        let value = self.value(values);
        let delimiters: &[u8] = if self.delimiters.is_empty() { b"." } else { &self.delimiters };
        let is_delimiter = |c: char| u8::try_from(c).is_ok_and(|byte| delimiters.contains(&byte));
        let mut parts: Vec<&str> = value.split(is_delimiter).collect();
        if self.reversed {
            parts.reverse();
        }
        let kept = match usize::try_from(self.parts).unwrap_or(usize::MAX) {
            0 => parts.len(),
            wanted => wanted.min(parts.len()),
        };
        let kept = parts.get(parts.len() - kept..).unwrap_or_default().join(".");
        if self.escaped { escape(&kept, out) } else { out.push_str(&kept) }
    }

    fn value(&self, values: &Values<'_>) -> String {
        match self.letter {
            b's' => format!("{}@{}", values.localpart, values.sender_domain),
            b'l' => values.localpart.to_owned(),
            b'o' => values.sender_domain.to_owned(),
            b'd' => values.domain.to_string(),
            b'i' => dotted(values.ip),
            b'p' => values.validated.map_or_else(|| UNKNOWN.to_owned(), Name::to_string),
            b'v' if values.ip.is_ipv4() => "in-addr".to_owned(),
            b'v' => "ip6".to_owned(),
            b'h' => values.helo.to_owned(),
            b'c' => values.ip.to_string(),
            b'r' => values.receiver.to_owned(),
            _ => values.now.0.to_string(),
        }
    }
}

/// An address as `i` has it: one of IPv6 is written in hexadecimal digits with dots between.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let digits: Vec<String> = ip
                .octets()
                .iter()
                .flat_map(|byte| [byte >> 4, byte & 15])
                // The case is free; the test suite has large letters.
                .map(|digit| format!("{digit:X}"))
                .collect();
            digits.join(".")
        }
    }
}

/// All but `unreserved` is escaped (RFC 7208 §7.3, RFC 3986 §2.3).
fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
}

/// `"." toplabel [ "." ]`: letters, digits and inner hyphens, and not digits alone.
fn ends_with_top_level(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let Some((_, label)) = text.rsplit_once('.') else { return false };
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    label.bytes().all(inner)
        && !label.bytes().all(|byte| byte.is_ascii_digit())
        && !label.starts_with('-')
        && !label.ends_with('-')
}
