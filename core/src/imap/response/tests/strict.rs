//! ENVELOPE and BODYSTRUCTURE read as their grammar has them (RFC 3501 §9, RFC 9051 §9), by a
//! reader that takes nothing else: NIL, strings and numbers only where they may stand.

/// What is left to read. Whatever is not of the grammar ends the test.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

/// How many parts there are, and how deep they lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    pub(super) parts: usize,
    pub(super) depth: usize,
}

impl<'a> Reader<'a> {
    fn is(&self, next: &[u8]) -> bool {
        self.0.starts_with(next)
    }

    fn takes(&mut self, next: &[u8]) -> bool {
        let rest = self.0.strip_prefix(next);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    pub(super) fn take(&mut self, next: &str) {
        assert!(self.takes(next.as_bytes()), "{next:?} wanted at {}", self.0.escape_ascii());
    }

    fn number(&mut self) -> u64 {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        assert!(digits > 0, "a number wanted at {}", self.0.escape_ascii());
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        assert!(digits == 1 || number[0] != b'0');
        std::str::from_utf8(number).unwrap().parse().unwrap()
    }

    fn string(&mut self) -> Vec<u8> {
        if self.takes(b"{") {
            let length = usize::try_from(self.number()).unwrap();
            self.take("}\r\n");
            let (literal, rest) = self.0.split_at(length);
            self.0 = rest;
            assert!(!literal.contains(&0), "no literal has a NUL in it");
            return literal.to_vec();
        }
        self.take("\"");
        let mut text = Vec::new();
        loop {
            let (byte, rest) = self.0.split_first().unwrap();
            self.0 = rest;
            match byte {
                b'"' => return text,
                b'\\' => {
                    assert!(self.is(b"\\") || self.is(b"\""));
                    text.push(self.0[0]);
                    self.0 = &self.0[1..];
                }
                // Eight bits may stand in quotes for those only who asked for it.
                byte => {
                    assert!(matches!(byte, 1..=0x7F) && !matches!(byte, b'\r' | b'\n'));
                    text.push(*byte);
                }
            }
        }
    }

    fn nstring(&mut self) -> Option<Vec<u8>> {
        (!self.takes(b"NIL")).then(|| self.string())
    }

    /// `envelope`.
    pub(super) fn envelope(&mut self) {
        self.take("(");
        let _date = self.nstring();
        self.take(" ");
        let _subject = self.nstring();
        for _list in 0..6 {
            self.take(" ");
            self.addresses();
        }
        self.take(" ");
        let _in_reply_to = self.nstring();
        self.take(" ");
        let _message_id = self.nstring();
        self.take(")");
    }

    /// `"(" 1*address ")" / nil`, where groups are opened and closed in turn (RFC 3501 §7.4.2).
    fn addresses(&mut self) {
        if self.takes(b"NIL") {
            return;
        }
        self.take("(");
        let mut in_group = false;
        while self.takes(b"(") {
            let mut members = Vec::new();
            for before in ["", " ", " ", " "] {
                self.take(before);
                members.push(self.nstring());
            }
            self.take(")");
            if members[3].is_none() {
                assert!(members[0].is_none() && members[1].is_none());
                assert_ne!(in_group, members[2].is_some(), "groups do not nest");
                in_group = members[2].is_some();
            } else {
                assert!(members[2].is_some());
            }
        }
        assert!(!in_group, "a group ends");
        self.take(")");
    }

    /// `body`.
    pub(super) fn body(&mut self, extended: bool) -> Shape {
        self.take("(");
        let shape = if self.is(b"(") { self.multipart(extended) } else { self.single(extended) };
        self.take(")");
        shape
    }

    fn multipart(&mut self, extended: bool) -> Shape {
        let mut shape = Shape::default();
        while self.is(b"(") {
            let inner = self.body(extended);
            shape.parts += inner.parts;
            shape.depth = shape.depth.max(inner.depth);
        }
        self.take(" ");
        assert!(!self.string().is_empty());
        if extended {
            self.take(" ");
            self.parameters();
            self.rest();
        }
        Shape { parts: shape.parts + 1, depth: shape.depth + 1 }
    }

    fn single(&mut self, extended: bool) -> Shape {
        let kind = self.string();
        self.take(" ");
        let subtype = self.string();
        assert!(!kind.is_empty() && !subtype.is_empty());
        assert_ne!(kind, b"multipart", "what has no parts is no multipart");
        self.take(" ");
        self.parameters();
        self.take(" ");
        let _id = self.nstring();
        self.take(" ");
        let _description = self.nstring();
        self.take(" ");
        assert!(!self.string().is_empty(), "an encoding has a name");
        self.take(" ");
        let _octets = self.number();
        let mut shape = Shape { parts: 1, depth: 1 };
        if kind == b"message" && subtype == b"rfc822" {
            self.take(" ");
            self.envelope();
            self.take(" ");
            let inner = self.body(extended);
            shape = Shape { parts: inner.parts + 1, depth: inner.depth + 1 };
            self.take(" ");
            let _lines = self.number();
        } else if kind == b"text" {
            self.take(" ");
            let _lines = self.number();
        }
        if extended {
            self.take(" ");
            let _md5 = self.nstring();
            self.rest();
        }
        shape
    }

    /// `body-fld-param`.
    fn parameters(&mut self) {
        if self.takes(b"NIL") {
            return;
        }
        self.take("(");
        loop {
            assert!(!self.string().is_empty());
            self.take(" ");
            let _value = self.string();
            if !self.takes(b" ") {
                break;
            }
        }
        self.take(")");
    }

    /// Disposition, language and location.
    fn rest(&mut self) {
        self.take(" ");
        if !self.takes(b"NIL") {
            self.take("(");
            assert!(!self.string().is_empty());
            self.take(" ");
            self.parameters();
            self.take(")");
        }
        self.take(" ");
        if self.takes(b"(") {
            let _language = self.string();
            while self.takes(b" ") {
                let _language = self.string();
            }
            self.take(")");
        } else {
            let _language = self.nstring();
        }
        self.take(" ");
        let _location = self.nstring();
    }
}
