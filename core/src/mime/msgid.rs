//! Message ids (RFC 5322 §3.6.4), as Message-ID, References and In-Reply-To have them.

use memchr::memchr;

/// Reads the message ids of a field's value one by one. Each lends from the reader until the next.
#[derive(Debug, Clone)]
pub struct MessageIds<'a> {
    rest: &'a [u8],
    id: Vec<u8>,
}

impl<'a> MessageIds<'a> {
    /// The ids in a field's value, folded or not.
    #[must_use]
    pub const fn new(value: &'a [u8]) -> Self {
        Self { rest: value, id: Vec::new() }
    }

    /// The next id, without angle brackets, blanks and quotes: `<"a"@b>` and `<a@b>` are the same
    /// (RFC 5256 §3). What has no `@` with something on both sides is none.
    #[expect(clippy::should_implement_trait, reason = "an id lends from the reader")]
    pub fn next(&mut self) -> Option<&[u8]> {
        loop {
            let begin = memchr(b'<', self.rest)? + 1;
            self.rest = self.rest.get(begin..)?;
            if let Some(length) = self.read() {
                self.rest = self.rest.get(length..).unwrap_or_default();
                return Some(&self.id);
            }
        }
    }

    /// Reads what follows a `<` into the buffer: how long it is with its `>`, if it is an id.
    fn read(&mut self) -> Option<usize> {
        self.id.clear();
        let (mut quoted, mut escaped) = (false, false);
        let mut at = None;
        for (index, byte) in self.rest.iter().take(ID_BYTES_MAX).enumerate() {
            match *byte {
                b'\r' | b'\n' | 0 => {}
                // In quotes it could stand, and never does: so each byte is looked at once.
                b'<' => return None,
                byte if escaped => {
                    self.id.push(byte);
                    escaped = false;
                }
                b'\\' if quoted => escaped = true,
                b'"' if quoted => quoted = false,
                byte if quoted => self.id.push(byte),
                // Only a local part as a whole is quoted.
                b'"' if self.id.is_empty() => quoted = true,
                b' ' | b'\t' => {}
                b'>' => {
                    let full = at.is_some_and(|at| at > 0 && at + 1 < self.id.len());
                    return full.then_some(index + 1);
                }
                byte => {
                    if byte == b'@' {
                        at = Some(self.id.len());
                    }
                    self.id.push(byte);
                }
            }
        }
        None
    }
}

/// A longer one is none: no line may be that long (RFC 5322 §2.1.1).
const ID_BYTES_MAX: usize = 998;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8]) -> String {
        let mut ids = MessageIds::new(value);
        let mut out = Vec::new();
        while let Some(id) = ids.next() {
            out.push(String::from_utf8_lossy(id).into_owned());
        }
        out.join(" ")
    }

    #[test]
    fn ids_in_order_and_in_the_wild() {
        for (value, ids) in [
            (" <a@b>", "a@b"),
            ("<a@b>\r\n <c@d> <e@f>", "a@b c@d e@f"),
            ("<a@b><c@d>,<e@f>", "a@b c@d e@f"),
            // RFC 5256 §3.
            ("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com"),
            ("<\"a\\\"> b\"@c>", "a\"> b@c"),
            ("<a\"b@c>", "a\"b@c"),
            ("Message of Monday from \"Joe\" <joe@x.test> about <y@z>", "joe@x.test y@z"),
            ("<very-long\r\n -id@b>", "very-long-id@b"),
            ("<a@b", ""),
            ("<<a@b>", "a@b"),
            ("<a> <@b> <c@> <>", ""),
            ("<\"open@b> <c@d>", "c@d"),
            ("a@b", ""),
            ("<A@b> <a@B>", "A@b a@B"),
        ] {
            assert_eq!(read(value.as_bytes()), ids, "{value}");
        }
    }

    #[test]
    fn work_is_linear() {
        for piece in ["<\"", "<", "<a", "<\"a\\", "<a@"] {
            assert_eq!(read(piece.repeat(200_000).as_bytes()), "", "{piece}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_ids_with_two_sides(
            value in proptest::collection::vec(proptest::sample::select(b"a@<>\" \\\n\0".to_vec()), 0..40)
        ) {
            let mut ids = MessageIds::new(&value);
            while let Some(id) = ids.next() {
                proptest::prop_assert!(id.len() >= 3 && id.contains(&b'@') && !id.contains(&0));
            }
        }
    }
}
