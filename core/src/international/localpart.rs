//! Local parts.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The form in which local parts and names of accounts are kept and compared: composed (NFC, as
/// RFC 6532 §3.1 asks for), and without regard to case.
///
/// RFC 5321 §2.4 leaves case to the host whose mailbox it is; ours makes no difference. Letters
/// become small one by one, so that none depends on those around it; a sigma is one letter wherever
/// it stands in a word. Folding a second time changes nothing.
#[must_use]
pub fn fold(localpart: &str) -> Cow<'_, str> {
    if localpart.is_ascii() {
        return match localpart.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(localpart.to_ascii_lowercase()),
            false => Cow::Borrowed(localpart),
        };
    }
    // Composed last: the small form of a letter and that of its pieces are the same, composed.
    let folded: String = localpart.chars().flat_map(char::to_lowercase).map(medial).nfc().collect();
    debug_assert!(is_nfc(&folded));
    Cow::Owned(folded)
}

/// Greek has two small forms of one sigma, the second for the end of a word; they have one capital.
const fn medial(char: char) -> char {
    match char {
        'ς' => 'σ',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_name_is_one_string() {
        for (text, folded) in [
            ("", ""),
            ("ann.b+x", "ann.b+x"),
            ("Ann.B+X", "ann.b+x"),
            ("j\u{f6}rg", "j\u{f6}rg"),
            ("jo\u{308}rg", "j\u{f6}rg"),
            ("J\u{d6}RG", "j\u{f6}rg"),
            ("JO\u{308}RG", "j\u{f6}rg"),
            ("ΟΔΟΣ", "οδοσ"),
            ("οδος", "οδοσ"),
            ("οδος.Α", "οδοσ.α"),
            ("\u{212b}", "\u{e5}"),
            ("\u{212a}", "k"),
            ("\u{130}", "i\u{307}"),
            ("用户", "用户"),
            ("straße", "straße"),
            // Compatibility is another matter (NFKC): these stay two.
            ("\u{fb01}", "\u{fb01}"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn small_ascii_is_lent() {
        assert!(matches!(fold("ann.b+x_7"), Cow::Borrowed(_)));
    }

    #[test]
    fn every_character_is_folded_for_good() {
        // Beyond stand no letters that change.
        for char in '\0'..='\u{2ffff}' {
            let once = fold(char.encode_utf8(&mut [0; 4])).into_owned();
            assert_eq!(fold(&once), once, "{char:?}");
            let pieces: String = std::iter::once(char).nfd().collect();
            assert_eq!(fold(&pieces), once, "{char:?}");
            let upper: String = char.to_uppercase().collect();
            // One letter to one letter: what has no capital of its own (ß) is not the letters that
            // stand for it then.
            if upper.chars().count() == 1 && upper.chars().flat_map(char::to_lowercase).eq([char]) {
                assert_eq!(fold(&upper), once, "{char:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(
            text in prop_oneof![any::<String>(), "[aAoOσςΣİı\u{301}\u{307}\u{308}\u{323}\u{345}ﾞ한]{0,12}"]
        ) {
            let once = fold(&text).into_owned();
            prop_assert_eq!(fold(&once), once.as_str());
            prop_assert!(once.len() <= 3 * text.len());
            let taken_apart: String = text.nfd().collect();
            prop_assert_eq!(fold(&taken_apart), once);
        }
    }
}
