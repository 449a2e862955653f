//! IMAP responses as a client reads them (RFC 3501 §7, §9), from any server: tolerant in blanks
//! and case, strict in structure.

/// One response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// `+`: the client is to go on.
    Continue,
    /// OK, NO, BAD, BYE or PREAUTH.
    Status {
        /// The command's tag; `None` where it is untagged.
        tag: Option<String>,
        /// In capitals.
        kind: String,
        /// The response code's name, in capitals, and its arguments.
        code: Option<(String, Vec<Value>)>,
    },
    /// Anything else that is untagged.
    Data {
        /// The number in front, as with EXISTS and FETCH.
        number: Option<u32>,
        /// In capitals.
        name: String,
        /// What follows.
        values: Vec<Value>,
    },
}

/// A value in a response.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Bare text, as `NIL`, `\Seen`, `12` and `BODY[TEXT]`.
    Atom(String),
    /// A quoted string or a literal: the client need not care which.
    Text(Vec<u8>),
    /// A parenthesised list.
    List(Vec<Self>),
}

impl Response {
    /// Reads one response: its lines, with literals between them as they came, without the last
    /// CRLF.
    ///
    /// # Errors
    /// What cannot be understood.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { left: bytes };
        if bytes.starts_with(b"+") {
            return Ok(Self::Continue);
        }
        let tag = reader.word();
        let tag = (tag != "*").then_some(tag);
        reader.blank();
        let first = reader.word();
        let kind = first.to_ascii_uppercase();
        if KINDS.contains(&kind.as_str()) {
            reader.blank();
            return Ok(Self::Status { tag, kind, code: reader.code()? });
        }
        if let Some(tag) = tag {
            return Err(format!("`{tag}` is answered with `{first}`"));
        }
        let number = first.parse().ok();
        let name = if number.is_some() {
            reader.blank();
            reader.word().to_ascii_uppercase()
        } else {
            kind
        };
        if name.is_empty() {
            return Err("an untagged response without a name".into());
        }
        Ok(Self::Data { number, name, values: reader.values(None, 0)? })
    }
}

/// How many bytes the literal at the end of this line has.
#[must_use]
pub fn literal_at_end(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line.trim_ascii_end()).ok();
    // A line may hold other bytes than UTF-8 before it.
    let owned = String::from_utf8_lossy(line.trim_ascii_end());
    let open = text.unwrap_or(&owned).strip_suffix('}')?;
    let (_, digits) = open.rsplit_once('{')?;
    digits.trim_end_matches('+').parse().ok()
}

impl Value {
    /// The text, whichever form it had.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Atom(text) => text.clone(),
            Self::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::List(values) => {
                let inner: Vec<_> = values.iter().map(Self::text).collect();
                format!("({})", inner.join(" "))
            }
        }
    }

    /// The members of a list.
    #[must_use]
    pub fn list(&self) -> &[Self] {
        if let Self::List(values) = self { values } else { &[] }
    }
}

struct Reader<'a> {
    left: &'a [u8],
}

impl Reader<'_> {
    /// Up to the next blank.
    fn word(&mut self) -> String {
        let length = self.left.iter().position(u8::is_ascii_whitespace);
        self.take(length.unwrap_or(self.left.len()))
    }

    fn take(&mut self, length: usize) -> String {
        let (head, rest) = self.left.split_at_checked(length).unwrap_or((self.left, &[]));
        self.left = rest;
        String::from_utf8_lossy(head).into_owned()
    }

    fn blank(&mut self) {
        self.left = self.left.trim_ascii_start();
    }

    /// `[NAME arguments]`, in front of a status's text.
    fn code(&mut self) -> Result<Option<(String, Vec<Value>)>, String> {
        let Some(inner) = self.left.strip_prefix(b"[") else { return Ok(None) };
        self.left = inner;
        let length = inner.iter().position(|byte| [b' ', b']'].contains(byte));
        let name = self.take(length.ok_or("a response code without an end")?);
        let values = self.values(Some(b']'), 0)?;
        Ok(Some((name.to_ascii_uppercase(), values)))
    }

    /// Values up to `end`, or to the end of the response.
    fn values(&mut self, end: Option<u8>, depth: usize) -> Result<Vec<Value>, String> {
        if depth > DEPTH_MAX {
            return Err("lists nested too deeply".into());
        }
        let mut values = Vec::new();
        loop {
            self.blank();
            let Some((first, rest)) = self.left.split_first() else {
                return if end.is_none() {
                    Ok(values)
                } else {
                    Err("a list without an end".into())
                };
            };
            match *first {
                byte if Some(byte) == end => {
                    self.left = rest;
                    return Ok(values);
                }
                b'(' => {
                    self.left = rest;
                    values.push(Value::List(self.values(Some(b')'), depth + 1)?));
                }
                b'"' => values.push(Value::Text(self.quoted()?)),
                b'~' if rest.first() == Some(&b'{') => {
                    self.left = rest;
                    values.push(Value::Text(self.literal()?));
                }
                b'{' => values.push(Value::Text(self.literal()?)),
                b')' => return Err("`)` without `(`".into()),
                _ => values.push(Value::Atom(self.atom(end))),
            }
        }
    }

    fn quoted(&mut self) -> Result<Vec<u8>, String> {
        let mut text = Vec::new();
        let mut bytes = self.left.iter().enumerate().skip(1);
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.left = self.left.get(at + 1..).unwrap_or_default();
                    return Ok(text);
                }
                b'\\' => text.extend(bytes.next().map(|(_, byte)| *byte)),
                byte => text.push(*byte),
            }
        }
        Err("a quoted string without an end".into())
    }

    fn literal(&mut self) -> Result<Vec<u8>, String> {
        let line = self.left.iter().position(|byte| *byte == b'\n').ok_or("`{` within a line")?;
        let (head, rest) = self.left.split_at_checked(line + 1).unwrap_or((self.left, &[]));
        let length = literal_at_end(head).ok_or("`{` within a line")?;
        let (text, rest) = rest.split_at_checked(length).ok_or("a literal cut short")?;
        self.left = rest;
        Ok(text.to_vec())
    }

    /// Bare text. Within `[ ]`, as in `BODY[HEADER.FIELDS (TO)]`, blanks and lists belong to it.
    fn atom(&mut self, end: Option<u8>) -> String {
        let mut inside = false;
        let length = self.left.iter().position(|byte| {
            match byte {
                b'[' => inside = true,
                b']' if inside => inside = false,
                byte if inside => return [b'\r', b'\n'].contains(byte),
                byte => {
                    return byte.is_ascii_whitespace()
                        || b"()".contains(byte)
                        || Some(*byte) == end;
                }
            }
            false
        });
        self.take(length.unwrap_or(self.left.len()).max(1))
    }
}

const KINDS: [&str; 5] = ["OK", "NO", "BAD", "BYE", "PREAUTH"];
/// Lists within lists.
const DEPTH_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Response {
        Response::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn statuses_have_codes_or_none() {
        let Response::Status { tag, kind, code } = parse("a ok [UIDVALIDITY 7] x") else {
            panic!()
        };
        assert_eq!((tag.as_deref(), kind.as_str()), (Some("a"), "OK"));
        assert_eq!(code, Some(("UIDVALIDITY".into(), vec![Value::Atom("7".into())])));
        let Response::Status { code, .. } = parse("* OK [PERMANENTFLAGS (\\Seen \\*)] x") else {
            panic!()
        };
        assert_eq!(code.unwrap().1[0].list().len(), 2);
        assert!(matches!(parse("* BYE"), Response::Status { tag: None, code: None, .. }));
        assert_eq!(parse("+ go on"), Response::Continue);
    }

    #[test]
    fn fetch_is_read_with_sections_strings_and_literals() {
        let text = "* 3 FETCH (UID 9 BODY[HEADER.FIELDS (TO CC)] {5}\r\na)\"(b X \"q\\\"\" Y NIL \
                    BINARY[1] ~{2}\r\n\0))";
        let Response::Data { number, name, values } = parse(text) else { panic!() };
        assert_eq!((number, name.as_str()), (Some(3), "FETCH"));
        let items = values[0].list();
        assert_eq!(items[2], Value::Atom("BODY[HEADER.FIELDS (TO CC)]".into()));
        assert_eq!(items[3], Value::Text(b"a)\"(b".to_vec()));
        assert_eq!(items[5], Value::Text(b"q\"".to_vec()));
        assert_eq!(items[7], Value::Atom("NIL".into()));
        assert_eq!(items[9], Value::Text(b"\0)".to_vec()));
    }

    #[test]
    fn nonsense_is_an_error_and_no_panic() {
        for text in ["* ", "* 1", "a FETCH", "* X (", "* X )", "* X \"", "* X {3}\r\nab", "* OK [X"]
        {
            assert!(Response::parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("* X {}", "(".repeat(100_000));
        assert!(Response::parse(deep.as_bytes()).is_err());
    }
}
