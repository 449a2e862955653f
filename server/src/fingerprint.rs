//! Fingerprints of public keys as people write them.

use std::fmt;
use std::str::FromStr;

/// The SHA-256 of a public key (the `SubjectPublicKeyInfo`): 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) [u8; 32]);

impl FromStr for Fingerprint {
    type Err = String;

    /// Case is no difference, and colons may stand between the octets.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a fingerprint is the SHA-256 of a public key: 64 hexadecimal digits".into();
        let parts: Vec<&str> = text.split(':').collect();
        let digits =
            if parts.iter().all(|part| part.len() == 2) { parts.concat() } else { text.to_owned() };
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = digits.get(2 * index..2 * index + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_in_a_few_ways() {
        let plain = "0123456789abcdef".repeat(4);
        let colons = "01:23:45:67:89:ab:cd:ef:".repeat(4);
        let colons = colons.trim_end_matches(':');
        for text in [&*plain, &plain.to_uppercase(), colons] {
            let read = text.parse::<Fingerprint>().unwrap();
            assert_eq!(read.to_string(), plain);
        }
        let short = "f".repeat(63);
        let uneven = format!("0:{short}");
        for text in ["", ":", &short, &format!("{plain}0"), &plain.replace('a', "g"), &uneven] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
        let letters = "\u{e4}".repeat(32);
        assert!(letters.parse::<Fingerprint>().is_err());
    }
}
