//! Text within XML and HTML.

use std::fmt::{self, Display, Write as _};

/// Shows a value so that it is text wherever it stands in XML or HTML, in an attribute too.
/// Characters that XML cannot have become U+FFFD.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| match char {
            '&' => self.0.write_str("&amp;"),
            '<' => self.0.write_str("&lt;"),
            '>' => self.0.write_str("&gt;"),
            '"' => self.0.write_str("&quot;"),
            '\'' => self.0.write_str("&#39;"),
            '\t' | '\n' => self.0.write_char(char),
            char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => {
                self.0.write_char('\u{fffd}')
            }
            char => self.0.write_char(char),
        })
    }
}

/// A value as it stands in a query.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_text() {
        assert_eq!(
            Escaped("<a href='x\"'>&\u{0}\r\n").to_string(),
            "&lt;a href=&#39;x&quot;&#39;&gt;&amp;\u{fffd}\u{fffd}\n"
        );
        assert_eq!(percent_encoded("a+b@ü.example"), "a%2Bb@%C3%BC.example");
    }
}
