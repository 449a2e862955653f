//! SASL: every mechanism, with any messages of a client.

use pillarbox_core::sasl::{FIELD_MAX, Login, Mechanism, Step};

use crate::fuzz::Tape;

/// The first byte chooses the mechanism and whether there is an initial response; then come the
/// messages, each with its length in front.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let choice = tape.byte();
    let name = NAMES.get(usize::from(choice >> 1) % NAMES.len()).copied().unwrap_or_default();
    let Some(mechanism) = Mechanism::from_name(name) else {
        assert_eq!(name, "CRAM-MD5", "{name} is no longer known");
        return;
    };
    assert!(mechanism.name().eq_ignore_ascii_case(name));
    let mut sent = Vec::new();
    let first = (choice % 2 == 1).then(|| message(&mut tape));
    sent.extend(first.clone());
    let mut step = mechanism.start(first.as_deref());
    for _ in 0..=ROUNDS_MAX {
        match step {
            Step::Challenge(exchange, challenge) => {
                assert!(challenge.len() <= CHALLENGE_MAX);
                let answer = message(&mut tape);
                step = exchange.answer(&answer);
                sent.push(answer);
            }
            Step::Check(login) => return check(&login, &sent),
            Step::Malformed(why) => return assert!(!why.is_empty() && why.is_ascii()),
        }
    }
    panic!("{name} goes on for ever");
}

/// Names as clients write them, and one that is not served.
const NAMES: [&str; 5] = ["PLAIN", "LOGIN", "plain", "Login", "CRAM-MD5"];
/// Messages of the longest exchange.
const ROUNDS_MAX: usize = 2;
const CHALLENGE_MAX: usize = 64;

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
