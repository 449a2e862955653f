//! CRAM-MD5 (RFC 2195): the server sends a challenge that is new each time, the client its name and
//! the challenge's HMAC-MD5 under the password.
//!
//! Weaker than SCRAM in all: what is stored serves to log in here, who listens can try passwords at
//! leisure, the server proves nothing. For old clients, where a domain wants it.

use std::fmt;

use md5::{Digest as _, Md5, block_api::compress};

use super::scram_keys::same;
use super::{Exchange, NONCE_BYTES, State, Step, text};
use crate::UnixSeconds;

/// What is stored of a password: HMAC's two MD5 states after the padded key (RFC 2104 §4), each its
/// four words with the low byte first. The password cannot be read from it, but it is as good as
/// the password for this mechanism.
#[derive(Clone, PartialEq, Eq)]
pub struct CramKeys {
    /// The state that goes on with the challenge.
    pub inner: [u8; 16],
    /// The state that goes on with the inner hash.
    pub outer: [u8; 16],
}

impl CramKeys {
    /// Derives the keys of a password. Fast, as the mechanism wants it.
    #[must_use]
    pub fn derive(password: &str) -> Self {
        let mut key = [0; BLOCK];
        // RFC 2104 §2: a key that is longer than a block is hashed first.
        let hashed = (password.len() > BLOCK).then(|| Md5::digest(password.as_bytes()));
        let bytes = hashed.as_ref().map_or(password.as_bytes(), |hash| hash.as_slice());
        for (to, from) in key.iter_mut().zip(bytes) {
            *to = *from;
        }
        let padded = |pad: u8| {
            let mut state = INITIAL;
            compress(&mut state, &[key.map(|byte| byte ^ pad)]);
            to_bytes(state)
        };
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// The HMAC-MD5 of a message.
    fn sign(&self, message: &[u8]) -> [u8; 16] {
        finish(&self.outer, &finish(&self.inner, message))
    }
}

impl fmt::Debug for CramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CramKeys")
    }
}

/// The mechanism was chosen: its challenge is to be made.
#[derive(Debug)]
pub struct ChallengeWanted(());

impl ChallengeWanted {
    pub(super) const fn new() -> Self {
        Self(())
    }

    /// Goes on with random digits, the time and the server's name (RFC 2195 §2). The nonce must be
    /// drawn anew for each exchange: it is what keeps an old answer from being shown again.
    #[must_use]
    pub fn made(self, nonce: [u8; NONCE_BYTES], now: UnixSeconds, host: &str) -> Step {
        let digits: String = nonce.iter().map(|byte| format!("{byte:03}")).collect();
        Step::challenge_cram(format!("<{digits}.{}@{host}>", now.0))
    }
}

impl Step {
    fn challenge_cram(challenge: String) -> Self {
        let bytes = challenge.clone().into_bytes();
        Self::Challenge(Exchange(State::Cram { challenge }), bytes)
    }
}

/// A client's answer, to be compared with what its keys give.
pub struct Answered {
    challenge: String,
    authcid: String,
    digest: Vec<u8>,
}

/// RFC 2195 §2: the name, a space, and the digest in lower-case hexadecimal digits. Names may have
/// spaces themselves.
pub(super) fn answer(challenge: String, message: &[u8]) -> Step {
    let Some(space) = message.iter().rposition(|byte| *byte == b' ') else {
        return Step::Malformed("CRAM-MD5 wants a name, a space and a digest");
    };
    let (name, digest) = message.split_at(space);
    let digest = hex(digest.get(1..).unwrap_or_default());
    match (text(name), digest) {
        (Ok(authcid), Some(digest)) => Step::Answered(Answered { challenge, authcid, digest }),
        (Err(why), _) => Step::Malformed(why),
        (_, None) => Step::Malformed("the digest of CRAM-MD5 is 32 hexadecimal digits"),
    }
}

impl Answered {
    /// Whose password they say they know.
    #[must_use]
    pub fn authcid(&self) -> &str {
        &self.authcid
    }

    /// Whether they do, by the keys of that name. For a name without keys take any: then the time
    /// tells nothing.
    #[must_use]
    pub fn fits(&self, keys: &CramKeys) -> bool {
        same(&keys.sign(self.challenge.as_bytes()), &self.digest)
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answered({:?})", self.authcid)
    }
}

/// The client's answer to a challenge.
pub(super) fn response(authcid: &str, password: &str, challenge: &[u8]) -> Vec<u8> {
    let digest = CramKeys::derive(password).sign(challenge);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{authcid} {digits}").into_bytes()
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| u8::try_from(char::from(*byte).to_digit(16)?).ok();
    let digits: Vec<u8> = digits.iter().map(digit).collect::<Option<_>>()?;
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    bytes.collect::<Option<Vec<u8>>>().filter(|bytes| bytes.len() == 16)
}

/// MD5 of a block that gave this state, and of the message behind it (RFC 1321 §3.1, §3.2).
fn finish(state: &[u8; 16], message: &[u8]) -> [u8; 16] {
    let bits = (BLOCK as u64).saturating_add(message.len() as u64).saturating_mul(8);
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().saturating_add(8).next_multiple_of(BLOCK).saturating_sub(8), 0);
    padded.extend(bits.to_le_bytes());
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(state.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    compress(&mut words, padded.as_chunks::<BLOCK>().0);
    to_bytes(words)
}

fn to_bytes(words: [u32; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *to = from.to_le_bytes();
    }
    bytes
}

/// In bytes.
const BLOCK: usize = 64;
/// RFC 1321 §3.3.
const INITIAL: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sasl::{Bindings, Channel, Client, ClientStep, Credentials, Mechanism, Secret};

    fn answered(step: Step) -> Answered {
        let Step::Answered(answered) = step else { panic!("{step:?}") };
        answered
    }

    /// The exchange printed in RFC 2195 §2, both sides.
    #[test]
    fn exchange_of_the_rfc() {
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        let step = Step::challenge_cram(challenge.into());
        let Step::Challenge(exchange, sent) = step else { panic!() };
        assert_eq!(sent, challenge.as_bytes());
        let password = "tanstaaftanstaaf";
        let response = response("tim", password, &sent);
        assert_eq!(response, b"tim b913a602c7eda7a495b4e6e7334d3890");
        let answered = answered(exchange.answer(&response));
        assert_eq!(answered.authcid(), "tim");
        assert!(answered.fits(&CramKeys::derive(password)));
        assert!(!answered.fits(&CramKeys::derive("tanstaaftanstaaF")));
    }

    /// RFC 2202 §2, case 2.
    #[test]
    fn an_hmac_of_rfc_2202() {
        let keys = CramKeys::derive("Jefe");
        let digest = keys.sign(b"what do ya want for nothing?");
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digits, "750c783e6ab0b503eaa86e310a5db738");
    }

    /// HMAC as RFC 2104 §2 defines it, on the crate's own MD5.
    fn hmac(key: &[u8], message: &[u8]) -> [u8; 16] {
        let mut block = [0; BLOCK];
        let hashed = Md5::digest(key);
        let key = if key.len() > BLOCK { hashed.as_slice() } else { key };
        block[..key.len()].copy_from_slice(key);
        let inner = Md5::digest([&block.map(|byte| byte ^ 0x36)[..], message].concat());
        Md5::digest([&block.map(|byte| byte ^ 0x5c)[..], &inner].concat()).into()
    }

    #[test]
    fn malformed_answers() {
        for (answer, word) in [
            (&b""[..], "a space"),
            (b"ann", "a space"),
            (b" b913a602c7eda7a495b4e6e7334d3890", "empty"),
            (b"ann b913a602c7eda7a495b4e6e7334d389", "32 hex"),
            (b"ann b913a602c7eda7a495b4e6e7334d38900", "32 hex"),
            (b"ann b913a602c7eda7a495b4e6e7334d38901f", "32 hex"),
            (b"ann b913a602c7eda7a495b4e6e7334d389g", "32 hex"),
            (b"ann ", "32 hex"),
            (b"\xff b913a602c7eda7a495b4e6e7334d3890", "UTF-8"),
            (b"a\0 b913a602c7eda7a495b4e6e7334d3890", "NUL"),
        ] {
            let step = super::answer(String::new(), answer);
            let Step::Malformed(why) = step else { panic!("{step:?}") };
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn the_server_speaks_first() {
        for initial in [&b""[..], b"tim b913a602c7eda7a495b4e6e7334d3890"] {
            let step = Mechanism::CramMd5.start(Some(initial), &Bindings::default());
            assert!(matches!(step, Step::Malformed(_)));
        }
        let Step::Unchallenged(wanted) = Mechanism::CramMd5.start(None, &Bindings::default())
        else {
            panic!()
        };
        let step = wanted.made([7; NONCE_BYTES], UnixSeconds(1_795_527_240), "mx.example");
        let Step::Challenge(_, challenge) = step else { panic!() };
        let expected = format!("<{}.1795527240@mx.example>", "007".repeat(18));
        assert_eq!(String::from_utf8(challenge).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn both_sides_agree(
            name in "[^\0]{1,40}",
            password in "[ -~äöü€]{1,60}",
            wrong in "[ -~äöü€]{1,60}",
            nonce: [u8; NONCE_BYTES],
            host in "[a-z.]{1,100}",
        ) {
            let who = Credentials {
                authzid: String::new(),
                authcid: name.clone(),
                password: Secret::new(password.clone()),
            };
            let (client, initial) =
                Client::start(Mechanism::CramMd5, who, &Channel::Unbound, nonce).unwrap();
            prop_assert!(initial.is_none() && !client.may_succeed());
            let step = ChallengeWanted::new().made(nonce, UnixSeconds(0), &host);
            let Step::Challenge(exchange, challenge) = step else { panic!() };
            let ClientStep::Respond(client, response) = client.answer(&challenge) else { panic!() };
            prop_assert!(client.may_succeed());
            let answered = answered(exchange.answer(&response));
            prop_assert_eq!(answered.authcid(), &name);
            prop_assert!(answered.fits(&CramKeys::derive(&password)));
            prop_assert_eq!(answered.fits(&CramKeys::derive(&wrong)), password == wrong);
            prop_assert_eq!(
                CramKeys::derive(&password).sign(&challenge),
                hmac(password.as_bytes(), &challenge)
            );
        }
    }
}
