//! The body on its way out: its line ends, and the dots of DATA.

/// What becomes of a CR or LF that stands alone in a body which consists of lines.
///
/// None ever leaves: another server could take one for a line end, and so for the end of the
/// message (RFC 5321 §2.3.8, §4.1.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BareEnds {
    /// The message is not sent. A signature over it stays what it is.
    #[default]
    Refuse,
    /// Each becomes CRLF.
    Mend,
}

/// A CR or LF stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BareEnd {
    /// Where in the body, in bytes from its beginning.
    pub offset: u64,
}

/// Brings a body into its lines.
#[derive(Debug)]
pub(super) struct Text {
    bare: BareEnds,
    /// Whether a dot at the beginning of a line is doubled (RFC 5321 §4.5.2).
    stuffs: bool,
    /// A CR has come that was not written, since nothing has come behind it.
    after_cr: bool,
    line_start: bool,
    offset: u64,
}

const CRLF: &[u8] = b"\r\n";

impl Text {
    pub(super) const fn new(bare: BareEnds, stuffs: bool) -> Self {
        Self { bare, stuffs, after_cr: false, line_start: true, offset: 0 }
    }

    /// Writes a piece; a CR at its end waits for the next one.
    pub(super) fn write(
        &mut self,
        piece: &[u8],
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), BareEnd> {
        let mut rest = piece;
        loop {
            if self.after_cr {
                let Some((first, behind)) = rest.split_first() else { return Ok(()) };
                if *first == b'\n' {
                    rest = behind;
                    self.offset += 1;
                } else {
                    self.bare(1)?;
                }
                self.after_cr = false;
                self.end_line(sink);
            }
            let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.part(line, sink);
            let Some((end, behind)) = behind.split_first() else { return Ok(()) };
            rest = behind;
            if *end == b'\r' {
                self.after_cr = true;
            } else {
                self.bare(0)?;
                self.end_line(sink);
            }
            self.offset += 1;
        }
    }

    /// The body has ended: so does its last line.
    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(&[u8])) -> Result<(), BareEnd> {
        if self.after_cr {
            self.bare(1)?;
        }
        if self.after_cr || !self.line_start {
            self.end_line(sink);
        }
        self.after_cr = false;
        Ok(())
    }

    fn part(&mut self, line: &[u8], sink: &mut dyn FnMut(&[u8])) {
        if line.is_empty() {
            return;
        }
        if self.line_start && self.stuffs && line.starts_with(b".") {
            sink(b".");
        }
        self.line_start = false;
        self.offset += line.len() as u64;
        sink(line);
    }

    fn end_line(&mut self, sink: &mut dyn FnMut(&[u8])) {
        sink(CRLF);
        self.line_start = true;
    }

    const fn bare(&self, back: u64) -> Result<(), BareEnd> {
        match self.bare {
            BareEnds::Mend => Ok(()),
            BareEnds::Refuse => Err(BareEnd { offset: self.offset - back }),
        }
    }
}
