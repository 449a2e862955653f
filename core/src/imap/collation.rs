//! The order of strings in SORT and THREAD: i;unicode-casemap (RFC 5051 §2).
//!
//! A string is brought to a form whose bytes are then compared. Each character becomes its upper
//! case, where that is one character, and is taken apart as far as Unicode knows parts of it, so
//! that `é` stands beside `E`, and a full-width `Ａ` is an `A`. RFC 5051 wants title case, which is
//! another character than upper case for some digraphs only; equality is the same.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::digest::{SHA256, digest};
use unicode_normalization::UnicodeNormalization;

/// The most bytes that are kept of one string.
pub(super) const BYTES_MAX: usize = 128;

/// Appends the form of a text that is compared: at most [`BYTES_MAX`] bytes, no NUL among them. Of
/// a longer one they are its beginning and a digest of all of it: two that differ only far behind
/// are told apart, though not in their right order.
pub(super) fn prepare(text: &str, out: &mut Vec<u8>) {
    let begin = out.len();
    if text.is_ascii() {
        out.extend(text.bytes().filter(|byte| *byte != 0).map(|byte| byte.to_ascii_uppercase()));
    } else {
        for character in text.chars().map(upper).nfkd().filter(|character| *character != '\0') {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    let form = out.get(begin..).unwrap_or_default();
    if form.len() > BYTES_MAX {
        let whole = digest(&SHA256, form);
        let mark = STANDARD_NO_PAD.encode(whole.as_ref().get(..DIGEST_BYTES).unwrap_or_default());
        out.truncate(begin + BYTES_MAX - mark.len());
        out.extend_from_slice(mark.as_bytes());
    }
}

/// The upper case of a character if that is one character.
fn upper(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

/// Sixteen characters of base64: enough that no two strings have the same by chance.
const DIGEST_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        prepare(text, &mut out);
        out
    }

    #[test]
    fn strings_are_equal_in_any_case_and_sorted_beside_their_letters() {
        for (one, other) in [
            ("abc", "ABC"),
            ("äöü", "ÄÖÜ"),
            ("привет", "ПРИВЕТ"),
            ("e\u{301}", "É"),
            ("ａｂ", "AB"),
            ("ǆ", "ǅ"),
            ("a\0b", "ab"),
        ] {
            assert_eq!(form(one), form(other), "{one} {other}");
        }
        let mut sorted = ["", "a", "ä", "az", "b", "ß", "я"];
        sorted.sort_by_key(|text| form(text));
        assert_eq!(sorted, ["", "a", "az", "ä", "b", "ß", "я"]);
    }

    #[test]
    fn long_strings_are_cut_and_stay_different() {
        let long = "x".repeat(BYTES_MAX);
        assert_eq!(form(&long), long.to_uppercase().into_bytes());
        let (one, other) = (form(&format!("{long}1")), form(&format!("{long}2")));
        assert_eq!((one.len(), other.len()), (BYTES_MAX, BYTES_MAX));
        assert_ne!(one, other);
        assert_eq!(one, form(&format!("{long}1").to_uppercase()));
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_bounded_form(text in ".{0,300}") {
            let form = form(&text);
            proptest::prop_assert!(form.len() <= BYTES_MAX && !form.contains(&0));
        }
    }
}
