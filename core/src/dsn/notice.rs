//! Reports that come back, in the ways in which servers write them.

use super::address;
use super::fields::clipped;
use super::qmail;
use super::status::{Action, Status};
use crate::UnixSeconds;
use crate::mime::header::{self, Field, unfold};
use crate::mime::{Content, MessageIds, Part, PartId, Structure, TextReader, date};

/// How much of a message is looked at.
pub const LOOK_BYTES_MAX: usize = 256 << 10;
/// How many recipients of a report are told; others are passed over.
pub const OUTCOMES_MAX: usize = 1_000;
/// Of one value.
const VALUE_BYTES_MAX: usize = 2_000;

/// What a report says of a message of ours.
///
/// Anybody can write such a message: what it says is to be believed only as far as it was sent to
/// an address, or names an id, that nobody else could know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notice {
    /// What we called the transaction (RFC 3464 §2.2.1).
    pub envelope_id: Option<String>,
    /// The server that reports (RFC 3464 §2.2.2).
    pub reporter: Option<String>,
    /// The Message-ID of our message, without angle brackets: from what came back of it, else what
    /// the report answers.
    pub message_id: Option<String>,
    /// What became of it, at least one.
    pub outcomes: Vec<NoticeOutcome>,
}

/// What a report says of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeOutcome {
    /// The recipient for the server that reports (RFC 3464 §2.3.2).
    pub address: String,
    /// The recipient as we wrote it, where it is told (RFC 3464 §2.3.1).
    pub original: Option<String>,
    /// What was done.
    pub action: Action,
    /// Its code: of the report, or the one in `diagnostic` where that tells more.
    pub status: Status,
    /// The server that refused (RFC 3464 §2.3.5).
    pub server: Option<String>,
    /// What it said, without the kind (RFC 3464 §2.3.6).
    pub diagnostic: Option<String>,
    /// Until when it will be tried (RFC 3464 §2.3.9).
    pub retry_until: Option<UnixSeconds>,
}

impl Notice {
    /// Reads a message; `None` where it is no report of a delivery. Of a long one the first
    /// [`LOOK_BYTES_MAX`] are looked at.
    ///
    /// Besides RFC 3464 it knows the reports of qmail, and those of Exim and others that name the
    /// recipients in `X-Failed-Recipients` only.
    #[must_use]
    pub fn read(message: &[u8]) -> Option<Self> {
        let message = message.get(..LOOK_BYTES_MAX).unwrap_or(message);
        let structure = Structure::of(message);
        let root = structure.root();
        let mut notice = Self::default();
        if is_report(&structure, root)
            && let Some(status) = status_part(&structure)
        {
            notice.read_fields(&text(message, &structure, status));
        }
        if notice.outcomes.is_empty() {
            let body = text(message, &structure, first_text(&structure));
            notice = qmail::read(&body)
                .or_else(|| failed_recipients(&structure, root))
                .unwrap_or_default();
        }
        if notice.outcomes.is_empty() {
            return None;
        }
        notice.message_id = notice
            .message_id
            .or_else(|| returned_id(message, &structure))
            .or_else(|| answered_id(&structure, root));
        Some(notice)
    }

    /// Groups of fields, parted by empty lines (RFC 3464 §2.1). Some servers leave these out, or
    /// have several: so a recipient begins also where its first field comes again.
    fn read_fields(&mut self, text: &str) {
        let mut draft = Draft::default();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let group = rest.get(..group_length(rest)).unwrap_or(rest);
            for field in header::fields(group) {
                if draft.has(&field) {
                    self.take(std::mem::take(&mut draft));
                }
                self.read_message_field(&field);
                draft.read(&field);
            }
            self.take(std::mem::take(&mut draft));
            rest = rest.get(group.len()..).unwrap_or_default();
            while let [b'\r' | b'\n', after @ ..] = rest {
                rest = after;
            }
        }
    }

    fn read_message_field(&mut self, field: &Field<'_>) {
        if field.is(b"Original-Envelope-Id") {
            self.envelope_id = self.envelope_id.take().or_else(|| value(field));
        } else if field.is(b"Reporting-MTA") {
            self.reporter = self.reporter.take().or_else(|| Some(host(field)));
        }
    }

    fn take(&mut self, draft: Draft) {
        if self.outcomes.len() < OUTCOMES_MAX {
            self.outcomes.extend(draft.finish());
        }
    }
}

/// What is read of one recipient.
#[derive(Default)]
struct Draft {
    address: Option<String>,
    original: Option<String>,
    action: Option<Action>,
    status: Option<Status>,
    server: Option<String>,
    diagnostic: Option<String>,
    retry_until: Option<UnixSeconds>,
}

impl Draft {
    /// Whether the field begins another recipient.
    fn has(&self, field: &Field<'_>) -> bool {
        (field.is(b"Final-Recipient") && self.address.is_some())
            || (field.is(b"Original-Recipient") && self.original.is_some())
            || (field.is(b"Original-Recipient") && self.address.is_some() && self.action.is_some())
    }

    fn read(&mut self, field: &Field<'_>) {
        if field.is(b"Final-Recipient") {
            self.address = value(field).map(|value| address::read(&value).1);
        } else if field.is(b"Original-Recipient") {
            self.original = value(field).map(|value| address::read(&value).1);
        } else if field.is(b"Action") {
            self.action = value(field).and_then(|value| Action::read(&value));
        } else if field.is(b"Status") {
            self.status = value(field).and_then(|value| Status::read(&value));
        } else if field.is(b"Remote-MTA") {
            self.server = Some(host(field)).filter(|host| !host.is_empty());
        } else if field.is(b"Diagnostic-Code") {
            self.diagnostic = value(field).map(|value| diagnostic(&value).to_owned());
        } else if field.is(b"Will-Retry-Until") {
            self.retry_until = date::moment(field.value);
        }
    }

    /// An outcome has an address, and tells by one or the other what was done.
    fn finish(self) -> Option<NoticeOutcome> {
        let address = self.address.or_else(|| self.original.clone())?;
        let told = self.diagnostic.as_deref().and_then(enhanced);
        let status = self.status.or(told);
        let action = self.action.or_else(|| match status?.class() {
            2 => Some(Action::Delivered),
            4 => Some(Action::Delayed),
            _ => Some(Action::Failed),
        })?;
        let status = status.unwrap_or(match action {
            Action::Failed => Status::new(5, 0, 0),
            Action::Delayed => Status::new(4, 0, 0),
            Action::Delivered | Action::Relayed | Action::Expanded => Status::new(2, 0, 0),
        });
        let exact = told.filter(|told| status.is_vague() && told.class() == status.class());
        Some(NoticeOutcome {
            address,
            original: self.original,
            action,
            status: exact.unwrap_or(status),
            server: self.server,
            diagnostic: self.diagnostic.filter(|text| !text.is_empty()),
            retry_until: self.retry_until,
        })
    }
}

/// A field's value in one line; `None` where it is empty.
fn value(field: &Field<'_>) -> Option<String> {
    let line = unfold(field.value);
    let text = String::from_utf8_lossy(&line);
    let text: String = clipped(&text, VALUE_BYTES_MAX)
        .chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `dns; mx.example.org (192.0.2.1)`: the name.
fn host(field: &Field<'_>) -> String {
    let value = value(field).unwrap_or_default();
    let name = value.split_once(';').map_or(value.as_str(), |(_, name)| name);
    name.split_whitespace().next().unwrap_or_default().to_owned()
}

/// `smtp; 550 no`: what was said.
fn diagnostic(value: &str) -> &str {
    match value.split_once(';') {
        Some((kind, text)) if !kind.trim().contains(' ') => text.trim(),
        _ => value,
    }
}

/// The code in a reply: `550 5.1.1 no`, `550-5.1.1 no`, `5.1.1 no`.
pub(super) fn enhanced(text: &str) -> Option<Status> {
    text.split([' ', '-', '(', '#', '<']).take(8).find_map(Status::read)
}

/// How long the fields up to the next empty line are. A line of blanks is one, too.
fn group_length(text: &[u8]) -> usize {
    let mut length = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.iter().all(u8::is_ascii_whitespace) {
            // Nothing is passed over, so that the next group can begin.
            return if length == 0 { line.len() } else { length };
        }
        length += line.len();
    }
    length
}

/// Whether a message is a multipart/report, or might be: some leave the type of the report out, and
/// lists put a part of theirs around it.
fn is_report(structure: &Structure, root: &Part) -> bool {
    let Some(media) = structure.media_type(root) else { return false };
    if media.is(b"multipart", b"report") {
        let kind = media.parameter(b"report-type");
        return kind.is_none_or(|kind| kind.eq_ignore_ascii_case(b"delivery-status"));
    }
    media.is(b"multipart", b"mixed") || media.is(b"message", b"delivery-status")
}

fn status_part(structure: &Structure) -> Option<&Part> {
    outside_messages(structure).find(|part| {
        structure.media_type(part).is_some_and(|media| {
            media.is(b"message", b"delivery-status")
                || media.is(b"message", b"global-delivery-status")
        })
    })
}

/// The parts of the report itself: what stands in the message that came back may be a report, too,
/// about something else.
fn outside_messages(structure: &Structure) -> impl Iterator<Item = &Part> {
    let mut open = vec![PartId::ROOT];
    std::iter::from_fn(move || {
        let part = structure.part(open.pop()?);
        if matches!(part.content, Content::Multipart(_)) {
            let children: Vec<_> = structure.children(part).collect();
            open.extend(children.into_iter().rev());
        }
        Some(part)
    })
}

fn first_text(structure: &Structure) -> &Part {
    let is_leaf = |part: &&Part| part.content == Content::Leaf;
    outside_messages(structure).find(is_leaf).unwrap_or_else(|| structure.root())
}

/// The body of a part, decoded.
fn text(message: &[u8], structure: &Structure, part: &Part) -> String {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(message.len());
    let body = message.get(place(part.body.start)..place(part.body.end)).unwrap_or_default();
    let mut text = String::new();
    if let Some(mut reader) = TextReader::of(structure, part) {
        reader.push(body, &mut text);
        reader.finish(&mut text);
    }
    text
}

/// The id of the message that came back, or of its header.
fn returned_id(message: &[u8], structure: &Structure) -> Option<String> {
    outside_messages(structure).find_map(|part| {
        if let Content::Message(_) = part.content {
            let inner = structure.part(structure.children(part).next()?);
            return id_in(structure.field(inner, b"Message-ID")?.value);
        }
        let media = structure.media_type(part)?;
        let returned = media.is(b"text", b"rfc822-headers")
            || media.is(b"message", b"rfc822")
            || media.is(b"message", b"global")
            || media.is(b"message", b"global-headers");
        let header = returned.then(|| text(message, structure, part))?;
        let header = header.trim_start_matches(['\r', '\n']).as_bytes();
        id_in(header::fields(header).find(|field| field.is(b"Message-ID"))?.value)
    })
}

/// The id of the message that this one answers.
fn answered_id(structure: &Structure, root: &Part) -> Option<String> {
    let field = |name: &[u8]| id_in(structure.field(root, name)?.value);
    field(b"In-Reply-To").or_else(|| field(b"References"))
}

pub(super) fn id_in(value: &[u8]) -> Option<String> {
    let mut ids = MessageIds::new(value);
    Some(String::from_utf8_lossy(ids.next()?).into_owned())
}

/// `X-Failed-Recipients: a@b, c@d`, as Exim writes it.
fn failed_recipients(structure: &Structure, root: &Part) -> Option<Notice> {
    let listed = value(&structure.field(root, b"X-Failed-Recipients")?)?;
    let outcomes = listed.split(',').map(str::trim).filter(|address| address.contains('@'));
    let outcomes = outcomes.take(OUTCOMES_MAX).map(|address| NoticeOutcome {
        address: address.to_owned(),
        original: None,
        action: Action::Failed,
        status: Status::new(5, 0, 0),
        server: None,
        diagnostic: None,
        retry_until: None,
    });
    Some(Notice { outcomes: outcomes.collect(), ..Notice::default() })
}
