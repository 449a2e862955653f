//! The text of a letter as it comes in: its head is gathered and judged before anything of it is
//! stored; the rest follows as it is.
//!
//! What is stored of the head is what came, but
//! - `Return-Path` goes: it is ours to write (RFC 5321 §4.4);
//! - in a submitted message, `Bcc` goes (RFC 5322 §3.6.3), and `Date` and `Message-ID` are put in
//!   front where they are missing (RFC 6409 §8.2, §8.3).

use std::fmt::Write as _;

use pillarbox_core::message::{
    Excess, Gatherer, Head, HeadLimits, OriginFault, Originator, originators,
};
use pillarbox_core::mime::header::{Field, unfold};
use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};
use pillarbox_core::wire::date::HeaderDate;
use pillarbox_core::{Random, UnixSeconds};

use super::spool::Spool;

/// The text of a letter on its way in.
#[derive(Debug)]
pub(super) enum Text {
    /// Its head is still coming.
    Head(Gatherer),
    /// What is stored of its head is spooled, and the rest follows.
    Body(Spool, Facts),
    /// It is refused at its end; until then it is read and forgotten.
    Refused(Reply),
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
}

/// By what a head is judged.
pub(super) struct Rules<'a> {
    pub(super) limits: &'a HeadLimits,
    /// What is submitted is completed.
    pub(super) submission: bool,
    /// Whom it says it is from is nobody's business.
    pub(super) any_sender: bool,
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
        match self {
            Self::Head(gatherer) => match gatherer.push(bytes) {
                Ok(None) => {}
                Ok(Some(used)) => {
                    let gatherer = std::mem::replace(gatherer, Gatherer::new(0));
                    *self = match judge(gatherer.into_head(), rules) {
                        Ok((mut spool, facts)) => {
                            spool.push(bytes.get(used..).unwrap_or_default());
                            Self::Body(spool, facts)
                        }
                        Err(reply) => Self::Refused(reply),
                    };
                }
                Err(excess) => *self = Self::Refused(too_much(excess)),
            },
            Self::Body(spool, _) => spool.push(bytes),
            Self::Refused(_) => {}
        }
    }

    /// All of it has come. A message without an empty line is all head.
    ///
    /// # Errors
    /// Where it is refused.
    pub(super) fn finish(self, rules: &Rules<'_>) -> Result<(Spool, Facts), Reply> {
        match self {
            Self::Head(gatherer) => judge(gatherer.into_head(), rules),
            Self::Body(spool, facts) => Ok((spool, facts)),
            Self::Refused(reply) => Err(reply),
        }
    }

    /// The spool, once there is one.
    pub(super) const fn spool_mut(&mut self) -> Option<&mut Spool> {
        match self {
            Self::Body(spool, _) => Some(spool),
            Self::Head(_) | Self::Refused(_) => None,
        }
    }
}

/// The one place where a head is refused, and what is stored of one that is not.
fn judge(head: Head, rules: &Rules<'_>) -> Result<(Spool, Facts), Reply> {
    head.check(rules.limits).map_err(too_much)?;
    let originators =
        if rules.any_sender { Vec::new() } else { originators(&head).map_err(no_origin)? };
    let facts = Facts {
        eight_bit_head: !head.as_bytes().is_ascii(),
        tls_optional: is_tls_optional(&head),
        originators,
    };
    let mut added = String::new();
    if rules.submission {
        complete(&head, rules, &mut added);
    }
    let kept = head.without(|field| {
        field.is(b"Return-Path")
            || rules.submission && (field.is(b"Bcc") || field.is(b"Resent-Bcc"))
    });
    let stored = if added.is_empty() {
        kept
    } else {
        let mut stored = added.into_bytes();
        stored.extend_from_slice(&kept);
        stored
    };
    Ok((Spool::from(stored), facts))
}

/// Writes the fields that a message must have and this one has not.
fn complete(head: &Head, rules: &Rules<'_>, added: &mut String) {
    let lacks = |name: &[u8]| !head.fields().any(|field| field.is(name));
    // Writing to a String cannot fail.
    if lacks(b"Date") {
        let _infallible = write!(added, "Date: {}\r\n", HeaderDate(rules.at));
    }
    if lacks(b"Message-ID") {
        // RFC 5322 §3.6.4: as good as unique, with a name of ours on the right.
        let mut random = [0; 16];
        (rules.random)().fill(&mut random);
        let (left, right) = (u128::from_be_bytes(random), rules.hostname);
        let _infallible = write!(added, "Message-ID: <{left:032x}@{right}>\r\n");
    }
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

fn no_origin(fault: OriginFault) -> Reply {
    let (OriginFault::Missing(field) | OriginFault::Several(field) | OriginFault::Nobody(field)) =
        fault;
    let text = format!("{fault}: send it with one {field} field that holds an address of yours");
    Reply::new(Code::FAILED, Enhanced::new(6, 0), text)
}

#[cfg(test)]
mod tests;
