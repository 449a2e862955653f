//! What was said in a conversation, for whoever looks at an attempt.

/// The lines of a conversation, of bounded size.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    text: String,
    cut: bool,
}

/// Of one conversation.
const BYTES_MAX: usize = 8 << 10;
/// Of one line.
const LINE_BYTES_MAX: usize = 600;

impl Transcript {
    /// What we said.
    pub(super) fn said(&mut self, bytes: &[u8]) {
        self.lines("C: ", bytes);
    }

    /// What the server said.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        self.lines("S: ", bytes);
    }

    /// What happened.
    pub(super) fn note(&mut self, text: &str) {
        self.line("-- ", text);
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Begins anew: for the next parcel on the same connection.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.cut = false;
    }

    fn lines(&mut self, mark: &str, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                self.line(mark, &String::from_utf8_lossy(line));
            }
        }
    }

    fn line(&mut self, mark: &str, line: &str) {
        if self.cut {
            return;
        }
        if self.text.len() > BYTES_MAX {
            self.text.push_str("-- more was said\n");
            self.cut = true;
            return;
        }
        let line = line.trim_end_matches('\r');
        let end = line.floor_char_boundary(LINE_BYTES_MAX);
        self.text.push_str(mark);
        let shown = line.get(..end).unwrap_or_default();
        self.text.extend(shown.chars().map(|char| if char.is_control() { '?' } else { char }));
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_marked_and_bounded() {
        let mut transcript = Transcript::default();
        transcript.heard(b"220 mx\r\n");
        transcript.said(b"EHLO us\r\nMAIL FROM:<>\r\n");
        transcript.note("the message");
        let expected = "S: 220 mx\nC: EHLO us\nC: MAIL FROM:<>\n-- the message\n";
        assert_eq!(transcript.text(), expected);
        for _ in 0..100 {
            transcript.heard(&[b'\x07'; 2_000]);
        }
        assert!(transcript.text().len() < BYTES_MAX + LINE_BYTES_MAX + 100);
        assert!(transcript.text().ends_with("-- more was said\n"));
        assert!(!transcript.text().contains('\x07'));
    }
}
