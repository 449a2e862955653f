//! One message on its way to several recipients, and what became of it for each.

use super::answer::Answer;
use super::ending::Ending;
use crate::smtp::reply::{Class, Code};

/// What became of a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The server has taken it over (RFC 5321 §4.2.5).
    Delivered(Answer),
    /// The server has refused it, for now or for good by the answer's class.
    Refused {
        /// What was refused.
        at: At,
        /// How.
        answer: Answer,
    },
    /// Not in this transaction, since others were enough for it: in another one, at once. With the
    /// server's answer, if it was asked.
    Another(Option<Answer>),
    /// The conversation has ended before the message was handed over: the server does not have it.
    NotHandedOver(Ending),
    /// The conversation has ended between the message's end and the answer to it: the server may
    /// have it (RFC 5321 §4.5.3.2.6).
    Unknown(Ending),
}

/// Which step of a transaction was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, before the message.
    Data,
    /// A part of the message, before its end.
    Body,
    /// The whole message.
    Message,
}

/// How the body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// By DATA.
    Data,
    /// By BDAT, in lines.
    Chunks,
    /// By BDAT, as it is.
    Binary,
}

#[derive(Debug)]
pub(super) struct Recipient {
    pub(super) line: String,
    pub(super) accepted: bool,
    pub(super) fate: Option<Fate>,
}

/// What is to be sent next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Todo {
    Mail,
    Rcpt(usize),
    Data,
    Done,
}

#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) mail: String,
    pub(super) recipients: Vec<Recipient>,
    pub(super) carrier: Carrier,
    pub(super) todo: Todo,
    /// MAIL was accepted, and nothing has ended the transaction on the server's side.
    pub(super) open: bool,
    /// The message's end was sent.
    pub(super) handed: bool,
}

impl Transaction {
    pub(super) const fn new(mail: String, recipients: Vec<Recipient>, carrier: Carrier) -> Self {
        let (open, handed) = (false, false);
        Self { mail, recipients, carrier, todo: Todo::Mail, open, handed }
    }

    /// Whether a message would have a recipient.
    pub(super) fn any(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.accepted && recipient.fate.is_none())
    }

    /// The next recipient to be asked for, from this one on.
    pub(super) fn to_ask(&self, from: usize) -> Option<(usize, &Recipient)> {
        self.recipients.iter().enumerate().skip(from).find(|(_, to)| to.fate.is_none())
    }

    /// What goes for all whose fate is open.
    pub(super) fn settle(&mut self, fate: &Fate) {
        for recipient in self.recipients.iter_mut().filter(|to| to.fate.is_none()) {
            recipient.fate = Some(fate.clone());
        }
    }

    /// The answer to a RCPT.
    pub(super) fn asked(&mut self, index: usize, answer: Answer) {
        let others = self.any();
        let Some(recipient) = self.recipients.get_mut(index) else { return };
        if recipient.fate.is_some() {
            return;
        }
        recipient.accepted = answer.class() == Class::Done;
        if !recipient.accepted {
            recipient.fate = Some(if others && is_one_too_many(&answer) {
                Fate::Another(Some(answer))
            } else {
                Fate::Refused { at: At::Rcpt, answer }
            });
        }
    }

    /// The answer to the message, for all recipients or by LMTP for one (RFC 2033 §4.2).
    pub(super) fn answered(&mut self, index: Option<usize>, answer: &Answer) {
        let fate = match answer.class() {
            Class::Done => Fate::Delivered(answer.clone()),
            _ => Fate::Refused { at: At::Message, answer: answer.clone() },
        };
        match index {
            None => self.settle(&fate),
            Some(index) => {
                if let Some(to) = self.recipients.get_mut(index) {
                    to.fate.get_or_insert(fate);
                }
            }
        }
    }

    /// Those for whom the message goes.
    pub(super) fn accepted(&self) -> impl Iterator<Item = usize> {
        let all = self.recipients.iter().enumerate();
        all.filter(|(_, to)| to.accepted && to.fate.is_none()).map(|(index, _)| index)
    }

    /// The conversation has ended.
    pub(super) fn end(mut self, ending: &Ending) -> Vec<Fate> {
        let fate = if self.handed {
            Fate::Unknown(ending.clone())
        } else {
            Fate::NotHandedOver(ending.clone())
        };
        self.settle(&fate);
        self.fates()
    }

    /// What became of it, in the order of the recipients.
    pub(super) fn fates(self) -> Vec<Fate> {
        self.recipients.into_iter().filter_map(|recipient| recipient.fate).collect()
    }
}

/// RFC 5321 §4.5.3.1.10: 452 and, of older servers, 552 say that there are enough recipients;
/// with an enhanced code on the mailbox (RFC 3463 §3.3) they speak of this one.
fn is_one_too_many(answer: &Answer) -> bool {
    matches!(answer.code, Code::NO_STORAGE | Code::TOO_LARGE)
        && answer.enhanced.is_none_or(|enhanced| !matches!(enhanced.subject(), 1 | 2))
}
