//! Strings looked for in texts without regard to case (RFC 3501 §6.4.4), piece by piece.

use memchr::memmem::Finder;

/// A string to be found.
#[derive(Debug, Clone)]
pub(super) struct Needle(Finder<'static>);

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        let mut folded = Vec::with_capacity(text.len());
        fold(text, &mut folded);
        Self(Finder::new(&folded).into_owned())
    }

    /// Whether a whole text has it.
    pub(super) fn is_in(&self, text: &str, folded: &mut Vec<u8>) -> bool {
        folded.clear();
        fold(text, folded);
        self.0.find(folded).is_some()
    }

    pub(super) fn folded(&self) -> &[u8] {
        self.0.needle()
    }

    pub(super) fn length(&self) -> usize {
        self.0.needle().len()
    }
}

/// The end of a text that comes in pieces, as far as a needle may begin in it.
#[derive(Debug)]
pub(super) struct Window {
    folded: Vec<u8>,
    /// The length of the longest needle.
    longest: usize,
}

impl Window {
    pub(super) const fn new(longest: usize) -> Self {
        Self { folded: Vec::new(), longest }
    }

    /// Takes the next piece of the text, after which [`has`](Self::has) can be asked.
    pub(super) fn push(&mut self, text: &str) {
        let before = self.folded.len().saturating_sub(self.longest.saturating_sub(1));
        self.folded.drain(..before);
        fold(text, &mut self.folded);
    }

    /// Another text begins: no needle is found across the two.
    pub(super) fn clear(&mut self) {
        self.folded.clear();
    }

    /// Whether the needle ends in the last piece, or in what of the text is still here.
    pub(super) fn has(&self, needle: &Needle) -> bool {
        needle.0.find(&self.folded).is_some()
    }
}

/// Appends a text in lower case, as Unicode has it without regard to language and place.
pub(super) fn fold(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let (plain, other) = rest.split_at_checked(ascii).unwrap_or((rest, ""));
        let begin = out.len();
        out.extend_from_slice(plain.as_bytes());
        if let Some(added) = out.get_mut(begin..) {
            added.make_ascii_lowercase();
        }
        let mut characters = other.chars();
        while let Some(character) = characters.clone().next().filter(|c| !c.is_ascii()) {
            let _taken = characters.next();
            for lower in character.to_lowercase() {
                out.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        rest = characters.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_no_difference() {
        for (needle, text, found) in [
            ("LETTER", "a letter", true),
            ("letter", "A LETTER", true),
            ("ÄÖ", "xäöx", true),
            ("привет", "ПРИВЕТ", true),
            ("a b", "a  b", false),
            ("", "", true),
            ("ß", "SS", false),
        ] {
            assert_eq!(Needle::new(needle).is_in(text, &mut Vec::new()), found, "{needle}");
        }
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_as_good_as_the_whole(
            needle in "[aAbBäÄ]{1,4}",
            text in "[aAbBäÄ]{0,30}",
            size in 1_usize..5,
        ) {
            let needle = Needle::new(&needle);
            let mut window = Window::new(needle.length());
            let mut found = false;
            let characters: Vec<char> = text.chars().collect();
            for piece in characters.chunks(size) {
                window.push(&piece.iter().collect::<String>());
                found |= window.has(&needle);
            }
            proptest::prop_assert_eq!(found, needle.is_in(&text, &mut Vec::new()));
        }
    }
}
