//! How bytes are read that are not one command after the other: lines, bodies and chunks.

use memchr::memchr;

use super::{Progress, Question, Server, Stage, State, at};
use crate::Outbox;
use crate::smtp::body::Part;
use crate::smtp::chunk::{self, Bare, Chunks};
use crate::smtp::command::Chunk;
use crate::smtp::config::{Protocol, Strictness};
use crate::smtp::event::{Event, Next, Step};
use crate::smtp::fault::Fault;
use crate::smtp::reply::{Code, Place, write_line};

impl Server {
    /// The next line with its end, looking at each byte once however it arrives.
    pub(super) fn line<'b>(&mut self, unread: &'b [u8], max: usize) -> Line<'b> {
        let fresh = unread.get(self.scanned..).unwrap_or_default();
        let end = memchr(b'\n', fresh).map(|found| self.scanned + found + 1);
        self.scanned = 0;
        match end {
            Some(used) if used > max => Line::TooLong { used, ended: true },
            Some(used) => Line::Whole { line: unread.get(..used).unwrap_or_default(), used },
            None if unread.len() >= max => Line::TooLong { used: unread.len(), ended: false },
            None => {
                self.scanned = unread.len();
                Line::Unfinished
            }
        }
    }

    pub(super) fn skip<'b>(&mut self, progress: Progress, unread: &[u8]) -> Step<'b> {
        match memchr(b'\n', unread) {
            Some(end) => {
                self.state = State::Command(progress);
                at(end + 1, Next::NeedBytes)
            }
            None => at(unread.len(), Next::NeedBytes),
        }
    }

    /// The body of DATA. [`Body`] finds its end and takes the stuffed dots away.
    pub(super) fn body<'b>(&mut self, unread: &'b [u8], out: &mut Outbox) -> Step<'b> {
        let limits = self.config.limits();
        let (size_max, line_max) = (limits.message_bytes_max, limits.text_line_max);
        let State::Body { body, size, recipients } = &mut self.state else {
            return at(0, Next::AwaitReply);
        };
        let recipients = *recipients;
        let piece = body.next(unread);
        let fault = match piece.part {
            Part::NeedBytes => return at(piece.used, Next::NeedBytes),
            Part::Text(text) => {
                // Too much is read to its end all the same, so that the session stays in step.
                let room = usize::try_from(size_max.saturating_sub(*size)).unwrap_or(usize::MAX);
                *size = size.saturating_add(text.len() as u64);
                let next = match text.get(..room).unwrap_or(text) {
                    [] => Next::NeedBytes,
                    text => Next::Event(Event::Body(text)),
                };
                return at(piece.used, next);
            }
            Part::Refused(refusal) => {
                self.refuse_body(Fault::Smuggling(refusal), recipients, out);
                // Where the next command begins cannot be known: nothing more is read.
                self.state = State::Closed;
                return at(
                    unread.len(),
                    Next::Event(Event::BodyRefused(Fault::Smuggling(refusal))),
                );
            }
            Part::End if *size > size_max => Some(Fault::TooLarge(size_max)),
            Part::End if body.line_too_long() => Some(Fault::TextLineTooLong(line_max)),
            Part::End => None,
        };
        let next = if let Some(fault) = fault {
            self.state = State::Command(Progress::Ready);
            self.refuse_body(fault, recipients, out);
            Event::BodyRefused(fault)
        } else {
            self.state = State::Asked(Question::BodyEnd { recipients }, Progress::Ready);
            Event::BodyEnd
        };
        at(piece.used, Next::Event(next))
    }

    /// BDAT was accepted: its bytes follow.
    pub(super) fn begin_chunk(&mut self, Chunk { size, last }: Chunk, progress: Progress) {
        let recipients = progress.recipients();
        let chunks = match progress {
            Progress::Chunks { chunks, .. } => chunks,
            Progress::Start
            | Progress::Ready
            | Progress::Refused { .. }
            | Progress::Transaction { .. } => {
                let binary = matches!(progress, Progress::Transaction { binary: true, .. });
                let pedantic = self.config.strictness() == Strictness::Pedantic;
                Chunks::new(binary, self.config.limits().text_line_max, pedantic)
            }
        };
        self.state = State::Chunk { chunks, left: size, last, recipients };
    }

    /// The bytes of a chunk. Each chunk has one reply (RFC 3030 §2), but in LMTP the last has one
    /// for each recipient (RFC 2033 §4.3).
    pub(super) fn chunk<'b>(&mut self, unread: &'b [u8], out: &mut Outbox) -> Step<'b> {
        let State::Chunk { chunks, left, last, recipients } = &mut self.state else {
            return at(0, Next::AwaitReply);
        };
        if *left == 0 {
            let (chunks, last, recipients) = (*chunks, *last, *recipients);
            return self.end_of_chunk(chunks, last, recipients, unread, out);
        }
        let here = usize::try_from(*left).unwrap_or(usize::MAX);
        let bytes = unread.get(..here).unwrap_or(unread);
        if bytes.is_empty() {
            return at(0, Next::NeedBytes);
        }
        let max = self.config.limits().message_bytes_max;
        let fault = match chunks.next(bytes) {
            // Bare LFs made CRLF may take it over the limit.
            chunk::Part::Text(..) if chunks.size() > max => Fault::TooLarge(max),
            chunk::Part::Text(used, text) => {
                *left = left.saturating_sub(used as u64);
                let next = match text {
                    [] => Next::NeedBytes,
                    text => Next::Event(Event::Body(text)),
                };
                return at(used, next);
            }
            chunk::Part::Bare(bare) => Fault::BareInChunk(bare),
        };
        let rest = Chunk { size: *left, last: *last };
        let progress = Progress::Chunks { chunks: Chunks::NONE, recipients: *recipients };
        at(0, self.refuse_chunk(fault, rest, progress, out))
    }

    fn end_of_chunk<'b>(
        &mut self,
        chunks: Chunks,
        last: bool,
        recipients: usize,
        unread: &'b [u8],
        out: &mut Outbox,
    ) -> Step<'b> {
        let line_max = self.config.limits().text_line_max;
        let fault = match last {
            true if chunks.ends_in_cr() => Fault::BareInChunk(Bare::Cr),
            true if chunks.line_too_long() => Fault::TextLineTooLong(line_max),
            true => {
                self.state = State::Asked(Question::BodyEnd { recipients }, Progress::Ready);
                return at(0, Next::Event(Event::BodyEnd));
            }
            false => {
                let text = format_args!("{} bytes so far", chunks.size());
                write_line(Code::OK, Some(super::OK), text, Place::Last(None), out);
                let progress = Progress::Chunks { chunks, recipients };
                self.state = State::Command(progress);
                // What has come behind the chunk must not wait for more.
                return self.command(progress, unread, out);
            }
        };
        self.state = State::Command(Progress::Ready);
        self.refuse_body(fault, recipients, out);
        at(0, Next::Event(Event::BodyRefused(fault)))
    }

    /// A chunk, or what is left of it, is refused. It is read past all the same, so that the session
    /// stays in step (RFC 3030 §2). A transaction that had come so far is over.
    pub(super) fn refuse_chunk<'b>(
        &mut self,
        fault: Fault,
        Chunk { size: left, last }: Chunk,
        progress: Progress,
        out: &mut Outbox,
    ) -> Next<'b> {
        let over = matches!(progress.stage(), Stage::Rcpt | Stage::Chunks);
        let by_recipient = self.config.protocol() == Protocol::Lmtp && last;
        match (fault, progress.recipients()) {
            // RFC 2033 §4.3: the last chunk has a reply for each recipient, and none for none.
            (Fault::MailFirst | Fault::RecipientFirst, 0) if by_recipient => {}
            (_, recipients) if by_recipient && recipients > 0 => {
                self.refuse_body(fault, recipients, out);
            }
            _ => self.refuse(fault, out),
        }
        if !matches!(self.state, State::Closed) {
            let progress = match (self.config.protocol(), progress.recipients()) {
                (_, 0) => progress,
                (Protocol::Lmtp, recipients) if !last => Progress::Refused { recipients },
                _ => Progress::Ready,
            };
            self.state = State::Swallow { left, progress };
        }
        if over { Next::Event(Event::BodyRefused(fault)) } else { Next::NeedBytes }
    }

    pub(super) fn swallow<'b>(&mut self, unread: &'b [u8], out: &mut Outbox) -> Step<'b> {
        let State::Swallow { left, progress } = &mut self.state else {
            return at(0, Next::AwaitReply);
        };
        let here = usize::try_from(*left).unwrap_or(usize::MAX).min(unread.len());
        *left = left.saturating_sub(here as u64);
        if *left > 0 || here > 0 {
            return at(here, Next::NeedBytes);
        }
        let progress = *progress;
        self.state = State::Command(progress);
        self.command(progress, unread, out)
    }
}

pub(super) enum Line<'b> {
    /// With its line end.
    Whole {
        line: &'b [u8],
        used: usize,
    },
    Unfinished,
    /// `ended` where its end was among the bytes used.
    TooLong {
        used: usize,
        ended: bool,
    },
}
