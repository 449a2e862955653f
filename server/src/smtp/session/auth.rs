//! AUTH (RFC 4954): who the client is.

use std::sync::Arc;

use pillarbox_core::effect::Effect;
use pillarbox_core::sasl::{Mechanism, NONCE_BYTES, Step as SaslStep};
use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};
use pillarbox_core::smtp::{Fault, Secret};
use pillarbox_core::{Now, Outbox};

use super::super::denied::refusal;
use super::{Outcome, SmtpSession};
use crate::login::{self, Claim, Denied, User, Verdict, Way, Who};
use crate::session::{Fate, Question};

impl SmtpSession {
    pub(super) fn on_auth(&mut self, mechanism: &str, initial: Option<&Secret>, out: &mut Outbox) {
        let Some(mechanism) = Mechanism::from_name(mechanism) else {
            self.reply(&Fault::UnknownMechanism.reply(), out);
            return;
        };
        self.mechanism = mechanism.name();
        self.on_sasl(mechanism.start(initial.map(|initial| &*initial.0), &self.bindings), out);
    }

    pub(super) fn on_sasl(&mut self, step: SaslStep, out: &mut Outbox) {
        match step {
            SaslStep::Challenge(exchange, challenge) => {
                self.exchange = Some(exchange);
                if self.smtp.challenge(&challenge, out).is_err() {
                    log::error!(cid = self.client.id.as_str(); "challenge without an exchange");
                }
            }
            SaslStep::Check(login) => self.ask(Claim::Password(login)),
            SaslStep::Keys(wanted) => self.ask(Claim::Keys(wanted)),
            SaslStep::Unchallenged(wanted) => {
                let mut nonce = [0; NONCE_BYTES];
                self.context.random().fill(&mut nonce);
                self.on_sasl(wanted.made(nonce, self.wall, &self.context.hostname), out);
            }
            SaslStep::Answered(answered) => self.ask(Claim::Answered(answered)),
            SaslStep::External(external) => self.ask(Claim::External(external)),
            SaslStep::Proven(proven) => self.ask(Claim::Proven(proven)),
            SaslStep::Unproven(unproven) => {
                log::info!(cid = self.client.id.as_str(), why = unproven.why; "not proven");
                self.ask(Claim::Unproven(unproven));
            }
            SaslStep::Malformed(why) => {
                let reply = Reply::new(Code::ARGUMENT_SYNTAX, Enhanced::new(5, 2), why);
                self.reply(&reply, out);
            }
        }
    }

    fn ask(&mut self, claim: Claim) {
        let (desk, context) = (self.desk.clone(), Arc::clone(&self.context));
        let settled = claim.settle(desk, context, self.present, self.client.peer);
        self.flow = Some(Question::new(Fate::WithClient, async move {
            let (verdict, who) = settled.await;
            Outcome::Login(verdict, who)
        }));
    }

    pub(super) fn on_verdict(&mut self, verdict: Verdict, who: &Who, out: &mut Outbox) {
        match verdict {
            Verdict::Further(step) => self.on_sasl(step, out),
            Verdict::End(result) => self.on_login(result, who, out),
        }
    }

    fn on_login(&mut self, result: Result<User, Denied>, who: &Who, out: &mut Outbox) {
        let way = Way {
            peer: self.client.peer,
            cid: &self.client.id,
            protocol: "smtp",
            mechanism: self.mechanism,
            tls: self.client.tls.is_some(),
        };
        let now = Now { moment: self.present, wall: self.wall };
        login::conclude(&self.desk, &self.context, now, (&way, who), &result);
        let cid = self.client.id.as_str();
        let reply = match result {
            Ok(user) => {
                log::info!(cid, login = user.name.as_str(); "login");
                self.client.login = Some(user.name.clone());
                let topic = crate::topic_of_account(user.account);
                self.account = Some(self.desk.send(Effect::Watch(topic)));
                self.user = Some(user);
                Reply::authenticated()
            }
            Err(denied) => {
                if let Denied::Wrong | Denied::TooOften(_) | Denied::Besieged(_) = denied {
                    self.slowness.mistake(self.present);
                }
                log::warn!(cid, login = who.name.as_str(), why:? = denied; "login failed");
                refusal(&denied)
            }
        };
        self.reply(&reply, out);
    }
}
