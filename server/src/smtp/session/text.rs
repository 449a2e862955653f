//! The text of a letter, from its first byte until it is stored or refused.

use pillarbox_core::effect::Fault as WorldFault;
use pillarbox_core::smtp::Fault;
use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};
use pillarbox_core::{Now, Outbox};

use super::super::checks::{self, Asker, Claims, Inquiry, Verdict};
use super::super::head::{Rules, Taken};
use super::super::letter::Whole;
use super::super::receive::{Scene, receive};
use super::super::spool::Spool;
use super::super::trouble::Stage;
use super::{Door, Outcome, SmtpSession};
use crate::context::Context;
use crate::rates::What;
use crate::session::{Fate, Question};

/// A letter that has come whole, while not all is known about it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) letter: Whole,
    claims: Claims,
}

impl SmtpSession {
    pub(super) fn on_text(&mut self, now: Now, text: &[u8]) {
        self.begin_inquiry(now);
        let checked = self.is_checked();
        let Some(letter) = &mut self.letter else { return };
        letter.push(text, &rules(&self.door, &self.context, checked, now));
        if let (Some(wanted), Some(inquiry)) = (letter.take_wanted(), &mut self.inquiry) {
            inquiry.go_on(wanted);
        }
    }

    /// Whether the text is looked at for whom it is from: who has logged in is known.
    fn is_checked(&self) -> bool {
        self.door.checks.is_some() && self.user.is_none()
    }

    fn asker(&self, now: Now) -> Asker {
        let (resolver, seen) = (self.context.resolver().clone(), self.context.seen.clone());
        Asker { resolver, seen, desk: self.desk.clone(), now: now.moment }
    }

    /// Lookups go on while the text comes in.
    fn begin_inquiry(&mut self, now: Now) {
        if self.inquiry.is_some() || !self.is_checked() {
            return;
        }
        let (Some(checks), Some(letter)) = (&self.door.checks, &self.letter) else { return };
        let asker = self.asker(now);
        let (client, host) = (&self.client, &self.context.hostname);
        let sender = &letter.envelope.mail.sender;
        let inquiry = Inquiry::begin(checks, asker, client, host, sender, now);
        self.inquiry = Some(Box::new(inquiry));
    }

    /// Whether the client waits for something that is being asked.
    pub(super) fn is_asking(&self) -> bool {
        self.flow.is_some() || self.waiting.is_some()
    }

    /// Whether the letter that waits can be judged.
    pub(super) fn is_known(&mut self, now: Now) -> bool {
        let known = self.inquiry.as_mut().is_some_and(|inquiry| inquiry.poll(now.moment));
        known && self.waiting.is_some() && self.flow.is_none()
    }

    /// Judges the letter that waits.
    pub(super) fn conclude(&mut self, now: Now, out: &mut Outbox) {
        let (Some(inquiry), Some(waiting)) = (self.inquiry.take(), self.waiting.take()) else {
            return;
        };
        let Waiting { mut letter, claims } = *waiting;
        let (facts, judgement, fields) = inquiry.conclude(claims, now.wall);
        let (cid, found) = (self.client.id.as_str(), checks::summary(&facts));
        let from = letter.envelope.sender_text();
        let reason = judgement.reason.as_str();
        log::info!(cid, from:% = from, found:% = found, reason; "message checked");
        match judgement.verdict {
            Verdict::Refuse(reply) => {
                let to = letter.envelope.recipients_text();
                letter.spool.discard(&self.desk);
                self.refuse_message(&reply, &from, &to, out);
            }
            verdict => {
                letter.junk = verdict == Verdict::Junk;
                letter.found = fields;
                self.store(letter, now);
            }
        }
    }

    /// The body is whole: it becomes durable before its `250`.
    pub(super) fn on_body_end(&mut self, now: Now, out: &mut Outbox) {
        // Of a message without text.
        self.begin_inquiry(now);
        let Some(letter) = self.letter.take() else { return };
        if self.user.is_none() {
            let peer = self.client.peer;
            self.context.rates.charge(What::Bytes, self.present, peer, letter.size);
        }
        let envelope = &letter.envelope;
        let localparts = envelope.recipients.iter().filter_map(|r| r.address.rsplit_once('@'));
        if let Some(trouble) = self.trouble(Stage::Message, localparts.map(|(local, _)| local)) {
            self.context.counters.messages_refused.count();
            self.make(trouble, &envelope.sender_text(), &envelope.recipients_text(), out);
            letter.discard(&self.desk);
            self.inquiry = None;
            return;
        }
        let eight_bit = letter.eight_bit;
        let (envelope, text) =
            letter.finish(&rules(&self.door, &self.context, self.is_checked(), now), &self.desk);
        let Taken { spool, facts, claims, signing, wanted, .. } = match text {
            Ok(taken) => taken,
            Err(reply) => {
                let (from, to) = (envelope.sender_text(), envelope.recipients_text());
                self.inquiry = None;
                self.refuse_message(&reply, &from, &to, out);
                return;
            }
        };
        let (found, junk) = (String::new(), false);
        let letter = Whole { envelope, spool, facts, found, junk, signing, eight_bit };
        if let (Some(wanted), Some(inquiry)) = (wanted, &mut self.inquiry) {
            inquiry.go_on(wanted);
        }
        match claims {
            Some(claims) if self.inquiry.is_some() => {
                self.waiting = Some(Box::new(Waiting { letter, claims: *claims }));
            }
            _ => self.store(letter, now),
        }
    }

    fn store(&mut self, letter: Whole, now: Now) {
        let (desk, random) = (self.desk.clone(), self.context.random());
        let (client, hostname) = (self.client.clone(), self.context.hostname.clone());
        let scene = Scene { client, hostname, now };
        let user = self.user.as_ref().map(|user| self.sending(user));
        self.flow = Some(Question::new(Fate::ToTheEnd, async move {
            Outcome::Received(receive(desk, random, letter, user, scene).await)
        }));
    }

    pub(super) fn refuse_message(&mut self, reply: &Reply, from: &str, to: &str, out: &mut Outbox) {
        self.context.counters.messages_refused.count();
        let (cid, code) = (self.client.id.as_str(), reply.code().number());
        log::warn!(cid, from, to, code, why = reply.text(); "message refused");
        self.reply(reply, out);
    }

    pub(super) fn on_body_refused(&mut self, fault: Fault) {
        self.context.counters.messages_refused.count();
        if matches!(fault, Fault::Smuggling(_)) {
            self.context.counters.messages_smuggling.count();
        }
        if let Some(letter) = &self.letter {
            log::warn!(
                cid = self.client.id.as_str(),
                from:% = letter.envelope.sender_text(),
                to:% = letter.envelope.recipients_text(),
                why:% = fault;
                "message refused"
            );
        }
        self.drop_letter();
    }

    pub(super) fn spool(&mut self) -> Option<&mut Spool> {
        self.letter.as_mut().and_then(|letter| letter.spool_mut())
    }

    pub(super) fn spool_is_due(&mut self) -> bool {
        self.spool().is_some_and(|spool| spool.is_due())
    }

    /// Writes a piece of a large body out; nothing more of it is read meanwhile.
    pub(super) fn write_out(&mut self) {
        let Some(spool) = self.spool().map(std::mem::take) else { return };
        let (desk, mut random) = (self.desk.clone(), self.context.random());
        self.flow = Some(Question::new(Fate::ToTheEnd, async move {
            let (spool, result) = spool.write_out(desk, random.as_mut()).await;
            Outcome::Spooled(spool, result)
        }));
    }

    /// A piece of a body could not be written: the client cannot be answered before the body's end
    /// and would send all the rest for nothing, so the connection ends.
    pub(super) fn give_up(&mut self, fault: &WorldFault, out: &mut Outbox) {
        self.context.counters.messages_put_off.count();
        log::error!(cid = self.client.id.as_str(), why:% = fault; "body cannot be written");
        self.drop_letter();
        let text = "the message cannot be stored at the moment, try again later";
        self.smtp.close(&Reply::new(Code::SHUTTING_DOWN, Enhanced::new(3, 0), text), out);
    }
}

/// By what the text of a message is judged.
fn rules<'a>(door: &'a Door, context: &'a Context, checked: bool, now: Now) -> Rules<'a> {
    Rules {
        limits: &door.head,
        parts_max: door.parts_max,
        submission: door.submission,
        any_sender: door.any_sender,
        checked,
        hostname: &context.hostname,
        at: now.wall,
        random: context.randomness(),
    }
}
