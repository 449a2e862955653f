//! SCRAM (RFC 5802, RFC 7677), server side. The password is never sent: the client proves that it
//! can derive the keys that are stored.
//!
//! The exchange, each state consumed by the next message:
//!
//! | who    | sends                                                | here            |
//! |--------|------------------------------------------------------|-----------------|
//! | client | gs2 header, `n=` name, `r=` its nonce                | [`first`]       |
//! | owner  | the keys of that name, and bytes for a nonce         | [`KeysWanted`]  |
//! | server | `r=` both nonces, `s=` salt, `i=` iterations         |                 |
//! | client | `c=` gs2 header and binding, `r=` again, `p=` proof  | [`AwaitsProof`] |
//! | server | `v=` signature                                       |                 |
//! | client | nothing                                              | [`Proven`]      |

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::grammar::{self, ClientFinal, ClientFirst, Flag};
use super::scram_keys::same;
use super::{Bindings, Exchange, Hash, ScramKeys, State, Step};

/// The client's name is known: its keys are wanted.
pub struct KeysWanted {
    hash: Hash,
    authzid: String,
    authcid: String,
    /// What the client must repeat in `c=`: its gs2 header, and the channel's binding where it
    /// named one.
    bound: Vec<u8>,
    first_bare: String,
    client_nonce: String,
}

/// The exchange after the server's first message.
#[derive(Debug)]
pub(super) struct AwaitsProof {
    wanted: KeysWanted,
    keys: ScramKeys,
    server_first: String,
    nonce: String,
}

/// Somebody who has shown that they know the password of `authcid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// As whom to act; empty where the client did not say: as `authcid`.
    pub authzid: String,
    /// Whose password they know.
    pub authcid: String,
    /// The keys that their proof fits.
    pub keys: ScramKeys,
}

/// An exchange that came to its end, and the client is not who it says, or not at the other end
/// of our channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// Who the client says it is.
    pub authcid: String,
    /// Which keys would have proved it.
    pub hash: Hash,
    /// For the log.
    pub why: &'static str,
}

/// Takes the client's first message.
pub(super) fn first(hash: Hash, plus: bool, bindings: &Bindings, message: &[u8]) -> Step {
    let first = match grammar::client_first(message) {
        Ok(first) => first,
        Err(why) => return Step::Malformed(why),
    };
    let ClientFirst { flag, header, authzid, bare, authcid, nonce } = first;
    let mut bound = header.as_bytes().to_vec();
    match binding(&flag, plus, bindings) {
        Ok(data) => bound.extend_from_slice(data),
        Err(Refusal::Malformed(why)) => return Step::Malformed(why),
        Err(Refusal::Unproven(why)) => {
            return Step::Unproven(Unproven { authcid, hash, why });
        }
    }
    let (first_bare, client_nonce) = (bare.to_owned(), nonce.to_owned());
    Step::Keys(KeysWanted { hash, authzid, authcid, bound, first_bare, client_nonce })
}

enum Refusal {
    Malformed(&'static str),
    Unproven(&'static str),
}

/// The binding that the client must show, empty where it shows none (RFC 5802 §6).
fn binding<'b>(flag: &Flag<'_>, plus: bool, bindings: &'b Bindings) -> Result<&'b [u8], Refusal> {
    match (flag, plus) {
        (Flag::Named(name), true) => bindings.named(name).ok_or(Refusal::Unproven(
            "the client binds to the channel in a way that is not offered",
        )),
        (Flag::Named(_), false) => Err(Refusal::Malformed(
            "a channel binding belongs to the mechanism whose name ends in -PLUS",
        )),
        (Flag::No | Flag::NotOffered, true) => {
            Err(Refusal::Malformed("a -PLUS mechanism needs a channel binding"))
        }
        // Somebody between us has taken -PLUS out of the list of mechanisms.
        (Flag::NotOffered, false) if bindings.any() => {
            Err(Refusal::Unproven("the client did not see that channel bindings are offered"))
        }
        (Flag::No | Flag::NotOffered, false) => Ok(&[]),
    }
}

impl KeysWanted {
    /// Whose keys.
    #[must_use]
    pub fn authcid(&self) -> &str {
        &self.authcid
    }

    /// For which hash.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// Goes on with the stored keys, or with [`ScramKeys::decoy`] where there are none. The nonce
    /// must be drawn anew for each exchange: it is what keeps an old proof from being shown again.
    #[must_use]
    pub fn found(self, keys: ScramKeys, nonce: [u8; NONCE_BYTES]) -> Step {
        self.challenge(keys, &BASE64.encode(nonce))
    }

    fn challenge(self, keys: ScramKeys, nonce: &str) -> Step {
        let nonce = format!("{}{nonce}", self.client_nonce);
        let salt = BASE64.encode(&keys.salt);
        let server_first = format!("r={nonce},s={salt},i={}", keys.iterations);
        let challenge = server_first.clone().into_bytes();
        let state = AwaitsProof { wanted: self, keys, server_first, nonce };
        Step::Challenge(Exchange(State::Proof(Box::new(state))), challenge)
    }
}

impl fmt::Debug for KeysWanted {
    /// Not what the client is bound to, which may be a secret of the connection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeysWanted({:?}, {:?})", self.hash, self.authcid)
    }
}

/// 144 bits, which base64 writes without padding.
pub const NONCE_BYTES: usize = 18;

impl AwaitsProof {
    pub(super) fn answer(self, message: &[u8]) -> Step {
        let ClientFinal { bound, nonce, proof, without_proof } =
            match grammar::client_final(message) {
                Ok(last) => last,
                Err(why) => return Step::Malformed(why),
            };
        let Self { wanted, keys, server_first, nonce: expected } = self;
        let KeysWanted { hash, authzid, authcid, bound: expected_bound, first_bare, .. } = wanted;
        let auth_message = format!("{first_bare},{server_first},{without_proof}");
        // All three are looked at in every case: which one was wrong makes no difference in time.
        let same_nonce = same(nonce.as_bytes(), expected.as_bytes());
        let same_channel = same(&bound, &expected_bound);
        let proven = keys.hash == hash && keys.accept(auth_message.as_bytes(), &proof);
        let why = match (same_nonce, same_channel, proven) {
            (true, true, true) => {
                let signature = keys.sign(auth_message.as_bytes());
                let last = format!("v={}", BASE64.encode(signature));
                let state = State::Signed(Proven { authzid, authcid, keys });
                return Step::Challenge(Exchange(state), last.into_bytes());
            }
            (false, _, _) => "the nonce is not the one of this exchange",
            (_, false, _) => "the client is bound to another channel: somebody may be between",
            (true, true, false) => "the proof is wrong",
        };
        Step::Unproven(Unproven { authcid, hash, why })
    }
}

/// The client's answer to the signature, which has nothing left to say (RFC 5802 §5).
pub(super) fn last(proven: Proven, message: &[u8]) -> Step {
    if message.is_empty() {
        Step::Proven(proven)
    } else {
        Step::Malformed("the last message of SCRAM is empty")
    }
}

#[cfg(test)]
mod tests;
