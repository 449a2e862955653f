use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::sasl::client::scram as client_first;
use crate::sasl::{Binding, Channel, Client, ClientStep, Credentials, Mechanism, Secret};

const FEW: NonZeroU32 = NonZeroU32::new(2).unwrap();

fn who(authzid: &str, authcid: &str, password: &str) -> Credentials {
    let [authzid, authcid] = [authzid, authcid].map(str::to_owned);
    Credentials { authzid, authcid, password: Secret::new(password.into()) }
}

fn bindings() -> Bindings {
    Bindings {
        exporter: Some(b"of this connection".to_vec()),
        end_point: Some(vec![0xfe; 32]),
        client_key: None,
    }
}

/// What the server comes to when it speaks with the client, which may be spoken to as well.
fn meet(
    mechanism: Mechanism,
    (who, channel): (Credentials, &Channel),
    bindings: &Bindings,
    password: &str,
) -> Result<Step, &'static str> {
    let (mut client, initial) = Client::start(mechanism, who, channel, [1; NONCE_BYTES]).unwrap();
    let mut step = mechanism.start(initial.as_deref(), bindings);
    loop {
        step = match step {
            Step::Challenge(exchange, challenge) => match client.answer(&challenge) {
                ClientStep::Respond(next, response) => {
                    client = next;
                    exchange.answer(&response)
                }
                ClientStep::Failed(why) => return Err(why),
            },
            Step::Keys(wanted) => {
                let keys = ScramKeys::derive(wanted.hash(), password, b"salt", FEW);
                wanted.found(keys, [2; NONCE_BYTES])
            }
            end => {
                if let Step::Proven(_) = end {
                    assert!(client.may_succeed());
                }
                return Ok(end);
            }
        }
    }
}

fn unproven(step: Step) -> &'static str {
    let Step::Unproven(unproven) = step else { panic!("{step:?}") };
    unproven.why
}

/// The exchanges printed in RFC 5802 §5 and RFC 7677 §3, both sides.
#[test]
fn exchanges_of_the_rfcs() {
    for (hash, client_nonce, nonce, salt, proof, signature) in [
        (
            Hash::Sha1,
            "fyko+d2lbbFgONRv9qkxdawL",
            "3rfcNHYJY1ZVvWVs7j",
            "QSXCR+Q6sek8bf92",
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            Hash::Sha256,
            "rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ] {
        let (client, first) =
            client_first(hash, who("", "user", "pencil"), &Channel::Unbound, client_nonce.into());
        let first = first.unwrap();
        assert_eq!(first, format!("n,,n=user,r={client_nonce}").into_bytes());
        let mechanism = Mechanism::Scram { hash, plus: false };
        let Step::Keys(wanted) = mechanism.start(Some(&first), &Bindings::default()) else {
            panic!()
        };
        assert_eq!(wanted.authcid(), "user");
        let salt_bytes = BASE64.decode(salt).unwrap();
        let keys = ScramKeys::derive(hash, "pencil", &salt_bytes, NonZeroU32::new(4096).unwrap());
        let Step::Challenge(exchange, challenge) = wanted.challenge(keys, nonce) else { panic!() };
        let text = format!("r={client_nonce}{nonce},s={salt},i=4096");
        assert_eq!(challenge, text.into_bytes());
        let ClientStep::Respond(client, last) = client.answer(&challenge) else { panic!() };
        assert!(!client.may_succeed());
        assert_eq!(last, format!("c=biws,r={client_nonce}{nonce},p={proof}").into_bytes());
        let Step::Challenge(exchange, challenge) = exchange.answer(&last) else { panic!() };
        assert_eq!(challenge, format!("v={signature}").into_bytes());
        let ClientStep::Respond(client, empty) = client.answer(&challenge) else { panic!() };
        assert!(client.may_succeed());
        let Step::Proven(proven) = exchange.answer(&empty) else { panic!() };
        assert_eq!((&*proven.authzid, &*proven.authcid), ("", "user"));
    }
}

#[test]
fn flags_of_channel_bindings() {
    let me = || who("", "ann", "pencil");
    let bound = |binding: Binding| {
        Channel::Bound(binding, bindings().of(binding).unwrap_or_default().to_vec())
    };
    let plain = Mechanism::Scram { hash: Hash::Sha256, plus: false };
    let plus = Mechanism::Scram { hash: Hash::Sha256, plus: true };
    let none = Bindings::default();
    for (mechanism, channel, bindings) in [
        (plain, Channel::Unbound, &none),
        (plain, Channel::Unbound, &bindings()),
        (plain, Channel::NotOffered, &none),
        (plus, bound(Binding::Exporter), &bindings()),
        (plus, bound(Binding::EndPoint), &bindings()),
    ] {
        let step = meet(mechanism, (me(), &channel), bindings, "pencil").unwrap();
        assert!(matches!(step, Step::Proven(_)), "{step:?}");
    }
    // The man in the middle: he hides -PLUS, or he has another channel to the client.
    let step = meet(plain, (me(), &Channel::NotOffered), &bindings(), "pencil").unwrap();
    assert!(unproven(step).contains("did not see"));
    for binding in [Binding::Exporter, Binding::EndPoint] {
        let his = Channel::Bound(binding, b"his own".to_vec());
        let step = meet(plus, (me(), &his), &bindings(), "pencil").unwrap();
        assert!(unproven(step).contains("another channel"));
    }
    let step = meet(plus, (me(), &bound(Binding::Exporter)), &none, "pencil").unwrap();
    assert!(unproven(step).contains("not offered"));
    // Mechanism and channel that do not fit are our own client's mistake.
    let nonce = [0; NONCE_BYTES];
    assert!(Client::start(plus, me(), &Channel::Unbound, nonce).is_err());
    assert!(Client::start(plain, me(), &bound(Binding::EndPoint), nonce).is_err());
    for (mechanism, message) in [
        (plus, "n,,n=ann,r=x"),
        (plus, "y,,n=ann,r=x"),
        (plain, "p=tls-unique,,n=ann,r=x"),
        (plain, "p=tls-exporter,,n=ann,r=x"),
    ] {
        let step = mechanism.start(Some(message.as_bytes()), &bindings());
        assert!(matches!(step, Step::Malformed(_)), "{message}: {step:?}");
    }
}

#[test]
fn first_messages_that_are_malformed() {
    for (message, word) in [
        ("", "gs2 header"),
        ("n,", "gs2 header"),
        ("n,,", "user name"),
        ("x,,n=ann,r=x", "n, y or p="),
        ("p=,,n=ann,r=x", "n, y or p="),
        ("N,,n=ann,r=x", "n, y or p="),
        ("n,ann,n=ann,r=x", "empty or a="),
        ("n,a==,n=ann,r=x", "=3D"),
        ("n,,n=,r=x", "name is empty"),
        ("n,,n=a=b,r=x", "=3D"),
        ("n,,n=a=2c,r=x", "=3D"),
        ("n,,m=x,n=ann,r=x", "mandatory"),
        ("n,,r=x,n=ann", "user name"),
        ("n,,n=ann", "nonce"),
        ("n,,n=ann,r=", "a nonce is"),
        ("n,,n=ann,r=a b", "a nonce is"),
        ("n,,n=ann,r=x,1=2", "letter"),
        ("n,,n=ann,r=x,", "letter"),
        ("n,,n=ann,r=x,t=", "letter"),
        ("n,,n=a\0b,r=x", "NUL"),
    ] {
        let plain = Mechanism::Scram { hash: Hash::Sha1, plus: false };
        let step = plain.start(Some(message.as_bytes()), &Bindings::default());
        let Step::Malformed(why) = step else { panic!("{message}: {step:?}") };
        assert!(why.contains(word), "{message}: {why}");
    }
}

#[test]
fn names_and_nonces_at_their_limit_and_one_past_it() {
    let plain = Mechanism::Scram { hash: Hash::Sha1, plus: false };
    for (length, good) in [(1_024, true), (1_025, false)] {
        let long = "x".repeat(length);
        for message in [format!("n,,n={long},r=x"), format!("n,,n=x,r={long}")] {
            let step = plain.start(Some(message.as_bytes()), &Bindings::default());
            assert_eq!(matches!(step, Step::Keys(_)), good, "{length}");
        }
    }
    for (length, good) in [(4_096, true), (4_097, false)] {
        let front = "n,,n=x,r=x,t=";
        let message = format!("{front}{}", "x".repeat(length - front.len()));
        let step = plain.start(Some(message.as_bytes()), &Bindings::default());
        assert_eq!(matches!(step, Step::Keys(_)), good, "{length}");
    }
}

#[test]
fn last_messages_that_prove_nothing() {
    let ask = || {
        let plain = Mechanism::Scram { hash: Hash::Sha256, plus: false };
        let Step::Keys(wanted) = plain.start(Some(b"n,,n=ann,r=x"), &Bindings::default()) else {
            panic!()
        };
        let keys = ScramKeys::derive(Hash::Sha256, "pencil", b"salt", FEW);
        let Step::Challenge(exchange, _) = wanted.challenge(keys, "Y") else { panic!() };
        exchange
    };
    for (message, word) in [
        ("", "proof"),
        ("c=biws,r=xY", "proof"),
        ("c=biws,r=xY,p=!", "proof is not base64"),
        ("r=xY,c=biws,p=AAAA", "channel binding"),
        ("c=biw,r=xY,p=AAAA", "not base64"),
        ("c=biws,p=AAAA", "nonce"),
    ] {
        let step = ask().answer(message.as_bytes());
        let Step::Malformed(why) = step else { panic!("{message}: {step:?}") };
        assert!(why.contains(word), "{message}: {why}");
    }
    for (message, word) in [
        ("c=biws,r=xY,p=AAAA", "the proof"),
        ("c=biws,r=xY,p=", "the proof"),
        ("c=biws,r=x,p=AAAA", "nonce"),
        ("c=eSws,r=xY,p=AAAA", "channel"),
    ] {
        assert!(unproven(ask().answer(message.as_bytes())).contains(word), "{message}");
    }
}

#[test]
fn a_decoy_is_the_same_tomorrow_and_fits_no_proof() {
    let decoy =
        |name: &str, secret: u8| ScramKeys::decoy(Hash::Sha256, name, &[secret; 32], 16, FEW);
    assert!(decoy("ann", 1) == decoy("ann", 1));
    assert!(decoy("ann", 1).salt != decoy("bob", 1).salt);
    assert!(decoy("ann", 1).salt != decoy("ann", 2).salt);
    assert_eq!(decoy("ann", 1).salt.len(), 16);
    let sha1 = ScramKeys::decoy(Hash::Sha1, "ann", &[1; 32], 16, FEW);
    assert_ne!(decoy("ann", 1).salt, sha1.salt);
    assert_eq!((sha1.stored_key.len(), decoy("ann", 1).stored_key.len()), (20, 32));
}

#[test]
fn a_client_believes_no_server_that_does_not_know_the_keys() {
    let start = || {
        let (client, _) =
            client_first(Hash::Sha256, who("", "ann", "pencil"), &Channel::Unbound, "x".into());
        client
    };
    for challenge in [
        "",
        "r=x,s=AAAA,i=4096",
        "r=zY,s=AAAA,i=4096",
        "r=xY,s=AAAA,i=0",
        "r=xY,s=AAAA,i=1000001",
        "r=xY,s=AAAA,i=-1",
        "r=xY,s=!,i=4096",
        "m=a,r=xY,s=AAAA,i=4096",
    ] {
        let step = start().answer(challenge.as_bytes());
        assert!(matches!(step, ClientStep::Failed(_)), "{challenge}: {step:?}");
    }
    let ClientStep::Respond(client, _) = start().answer(b"r=xY,s=AAAA,i=2") else { panic!() };
    assert!(!client.may_succeed());
    let step = client.answer(b"v=AAAA");
    assert!(matches!(step, ClientStep::Failed(_)), "{step:?}");
}

#[test]
fn nothing_of_an_exchange_prints_a_secret() {
    let plus = Mechanism::Scram { hash: Hash::Sha256, plus: true };
    let step =
        plus.start(None, &Bindings { exporter: Some(b"hunter2".to_vec()), ..Bindings::default() });
    assert!(!format!("{step:?}").contains("hunter2"), "{step:?}");
    assert!(!format!("{step:?}").contains("104, 117, 110"), "{step:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The right password always proves itself, and any other never, whatever the names.
    #[test]
    fn both_sides_against_each_other(
        authzid in "[^\0]{0,20}", authcid in "[^\0]{1,20}",
        password in "[ -~äöü€]{1,20}", other in "[ -~äöü€]{1,20}",
        sha1 in any::<bool>(), binding in 0..3_u8,
    ) {
        let hash = if sha1 { Hash::Sha1 } else { Hash::Sha256 };
        let channel = match binding {
            0 => Channel::Unbound,
            1 => Channel::Bound(Binding::Exporter, b"of this connection".to_vec()),
            _ => Channel::Bound(Binding::EndPoint, vec![0xfe; 32]),
        };
        let mechanism = Mechanism::Scram { hash, plus: binding > 0 };
        let me = who(&authzid, &authcid, &password);
        let step = meet(mechanism, (me.clone(), &channel), &bindings(), &password).unwrap();
        let Step::Proven(proven) = step else { panic!("{step:?}") };
        prop_assert_eq!((proven.authzid, proven.authcid), (authzid, authcid));
        if other != password {
            let step = meet(mechanism, (me, &channel), &bindings(), &other).unwrap();
            prop_assert_eq!(unproven(step), "the proof is wrong");
        }
    }

    /// Any bytes, to either side, at any step: an answer, and no panic.
    #[test]
    fn any_bytes_are_answered(messages in prop::collection::vec(any::<Vec<u8>>(), 4), plus: bool) {
        let mechanism = Mechanism::Scram { hash: Hash::Sha1, plus };
        let mut step = mechanism.start(None, &bindings());
        for message in &messages {
            step = match step {
                Step::Challenge(exchange, _) => exchange.answer(message),
                end => { prop_assert!(matches!(end, Step::Malformed(_) | Step::Unproven(_))); break }
            };
        }
        let (mut client, _) = client_first(
            Hash::Sha1, who("", "ann", "pencil"), &Channel::NotOffered, "x".into());
        for message in &messages {
            let ClientStep::Respond(next, _) = client.answer(message) else { break };
            client = next;
        }
    }
}
