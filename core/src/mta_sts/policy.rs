//! A policy: lines of keys and values (RFC 8461 §3.2).

use std::fmt::{self, Write as _};

use super::record::is_name;
use crate::dns::Name;

/// No policy holds for longer than about a year, in seconds (RFC 8461 §3.2).
pub const MAX_AGE_MAX: u64 = 31_557_600;
/// A longer answer is none (RFC 8461 §3.3).
pub const POLICY_BYTES_MAX: usize = 64 << 10;

/// What a domain says of the servers that take its mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How much it is to be insisted on.
    pub mode: Mode,
    /// For how long it may be kept, in seconds; at most [`MAX_AGE_MAX`].
    pub max_age: u64,
    /// The servers that take its mail: at least one, except with [`Mode::None`].
    pub mx: Vec<MxPattern>,
}

/// RFC 8461 §5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// There is no policy any more.
    None,
    /// Where TLS fails it is reported, and mail is delivered.
    Testing,
    /// Where TLS fails mail is not delivered.
    Enforce,
}

/// The name of a server, or with `*.` in front those one label below it, in small letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxPattern(String);

/// Why a text is no policy. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyFault {
    /// It is longer than [`POLICY_BYTES_MAX`].
    TooLong,
    /// A line has no key with a colon behind it, or is not UTF-8.
    Line(usize),
    /// The version is another one than `STSv1`.
    Version,
    /// The mode is none of the three.
    Mode,
    /// The `max_age` is not a number of 1 to 10 digits.
    MaxAge,
    /// A line with an `mx` that is no name of a host.
    Mx(usize),
    /// This key is missing.
    Missing(&'static str),
}

/// Why an answer over HTTPS brings no policy (RFC 8461 §3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchFault {
    /// The answer has another status than 200. Redirections are not followed.
    Status(u16),
    /// It is not text/plain.
    MediaType,
    /// It is no policy.
    Policy(PolicyFault),
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the policy is longer than {POLICY_BYTES_MAX} bytes"),
            Self::Line(line) => write!(f, "line {line} of the policy is not `key: value`"),
            Self::Version => f.write_str("the policy's version is not STSv1"),
            Self::Mode => f.write_str("the policy's mode is none of enforce, testing and none"),
            Self::MaxAge => f.write_str("the policy's max_age is no number of 1 to 10 digits"),
            Self::Mx(line) => write!(f, "line {line} of the policy names no host"),
            Self::Missing(key) => write!(f, "the policy has no {key}"),
        }
    }
}

impl std::error::Error for PolicyFault {}

impl fmt::Display for FetchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the policy's host answered with status {status}"),
            Self::MediaType => f.write_str("the policy is not text/plain"),
            Self::Policy(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for FetchFault {}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Testing, Self::Enforce];

    /// As a policy has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Testing => "testing",
            Self::Enforce => "enforce",
        }
    }
}

impl MxPattern {
    /// Parses the whole of `text`: the name of a host, perhaps behind `*.`. `None` where it is
    /// none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (wild, host) = text.strip_prefix("*.").map_or(("", text), |host| ("*.", host));
        let name = Name::parse(host).ok().filter(|name| !name.as_str().contains('_'))?;
        Some(Self(format!("{wild}{name}")))
    }

    /// As it is written in a policy.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a server of this name is meant (RFC 8461 §4.1): the star stands for one label.
    #[must_use]
    pub fn matches(&self, host: &Name) -> bool {
        match self.0.strip_prefix("*.") {
            Some(above) => host.parent().is_some_and(|parent| parent.as_str() == above),
            None => host.as_str() == self.0,
        }
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Policy {
    /// Parses a whole policy. Keys that are not known are passed over; of several with one name the
    /// first counts, except of `mx`.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyFault> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyFault::TooLong);
        }
        let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let line = std::str::from_utf8(line).map_err(|_| PolicyFault::Line(number))?;
            let line = line.trim_matches([' ', '\t', '\r']);
            if line.is_empty() {
                continue;
            }
            let (key, value) = line.split_once(':').ok_or(PolicyFault::Line(number))?;
            let value = value.trim_matches([' ', '\t']);
            match key {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => max_age = max_age.or(Some(value)),
                "mx" => mx.push(MxPattern::parse(value).ok_or(PolicyFault::Mx(number))?),
                key if is_name(key) => {}
                _ => return Err(PolicyFault::Line(number)),
            }
        }
        if version.ok_or(PolicyFault::Missing("version"))? != "STSv1" {
            return Err(PolicyFault::Version);
        }
        let mode = mode.ok_or(PolicyFault::Missing("mode"))?;
        let mode = Mode::ALL.into_iter().find(|known| known.name() == mode);
        let mode = mode.ok_or(PolicyFault::Mode)?;
        let max_age = seconds(max_age.ok_or(PolicyFault::Missing("max_age"))?)?;
        if mx.is_empty() && mode != Mode::None {
            return Err(PolicyFault::Missing("mx"));
        }
        Ok(Self { mode, max_age, mx })
    }

    /// As it is published.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("version: STSv1\r\nmode: {}\r\n", self.mode.name());
        for mx in &self.mx {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "mx: {mx}\r\n");
        }
        let _infallible = write!(text, "max_age: {}\r\n", self.max_age);
        text
    }

    /// Whether a server of this name takes the domain's mail by the policy (RFC 8461 §4.1).
    #[must_use]
    pub fn names(&self, host: &Name) -> bool {
        self.mx.iter().any(|pattern| pattern.matches(host))
    }
}

/// Reads an answer of the policy's host (RFC 8461 §3.3); its certificate was verified before.
///
/// # Errors
/// Why it brings no policy.
pub fn read_response(
    status: u16,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Policy, FetchFault> {
    if status != 200 {
        return Err(FetchFault::Status(status));
    }
    let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    if !media.trim().eq_ignore_ascii_case("text/plain") {
        return Err(FetchFault::MediaType);
    }
    Policy::parse(body).map_err(FetchFault::Policy)
}

fn seconds(digits: &str) -> Result<u64, PolicyFault> {
    let good = (1..=10).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: Option<u64> = good.then(|| digits.parse().ok()).flatten();
    seconds.map(|seconds| seconds.min(MAX_AGE_MAX)).ok_or(PolicyFault::MaxAge)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy in one line.
    fn read(text: &str) -> String {
        match Policy::parse(text.as_bytes()) {
            Ok(Policy { mode, max_age, mx }) => {
                let mx: Vec<_> = mx.iter().map(MxPattern::as_str).collect();
                format!("{} {max_age} {}", mode.name(), mx.join(","))
            }
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn policies() {
        for (text, expected) in [
            // RFC 8461 §3.2.
            (
                "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\n\
                 mx: backupmx.example.com\nmax_age: 604800\n",
                "enforce 604800 mail.example.com,*.example.net,backupmx.example.com",
            ),
            ("mx:A.B\r\nmax_age:0\r\nmode:testing\r\nversion:STSv1", "testing 0 a.b"),
            ("version: STSv1 \nmode:\tnone\nmax_age: 86400 \n\n", "none 86400 "),
            ("version: STSv1\nmode: none\nmode: enforce\nmax_age: 1\nx-y: z: z\n", "none 1 "),
            ("version: STSv1\nmode: none\nmax_age: 9999999999\n", "none 31557600 "),
            (
                "version: STSv1\nmode: none\nmax_age: 10000000000\n",
                "the policy's max_age is no number of 1 to 10 digits",
            ),
            (
                "version: STSv1\nmode: none\nmax_age: +1\n",
                "the policy's max_age is no number of 1 to 10 digits",
            ),
            ("version: STSv2\nmode: none\nmax_age: 1\n", "the policy's version is not STSv1"),
            (
                "version: STSv1\nmode: Enforce\nmax_age: 1\n",
                "the policy's mode is none of enforce, testing and none",
            ),
            ("version: STSv1\nmode: enforce\nmax_age: 1\n", "the policy has no mx"),
            ("mode: none\nmax_age: 1\n", "the policy has no version"),
            ("version: STSv1\nmax_age: 1\n", "the policy has no mode"),
            ("version: STSv1\nmode: none\n", "the policy has no max_age"),
            ("version: STSv1\nmode\n", "line 2 of the policy is not `key: value`"),
            ("version: STSv1\nmode : none\n", "line 2 of the policy is not `key: value`"),
            ("version: STSv1\nmx: *\n", "line 2 of the policy names no host"),
            ("version: STSv1\nmx: a.*.b\n", "line 2 of the policy names no host"),
            ("version: STSv1\nmx: **.b\n", "line 2 of the policy names no host"),
            ("version: STSv1\nmx: _a.b\n", "line 2 of the policy names no host"),
            ("<!doctype html>", "line 1 of the policy is not `key: value`"),
            ("", "the policy has no version"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        let long = " ".repeat(POLICY_BYTES_MAX + 1);
        assert_eq!(Policy::parse(long.as_bytes()), Err(PolicyFault::TooLong));
        assert_eq!(Policy::parse(b"\xFF"), Err(PolicyFault::Line(1)));
    }

    #[test]
    fn hosts() {
        for (pattern, host, expected) in [
            ("mail.example.com", "MAIL.example.com", true),
            ("Mail.Example.Com", "mail.example.com", true),
            ("mail.example.com", "a.mail.example.com", false),
            ("example.com", "mail.example.com", false),
            // RFC 8461 §4.1.
            ("*.example.com", "mail.example.com", true),
            ("*.example.com", "foo.bar.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.xample.com", "example.com", false),
        ] {
            let pattern = MxPattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(&Name::parse(host).unwrap()), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn answers() {
        let body = b"version: STSv1\nmode: none\nmax_age: 1\n";
        for (status, media, good) in [
            (200, Some("text/plain"), true),
            (200, Some("Text/Plain ; charset=utf-8"), true),
            (200, Some("text/html"), false),
            (200, None, false),
            (301, Some("text/plain"), false),
            (404, Some("text/plain"), false),
        ] {
            assert_eq!(read_response(status, media, body).is_ok(), good, "{status} {media:?}");
        }
        let broken = read_response(200, Some("text/plain"), b"");
        assert_eq!(broken, Err(FetchFault::Policy(PolicyFault::Missing("version"))));
    }

    proptest::proptest! {
        #[test]
        fn what_is_published_is_read_again(
            mode in 0_usize..3,
            max_age in 0..=MAX_AGE_MAX,
            names in proptest::collection::vec("(\\*\\.)?[a-z][a-z0-9]{0,5}\\.[a-z]{2,5}", 1..5),
        ) {
            let mx = names.iter().map(|name| MxPattern::parse(name).unwrap()).collect();
            let policy = Policy { mode: Mode::ALL[mode], max_age, mx };
            proptest::prop_assert_eq!(Policy::parse(policy.to_text().as_bytes()), Ok(policy));
        }

        #[test]
        fn any_text_is_read(text in "(version: STSv1\n|mode: |none|:|\n|mx: \\*\\.|\\PC){0,20}") {
            if let Ok(policy) = Policy::parse(text.as_bytes()) {
                proptest::prop_assert_eq!(Policy::parse(policy.to_text().as_bytes()), Ok(policy));
            }
        }
    }
}
