//! The words of a structured field (RFC 5322 §3.2), read from the field as it stands, folded or not.

/// A word, or what stands between words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// Bytes without any special among them.
    Atom(&'a [u8]),
    /// What stands between quotes, with its backslashes.
    Quoted(&'a [u8]),
    /// What stands in parentheses, with its backslashes and inner parentheses.
    Comment(&'a [u8]),
    /// A domain literal with its brackets.
    Literal(&'a [u8]),
    /// A special by itself.
    Special(u8),
}

/// Cuts a value into tokens. What is opened and not closed reaches to the end.
#[derive(Debug, Clone)]
pub(crate) struct Lexer<'a> {
    rest: &'a [u8],
    specials: &'static Specials,
}

/// Which bytes are tokens by themselves, and which end an atom.
#[derive(Debug)]
pub(crate) struct Specials([Class; 256]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Atom,
    Special,
    /// Blanks, and what opens a token of its own.
    End,
}

/// RFC 5322 §3.2.3, without the dot: display names have always had dots in them (§4.1).
pub(crate) static ADDRESS: Specials = Specials::new(b"<>:;@,");
/// RFC 2045 §5.1, without those that no value is known to mean something by.
pub(crate) static PARAMETER: Specials = Specials::new(b"/;=,");
/// What a date has between its words (RFC 5322 §3.3).
pub(crate) static DATE: Specials = Specials::new(b",");

impl Specials {
    #[expect(clippy::indexing_slicing, reason = "the table has an entry for every byte")]
    const fn new(mut specials: &[u8]) -> Self {
        let mut classes = [Class::Atom; 256];
        let mut ends: &[u8] = b" \t\r\n\0\"([";
        while let [byte, rest @ ..] = ends {
            classes[*byte as usize] = Class::End;
            ends = rest;
        }
        while let [byte, rest @ ..] = specials {
            classes[*byte as usize] = Class::Special;
            specials = rest;
        }
        Self(classes)
    }

    #[expect(clippy::indexing_slicing, reason = "the table has an entry for every byte")]
    const fn class(&self, byte: u8) -> Class {
        self.0[byte as usize]
    }
}

impl<'a> Lexer<'a> {
    pub(crate) const fn new(rest: &'a [u8], specials: &'static Specials) -> Self {
        Self { rest, specials }
    }

    /// What has not been read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next token that is no comment.
    pub(crate) fn word(&mut self) -> Option<Token<'a>> {
        self.find(|token| !matches!(token, Token::Comment(_)))
    }

    /// The token behind an opening byte, up to its closing one, which is taken too.
    fn enclosed(&mut self, close: u8) -> &'a [u8] {
        let inner = self.rest.get(1..).unwrap_or_default();
        let open = self.rest.first().copied().filter(|open| *open == b'(');
        let mut depth = 1_usize;
        let mut escaped = false;
        for (index, byte) in inner.iter().enumerate() {
            match *byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                byte if byte == close => {
                    depth -= 1;
                    if depth == 0 {
                        self.rest = inner.get(index + 1..).unwrap_or_default();
                        return inner.get(..index).unwrap_or_default();
                    }
                }
                byte if Some(byte) == open => depth += 1,
                _ => {}
            }
        }
        self.rest = &[];
        inner
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while let Some((byte, rest)) = self.rest.split_first()
            && blank(*byte)
        {
            self.rest = rest;
        }
        let first = *self.rest.first()?;
        Some(match first {
            b'"' => Token::Quoted(self.enclosed(b'"')),
            b'(' => Token::Comment(self.enclosed(b')')),
            b'[' => {
                let whole = self.rest;
                let _inner = self.enclosed(b']');
                Token::Literal(whole.get(..whole.len() - self.rest.len()).unwrap_or_default())
            }
            special if self.specials.class(special) == Class::Special => {
                self.rest = self.rest.get(1..).unwrap_or_default();
                Token::Special(special)
            }
            _ => {
                let ends = |byte: &u8| self.specials.class(*byte) != Class::Atom;
                let length = self.rest.iter().position(ends).unwrap_or(self.rest.len());
                let (atom, rest) = self.rest.split_at_checked(length)?;
                self.rest = rest;
                Token::Atom(atom)
            }
        })
    }
}

/// Appends what was quoted without its backslashes (RFC 5322 §3.2.1), line ends (§2.2.3) and NULs.
pub(crate) fn unquote(quoted: &[u8], out: &mut Vec<u8>) {
    let mut escaped = false;
    for byte in quoted {
        match byte {
            b'\\' if !escaped => escaped = true,
            b'\r' | b'\n' | 0 => {}
            byte => {
                out.push(*byte);
                escaped = false;
            }
        }
    }
}

pub(crate) const fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0)
}
