//! SASL, client side. As on the server's side, each answer takes the old state.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::grammar::{self, ServerFirst};
use super::scram_keys::{same, xor};
use super::{Binding, Hash, Mechanism, NONCE_BYTES, ScramKeys, Secret, cram, prepared};

/// As whom to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// As whom to act; empty: as `authcid`.
    pub authzid: String,
    /// Whose password it is.
    pub authcid: String,
    /// The password.
    pub password: Secret,
}

/// What a client knows of the channel.
#[derive(Clone, PartialEq, Eq)]
pub enum Channel {
    /// It cannot bind to channels, or there is none: `n`.
    Unbound,
    /// It can, but the server does not announce a -PLUS mechanism: `y`.
    NotOffered,
    /// It binds to this one; needed by the -PLUS mechanisms.
    Bound(Binding, Vec<u8>),
}

impl fmt::Debug for Channel {
    /// Never the data, which may be a secret of the connection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unbound => "Unbound",
            Self::NotOffered => "NotOffered",
            Self::Bound(binding, _) => binding.name(),
        })
    }
}

/// An exchange under way, waiting for the server's next challenge.
#[derive(Debug)]
pub struct Client(State);

#[derive(Debug)]
enum State {
    /// Everything is sent: only the protocol's own yes or no is awaited.
    Sent,
    Name(Credentials),
    Password(Secret),
    Cram(Credentials),
    Scram(Box<Scram>),
    /// Which signature the server must give.
    Signature(Vec<u8>),
}

struct Scram {
    hash: Hash,
    password: Secret,
    nonce: String,
    first_bare: String,
    /// What `c=` will hold.
    bound: Vec<u8>,
}

/// What follows from a challenge.
#[derive(Debug)]
pub enum ClientStep {
    /// Send this; a challenge or the protocol's yes or no comes next.
    Respond(Client, Vec<u8>),
    /// The server breaks the rules, or is not who it says: end the exchange (RFC 4422 §3.5) and do
    /// not believe a yes.
    Failed(&'static str),
}

impl Client {
    /// Begins an exchange: what is to be sent first, `None` where the server speaks first. `nonce`
    /// must be drawn anew each time.
    ///
    /// # Errors
    /// Where the mechanism and the channel do not fit: -PLUS needs one to bind to, and the others
    /// have none.
    pub fn start(
        mechanism: Mechanism,
        who: Credentials,
        channel: &Channel,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<(Self, Option<Vec<u8>>), NoBinding> {
        match mechanism {
            Mechanism::Plain => {
                let Credentials { authzid, authcid, password } = who;
                let message = format!("{authzid}\0{authcid}\0{}", password.reveal());
                Ok((Self(State::Sent), Some(message.into_bytes())))
            }
            Mechanism::Login => Ok((Self(State::Name(who)), None)),
            Mechanism::CramMd5 => Ok((Self(State::Cram(who)), None)),
            // RFC 4422 appendix A.1.
            Mechanism::External => Ok((Self(State::Sent), Some(who.authzid.into_bytes()))),
            Mechanism::Scram { hash, plus } => {
                if plus != matches!(channel, Channel::Bound(..)) {
                    return Err(NoBinding);
                }
                Ok(scram(hash, who, channel, BASE64.encode(nonce)))
            }
        }
    }

    /// Takes a challenge.
    #[must_use]
    pub fn answer(self, challenge: &[u8]) -> ClientStep {
        match self.0 {
            State::Name(who) => {
                ClientStep::Respond(Self(State::Password(who.password)), who.authcid.into_bytes())
            }
            State::Password(password) => {
                ClientStep::Respond(Self(State::Sent), password.reveal().as_bytes().to_vec())
            }
            // RFC 2195 has no place for it.
            State::Cram(who) if !who.authzid.is_empty() => {
                ClientStep::Failed("CRAM-MD5 cannot act as somebody else")
            }
            State::Cram(Credentials { authcid, password, .. }) => {
                let Ok(password) = prepared(password.reveal()) else {
                    return ClientStep::Failed(NO_PASSWORD);
                };
                let response = cram::response(&authcid, &password, challenge);
                ClientStep::Respond(Self(State::Sent), response)
            }
            State::Scram(scram) => scram.answer(challenge),
            State::Signature(expected) => {
                let theirs = challenge.strip_prefix(b"v=").map(|text| BASE64.decode(text));
                match theirs {
                    Some(Ok(theirs)) if same(&expected, &theirs) => {
                        ClientStep::Respond(Self(State::Sent), Vec::new())
                    }
                    _ => ClientStep::Failed("the server does not know this password's keys"),
                }
            }
            State::Sent => ClientStep::Failed("a challenge after the last one"),
        }
    }

    /// Whether a yes of the server may be believed now: with SCRAM only once it has shown that it
    /// knows the keys (RFC 5802 §5).
    #[must_use]
    pub const fn may_succeed(&self) -> bool {
        matches!(self.0, State::Sent)
    }
}

/// A mechanism that does not fit the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoBinding;

impl fmt::Display for NoBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a -PLUS mechanism needs a channel binding, and the others have none")
    }
}

impl std::error::Error for NoBinding {}

/// The first message of SCRAM, with the nonce as text.
pub(super) fn scram(
    hash: Hash,
    who: Credentials,
    channel: &Channel,
    nonce: String,
) -> (Client, Option<Vec<u8>>) {
    let (flag, data): (_, &[u8]) = match channel {
        Channel::Unbound => ("n".to_owned(), &[]),
        Channel::NotOffered => ("y".to_owned(), &[]),
        Channel::Bound(binding, data) => (format!("p={}", binding.name()), data),
    };
    let authzid = match &*who.authzid {
        "" => String::new(),
        authzid => format!("a={}", grammar::saslname(authzid)),
    };
    let header = format!("{flag},{authzid},");
    let first_bare = format!("n={},r={nonce}", grammar::saslname(&who.authcid));
    let message = format!("{header}{first_bare}").into_bytes();
    let bound = [header.as_bytes(), data].concat();
    let state = Scram { hash, password: who.password, nonce, first_bare, bound };
    (Client(State::Scram(Box::new(state))), Some(message))
}

impl fmt::Debug for Scram {
    /// Not what it is bound to, which may be a secret of the connection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scram({:?})", self.hash)
    }
}

impl Scram {
    fn answer(self, challenge: &[u8]) -> ClientStep {
        let ServerFirst { nonce, salt, iterations } = match grammar::server_first(challenge) {
            Ok(first) => first,
            Err(why) => return ClientStep::Failed(why),
        };
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return ClientStep::Failed("the server's nonce does not go on from ours");
        }
        let Some(count) = NonZeroU32::new(iterations).filter(|_| iterations <= ITERATIONS_MAX)
        else {
            return ClientStep::Failed("the server wants no iterations or too many");
        };
        let Ok(password) = prepared(self.password.reveal()) else {
            return ClientStep::Failed(NO_PASSWORD);
        };
        let (keys, client_key) =
            ScramKeys::derive_with_client_key(self.hash, &password, &salt, count);
        let bound = BASE64.encode(&self.bound);
        let without_proof = format!("c={bound},r={nonce}");
        let server_first = String::from_utf8_lossy(challenge);
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare);
        let signature = self.hash.sign(&keys.stored_key, auth_message.as_bytes());
        let proof = BASE64.encode(xor(&client_key, &signature));
        ClientStep::Respond(
            Client(State::Signature(keys.sign(auth_message.as_bytes()))),
            format!("{without_proof},p={proof}").into_bytes(),
        )
    }
}

const NO_PASSWORD: &str = "the password cannot be one (RFC 8265 \u{a7}4.2)";

/// More iterations than any server asks for: a hostile one would have a client work for hours.
pub const ITERATIONS_MAX: u32 = 1_000_000;
