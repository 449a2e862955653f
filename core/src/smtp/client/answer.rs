//! What the server answers (RFC 5321 §4.2): read line by line, of bounded size.

use std::fmt;

use crate::smtp::reply::{Class, Code, Enhanced};

/// One whole answer of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The three digits.
    pub code: Code,
    /// The enhanced code of the first line (RFC 2034 §4), where it has one that fits the code.
    pub enhanced: Option<Enhanced>,
    /// The text without codes, its lines separated by `\n`; what is not printable is `?`.
    pub text: String,
}

impl Answer {
    /// What the first digit says.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.code.class()
    }

    /// With no more text than is kept for each of many recipients.
    pub(super) fn cut(mut self) -> Self {
        let end = self.text.floor_char_boundary(KEPT_MAX);
        self.text.truncate(end);
        self.text.shrink_to_fit();
        self
    }
}

impl fmt::Display for Answer {
    /// In one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if let Some(enhanced) = self.enhanced {
            let class = self.code.number() / 100;
            write!(f, " {class}.{}.{}", enhanced.subject(), enhanced.detail())?;
        }
        self.text.split('\n').try_for_each(|line| write!(f, " {line}"))
    }
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// A line does not begin with a code of three digits and a space, a hyphen or its end.
    NoCode,
    /// The lines of one answer have different codes.
    CodesDiffer,
    /// A line is longer than [`LINE_MAX`].
    LineTooLong,
    /// An answer has more lines than [`LINES_MAX`].
    TooManyLines,
    /// An answer has more text than [`TEXT_MAX`].
    TooMuchText,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCode => "a line without a reply code",
            Self::CodesDiffer => "the lines of an answer have different codes",
            Self::LineTooLong => "a line that is too long",
            Self::TooManyLines => "an answer with too many lines",
            Self::TooMuchText => "an answer with too much text",
        })
    }
}

/// Bytes in a line, its end included. RFC 5321 §4.5.3.1.5 allows 512; real servers pass that.
pub const LINE_MAX: usize = 2_048;
/// Lines in an answer.
pub const LINES_MAX: usize = 256;
/// Bytes of text in an answer, all lines together.
pub const TEXT_MAX: usize = 16_384;
/// Bytes of text that are kept of an answer to MAIL, RCPT, DATA or a message.
pub const KEPT_MAX: usize = 1_024;

/// Puts answers together.
#[derive(Debug, Default)]
pub(super) struct Reader {
    begun: Option<Answer>,
    lines: usize,
    /// How much of the unread bytes is known to hold no line end.
    scanned: usize,
}

/// How far [`Reader::take`] has come: bytes used, and the answer if one is whole.
pub(super) type Taken = (usize, Option<Answer>);

impl Reader {
    /// Takes lines up to the end of one answer.
    pub(super) fn take(&mut self, unread: &[u8]) -> Result<Taken, Malformed> {
        let mut used = 0;
        loop {
            let rest = unread.get(used..).unwrap_or_default();
            let begun = rest.len().min(LINE_MAX);
            let unseen = rest.get(self.scanned.min(begun)..begun).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', unseen) else {
                if rest.len() >= LINE_MAX {
                    return Err(Malformed::LineTooLong);
                }
                self.scanned = begun;
                return Ok((used, None));
            };
            let end = self.scanned.min(begun) + end;
            self.scanned = 0;
            let line = rest.get(..end).unwrap_or_default();
            used += end + 1;
            if let Some(answer) = self.line(line.strip_suffix(b"\r").unwrap_or(line))? {
                return Ok((used, Some(answer)));
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Answer>, Malformed> {
        let (digits, rest) = line.split_first_chunk::<3>().ok_or(Malformed::NoCode)?;
        let code = code(*digits).ok_or(Malformed::NoCode)?;
        // RFC 5321 §4.2: a code alone is an answer too.
        let (last, text) = match rest.split_first() {
            None => (true, rest),
            Some((b' ', text)) => (true, text),
            Some((b'-', text)) => (false, text),
            Some(_) => return Err(Malformed::NoCode),
        };
        let text = printable(text);
        let (enhanced, text) = split_enhanced(code, &text);
        self.lines += 1;
        match &mut self.begun {
            Some(begun) if begun.code != code => return Err(Malformed::CodesDiffer),
            Some(_) if self.lines > LINES_MAX => return Err(Malformed::TooManyLines),
            Some(begun) if begun.text.len() + text.len() >= TEXT_MAX => {
                return Err(Malformed::TooMuchText);
            }
            Some(begun) => {
                begun.text.push('\n');
                begun.text.push_str(text);
            }
            None => self.begun = Some(Answer { code, enhanced, text: text.to_owned() }),
        }
        if !last {
            return Ok(None);
        }
        self.lines = 0;
        Ok(self.begun.take())
    }
}

fn code(digits: [u8; 3]) -> Option<Code> {
    let number = digits.iter().try_fold(0_u16, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0'))
    })?;
    Code::new(number)
}

fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .chars()
        .map(|char| if char.is_control() && char != '\t' { '?' } else { char })
        .collect()
}

/// RFC 3463 §2, RFC 2034 §4: class, subject and detail before the text; the class is the code's.
fn split_enhanced(code: Code, text: &str) -> (Option<Enhanced>, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut numbers = word.split('.').map(|part| {
        let digits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse::<u16>().ok()).flatten()
    });
    let parts = [numbers.next(), numbers.next(), numbers.next(), numbers.next()];
    match parts {
        [Some(Some(class)), Some(Some(subject)), Some(Some(detail)), None]
            if class == code.number() / 100 =>
        {
            (Some(Enhanced::new(subject, detail)), rest)
        }
        _ => (None, text),
    }
}
