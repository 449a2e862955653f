//! The PROXY protocol, versions 1 and 2: a proxy in front of us says whose connection it is.
//!
//! Its definition is HAProxy's `doc/proxy-protocol.txt`. The header comes before everything else,
//! TLS included, and from a proxy only: whoever can reach such a listener can claim to be anybody.
//! So its owner lets in nobody but the proxies that it trusts, and never guesses whether a header
//! is there.
//!
//! [`read`] is the parser; [`Behind`] is a machine that reads the header and then becomes the
//! machine for the true client.

mod behind;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::fmt;

use memchr::memchr;

pub use behind::{Behind, Make};

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The proxy relays for a client, who connected from the first address to the second.
    Client(SocketAddr, SocketAddr),
    /// The proxy speaks for itself (a health check), or does not know: the connection's own
    /// addresses are the true ones.
    Proxy,
}

/// What has been read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The header is not complete.
    NeedBytes,
    /// The header, and how many bytes it took.
    Header(usize, Source),
}

/// It is no header. Nothing may be believed of such a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It begins like neither version.
    NoHeader,
    /// Version 1: the line is too long or is not what the protocol says.
    Line,
    /// Version 2: a version or command that there is not.
    Version,
    /// Version 2: shorter than its addresses, or longer than [`BYTES_MAX`].
    Length,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHeader => "no PROXY header: is it the proxy that connects?",
            Self::Line => "a PROXY line that is malformed",
            Self::Version => "a PROXY header of a version that there is not",
            Self::Length => "a PROXY header that is too short or too long",
        })
    }
}

impl std::error::Error for Wrong {}

/// The longest header that is read. Version 1 has 107 bytes at most; version 2 may carry values of
/// all kinds behind the addresses, which are passed over.
pub const BYTES_MAX: usize = 2_048;

/// Reads the header at the beginning of all that came. What is done again when more comes is
/// bounded by [`BYTES_MAX`].
///
/// # Errors
/// It is no header.
pub fn read(bytes: &[u8]) -> Result<Read, Wrong> {
    let begins = |signature: &[u8]| {
        let both = signature.len().min(bytes.len());
        bytes.get(..both) == signature.get(..both)
    };
    if begins(V2) {
        v2(bytes)
    } else if begins(V1) {
        v1(bytes)
    } else {
        Err(Wrong::NoHeader)
    }
}

/// `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443` and CRLF.
fn v1(bytes: &[u8]) -> Result<Read, Wrong> {
    let Some(end) = memchr(b'\n', bytes.get(..V1_MAX).unwrap_or(bytes)) else {
        return if bytes.len() < V1_MAX { Ok(Read::NeedBytes) } else { Err(Wrong::Line) };
    };
    let line = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Wrong::Line)?;
    let line = std::str::from_utf8(line).map_err(|_| Wrong::Line)?;
    let mut words = line.split(' ').skip(1);
    let mut word = || words.next().ok_or(Wrong::Line);
    let source = match word()? {
        // What follows is to be ignored.
        "UNKNOWN" => return Ok(Read::Header(end + 1, Source::Proxy)),
        "TCP4" => {
            let (from, to) = (parse::<Ipv4Addr>(word()?)?, parse::<Ipv4Addr>(word()?)?);
            let (from_port, to_port) = (port(word()?)?, port(word()?)?);
            Source::Client((from, from_port).into(), (to, to_port).into())
        }
        "TCP6" => {
            let (from, to) = (parse::<Ipv6Addr>(word()?)?, parse::<Ipv6Addr>(word()?)?);
            let (from_port, to_port) = (port(word()?)?, port(word()?)?);
            Source::Client((from, from_port).into(), (to, to_port).into())
        }
        _ => return Err(Wrong::Line),
    };
    if words.next().is_some() { Err(Wrong::Line) } else { Ok(Read::Header(end + 1, source)) }
}

fn parse<T: std::str::FromStr>(word: &str) -> Result<T, Wrong> {
    word.parse().map_err(|_| Wrong::Line)
}

/// Digits only: `parse` alone would take a sign.
fn port(word: &str) -> Result<u16, Wrong> {
    if word.bytes().all(|byte| byte.is_ascii_digit()) { parse(word) } else { Err(Wrong::Line) }
}

/// The signature, version and command, family and transport, a length, addresses, values.
fn v2(bytes: &[u8]) -> Result<Read, Wrong> {
    let Some((head, rest)) = bytes.split_first_chunk::<16>() else { return Ok(Read::NeedBytes) };
    let [.., command, family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > BYTES_MAX - head.len() {
        return Err(Wrong::Length);
    }
    let local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Wrong::Version),
    };
    let Some(body) = rest.get(..length) else { return Ok(Read::NeedBytes) };
    let source = match family {
        _ if local => Source::Proxy,
        // TCP over IPv4 and over IPv6; for others (UDP, UNIX) the true address is not known.
        0x11 => {
            let (from, to, ports) = addresses::<4>(body).ok_or(Wrong::Length)?;
            client(IpAddr::from(from), IpAddr::from(to), ports)
        }
        0x21 => {
            let (from, to, ports) = addresses::<16>(body).ok_or(Wrong::Length)?;
            client(IpAddr::from(from), IpAddr::from(to), ports)
        }
        _ => Source::Proxy,
    };
    Ok(Read::Header(head.len() + length, source))
}

/// Two addresses of `N` bytes, then two ports.
fn addresses<const N: usize>(body: &[u8]) -> Option<([u8; N], [u8; N], [u8; 4])> {
    let (from, rest) = body.split_first_chunk::<N>()?;
    let (to, rest) = rest.split_first_chunk::<N>()?;
    Some((*from, *to, *rest.first_chunk()?))
}

fn client(from: IpAddr, to: IpAddr, [a, b, c, d]: [u8; 4]) -> Source {
    let ports = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Source::Client((from, ports.0).into(), (to, ports.1).into())
}

const V1: &[u8] = b"PROXY ";
/// The longest line of version 1, its CRLF included.
const V1_MAX: usize = 107;
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v2_header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &length, body].concat()
    }

    fn from(text: &str) -> Source {
        let (from, to) = text.split_once(' ').unwrap();
        Source::Client(from.parse().unwrap(), to.parse().unwrap())
    }

    #[test]
    fn lines_of_version_1() {
        for (line, expected) in [
            ("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443", Ok(from("192.0.2.1:56324 192.0.2.2:443"))),
            (
                "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535",
                Ok(from("[2001:db8::1]:1 [2001:db8::2]:65535")),
            ),
            ("PROXY UNKNOWN", Ok(Source::Proxy)),
            ("PROXY UNKNOWN what ever", Ok(Source::Proxy)),
            ("PROXY TCP4 2001:db8::1 192.0.2.2 1 2", Err(Wrong::Line)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1", Err(Wrong::Line)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536", Err(Wrong::Line)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2", Err(Wrong::Line)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3", Err(Wrong::Line)),
            ("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2", Err(Wrong::Line)),
            ("PROXY UDP4 192.0.2.1 192.0.2.2 1 2", Err(Wrong::Line)),
            ("PROXY", Err(Wrong::NoHeader)),
            ("EHLO client.example", Err(Wrong::NoHeader)),
        ] {
            let bytes = format!("{line}\r\nEHLO");
            let expected = expected.map(|source| Read::Header(line.len() + 2, source));
            assert_eq!(read(bytes.as_bytes()), expected, "{line}");
        }
        assert_eq!(read(b"PROXY UNKNOWN\n"), Err(Wrong::Line));
    }

    #[test]
    fn headers_of_version_2() {
        let four = [192, 0, 2, 1, 192, 0, 2, 2, 0, 25, 1, 187];
        let six: Vec<u8> = (0..32).chain([0, 25, 1, 187]).collect();
        let with_values = [&four[..], &[4, 0, 1, 7]].concat();
        for (header, expected) in [
            (v2_header(0x21, 0x11, &four), Ok(from("192.0.2.1:25 192.0.2.2:443"))),
            (v2_header(0x21, 0x11, &with_values), Ok(from("192.0.2.1:25 192.0.2.2:443"))),
            (
                v2_header(0x21, 0x21, &six),
                Ok(from(
                    "[1:203:405:607:809:a0b:c0d:e0f]:25 \
                     [1011:1213:1415:1617:1819:1a1b:1c1d:1e1f]:443",
                )),
            ),
            (v2_header(0x20, 0x00, &[]), Ok(Source::Proxy)),
            (v2_header(0x20, 0x11, &four), Ok(Source::Proxy)),
            (v2_header(0x21, 0x00, &[]), Ok(Source::Proxy)),
            (v2_header(0x21, 0x31, &[0; 216]), Ok(Source::Proxy)),
            (v2_header(0x21, 0x11, &four[..11]), Err(Wrong::Length)),
            (v2_header(0x21, 0x11, &[0; BYTES_MAX - 15]), Err(Wrong::Length)),
            (v2_header(0x22, 0x11, &four), Err(Wrong::Version)),
            (v2_header(0x11, 0x11, &four), Err(Wrong::Version)),
        ] {
            let expected = expected.map(|source| Read::Header(header.len(), source));
            let bytes = [&header[..], b"EHLO"].concat();
            assert_eq!(read(&bytes), expected, "{}", header.escape_ascii());
        }
        let most = v2_header(0x21, 0x11, &[0; BYTES_MAX - 16]);
        assert!(matches!(read(&most), Ok(Read::Header(BYTES_MAX, _))));
    }

    #[test]
    fn an_endless_line_is_refused() {
        let line = |length: usize| format!("{:x<length$}", "PROXY UNKNOWN ").into_bytes();
        assert_eq!(read(&line(106)), Ok(Read::NeedBytes));
        assert_eq!(read(&line(107)), Err(Wrong::Line));
    }

    proptest! {
        /// Each beginning of a header waits for the rest of it, and nothing behind it matters.
        #[test]
        fn beginnings_wait(
            header in prop_oneof![
                Just(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n".to_vec()),
                prop::collection::vec(any::<u8>(), 36..80).prop_map(|body| v2_header(0x21, 0x21, &body)),
            ],
            behind in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            for cut in 0..header.len() {
                prop_assert_eq!(read(&header[..cut]), Ok(Read::NeedBytes));
            }
            let whole = read(&header);
            prop_assert!(matches!(whole, Ok(Read::Header(used, _)) if used == header.len()));
            prop_assert_eq!(read(&[header, behind].concat()), whole);
        }

        #[test]
        fn no_bytes_are_too_odd(
            signature in prop::sample::select(vec![&b""[..], V1, V2]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = read(&[signature, &bytes].concat());
        }
    }
}
