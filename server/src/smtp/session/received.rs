//! What became of a letter, told to its client: once, or by LMTP once for each recipient.

use pillarbox_core::Outbox;
use pillarbox_core::smtp::reply::{Class, Reply};

use super::super::receive::{NotReceived, Received, Stored};
use super::super::recipient;
use super::SmtpSession;

impl SmtpSession {
    pub(super) fn on_received(&mut self, received: &Received, out: &mut Outbox) {
        let from = received.sender.as_str();
        match &received.result {
            Ok(stored) => self.on_stored(stored, received, out),
            Err(NotReceived::Refused(reply)) => {
                self.refuse_message(reply, from, &received.recipients.join(" "), out);
            }
            Err(NotReceived::Failed(error)) => {
                self.context.counters.messages_put_off.count();
                let (cid, size) = (self.client.id.as_str(), received.size);
                let to = received.recipients.join(" ");
                log::error!(cid, from, to:% = to, size, why:% = error; "message put off");
                self.reply(&recipient::unavailable(error), out);
            }
        }
    }

    /// RFC 2033 §4.2: by LMTP one recipient may have it and another not.
    fn on_stored(&mut self, stored: &Stored, received: &Received, out: &mut Outbox) {
        let (counters, cid) = (&self.context.counters, self.client.id.as_str());
        let Received { sender, recipients, size, .. } = received;
        let from = sender.as_str();
        let mut replies = vec![Reply::accepted(); recipients.len()];
        for (number, error) in &stored.refused {
            let reply = recipient::unavailable_to_one(error);
            let to = recipients.get(*number).map_or("", String::as_str);
            let code = reply.code().number();
            counters.recipients_refused.count();
            log::warn!(cid, from, to, code, why:% = error; "recipient refused");
            if let Some(slot) = replies.get_mut(*number) {
                *slot = reply;
            }
        }
        let is_taken = |reply: &Reply| reply.code().class() == Class::Done;
        let taken: Vec<&str> = recipients
            .iter()
            .zip(&replies)
            .filter(|(_, reply)| is_taken(reply))
            .map(|(address, _)| address.as_str())
            .collect();
        if !taken.is_empty() {
            counters.messages_accepted.count();
            counters.recipients_delivered.add(stored.copies as u64);
            log::info!(cid, from, to:% = taken.join(" "), size; "message accepted");
            self.slowness.forgive();
        } else if replies.iter().any(|reply| reply.code().class() == Class::Temporary) {
            counters.messages_put_off.count();
        } else {
            counters.messages_refused.count();
        }
        if stored.refused.is_empty() {
            self.reply(&Reply::accepted(), out);
        } else if let Err(misuse) = self.smtp.reply_each(&replies, out) {
            log::error!(cid, why:% = misuse; "our own mistake");
            self.smtp.close(&Reply::try_later(), out);
        }
    }
}
