//! What one half signs the other believes, and what was changed it does not.

use std::collections::HashMap;

use proptest::prelude::*;
use rcgen::KeyPair;
use ring::rand::SystemRandom;

use super::*;
use crate::UnixSeconds;
use crate::dns::Name;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn random() -> SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "a signature does not depend on it")]
    SystemRandom::new()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A key as `pillarbox dkim add` makes one.
fn ed25519() -> SigningKey {
    SigningKey::from_pkcs8(&KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_der())
        .unwrap()
}

/// `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`, in PKCS#8 and DER.
fn rsa() -> SigningKey {
    SigningKey::from_pkcs8(include_bytes!("testdata/rsa2048.der")).unwrap()
}

fn published(at: &str, record: &str) -> HashMap<Name, KeyAnswer> {
    HashMap::from([(name(at), KeyAnswer::Records(vec![record.as_bytes().to_vec()]))])
}

fn verify(message: &[u8], keys: &HashMap<Name, KeyAnswer>, now: UnixSeconds) -> Vec<Outcome> {
    let end = memchr::memmem::find(message, b"\r\n\r\n").unwrap() + 4;
    let mut verifier = Verifier::new(message[..end].to_vec(), Limits::default());
    message[end..].chunks(7).for_each(|piece| verifier.push(piece));
    verifier.finish(keys, now)
}

/// RFC 8463 appendix A: one message, signed with both kinds of keys.
#[test]
fn the_example_of_rfc_8463() {
    let message = include_str!("testdata/rfc8463.eml").replace('\n', "\r\n");
    let mut keys = published(
        "brisbane._domainkey.football.example.com",
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    );
    keys.extend(published(
        "test._domainkey.football.example.com",
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR\
         iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC\
         DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3\
         Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
    ));
    let outcomes = verify(message.as_bytes(), &keys, NOW);
    let verdicts: Vec<_> = outcomes.iter().map(|one| (one.verdict, one.why)).collect();
    assert_eq!(verdicts, [(Verdict::Pass, None), (Verdict::Pass, None)]);
    assert_eq!(outcomes[1].rsa_bits, Some(1_024));
    let changed = message.replacen("hungry", "thirsty", 1);
    let changed = verify(changed.as_bytes(), &keys, NOW);
    assert!(changed.iter().all(|one| one.why == Some(Why::Body)));
}

fn signed(key: &SigningKey, terms: Terms, message: &str) -> String {
    let end = message.find("\r\n\r\n").unwrap() + 4;
    let mut signer = Signer::new(terms);
    message.as_bytes()[end..].chunks(5).for_each(|piece| signer.push(piece));
    let field = signer.finish(&message.as_bytes()[..end], key, NOW, &random()).unwrap();
    assert!(field.ends_with("\r\n") && field.lines().all(|line| line.len() <= 78), "{field}");
    format!("{field}{message}")
}

const MESSAGE: &str = "From: Joe <joe@a.example>\r\nTo: b@b.example\r\nSubject:  Hi\r\n there \r\n\
                       Received: x\r\n\r\nHello  you \r\n\r\nBye\r\n\r\n\r\n";

fn terms(header: Canonicalization, body: Canonicalization) -> Terms {
    let mut terms = Terms::new(name("a.example"), name("s1"));
    (terms.header_form, terms.body_form) = (header, body);
    terms
}

#[test]
fn what_is_signed_verifies_and_what_is_changed_does_not() {
    use Canonicalization::{Relaxed, Simple};
    for key in [ed25519(), rsa()] {
        let keys = published("s1._domainkey.a.example", &key.record());
        for (header, body) in
            [(Simple, Simple), (Simple, Relaxed), (Relaxed, Simple), (Relaxed, Relaxed)]
        {
            let message = signed(&key, terms(header, body), MESSAGE);
            let verdict = |message: &str| {
                let outcome = verify(message.as_bytes(), &keys, NOW).remove(0);
                outcome.why.map_or_else(|| "pass".to_owned(), |why| format!("{why:?}"))
            };
            let relaxed = |form| if form == Relaxed { "pass" } else { "" };
            assert_eq!(verdict(&message), "pass");
            for (from, to, expected) in [
                ("Received: x", "Received: y\r\nReceived: x", "pass"),
                ("Hi", "Ho", "Header"),
                ("To: b", "To: c", "Header"),
                ("Subject:  Hi", "SUBJECT: Hi", relaxed(header)),
                ("From: Joe", "From: eve@e.example\r\nFrom: Joe", "Header"),
                ("To: b", "Reply-To: eve@e.example\r\nTo: b", "Header"),
                ("Hello  you ", "Hello you", relaxed(body)),
                ("Hello", "Hallo", "Body"),
                ("Bye\r\n\r\n\r\n", "Bye\r\n", "pass"),
                ("Bye", "Bye\r\nmore", "Body"),
            ] {
                let changed = verdict(&message.replacen(from, to, 1));
                let expected = match expected {
                    "" if from.starts_with("Hello") => "Body",
                    "" => "Header",
                    other => other,
                };
                assert_eq!(changed, expected, "{header:?}/{body:?} {from} -> {to}");
            }
        }
    }
}

#[test]
fn keys_and_times_are_judged() {
    let key = ed25519();
    let good = key.record();
    let at = "s1._domainkey.a.example";
    let mut terms = terms(Canonicalization::Relaxed, Canonicalization::Relaxed);
    terms.lifetime_seconds = Some(100);
    let message = signed(&key, terms, MESSAGE);
    let later = |seconds| UnixSeconds(NOW.0 + seconds);
    let two = vec![good.clone().into_bytes(), good.clone().into_bytes()];
    let beside = vec![b"v=spf1 -all".to_vec(), good.clone().into_bytes()];
    let other = HashMap::from([(name(at), KeyAnswer::Failed)]);
    for (keys, now, expected) in [
        (published(at, &good), NOW, (Verdict::Pass, None)),
        (published(at, &good), later(100), (Verdict::Pass, None)),
        (published(at, &good), later(101), (Verdict::Policy, Some(Why::Expired))),
        (published(at, &good), later(-300), (Verdict::Pass, None)),
        (published(at, &good), later(-301), (Verdict::Policy, Some(Why::Future))),
        (published(at, &rsa().record()), NOW, (Verdict::PermError, Some(Why::KeyKind))),
        (published(at, &ed25519().record()), NOW, (Verdict::Fail, Some(Why::Header))),
        (published(at, "p="), NOW, (Verdict::PermError, Some(Why::Key(KeyFault::Revoked)))),
        (HashMap::new(), NOW, (Verdict::TempError, Some(Why::KeyUnavailable))),
        (other, NOW, (Verdict::TempError, Some(Why::KeyUnavailable))),
        (
            HashMap::from([(name(at), KeyAnswer::Records(Vec::new()))]),
            NOW,
            (Verdict::PermError, Some(Why::NoKey)),
        ),
        (
            HashMap::from([(name(at), KeyAnswer::Records(two))]),
            NOW,
            (Verdict::PermError, Some(Why::SeveralKeys)),
        ),
        (HashMap::from([(name(at), KeyAnswer::Records(beside))]), NOW, (Verdict::Pass, None)),
    ] {
        let outcome = verify(message.as_bytes(), &keys, now).remove(0);
        assert_eq!((outcome.verdict, outcome.why), expected, "{keys:?}");
    }
    let testing = published(at, &format!("{good}; t=y"));
    assert!(verify(message.as_bytes(), &testing, NOW)[0].testing);
}

/// RFC 6376 §8.2: what follows the part that is signed is reported, and more than there is fails.
#[test]
fn a_body_length_is_a_weakness_that_is_told() {
    let key = ed25519();
    let keys = published("s1._domainkey.a.example", &key.record());
    let mut signer_terms = terms(Canonicalization::Simple, Canonicalization::Simple);
    signer_terms.sealed.clear();
    signer_terms.fields = vec!["from".to_owned()];
    for (length, expected, unsigned) in
        [(4, Verdict::Pass, 6), (10, Verdict::Pass, 0), (11, Verdict::Fail, 0)]
    {
        let head = "From: a@a.example\r\n\r\n";
        let hash = {
            let mut hasher = BodyHasher::new(Canonicalization::Simple, Some(length));
            hasher.push(b"one\r\ntwo");
            hasher.finish()
        };
        let encode = |bytes: &[u8]| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(bytes)
        };
        let bare = format!(
            "DKIM-Signature: v=1; a=ed25519-sha256; d=a.example; s=s1; h=from; l={length}; bh={}; b=",
            encode(hash.hash.as_ref())
        );
        let value = key.sign(format!("From: a@a.example\r\n{bare}").as_bytes(), &random()).unwrap();
        let message = format!("{bare}{}\r\n{head}one\r\ntwo", encode(&value));
        let outcome = verify(message.as_bytes(), &keys, NOW).remove(0);
        assert_eq!((outcome.verdict, outcome.unsigned_bytes), (expected, unsigned), "{length}");
    }
}

#[test]
fn only_so_many_signatures_are_looked_at() {
    let head = "DKIM-Signature: x\r\n".repeat(1_000);
    let verifier = Verifier::new(head.into_bytes(), Limits::default());
    assert_eq!(verifier.left_out(), 990);
    assert_eq!(verifier.finish(&HashMap::new(), NOW).len(), 10);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_pass(
        words in prop::collection::vec(prop::sample::select(vec![
            "DKIM-Signature:", " v=1;", " a=ed25519-sha256;", " d=a.example;", " s=s1;", " h=from;",
            " bh=", "b=", "YWJj", ";", "\r\n", " ", "From: a", "=", ":", "\u{0}", "l=1;", "x=1;"]), 0..40),
        body in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let key = ed25519();
        let mut verifier = Verifier::new(words.concat().into_bytes(), Limits::default());
        verifier.push(&body);
        let keys = published("s1._domainkey.a.example", &key.record());
        for outcome in verifier.finish(&keys, NOW) {
            prop_assert_ne!(outcome.verdict, Verdict::Pass);
        }
    }
}
