//! The letters of a run: each is made from its number, and can be known by it again.

use crate::sim::prng::Prng;

/// Makes letters, the same ones for the same seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mint {
    /// The run's.
    pub(super) seed: u64,
    /// Lines may end in any way, and the last one not at all.
    pub(super) odd: bool,
}

impl Mint {
    /// The letter of this number.
    pub(super) fn letter(self, number: u64) -> Vec<u8> {
        let mut prng = Prng::new(self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut text = format!(
            "{HEAD}{}-{number}\r\nFrom: Ann <ann@client.example>\r\nTo: ben@client.example\r\n\
             Subject: letter {number}\r\nDate: Mon, 30 Nov 2026 12:00:00 +0000\r\n\
             Message-ID: <{number}.{}@client.example>\r\n\r\n",
            self.seed, self.seed
        )
        .into_bytes();
        let size = match prng.below(128) {
            0 => prng.between(260_000, 320_000),
            1..=3 => prng.between(66_000, 90_000),
            4 | 5 => 0,
            _ => prng.between(1, 1_500),
        };
        let end = text.len() + size;
        while text.len() < end {
            let line = LINES.get(prng.below(LINES.len())).copied().unwrap_or_default();
            text.extend_from_slice(line);
            let ends: [&[u8]; 3] = [b"\n", b"\r", b"\r\n"];
            let odd = self.odd && !is_delivered(number) && prng.once_in(12);
            text.extend_from_slice(if odd {
                ends.get(prng.below(3)).copied().unwrap_or_default()
            } else {
                b"\r\n"
            });
        }
        if self.odd && !is_delivered(number) && prng.once_in(4) {
            text.extend_from_slice(b"the end");
        }
        text
    }

    /// The number of the letter whose header, or the field of it, this begins with.
    pub(super) fn number_in(self, text: &[u8]) -> Option<u64> {
        let lines = text.split(|byte| *byte == b'\n');
        let mut head = lines.take_while(|line| !line.trim_ascii().is_empty());
        let rest = head.find_map(|line| line.strip_prefix(HEAD.as_bytes()))?;
        let (seed, number) = std::str::from_utf8(rest).ok()?.trim_end().split_once('-')?;
        (seed.parse() == Ok(self.seed)).then(|| number.parse().ok())?
    }

    /// Whether this is the letter of that number: one that was delivered has lines in front.
    pub(super) fn is(self, text: &[u8], number: u64) -> bool {
        let letter = self.letter(number);
        if is_delivered(number) { text.ends_with(&letter) } else { text == letter }
    }
}

/// Whether a letter comes by SMTP, by its number.
pub(super) const fn is_delivered(number: u64) -> bool {
    number >= DELIVERED
}

/// Numbers from here on are of letters that come by SMTP.
pub(super) const DELIVERED: u64 = 1 << 40;
/// The name of the header field that holds the number.
pub(super) const FIELD: &str = "X-Stress";
const HEAD: &str = "X-Stress: ";

const LINES: [&[u8]; 8] = [
    b"",
    b".",
    b"From the beginning",
    b"a1 LOGOUT",
    b"* 1 EXPUNGE",
    b"gr\xc3\xbc\xc3\x9fe \xff\xfe)\"{5}",
    b"The quick brown fox jumps over the lazy dog, and over the other one.",
    b"----",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_known_by_its_number() {
        let mint = Mint { seed: 7, odd: true };
        for number in 0..200 {
            let letter = mint.letter(number);
            assert_eq!(letter, mint.letter(number));
            assert_eq!(mint.number_in(&letter), Some(number));
            assert_eq!(Mint { seed: 8, odd: true }.number_in(&letter), None);
            let delivered = mint.letter(DELIVERED + number);
            let traced = [b"Received: by x\r\n", &delivered[..]].concat();
            assert_eq!(mint.number_in(&traced), Some(DELIVERED + number));
            assert!(mint.is(&traced, DELIVERED + number) && !mint.is(&traced, number));
            assert!(delivered.ends_with(b"\r\n"));
        }
    }
}
