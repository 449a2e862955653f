//! The base subject (RFC 5256 §2.1): a subject without what programs put before and behind it when
//! they reply and forward.

use crate::mime::words;

/// What is left of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base<'t> {
    pub(super) text: &'t str,
    /// Whether anything was taken away that says that this is a reply or was forwarded
    /// (RFC 5256 §3, REFERENCES).
    pub(super) replies: bool,
}

/// Appends a Subject field's value as text in one line: encoded words decoded, and one space
/// wherever there are blanks (step 1).
pub(super) fn decode(value: &[u8], out: &mut String) {
    let mut text = String::new();
    words::decode(value, &mut text);
    let mut blank = false;
    for character in text.chars() {
        let is_blank = matches!(character, ' ' | '\t' | '\r' | '\n');
        if !(is_blank && blank) {
            out.push(if is_blank { ' ' } else { character });
        }
        blank = is_blank;
    }
}

/// Steps 2 to 6, for a text as [`decode`] leaves it. Each byte is looked at a few times, however
/// deep the artifacts nest.
pub(super) fn base(text: &str) -> Base<'_> {
    let mut base = Base { text, replies: false };
    loop {
        base.trailers();
        base.leaders();
        let Some(inner) = forwarded(base.text) else { return base };
        base = Base { text: inner, replies: true };
    }
}

impl Base<'_> {
    /// Step 2: `(fwd)` and blanks at the end.
    fn trailers(&mut self) {
        loop {
            self.text = self.text.trim_end_matches(' ');
            match split_off_end(self.text, "(fwd)") {
                Some(rest) => (self.text, self.replies) = (rest, true),
                None => return,
            }
        }
    }

    /// Steps 3 to 5: `re:` and its kin, with and without `[blobs]` in front of it; then blobs alone.
    fn leaders(&mut self) {
        loop {
            self.text = self.text.trim_start_matches(' ');
            let mut rest = self.text;
            let mut last = rest;
            while let Some(after) = blob(rest) {
                (last, rest) = (rest, after);
            }
            if let Some(after) = reply(rest) {
                (self.text, self.replies) = (after, true);
                continue;
            }
            // No `re:` follows the blobs, so none can once some of them are gone. A blob that is
            // all there is stays.
            self.text = if rest.is_empty() { last } else { rest };
            return;
        }
    }
}

/// `subj-refwd`: `re`, `fw` or `fwd`, perhaps a blob, and a colon.
fn reply(text: &str) -> Option<&str> {
    let rest = ["re", "fwd", "fw"].iter().find_map(|word| split_off(text, word))?;
    let rest = rest.trim_start_matches(' ');
    blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// `subj-blob`: brackets without brackets in them, and the blanks behind.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let (_, end) = inner.split_at_checked(inner.find(['[', ']'])?)?;
    Some(end.strip_prefix(']')?.trim_start_matches(' '))
}

/// Step 6: what stands between `[fwd:` and `]`.
fn forwarded(text: &str) -> Option<&str> {
    split_off(text, "[fwd:")?.strip_suffix(']')
}

fn split_off<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (begin, rest) = text.split_at_checked(word.len())?;
    begin.eq_ignore_ascii_case(word).then_some(rest)
}

fn split_off_end<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (rest, end) = text.split_at_checked(text.len().checked_sub(word.len())?)?;
    end.eq_ignore_ascii_case(word).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_taken_away() {
        for (subject, expected, replies) in [
            ("plain", "plain", false),
            ("", "", false),
            ("   ", "", false),
            ("Re: plain", "plain", true),
            ("RE:RE: re : plain", "plain", true),
            ("Fwd: plain", "plain", true),
            ("FW: plain", "plain", true),
            ("fwd : plain (fwd) (FWD) ", "plain", true),
            ("plain (fwd)", "plain", true),
            ("[list] plain", "plain", false),
            ("[list] Re: [list] plain", "plain", true),
            ("Re[2]: plain", "plain", true),
            ("re [list] : plain", "plain", true),
            ("[a] [b][c] Re: plain", "plain", true),
            ("[fwd: plain]", "plain", true),
            ("[Fwd: [fwd: Re: plain (fwd)] ]", "plain", true),
            ("Re: [fwd: [list] plain]", "plain", true),
            ("[fwd: plain", "[fwd: plain", false),
            ("[fwd:]", "", true),
            ("Re:", "", true),
            ("(fwd)", "", true),
            // A blob that is all there is, is the subject.
            ("[list]", "[list]", false),
            ("[one] [two]", "[two]", false),
            ("Re: [list] (fwd)", "[list]", true),
            ("[a[b] c", "[a[b] c", false),
            // What only looks like it.
            ("Reply: plain", "Reply: plain", false),
            ("re plain", "re plain", false),
            ("re [x plain", "re [x plain", false),
            ("regarding: plain", "regarding: plain", false),
            ("plain [fwd: x]", "plain [fwd: x]", false),
            ("AW: plain", "AW: plain", false),
            ("Re: ä (fwd)", "ä", true),
            ("ä", "ä", false),
        ] {
            assert_eq!(base(subject), Base { text: expected, replies }, "{subject:?}");
        }
    }

    #[test]
    fn subjects_become_one_line() {
        for (value, text) in [
            (&b" a\r\n\tb  c"[..], "a b c"),
            (b" =?utf-8?q?Re=3A=20=C3=A4?= =?utf-8?q?_?=\t x", "Re: \u{e4} x"),
            (b"", ""),
        ] {
            let mut out = String::new();
            decode(value, &mut out);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn work_is_linear() {
        let count = 200_000;
        for subject in [
            "[fwd:".repeat(count) + "x" + &"]".repeat(count),
            "[a]".repeat(count) + "x",
            "[a] Re: ".repeat(count),
            "re [".repeat(count),
            "x".to_owned() + &" (fwd)".repeat(count),
            "[fwd: [a] re [".repeat(count) + &"]".repeat(count),
        ] {
            let base = base(&subject);
            assert!(base.text.len() <= subject.len());
        }
    }

    proptest::proptest! {
        #[test]
        fn a_base_subject_is_its_own_base(
            subject in proptest::collection::vec(
                proptest::sample::select(&["re", "fwd", ":", "[", "]", " ", "(fwd)", "[fwd:", "x"][..]), 0..12,
            ).prop_map(|words| words.concat())
        ) {
            let once = base(&subject);
            proptest::prop_assert_eq!(base(once.text).text, once.text);
        }
    }

    use proptest::strategy::Strategy;
}
