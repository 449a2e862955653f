//! Header fields as they are written: in lines of a bounded length, and so that no value can end
//! one.

/// Where lines are folded, in bytes, if there is a blank.
const LINE_WANTED: usize = 76;
/// A word of so many bytes is cut. RFC 5322 §2.1.1: no line has more than 998.
const WORD_BYTES_MAX: usize = 900;

/// Appends one field. What is not printable becomes a blank, what is not ASCII a question mark,
/// unless the field may be in UTF-8.
pub(super) fn push(out: &mut Vec<u8>, name: &str, value: &str, utf8: bool) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut length = name.len() + 1;
    let value = printable(value, utf8);
    let mut rest = value.trim();
    while !rest.is_empty() {
        let word_at = rest.find(|char| char != ' ').unwrap_or(rest.len());
        let (blanks, words) = rest.split_at_checked(word_at).unwrap_or(("", rest));
        let end = words.find(' ').unwrap_or(words.len());
        let end = words.floor_char_boundary(end.min(WORD_BYTES_MAX));
        let (word, after) = words.split_at_checked(end).unwrap_or((words, ""));
        // Only the first word and the rest of one that was cut have no blank in front.
        let blanks = if blanks.is_empty() { " " } else { blanks };
        let blanks = blanks.get(..blanks.len().min(LINE_WANTED)).unwrap_or(blanks);
        if length + blanks.len() + word.len() > LINE_WANTED && length > name.len() + 1 {
            out.extend_from_slice(b"\r\n");
            length = 0;
        }
        out.extend_from_slice(blanks.as_bytes());
        out.extend_from_slice(word.as_bytes());
        length += blanks.len() + word.len();
        rest = after;
    }
    out.extend_from_slice(b"\r\n");
}

/// The text in one line.
pub(super) fn printable(text: &str, utf8: bool) -> String {
    text.chars()
        .map(|char| match char {
            char if char.is_control() => ' ',
            char if !utf8 && !char.is_ascii() => '?',
            char => char,
        })
        .collect()
}

/// Not more of a text than so many bytes.
pub(super) fn clipped(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str, utf8: bool) -> String {
        let mut out = Vec::new();
        push(&mut out, "Name", value, utf8);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_stay_in_their_field() {
        for (value, utf8, expected) in [
            ("a b", false, "Name: a b\r\n"),
            ("", false, "Name:\r\n"),
            ("a\r\nEvil: b", false, "Name: a  Evil: b\r\n"),
            ("\u{e4}\u{0}\u{7f}\u{85}b", false, "Name: ?   b\r\n"),
            ("\u{e4}", true, "Name: \u{e4}\r\n"),
        ] {
            assert_eq!(written(value, utf8), expected);
        }
        let long = ["x".repeat(50), "y".repeat(50)].join("  ");
        let folded = format!("Name: {}\r\n  {}\r\n", "x".repeat(50), "y".repeat(50));
        assert_eq!(written(&long, false), folded);
    }

    proptest::proptest! {
        #[test]
        fn lines_are_bounded_and_none_is_blank(
            value in proptest::collection::vec(
                proptest::sample::select(vec!["a", " ", "\u{e4}", "\r", "\n"]), 0..3_000),
        ) {
            let value = value.concat();
            let text = written(&value, true);
            for line in text.strip_suffix("\r\n").unwrap().split("\r\n") {
                proptest::prop_assert!(line.len() <= 998 && !line.contains(['\r', '\n']));
                proptest::prop_assert!(!line.trim().is_empty());
            }
            let again = text.replace("\r\n", "");
            let value = printable(&value, true);
            if !value.contains(&" ".repeat(70)) && value.split(' ').all(|word| word.len() < 900) {
                let again = again.strip_prefix("Name:").map(str::trim);
                proptest::prop_assert_eq!(again, Some(value.trim()));
            }
        }
    }
}
