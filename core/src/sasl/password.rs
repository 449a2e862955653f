//! Passwords as they are compared: the profile OpaqueString of PRECIS (RFC 8265 §4).
//!
//! One keyboard writes é as one character, another as two: the password is the same. Whoever keeps
//! something of a password, or checks one, brings it into this form first.

use std::borrow::Cow;
use std::fmt;

use precis_profiles::OpaqueString;
use precis_profiles::precis_core::Error;
use precis_profiles::precis_core::profile::PrecisFastInvocation as _;

/// Why a text can be no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPassword {
    /// It is empty.
    Empty,
    /// It holds a character that cannot be typed or seen, or that stands where it means nothing.
    Character(char),
    /// Its characters cannot stand so.
    Odd,
}

impl fmt::Display for BadPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the password is empty"),
            Self::Character(char) if char.is_control() => f.write_str(
                "the password holds a control character, which cannot be typed everywhere",
            ),
            Self::Character(char) => write!(
                f,
                "the password holds U+{:04X}, which not every program can show or type",
                u32::from(*char)
            ),
            Self::Odd => f.write_str("the password holds characters that cannot stand so"),
        }
    }
}

impl std::error::Error for BadPassword {}

/// A password in the form in which it is compared (RFC 8265 §4.2): composed (NFC), with plain spaces
/// for all other kinds of space. Case and width stay as they are.
///
/// # Errors
/// Why it is none.
pub fn prepared(password: &str) -> Result<Cow<'_, str>, BadPassword> {
    if password.is_empty() {
        return Err(BadPassword::Empty);
    }
    // Nothing is done to these, and nothing can be wrong with them (RFC 8264 §9.11).
    if password.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(Cow::Borrowed(password));
    }
    OpaqueString::enforce(password).map_err(|error| match error {
        Error::BadCodepoint(info) => {
            char::from_u32(info.cp).map_or(BadPassword::Odd, BadPassword::Character)
        }
        Error::Invalid | Error::Unexpected(_) => BadPassword::Odd,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples of RFC 8265 §4.3, and ours.
    #[test]
    fn passwords_are_brought_to_one_form() {
        for (password, form) in [
            ("correct horse battery staple", "correct horse battery staple"),
            ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
            ("\u{3c0}\u{df}\u{e5}", "\u{3c0}\u{df}\u{e5}"),
            ("Jack of \u{2666}s", "Jack of \u{2666}s"),
            ("foo\u{1680}bar", "foo bar"),
            ("caf\u{e9}", "caf\u{e9}"),
            ("cafe\u{301}", "caf\u{e9}"),
            ("\u{ff21}\u{ff22}", "\u{ff21}\u{ff22}"),
            ("\u{212b}", "\u{c5}"),
        ] {
            assert_eq!(prepared(password).as_deref(), Ok(form), "{password:?}");
        }
    }

    #[test]
    fn what_can_be_no_password() {
        for (password, why) in [
            ("", BadPassword::Empty),
            ("my cat is a \u{9}by", BadPassword::Character('\u{9}')),
            ("a\0b", BadPassword::Character('\0')),
            ("a\u{7f}b", BadPassword::Character('\u{7f}')),
            ("a\u{200b}b", BadPassword::Character('\u{200b}')),
            ("a\u{ad}b", BadPassword::Character('\u{ad}')),
            ("a\u{fdd0}b", BadPassword::Character('\u{fdd0}')),
            ("a\u{378}b", BadPassword::Character('\u{378}')),
        ] {
            assert_eq!(prepared(password), Err(why), "{password:?}");
            assert!(!why.to_string().is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_twice_is_once(text in any::<String>(), ascii in "[ -~]{1,40}") {
            if let Ok(once) = prepared(&text) {
                let twice = prepared(&once);
                prop_assert_eq!(twice.as_deref(), Ok(&*once));
            }
            // The short way gives what the long one would.
            let long = OpaqueString::enforce(ascii.as_str()).unwrap();
            let short = prepared(&ascii);
            prop_assert_eq!(short.as_deref(), Ok(&*long));
        }
    }
}
