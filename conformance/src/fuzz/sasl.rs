//! SASL: every mechanism, with any messages of a client.

use std::num::NonZeroU32;

use pillarbox_core::UnixSeconds;
use pillarbox_core::sasl::{
    Binding, Bindings, Channel, Client, ClientStep, CramKeys, Credentials, FIELD_MAX, Login,
    Mechanism, NONCE_BYTES, ScramKeys, Secret, Step,
};

use crate::fuzz::Tape;

/// The first byte chooses the mechanism and whether there is an initial response; then come the
/// messages, each with its length in front.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let choice = tape.byte();
    let name = NAMES.get(usize::from(choice >> 1) % NAMES.len()).copied().unwrap_or_default();
    let Some(mechanism) = Mechanism::from_name(name) else {
        assert_eq!(name, "GSSAPI", "{name} is no longer known");
        return;
    };
    assert!(mechanism.name().eq_ignore_ascii_case(name));
    meet(mechanism, &mut tape.clone());
    let mut sent = Vec::new();
    let first = (choice % 2 == 1).then(|| message(&mut tape));
    sent.extend(first.clone());
    let mut step = mechanism.start(first.as_deref(), &bindings());
    for _ in 0..=ROUNDS_MAX {
        match step {
            Step::Challenge(exchange, challenge) => {
                assert!(challenge.len() <= CHALLENGE_MAX);
                let answer = message(&mut tape);
                step = exchange.answer(&answer);
                sent.push(answer);
            }
            Step::Check(login) => return check(&login, &sent),
            Step::Keys(wanted) => step = wanted.found(keys(mechanism, PASSWORD), NONCE),
            Step::Unchallenged(wanted) => step = wanted.made(NONCE, UnixSeconds(0), "mx.example"),
            Step::Answered(answered) => {
                assert!(!answered.authcid().is_empty() && answered.authcid().len() <= FIELD_MAX);
                return assert!(!answered.fits(&CramKeys::derive(PASSWORD)), "by chance");
            }
            Step::External(external) => {
                assert_eq!(external.client_key, bindings().client_key);
                // RFC 4422 appendix A.1: the one message is the identity.
                return assert_eq!(
                    Some(external.authzid.as_bytes()),
                    sent.last().map(Vec::as_slice)
                );
            }
            // The fuzzer does not know the password.
            Step::Proven(proven) => panic!("{} was proven by chance", proven.authcid),
            Step::Unproven(unproven) => {
                return assert!(
                    !unproven.authcid.is_empty() && unproven.authcid.len() <= FIELD_MAX
                );
            }
            Step::Malformed(why) => return assert!(!why.is_empty() && why.is_ascii()),
        }
    }
    panic!("{name} goes on for ever");
}

/// Names as clients write them, and one that is not served.
const NAMES: [&str; 11] = [
    "PLAIN",
    "LOGIN",
    "plain",
    "Login",
    "CRAM-MD5",
    "SCRAM-SHA-256",
    "scram-sha-1",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "External",
    "GSSAPI",
];
/// Messages of the longest exchange.
const ROUNDS_MAX: usize = 5;
/// The client's nonce, and what comes with it.
const CHALLENGE_MAX: usize = FIELD_MAX + 128;
const PASSWORD: &str = "not to be guessed";
const NONCE: [u8; NONCE_BYTES] = [2; NONCE_BYTES];

fn bindings() -> Bindings {
    Bindings { exporter: Some(vec![1; 32]), end_point: None, client_key: Some([3; 32]) }
}

fn keys(mechanism: Mechanism, password: &str) -> ScramKeys {
    let Mechanism::Scram { hash, .. } = mechanism else { panic!("{mechanism:?} wants keys") };
    ScramKeys::derive(hash, password, b"salt", NonZeroU32::MIN)
}

/// Our own client against our own server, whose challenges somebody changes on the way: what is
/// proven was not changed, and a client that may believe a yes has met a server with the keys.
fn meet(mechanism: Mechanism, tape: &mut Tape<'_>) {
    let plus = matches!(mechanism, Mechanism::Scram { plus: true, .. });
    let exporter = bindings().exporter.unwrap_or_default();
    let channel = if plus { Channel::Bound(Binding::Exporter, exporter) } else { Channel::Unbound };
    let who = Credentials {
        authzid: String::new(),
        authcid: "ann".into(),
        password: Secret::new(PASSWORD.into()),
    };
    let Ok((mut client, initial)) = Client::start(mechanism, who, &channel, [1; NONCE_BYTES])
    else {
        panic!("{mechanism:?} does not fit its channel");
    };
    let mut changed = false;
    let mut step = mechanism.start(initial.as_deref(), &bindings());
    loop {
        step = match step {
            Step::Keys(wanted) => wanted.found(keys(mechanism, PASSWORD), NONCE),
            Step::Unchallenged(wanted) => wanted.made(NONCE, UnixSeconds(0), "mx.example"),
            Step::Answered(answered) => {
                return assert_eq!(answered.fits(&CramKeys::derive(PASSWORD)), !changed);
            }
            Step::Challenge(exchange, mut challenge) => {
                if tape.byte() > 200 {
                    challenge.push(tape.byte());
                    changed = true;
                }
                let ClientStep::Respond(next, response) = client.answer(&challenge) else {
                    return assert!(changed, "a client is not content with our own server");
                };
                client = next;
                exchange.answer(&response)
            }
            Step::External(external) => return assert_eq!(external.authzid, ""),
            Step::Check(login) => return assert_eq!(login.password.reveal(), PASSWORD),
            Step::Proven(_) => return assert!(client.may_succeed() && !changed),
            Step::Unproven(_) | Step::Malformed(_) => return assert!(changed),
        };
    }
}

/// Short mostly, or around the limit of a field.
fn message(tape: &mut Tape<'_>) -> Vec<u8> {
    let length = usize::from(tape.byte());
    if length < 250 {
        return tape.bytes(length).to_vec();
    }
    let filler = vec![tape.byte(); FIELD_MAX + length - 253];
    [b"\0".as_slice(), &filler, b"\0", tape.bytes(9)].concat()
}

/// What is checked is what was sent, whole and within the limits.
fn check(login: &Login, sent: &[Vec<u8>]) {
    let password = login.password.reveal();
    for field in [login.authcid.as_str(), password] {
        assert!(!field.is_empty() && field.len() <= FIELD_MAX && !field.contains('\0'));
        let whole = sent
            .iter()
            .any(|message| message.split(|byte| *byte == 0).any(|part| part == field.as_bytes()));
        assert!(whole, "a field that nobody sent");
    }
    assert!(login.authzid.len() <= FIELD_MAX && !login.authzid.contains('\0'));
    if sent.len() == 1 {
        // RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
        let message = format!("{}\0{}\0{password}", login.authzid, login.authcid);
        assert_eq!(Some(message.as_bytes()), sent.first().map(Vec::as_slice));
    }
    // Behind a mark, so that a password such as `a` is not found in the form itself.
    if password.len() > 8 && password != login.authcid && !login.authzid.contains(password) {
        assert!(!format!("{:?}", login.password).contains(password), "a password is printed");
    }
}
