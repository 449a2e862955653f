//! LOGIN and AUTHENTICATE (RFC 3501 §6.2): who the client is.

use std::sync::Arc;

use pillarbox_core::effect::Effect;
use pillarbox_core::flow::Desk;
use pillarbox_core::imap::response::Code;
use pillarbox_core::sasl::{Bindings, Mechanism, NONCE_BYTES, Step as SaslStep};
use pillarbox_core::{Now, Outbox};

use pillarbox_store::{Found, Read, StoreError};

use super::super::commands::Answer;
use super::{ImapSession, Outcome};
use crate::job::{self, Job};
use crate::login::{self, Claim, Denied, User, Verdict, Way, Who};
use crate::session::{Fate, Question};

impl ImapSession {
    pub(super) fn on_authenticate(
        &mut self,
        mechanism: &str,
        initial: Option<&[u8]>,
        out: &mut Outbox,
    ) {
        match Mechanism::from_name(mechanism) {
            Some(mechanism) => {
                self.mechanism = mechanism.name();
                let none = Bindings::default();
                let bindings = self.bindings.as_deref().unwrap_or(&none);
                self.on_sasl(mechanism.start(initial, bindings), out);
            }
            None => self.finish(&Answer::no(None, "that mechanism is not offered"), out),
        }
    }

    pub(super) fn on_sasl(&mut self, step: SaslStep, out: &mut Outbox) {
        match step {
            SaslStep::Challenge(exchange, challenge) => {
                self.exchange = Some(Box::new(exchange));
                if let Err(misuse) = self.imap.challenge(&challenge, out) {
                    log::error!(cid = self.id.as_str(), why:% = misuse; "our own mistake");
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
                log::info!(cid = self.id.as_str(), why = unproven.why; "not proven");
                self.ask(Claim::Unproven(unproven));
            }
            SaslStep::Malformed(why) => self.finish(&Answer::bad(why), out),
        }
    }

    pub(super) fn ask(&mut self, claim: Claim) {
        let (desk, context) = (self.desk.clone(), Arc::clone(&self.context));
        let hands = self.desk.clone();
        let settled = claim.settle(desk, context, self.present.get(), self.peer);
        self.flow = Some(Question::new(Fate::WithClient, async move {
            let (verdict, who) = settled.await;
            match hidden(&hands, &verdict).await {
                Ok(hidden) => Outcome::Login(verdict, who, hidden),
                Err(error) => {
                    let verdict = Verdict::End(Err(Denied::Failed(error)));
                    Outcome::Login(verdict, who, Box::default())
                }
            }
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
            peer: self.peer,
            cid: &self.id,
            protocol: "imap",
            mechanism: self.mechanism,
            tls: self.tls,
        };
        let now = Now { moment: self.present.get(), wall: self.wall };
        login::conclude(&self.desk, &self.context, now, (&way, who), &result);
        let cid = self.id.as_str();
        let answer = match result {
            Ok(user) => {
                log::info!(cid, login = user.name.as_str(); "login");
                let topic = crate::topic_of_account(user.account);
                self.account = Some(self.desk.send(Effect::Watch(topic)));
                (self.user, self.bindings) = (Some(user), None);
                Answer::ok("logged in")
            }
            Err(denied) => {
                log::warn!(cid, login = who.name.as_str(), why:? = denied; "login failed");
                match denied {
                    Denied::Wrong | Denied::NoKeys(_) => {
                        let text = "user name or password wrong";
                        Answer::no(Some(Code::AuthenticationFailed), text)
                    }
                    Denied::NotAs => Answer::no(Some(Code::NoPerm), "you may only act as yourself"),
                    Denied::TooOften(refused) => {
                        let text = format!("too many failed logins {refused}");
                        Answer::no(Some(Code::Limit), text)
                    }
                    Denied::Besieged(wait) => {
                        let text = login::besieged(wait);
                        Answer::no(Some(Code::Limit), text)
                    }
                    Denied::Failed(error) => Answer::failed(&error),
                }
            }
        };
        self.finish(&answer, out);
    }
}

/// What whoever has logged in is not told of (`pillarbox account capability hide`).
async fn hidden(desk: &Desk<Job>, verdict: &Verdict) -> Result<Box<[String]>, StoreError> {
    let Verdict::End(Ok(user)) = verdict else { return Ok(Box::default()) };
    match job::read(desk, "hidden", Read::Hidden { account: user.account }).await? {
        Found::Hidden(names) => Ok(names.into()),
        _ => Err(job::astray("hidden")),
    }
}
