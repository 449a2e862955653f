//! Line ends, in pieces: LF in files, CRLF in mail.

/// Makes CRLF of each LF; CRLF and single CR stay. What no message can hold, a NUL, becomes 0x80.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToCrlf {
    after_cr: bool,
    /// How many NULs there were.
    pub nuls: u64,
}

impl ToCrlf {
    /// Appends the next bytes to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some(at) = memchr::memchr2(b'\n', 0, rest) {
            let (before, from) = rest.split_at(at);
            out.extend_from_slice(before);
            if let Some(last) = before.last() {
                self.after_cr = *last == b'\r';
            }
            let Some((found, behind)) = from.split_first() else { break };
            if *found == 0 {
                self.nuls += 1;
                out.push(0x80);
            } else {
                if !self.after_cr {
                    out.push(b'\r');
                }
                out.push(b'\n');
            }
            self.after_cr = false;
            rest = behind;
        }
        out.extend_from_slice(rest);
        if let Some(last) = rest.last() {
            self.after_cr = *last == b'\r';
        }
    }
}

/// Whether [`ToLf`] can be undone by [`ToCrlf`]: each LF stands behind a CR, and no CRLF does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evenness {
    even: bool,
    /// The two bytes before.
    before: [u8; 2],
}

impl Default for Evenness {
    fn default() -> Self {
        Self { even: true, before: [0; 2] }
    }
}

impl Evenness {
    /// Looks at the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let [two, one] = self.before;
            if *byte == b'\n' && (one != b'\r' || two == b'\r') {
                self.even = false;
            }
            self.before = [one, *byte];
        }
    }

    /// Whether all so far can be undone.
    #[must_use]
    pub const fn is_even(self) -> bool {
        self.even
    }
}

/// Makes LF of each CRLF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToLf {
    /// A CR that may belong to an LF.
    held: bool,
}

impl ToLf {
    /// Appends the next bytes to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            if self.held && *byte != b'\n' {
                out.push(b'\r');
            }
            self.held = *byte == b'\r';
            if !self.held {
                out.push(*byte);
            }
        }
    }

    /// Appends what was held back at the end.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.held {
            out.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to_crlf(pieces: &[&[u8]]) -> (Vec<u8>, u64) {
        let (mut lines, mut out) = (ToCrlf::default(), Vec::new());
        pieces.iter().for_each(|piece| lines.push(piece, &mut out));
        (out, lines.nuls)
    }

    fn to_lf(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut lines, mut out) = (ToLf::default(), Vec::new());
        pieces.iter().for_each(|piece| lines.push(piece, &mut out));
        lines.finish(&mut out);
        out
    }

    #[test]
    fn line_ends_become_those_of_mail() {
        for (file, mail, nuls) in [
            ("", "", 0),
            ("a\nb", "a\r\nb", 0),
            ("a\r\nb\n", "a\r\nb\r\n", 0),
            ("\n\n", "\r\n\r\n", 0),
            ("a\rb\r\r\n", "a\rb\r\r\n", 0),
        ] {
            assert_eq!(to_crlf(&[file.as_bytes()]), (mail.as_bytes().to_vec(), nuls), "{file:?}");
        }
        assert_eq!(to_crlf(&[b"a\0b\0\n"]), (b"a\x80b\x80\r\n".to_vec(), 2));
    }

    #[test]
    fn what_cannot_be_undone_is_known() {
        for (text, even) in [
            ("", true),
            ("a\r\nb\rc\r\n\r\n\r", true),
            ("a\nb", false),
            ("a\r\r\n", false),
            ("\n", false),
        ] {
            let mut found = Evenness::default();
            text.bytes().for_each(|byte| found.push(&[byte]));
            assert_eq!(found.is_even(), even, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn lines_come_back(
            words in prop::collection::vec(prop::sample::select(vec!["\r\n", "\n", "\r", "a", ""]), 0..30),
            cut in any::<prop::sample::Index>(),
        ) {
            let text = words.concat().into_bytes();
            let (head, tail) = text.split_at(cut.index(text.len() + 1));
            prop_assert_eq!(to_lf(&[head, tail]), to_lf(&[&text]));
            prop_assert_eq!(to_crlf(&[head, tail]), to_crlf(&[&text]));
            let mut evenness = Evenness::default();
            evenness.push(head);
            evenness.push(tail);
            if evenness.is_even() {
                prop_assert_eq!(to_crlf(&[&to_lf(&[&text])]).0, text);
            }
        }
    }
}
