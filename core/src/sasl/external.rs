//! EXTERNAL (RFC 4422 appendix A): who the client is, the channel tells.

use super::{Bindings, Exchange, State, Step, text};

/// A login with what the channel tells of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// As whom to act; empty where the client did not say: as whoever the key belongs to.
    pub authzid: String,
    /// The SHA-256 of the client's public key, see [`Bindings::client_key`]. Where there is none,
    /// authentication has failed.
    pub client_key: Option<[u8; 32]>,
}

/// RFC 4422 appendix A.1: the client's only message is the authorization identity. Where it does
/// not come with the command, the challenge that asks for it is empty.
pub(super) fn start(initial: Option<&[u8]>, bindings: &Bindings) -> Step {
    match initial {
        Some(message) => first(bindings.client_key, message),
        None => {
            let state = State::External { client_key: bindings.client_key };
            Step::Challenge(Exchange(state), Vec::new())
        }
    }
}

pub(super) fn first(client_key: Option<[u8; 32]>, message: &[u8]) -> Step {
    let authzid = if message.is_empty() { Ok(String::new()) } else { text(message) };
    match authzid {
        Ok(authzid) => Step::External(External { authzid, client_key }),
        Err(why) => Step::Malformed(why),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Channel, Client, Credentials, FIELD_MAX, Mechanism, NONCE_BYTES, Secret};
    use super::*;

    const KEY: Option<[u8; 32]> = Some([7; 32]);

    fn said(step: Step) -> Result<(String, Option<[u8; 32]>), &'static str> {
        match step {
            Step::External(External { authzid, client_key }) => Ok((authzid, client_key)),
            Step::Malformed(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_message_is_the_authorization_identity() {
        let long = "x".repeat(FIELD_MAX);
        for key in [None, KEY] {
            let bindings = Bindings { client_key: key, ..Bindings::default() };
            for text in ["", "ann", "ann@example.org", "\u{e4}nne", &long] {
                let expected = Ok((text.to_owned(), key));
                let message = text.as_bytes();
                assert_eq!(said(Mechanism::External.start(Some(message), &bindings)), expected);
                let Step::Challenge(exchange, challenge) =
                    Mechanism::External.start(None, &bindings)
                else {
                    panic!()
                };
                assert_eq!(challenge, b"");
                assert_eq!(said(exchange.answer(message)), expected);
            }
        }
    }

    #[test]
    fn broken_messages_are_malformed() {
        let long = vec![b'x'; FIELD_MAX + 1];
        for message in [&b"a\0b"[..], b"\0", b"\xff", &long] {
            let step = Mechanism::External.start(Some(message), &Bindings::default());
            assert!(said(step).is_err());
        }
    }

    #[test]
    fn our_client_sends_it_at_once() {
        for authzid in ["", "ann"] {
            let who = Credentials {
                authzid: authzid.into(),
                authcid: "somebody".into(),
                password: Secret::new("not sent".into()),
            };
            let started =
                Client::start(Mechanism::External, who, &Channel::Unbound, [0; NONCE_BYTES]);
            let (client, initial) = started.unwrap();
            assert_eq!(initial.as_deref(), Some(authzid.as_bytes()));
            assert!(client.may_succeed());
        }
    }
}
