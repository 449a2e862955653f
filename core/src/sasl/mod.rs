//! SASL (RFC 4422) for any protocol that carries it: PLAIN, LOGIN, CRAM-MD5, SCRAM with both
//! hashes, bound to the channel or not, and EXTERNAL. The server's side is here, the client's is [`Client`].
//!
//! An exchange is short and has one path, so its states are consumed: each answer takes the old
//! state and gives the next [`Step`].
//!
//! ```
//! use pillarbox_core::sasl::{Bindings, Mechanism, Step};
//!
//! let none = Bindings::default();
//! let Step::Challenge(exchange, challenge) = Mechanism::Login.start(None, &none) else { panic!() };
//! assert_eq!(challenge, b"Username:");
//! let Step::Challenge(exchange, challenge) = exchange.answer(b"ann") else { panic!() };
//! assert_eq!(challenge, b"Password:");
//! let Step::Check(login) = exchange.answer(b"secret") else { panic!() };
//! assert_eq!(login.authcid, "ann");
//! ```

mod binding;
mod client;
mod cram;
mod external;
mod grammar;
mod oauth;
mod password;
mod scram;
mod scram_keys;
mod secret;

pub use binding::{Binding, Bindings};
pub use client::{Channel, Client, ClientStep, Credentials, ITERATIONS_MAX, NoBinding};
pub use cram::{Answered, ChallengeWanted, CramKeys};
pub use external::External;
pub use oauth::{Bearer, NOTED, NotTaken};
pub use password::{BadPassword, prepared};
pub use scram::{KeysWanted, NONCE_BYTES, Proven, Unproven};
pub use scram_keys::{Hash, ScramKeys};
pub use secret::Secret;

/// The longest identity or password taken, in octets (RFC 4616 §2 lets a server set its own).
pub const FIELD_MAX: usize = 1_024;

/// A mechanism that this server can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// RFC 4616: identity and password in one message.
    Plain,
    /// The older one of two questions; never a standard, still asked for by mail programs.
    Login,
    /// RFC 2195: a digest of a challenge and the password.
    CramMd5,
    /// RFC 5802, RFC 7677: the client proves that it knows the password, and so does the server.
    Scram {
        /// Of the keys.
        hash: Hash,
        /// Whether the proof holds on this channel only: `-PLUS`.
        plus: bool,
    },
    /// RFC 4422 appendix A: the channel tells who the client is.
    External,
}

impl Mechanism {
    /// All of them, the strongest first. CRAM-MD5 is the last of those with passwords: its stored
    /// keys are worth more to a thief than those of the others. EXTERNAL comes behind them, so
    /// that a program which takes the first one it knows does not do so without a key.
    pub const ALL: [Self; 8] = [
        Self::Scram { hash: Hash::Sha256, plus: true },
        Self::Scram { hash: Hash::Sha1, plus: true },
        Self::Scram { hash: Hash::Sha256, plus: false },
        Self::Scram { hash: Hash::Sha1, plus: false },
        Self::Plain,
        Self::Login,
        Self::CramMd5,
        Self::External,
    ];

    /// The mechanism of this name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name().eq_ignore_ascii_case(name))
    }

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::External => "EXTERNAL",
            Self::Scram { hash: Hash::Sha256, plus: true } => "SCRAM-SHA-256-PLUS",
            Self::Scram { hash: Hash::Sha1, plus: true } => "SCRAM-SHA-1-PLUS",
            Self::Scram { hash: Hash::Sha256, plus: false } => "SCRAM-SHA-256",
            Self::Scram { hash: Hash::Sha1, plus: false } => "SCRAM-SHA-1",
        }
    }

    /// Begins an exchange, with the client's initial response where it sent one. `bindings` are
    /// those of the channel; there is nothing to bind to where no -PLUS mechanism is announced.
    #[must_use]
    pub fn start(self, initial: Option<&[u8]>, bindings: &Bindings) -> Step {
        match (self, initial) {
            (Self::Plain, None) => Step::Challenge(Exchange(State::Plain), Vec::new()),
            (Self::Plain, Some(message)) => plain(message),
            (Self::Login, None) => Step::Challenge(Exchange(State::Name), b"Username:".to_vec()),
            (Self::Login, Some(name)) => ask_password(name),
            (Self::CramMd5, None) => Step::Unchallenged(ChallengeWanted::new()),
            // RFC 4954 §4: 501 to an initial response where the server speaks first.
            (Self::CramMd5, Some(_)) => {
                Step::Malformed("CRAM-MD5 begins with the server's challenge")
            }
            (Self::Scram { hash, plus }, None) => {
                let bindings = bindings.clone();
                Step::Challenge(Exchange(State::First { hash, plus, bindings }), Vec::new())
            }
            (Self::Scram { hash, plus }, Some(message)) => {
                scram::first(hash, plus, bindings, message)
            }
            (Self::External, initial) => external::start(initial, bindings),
        }
    }
}

/// What follows from a message of the client.
#[derive(Debug)]
pub enum Step {
    /// Send this challenge and give the answer to the exchange.
    Challenge(Exchange, Vec<u8>),
    /// The client has said who it is: check it.
    Check(Login),
    /// The client has said who it is and is about to prove it: look its keys up.
    Keys(KeysWanted),
    /// The challenge is to be made.
    Unchallenged(ChallengeWanted),
    /// The client has said who it is and shows that it knows the password: compare.
    Answered(Answered),
    /// The client points to what the channel tells: look whose key it is.
    External(External),
    /// The client is who it says.
    Proven(Proven),
    /// It is not: authentication has failed.
    Unproven(Unproven),
    /// The message breaks the mechanism's rules.
    Malformed(&'static str),
}

/// A password login to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// As whom to act; empty where the client did not say: as `authcid`.
    pub authzid: String,
    /// Whose password it is.
    pub authcid: String,
    /// The password.
    pub password: Secret,
}

/// An exchange under way, waiting for the client's next message.
#[derive(Debug)]
pub struct Exchange(State);

#[derive(Debug)]
enum State {
    Plain,
    Name,
    Password { authcid: String },
    Cram { challenge: String },
    First { hash: Hash, plus: bool, bindings: Bindings },
    Proof(Box<scram::AwaitsProof>),
    Signed(Proven),
    External { client_key: Option<[u8; 32]> },
}

impl Exchange {
    /// Takes the client's answer to the last challenge.
    #[must_use]
    pub fn answer(self, message: &[u8]) -> Step {
        match self.0 {
            State::Plain => plain(message),
            State::Name => ask_password(message),
            State::Cram { challenge } => cram::answer(challenge, message),
            State::First { hash, plus, bindings } => scram::first(hash, plus, &bindings, message),
            State::Proof(awaits) => awaits.answer(message),
            State::Signed(proven) => scram::last(proven, message),
            State::External { client_key } => external::first(client_key, message),
            State::Password { authcid } => match text(message) {
                Ok(password) => Step::Check(Login {
                    authzid: String::new(),
                    authcid,
                    password: Secret::new(password),
                }),
                Err(why) => Step::Malformed(why),
            },
        }
    }
}

/// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
fn plain(message: &[u8]) -> Step {
    let mut fields = message.split(|byte| *byte == 0);
    let (Some(authzid), Some(authcid), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Step::Malformed("PLAIN wants three fields with a NUL between them");
    };
    let empty_or_text = if authzid.is_empty() { Ok(String::new()) } else { text(authzid) };
    match (empty_or_text, text(authcid), text(password)) {
        (Ok(authzid), Ok(authcid), Ok(password)) => {
            Step::Check(Login { authzid, authcid, password: Secret::new(password) })
        }
        (Err(why), _, _) | (_, Err(why), _) | (_, _, Err(why)) => Step::Malformed(why),
    }
}

fn ask_password(name: &[u8]) -> Step {
    match text(name) {
        Ok(authcid) => {
            Step::Challenge(Exchange(State::Password { authcid }), b"Password:".to_vec())
        }
        Err(why) => Step::Malformed(why),
    }
}

fn text(bytes: &[u8]) -> Result<String, &'static str> {
    if bytes.is_empty() {
        return Err("a name or password is empty");
    }
    if bytes.len() > FIELD_MAX {
        return Err("a name or password is longer than 1024 octets");
    }
    if bytes.contains(&0) {
        return Err("a name or password holds a NUL");
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| "a name or password is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(step: Step) -> (String, String, String) {
        let Step::Check(login) = step else { panic!("{step:?}") };
        (login.authzid, login.authcid, login.password.reveal().to_owned())
    }

    #[test]
    fn plain_of_rfc_4616_section_4() {
        let (authzid, authcid, password) =
            login(Mechanism::Plain.start(Some(b"\0tim\0tanstaaftanstaaf"), &Bindings::default()));
        assert_eq!((&*authzid, &*authcid, &*password), ("", "tim", "tanstaaftanstaaf"));
        let (authzid, authcid, password) =
            login(Mechanism::Plain.start(Some(b"Ursel\0Kurt\0xipj3plmq"), &Bindings::default()));
        assert_eq!((&*authzid, &*authcid, &*password), ("Ursel", "Kurt", "xipj3plmq"));
    }

    #[test]
    fn plain_asks_with_an_empty_challenge() {
        let Step::Challenge(exchange, challenge) =
            Mechanism::Plain.start(None, &Bindings::default())
        else {
            panic!()
        };
        assert_eq!(challenge, b"");
        assert_eq!(login(exchange.answer(b"\0a\0b")).1, "a");
    }

    #[test]
    fn broken_messages_are_malformed() {
        for message in
            [&b""[..], b"a", b"\0a", b"\0\0b", b"\0a\0", b"\0a\0b\0c", b"\0a\0\xff", b"\xff\0a\0b"]
        {
            assert!(matches!(
                Mechanism::Plain.start(Some(message), &Bindings::default()),
                Step::Malformed(_)
            ));
        }
        assert!(matches!(
            Mechanism::Login.start(Some(b""), &Bindings::default()),
            Step::Malformed(_)
        ));
        assert!(matches!(
            Mechanism::Login.start(Some(b"a\0b"), &Bindings::default()),
            Step::Malformed(_)
        ));
    }

    #[test]
    fn fields_at_their_limit_and_one_past_it() {
        for (length, good) in [(FIELD_MAX, true), (FIELD_MAX + 1, false)] {
            let message = [b"\0a\0".to_vec(), vec![b'x'; length]].concat();
            let step = Mechanism::Plain.start(Some(&message), &Bindings::default());
            assert_eq!(matches!(step, Step::Check(_)), good);
        }
    }

    #[test]
    fn a_login_does_not_print_its_password() {
        let Step::Check(login) =
            Mechanism::Plain.start(Some(b"\0tim\0hunter2"), &Bindings::default())
        else {
            panic!()
        };
        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
