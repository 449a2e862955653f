//! Addresses in fields: a type, a semicolon, the address (RFC 3464 §2.1.2, RFC 6533 §3).

use std::fmt::Write as _;

/// `rfc822;…`, or `utf-8;…` where the address is not ASCII: then as it is, or with each such
/// character escaped where the field has to be ASCII.
pub(super) fn typed(kind: Option<&str>, address: &str, ascii_only: bool) -> String {
    let clean = is_plain(address);
    let kind = match kind {
        // A type is an atom.
        Some(kind) if !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_graphic()) => kind,
        _ if clean => "rfc822",
        _ => "utf-8",
    };
    if clean || !kind.eq_ignore_ascii_case("utf-8") || !ascii_only {
        return format!("{kind}; {address}");
    }
    let mut text = format!("{kind}; ");
    for char in address.chars() {
        if matches!(char, '!'..='~') && !matches!(char, '\\' | '+' | '=') {
            text.push(char);
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "\\x{{{:02X}}}", u32::from(char));
        }
    }
    text
}

pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Type and address of a field's value. Where there is no type it is taken for an Internet address;
/// angle brackets around one are no part of it.
pub(super) fn read(value: &str) -> (&str, String) {
    let (kind, address) = match value.split_once(';') {
        Some((kind, address)) if is_type(kind.trim()) => (kind.trim(), address.trim()),
        _ => ("rfc822", value.trim()),
    };
    let bare = address.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(address);
    let address = if kind.eq_ignore_ascii_case("utf-8") { unescaped(bare) } else { None };
    (kind, address.unwrap_or_else(|| bare.to_owned()))
}

fn is_type(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// RFC 6533 §3: `\x{…}` stands for a character. `None` where it is not well formed: then the
/// address is left as it is.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('\\');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let (hex, plain) = part.strip_prefix("x{")?.split_once('}')?;
        let good = (2..=6).contains(&hex.len()) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let code = u32::from_str_radix(hex, 16).ok().filter(|_| good)?;
        decoded.push(char::from_u32(code).filter(|char| !char.is_control())?);
        decoded.push_str(plain);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_types() {
        for (kind, address, ascii_only, written) in [
            (None, "a+b@c", true, "rfc822; a+b@c"),
            (None, "j\u{f6}rg@c", false, "utf-8; j\u{f6}rg@c"),
            (None, "j\u{f6}+rg@c", true, "utf-8; j\\x{F6}\\x{2B}rg@c"),
            (Some("x400"), "/c=de/", true, "x400; /c=de/"),
            (Some(""), "a@b", true, "rfc822; a@b"),
            (Some("UTF-8"), "\u{4e2d}@c", true, "UTF-8; \\x{4E2D}@c"),
        ] {
            assert_eq!(typed(kind, address, ascii_only), written);
            let (found, again) = read(written);
            assert_eq!(again, address);
            assert!(found.eq_ignore_ascii_case(written.split(';').next().unwrap()));
        }
    }

    #[test]
    fn addresses_are_read_as_they_are_written_out_there() {
        for (value, kind, address) in [
            ("rfc822;<a@b>", "rfc822", "a@b"),
            ("RFC822 ; a@b", "RFC822", "a@b"),
            ("a@b", "rfc822", "a@b"),
            ("\"a;b\"@c", "rfc822", "\"a;b\"@c"),
            ("utf-8; a\\x{zz}@b", "utf-8", "a\\x{zz}@b"),
            ("utf-8; a\\x{0A}@b", "utf-8", "a\\x{0A}@b"),
            ("utf-8; a\\x{110000}@b", "utf-8", "a\\x{110000}@b"),
            ("", "rfc822", ""),
        ] {
            assert_eq!(read(value), (kind, address.to_owned()), "{value}");
        }
    }
}
