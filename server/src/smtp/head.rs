//! The text of a letter as it comes in: its head is gathered and judged before anything of it is
//! stored; the rest follows as it is, or is refused for what it holds.
//!
//! A NUL has no place in a text of lines (RFC 2045 §2.7, §2.8), and no IMAP literal could give it
//! out (RFC 3501 §9, CHAR8). Others drop it or put something else there; what comes here is stored
//! as it came or not at all.
//!
//! What is stored of the head is what came, but
//! - `Return-Path` goes: it is ours to write (RFC 5321 §4.4);
//! - so do `Authentication-Results` in our name (RFC 8601 §5) and our own reasons;
//! - in a submitted message, `Bcc` goes (RFC 5322 §3.6.3), and `Date` and `Message-ID` are put in
//!   front where they are missing (RFC 6409 §8.2, §8.3).

use std::fmt::Write as _;

use pillarbox_core::authres;
use pillarbox_core::dmarc::{Author, author};
use pillarbox_core::message::{
    Excess, Gatherer, Head, HeadLimits, OriginFault, Originator, originators,
};
use pillarbox_core::mime::header::{Field, unfold};
use pillarbox_core::mime::media::Described;
use pillarbox_core::mime::{MessageIds, Parser};
use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};
use pillarbox_core::wire::date::HeaderDate;
use pillarbox_core::{Random, UnixSeconds};

use memchr::memchr;

use super::checks::{self, Claims, Wanted};
use super::signing::Signing;
use super::spool::Spool;

/// The text of a letter on its way in.
#[derive(Debug)]
pub(super) enum Text {
    /// Its head is still coming.
    Head(Gatherer),
    /// What is stored of its head is spooled, and the rest follows.
    Body(Taken),
    /// It is refused at its end; until then it is read and forgotten. What was spooled before has
    /// still to be thrown away.
    Refused(Refusal),
}

/// A text whose head is not refused.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) spool: Spool,
    pub(super) facts: Facts,
    /// What is to be checked of it, where anything is.
    pub(super) claims: Option<Box<Claims>>,
    /// What its signatures will be about, where it is submitted.
    pub(super) signing: Option<Box<Signing>>,
    /// What that makes one ask, until somebody does.
    pub(super) wanted: Option<Wanted>,
    /// Counts its parts, where it may have any.
    parts: Option<Box<Parser>>,
    /// How many bytes of the text have come.
    came: u64,
}

/// A text that is not stored, and what was spooled of it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reply: Reply,
    pub(super) spool: Spool,
}

/// What the head of a letter says to those who handle it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Facts {
    /// Its head has other letters than ASCII: where it goes next must know SMTPUTF8
    /// (RFC 6531 §3.5). Such heads are taken without SMTPUTF8 too, since there have always been
    /// programs that write them.
    pub(super) eight_bit_head: bool,
    /// The sender would rather have it arrive without TLS than not at all: `TLS-Required: No`
    /// (RFC 8689 §5). Does not count where MAIL had REQUIRETLS.
    pub(super) tls_optional: bool,
    /// Whom it says it is from, where that must be looked up.
    pub(super) originators: Vec<Originator>,
    /// Its Message-ID, without angle brackets; empty where it has none.
    pub(super) message_id: String,
}

/// By what a text is judged.
pub(super) struct Rules<'a> {
    pub(super) limits: &'a HeadLimits,
    /// How many MIME parts it may have.
    pub(super) parts_max: usize,
    /// What is submitted is completed.
    pub(super) submission: bool,
    /// Whom it says it is from is nobody's business.
    pub(super) any_sender: bool,
    /// It is checked whether that is so.
    pub(super) checked: bool,
    pub(super) hostname: &'a str,
    pub(super) at: UnixSeconds,
    pub(super) random: fn() -> Box<dyn Random>,
}

impl Text {
    pub(super) const fn new(limits: &HeadLimits) -> Self {
        Self::Head(Gatherer::new(limits.bytes_max))
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8], rules: &Rules<'_>) {
        // What stands before a NUL may be refused for something else.
        let clean = memchr(0, bytes).and_then(|at| bytes.get(..at));
        self.take(clean.unwrap_or(bytes), rules);
        if clean.is_some() {
            self.refuse(holds_nul(self.came()));
        }
    }

    /// It is to be refused at its end, where that is not known yet.
    pub(super) fn refuse(&mut self, reply: Reply) {
        let spool = match self {
            Self::Head(_) => Spool::default(),
            Self::Body(body) => std::mem::take(&mut body.spool).without_memory(),
            Self::Refused(_) => return,
        };
        *self = Self::Refused(Refusal { reply, spool });
    }

    /// All of it has come. A message without an empty line is all head.
    ///
    /// # Errors
    /// Where it is refused.
    pub(super) fn finish(self, rules: &Rules<'_>) -> Result<Taken, Refusal> {
        match self {
            Self::Head(gatherer) => judge(gatherer.into_head(), rules)
                .map_err(|reply| Refusal { reply, spool: Spool::default() }),
            Self::Body(taken) => Ok(taken),
            Self::Refused(refusal) => Err(refusal),
        }
    }

    /// What its head makes one ask, once.
    pub(super) fn take_wanted(&mut self) -> Option<Wanted> {
        match self {
            Self::Body(taken) => taken.wanted.take(),
            Self::Head(_) | Self::Refused(_) => None,
        }
    }

    /// The spool, once there is one.
    pub(super) const fn spool_mut(&mut self) -> Option<&mut Spool> {
        match self {
            Self::Body(body) => Some(&mut body.spool),
            Self::Refused(refusal) => Some(&mut refusal.spool),
            Self::Head(_) => None,
        }
    }

    /// How many bytes have come, as long as it is not refused.
    const fn came(&self) -> u64 {
        match self {
            Self::Head(gatherer) => gatherer.len() as u64,
            Self::Body(body) => body.came,
            Self::Refused(_) => 0,
        }
    }

    /// Takes bytes without NUL.
    fn take(&mut self, bytes: &[u8], rules: &Rules<'_>) {
        let result = match self {
            Self::Head(gatherer) => match gatherer.push(bytes) {
                Ok(None) => Ok(()),
                Ok(Some(used)) => {
                    let gatherer = std::mem::replace(gatherer, Gatherer::new(0));
                    judge(gatherer.into_head(), rules).and_then(|mut body| {
                        let result = body.push(bytes.get(used..).unwrap_or_default(), rules);
                        *self = Self::Body(body);
                        result
                    })
                }
                Err(excess) => Err(too_much(excess)),
            },
            Self::Body(body) => body.push(bytes, rules),
            Self::Refused(_) => Ok(()),
        };
        if let Err(reply) = result {
            self.refuse(reply);
        }
    }
}

impl Taken {
    fn push(&mut self, bytes: &[u8], rules: &Rules<'_>) -> Result<(), Reply> {
        self.came += bytes.len() as u64;
        self.spool.push(bytes);
        if let Some(claims) = &mut self.claims {
            claims.push(bytes);
        }
        if let Some(signing) = &mut self.signing {
            signing.push(bytes);
        }
        let Some(parser) = &mut self.parts else { return Ok(()) };
        parser.push(bytes);
        if parser.parts() > rules.parts_max { Err(too_many_parts(rules.parts_max)) } else { Ok(()) }
    }
}

/// The one place where a head is refused, and what is stored of one that is not.
fn judge(head: Head, rules: &Rules<'_>) -> Result<Taken, Reply> {
    head.check(rules.limits).map_err(too_much)?;
    let originators =
        if rules.any_sender { Vec::new() } else { originators(&head).map_err(no_origin)? };
    let mut facts = Facts {
        message_id: message_id(&head),
        eight_bit_head: !head.as_bytes().is_ascii(),
        tls_optional: is_tls_optional(&head),
        originators,
    };
    let claims =
        if rules.checked { Some(Box::new(Claims::of(&head).map_err(no_origin)?)) } else { None };
    let wanted = claims.as_ref().map(|claims| claims.wanted());
    let author = if rules.submission { author(&head).ok() } else { None };
    let came = head.as_bytes().len() as u64;
    let parts = parts(&head, rules.parts_max);
    let mut added = String::new();
    if rules.submission
        && let Some(id) = complete(&head, rules, &mut added)
    {
        facts.message_id = id;
    }
    let kept = head.without(|field| {
        field.is(b"Return-Path")
            || is_ours(field, rules.hostname)
            || rules.submission && (field.is(b"Bcc") || field.is(b"Resent-Bcc"))
    });
    let stored = if added.is_empty() {
        kept
    } else {
        let mut stored = added.into_bytes();
        stored.extend_from_slice(&kept);
        stored
    };
    let signing = match author {
        Some(Author::Domain(domain)) => Some(Box::new(Signing::new(domain, stored.clone()))),
        _ => None,
    };
    Ok(Taken { spool: Spool::from(stored), facts, claims, signing, wanted, parts, came })
}

/// Whether only we may write such a field (RFC 8601 §5): whoever reads the message believes it.
fn is_ours(field: &Field<'_>, hostname: &str) -> bool {
    field.is(checks::REASON.as_bytes())
        || field.is(b"Authentication-Results") && authres::claims_to_be(field.value, hostname)
}

/// What counts the parts of a message with this head. Most messages are of one part and need none.
fn parts(head: &Head, parts_max: usize) -> Option<Box<Parser>> {
    let field = head.fields().find(|field| field.is(b"Content-Type"))?;
    let media = Described::content_type(field.value)?;
    (media.is_kind(b"multipart") || media.is_kind(b"message")).then(|| {
        let mut parser = Parser::with_parts_max(parts_max);
        parser.push(head.as_bytes());
        Box::new(parser)
    })
}

fn message_id(head: &Head) -> String {
    let field = head.fields().find(|field| field.is(b"Message-ID"));
    let Some(field) = field.filter(|field| field.value.len() <= MESSAGE_ID_KEPT_MAX) else {
        return String::new();
    };
    let mut ids = MessageIds::new(field.value);
    ids.next().map(|id| String::from_utf8_lossy(id).into_owned()).unwrap_or_default()
}

/// A longer one is not kept for those who look a message up.
const MESSAGE_ID_KEPT_MAX: usize = 998;

/// Writes the fields that a message must have and this one has not; tells its new Message-ID.
fn complete(head: &Head, rules: &Rules<'_>, added: &mut String) -> Option<String> {
    let lacks = |name: &[u8]| !head.fields().any(|field| field.is(name));
    // Writing to a String cannot fail.
    if lacks(b"Date") {
        let _infallible = write!(added, "Date: {}\r\n", HeaderDate(rules.at));
    }
    lacks(b"Message-ID").then(|| {
        // RFC 5322 §3.6.4: as good as unique, with a name of ours on the right.
        let mut random = [0; 16];
        (rules.random)().fill(&mut random);
        let id = format!("{:032x}@{}", u128::from_be_bytes(random), rules.hostname);
        let _infallible = write!(added, "Message-ID: <{id}>\r\n");
        id
    })
}

/// RFC 8689 §5: one such field with the one value that there is.
fn is_tls_optional(head: &Head) -> bool {
    let mut fields = head.fields().filter(|field| field.is(b"TLS-Required"));
    let no = |field: Field<'_>| unfold(field.value).eq_ignore_ascii_case(b"No");
    fields.next().is_some_and(no) && fields.next().is_none()
}

fn too_much(excess: Excess) -> Reply {
    let (code, enhanced) = match excess {
        Excess::Bytes(_) => (Code::TOO_LARGE, Enhanced::new(3, 4)),
        Excess::Fields(_) | Excess::Addresses(_) => (Code::FAILED, Enhanced::new(6, 0)),
        // RFC 3463 §3.5: a routing loop.
        Excess::Received(_) => (Code::FAILED, Enhanced::new(4, 6)),
    };
    Reply::new(code, enhanced, excess.to_string())
}

fn holds_nul(at: u64) -> Reply {
    let text = format!("a NUL at byte {at} of the message: what is no text must be encoded");
    Reply::new(Code::FAILED, Enhanced::new(6, 0), text)
}

fn too_many_parts(max: usize) -> Reply {
    let text = format!("the message has more than {max} MIME parts");
    Reply::new(Code::FAILED, Enhanced::new(6, 0), text)
}

fn no_origin(fault: OriginFault) -> Reply {
    let (OriginFault::Missing(field) | OriginFault::Several(field) | OriginFault::Nobody(field)) =
        fault;
    let text = format!("{fault}: send it with one {field} field that holds an address of yours");
    Reply::new(Code::FAILED, Enhanced::new(6, 0), text)
}

#[cfg(test)]
mod tests;
