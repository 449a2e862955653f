//! AUTH (RFC 4954), with the mechanisms of [`crate::sasl`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::answer::Answer;
use super::{Awaited, Client, Ending, Event};
use crate::Outbox;
use crate::sasl::{self, Channel, ClientStep, Credentials, Mechanism, NONCE_BYTES};
use crate::smtp::reply::{Class, Code};

/// A login under way.
#[derive(Debug)]
pub(super) struct Login {
    /// `None`: it was broken off, and the server's word on that is awaited.
    exchange: Option<sasl::Client>,
    /// An initial response that was too long for the command's line.
    held_back: Option<Held>,
    failed: Option<&'static str>,
}

/// Prints nothing of it: it may be a password.
struct Held(String);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

/// Why a login has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginFailed {
    /// The server has refused it, for now or for good by the answer's class.
    Refused(Answer),
    /// The server breaks the mechanism's rules, or does not know the password's keys itself. It is
    /// not to be believed that it is who it says.
    Server(&'static str),
}

/// Why a login was not begun. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBegun {
    /// The conversation is not idle.
    Busy,
    /// The server does not offer the mechanism.
    NotOffered,
    /// The mechanism does not fit the channel.
    NoBinding,
}

impl Client {
    /// Logs in. Whether the mechanism may be used without TLS is for the owner to judge. `nonce`
    /// must be drawn anew each time.
    ///
    /// # Errors
    /// Where it cannot be begun.
    pub fn authenticate(
        &mut self,
        mechanism: Mechanism,
        who: Credentials,
        channel: &Channel,
        nonce: [u8; NONCE_BYTES],
        out: &mut Outbox,
    ) -> Result<(), NotBegun> {
        if !self.is_idle() {
            return Err(NotBegun::Busy);
        }
        if !self.offers.authenticates_by(mechanism.name()) {
            return Err(NotBegun::NotOffered);
        }
        let (exchange, initial) = sasl::Client::start(mechanism, who, channel, nonce)
            .map_err(|sasl::NoBinding| NotBegun::NoBinding)?;
        let mut line = format!("AUTH {}", mechanism.name());
        // RFC 4954 §4: an empty one is `=`.
        let initial = initial.map(|bytes| match &*bytes {
            [] => "=".to_owned(),
            bytes => BASE64.encode(bytes),
        });
        let mut held_back = None;
        match initial {
            Some(initial) if line.len() + 1 + initial.len() <= AUTH_LINE_MAX => {
                line.push(' ');
                line.push_str(&initial);
            }
            other => held_back = other.map(Held),
        }
        self.login = Some(Login { exchange: Some(exchange), held_back, failed: None });
        self.say(&line, Awaited::Auth, out);
        Ok(())
    }

    pub(super) fn login_answered(&mut self, answer: Answer, out: &mut Outbox) -> Option<Event> {
        let Some(mut login) = self.login.take() else {
            return Some(self.end(Ending::Unexpected(answer.cut())));
        };
        match answer.class() {
            Class::GoOn if answer.code == Code::CHALLENGE && login.failed.is_none() => {
                let line = login.respond(&answer.text);
                self.login = Some(login);
                self.say(&line, Awaited::Auth, out);
                None
            }
            Class::Temporary | Class::Permanent => {
                let answer = answer.cut();
                Some(Event::LoginFailed(
                    login.failed.map_or(LoginFailed::Refused(answer), LoginFailed::Server),
                ))
            }
            Class::Done if login.may_succeed() => Some(Event::Authenticated(answer.cut())),
            Class::Done => {
                let why = "a yes of a server that has not shown that it knows the password";
                Some(Event::LoginFailed(LoginFailed::Server(why)))
            }
            Class::GoOn => Some(self.end(Ending::Unexpected(answer.cut()))),
        }
    }
}

impl Login {
    /// What is said to a challenge; `*` breaks off (RFC 4954 §4).
    fn respond(&mut self, challenge: &str) -> String {
        if let Some(Held(initial)) = self.held_back.take() {
            return initial;
        }
        let step = match (self.exchange.take(), BASE64.decode(challenge.trim())) {
            (Some(exchange), Ok(challenge)) => exchange.answer(&challenge),
            _ => ClientStep::Failed("a challenge that is not base64"),
        };
        match step {
            ClientStep::Respond(exchange, response) => {
                self.exchange = Some(exchange);
                BASE64.encode(response)
            }
            ClientStep::Failed(why) => {
                self.failed = Some(why);
                "*".to_owned()
            }
        }
    }

    fn may_succeed(&self) -> bool {
        self.held_back.is_none() && self.exchange.as_ref().is_some_and(sasl::Client::may_succeed)
    }
}

/// RFC 4954 §4: with its initial response the command is a line as others, of 512 bytes with CRLF
/// (RFC 5321 §4.5.3.1.4).
const AUTH_LINE_MAX: usize = 510;
