//! Records as zone files have them (RFC 1035 §5.1).

use std::fmt::{self, Write as _};

use super::{Data, Name};

impl fmt::Display for Data {
    /// What stands behind the kind, in printable ASCII.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(ip) => write!(f, "{ip}"),
            Self::Aaaa(ip) => write!(f, "{ip}"),
            Self::Ptr(name) | Self::Cname(name) | Self::Ns(name) => whole(f, name),
            Self::Mx { preference, exchange } => {
                write!(f, "{preference} ")?;
                whole(f, exchange)
            }
            Self::Txt(text) => quoted(f, text),
            // What of it nobody here asks for was not kept.
            Self::Soa { primary, serial, minimum } => {
                whole(f, primary)?;
                write!(f, " … {serial} … {minimum}")
            }
            Self::Tlsa { usage, selector, matching, association } => {
                write!(f, "{usage} {selector} {matching} ")?;
                association.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Srv { priority, weight, port, target } => {
                write!(f, "{priority} {weight} {port} ")?;
                whole(f, target)
            }
            Self::Caa { critical, tag, value } => {
                write!(f, "{} {tag} ", if *critical { 128 } else { 0 })?;
                quoted(f, value)
            }
            Self::Svcb { priority, target, parameters } => {
                write!(f, "{priority} ")?;
                whole(f, target)?;
                parameters.iter().try_for_each(|(key, value)| {
                    write!(f, " key{key}=")?;
                    quoted(f, value)
                })
            }
        }
    }
}

/// With the dot at its end.
fn whole(f: &mut fmt::Formatter<'_>, name: &Name) -> fmt::Result {
    write!(f, "{name}.")
}

/// In pieces of 255 bytes, the longest that a zone file has.
fn quoted(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    if bytes.is_empty() {
        return f.write_str("\"\"");
    }
    for (number, piece) in bytes.chunks(255).enumerate() {
        f.write_str(if number == 0 { "\"" } else { " \"" })?;
        for byte in piece {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                b' '..=b'~' => f.write_char(char::from(*byte))?,
                _ => write!(f, "\\{byte:03}")?,
            }
        }
        f.write_char('"')?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dns::{Kind, Question, Zone};

    fn read(kind: Kind, text: &str) -> Vec<Data> {
        let mut zone = Zone::default();
        zone.read(&format!("a. {} {text}", kind.name()), &Name::root()).unwrap();
        zone.lookup(&Question { name: Name::parse("a").unwrap(), kind }).unwrap().records
    }

    #[test]
    fn what_is_printed_is_what_was_read() {
        for (kind, text) in [
            (Kind::A, "192.0.2.1"),
            (Kind::Aaaa, "2001:db8::1"),
            (Kind::Ptr, "b.c."),
            (Kind::Cname, "0/25.c."),
            (Kind::Ns, "."),
            (Kind::Mx, "10 mx.example."),
            (Kind::Txt, "\"v=spf1 \\\"\\\\\\255 -all\""),
            (Kind::Txt, "\"\""),
            (Kind::Tlsa, "3 1 1 00ff"),
            (Kind::Srv, "1 2 25 mx.example."),
            (Kind::Caa, "128 issue \"ca.example; x\""),
            (Kind::Https, "1 . key65280=\"\\001\\187\""),
        ] {
            assert_eq!(read(kind, text)[0].to_string(), text, "{}", kind.name());
        }
        let soa = read(Kind::Soa, "ns. root. 7 1 2 3 4");
        assert_eq!(soa[0].to_string(), "ns. … 7 … 4");
    }

    proptest! {
        #[test]
        fn any_text_is_read_again(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let text = Data::Txt(bytes);
            prop_assert_eq!(read(Kind::Txt, &text.to_string()), [text]);
        }
    }
}
