//! What one half seals the other believes, and what was changed or made up it does not.

use std::collections::HashMap;

use proptest::prelude::*;
use rcgen::KeyPair;
use ring::rand::SystemRandom;

use super::*;
use crate::UnixSeconds;
use crate::authres::Method;
use crate::dkim::{KeyAnswer, Limits, SignatureFault, SigningKey, Why};
use crate::dns::Name;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const MESSAGE: &str = "From: joe@a.example\r\nTo: b@b.example\r\nSubject: Hi\r\n\r\nHello\r\n";

fn random() -> SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "a signature does not depend on it")]
    SystemRandom::new()
}

/// A key and where it is published.
struct Sealing {
    key: SigningKey,
    keys: HashMap<Name, KeyAnswer>,
}

impl Sealing {
    fn new() -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        Self::with(SigningKey::from_pkcs8(&pair.serialize_der()).unwrap())
    }

    fn with(key: SigningKey) -> Self {
        let record = KeyAnswer::Records(vec![key.record().into_bytes()]);
        let name = Name::parse("s1._domainkey.list.example").unwrap();
        Self { key, keys: HashMap::from([(name, record)]) }
    }

    fn chain(&self, message: &str) -> Chain {
        let end = message.find("\r\n\r\n").unwrap() + 4;
        let mut validator = Validator::new(message.as_bytes()[..end].to_vec(), Limits::default());
        message.as_bytes()[end..].chunks(3).for_each(|piece| validator.push(piece));
        validator.finish(&self.keys, NOW)
    }

    /// The next hop's message, sealed with what became of the chain.
    fn sealed(&self, message: &str) -> Option<String> {
        let end = message.find("\r\n\r\n").unwrap() + 4;
        let name = |text| Name::parse(text).unwrap();
        let mut sealer = Sealer::new(terms(name("list.example"), name("s1")));
        message.as_bytes()[end..].chunks(5).for_each(|piece| sealer.push(piece));
        let status = self.chain(message).status;
        let methods = [
            Method::new("arc", status.name()),
            Method::new("spf", "pass").with("smtp", "mailfrom", "a.example"),
        ];
        let (head, key) = (&message.as_bytes()[..end], &self.key);
        let about = ("mx.list.example", &methods[..]);
        let set = sealer.finish(head, status, about, key, NOW, &random()).unwrap()?;
        assert!(set.ends_with("\r\n") && set.lines().all(|line| line.len() <= 78), "{set}");
        Some(format!("{set}{message}"))
    }
}

fn told(chain: &Chain) -> (Status, Option<Fault>) {
    (chain.status, chain.why)
}

#[test]
fn a_chain_grows_and_holds() {
    let rsa = SigningKey::from_pkcs8(include_bytes!("../dkim/testdata/rsa2048.der")).unwrap();
    for sealing in [Sealing::new(), Sealing::with(rsa)] {
        let mut message = MESSAGE.to_owned();
        assert_eq!(told(&sealing.chain(&message)), (Status::None, None));
        for count in 1..=4 {
            message = sealing.sealed(&message).unwrap();
            let chain = sealing.chain(&message);
            assert_eq!(told(&chain), (Status::Pass, None), "{message}");
            assert_eq!(chain.hops.len(), count);
            // RFC 8617 §5.2: only the last signature is of the message as it is now.
            message.push_str("-- \r\nthe list\r\n");
            let changed = sealing.chain(&message);
            let (Status::Fail, Some(Fault::Message(_, Why::Body))) = told(&changed) else {
                panic!("{changed:?}")
            };
            message.truncate(message.len() - "-- \r\nthe list\r\n".len());
        }
        let hops = sealing.chain(&message).hops;
        assert_eq!(
            hops[0].results,
            "mx.list.example;\tarc=none;\tspf=pass smtp.mailfrom=a.example"
        );
        assert!(hops[3].results.contains("arc=pass"), "{hops:?}");
        assert_eq!((hops[0].domain.as_str(), hops[0].made), ("list.example", Some(NOW)));
    }
}

/// A list changes a message between two sets, and the chain goes on.
#[test]
fn who_changes_a_message_seals_it_anew() {
    let sealing = Sealing::new();
    let first = sealing.sealed(MESSAGE).unwrap();
    // What became of the chain was found out before the change.
    let changed = first.replacen("Subject: Hi", "Subject: [list] Hi", 1);
    let end = changed.find("\r\n\r\n").unwrap() + 4;
    let name = |text| Name::parse(text).unwrap();
    let mut sealer = Sealer::new(terms(name("list.example"), name("s1")));
    sealer.push(&changed.as_bytes()[end..]);
    let (head, about) = (&changed.as_bytes()[..end], ("mx", &[][..]));
    let set = sealer.finish(head, Status::Pass, about, &sealing.key, NOW, &random()).unwrap();
    let second = format!("{}{changed}", set.unwrap());
    assert_eq!(told(&sealing.chain(&second)), (Status::Pass, None));
}

#[test]
fn what_is_changed_breaks_it() {
    let sealing = Sealing::new();
    let two = sealing.sealed(&sealing.sealed(MESSAGE).unwrap()).unwrap();
    let end = two.rfind("ARC-Seal:").unwrap();
    let (second, first) = two.split_at(end);
    let i2 = |from: &str, to: &str| format!("{}{first}", second.replacen(from, to, 1));
    let i1 = |from: &str, to: &str| format!("{second}{}", first.replacen(from, to, 1));
    let fields = |text: &str| -> Vec<String> {
        let mut fields: Vec<String> = Vec::new();
        for line in text.split_inclusive("\r\n").take_while(|line| *line != "\r\n") {
            match fields.last_mut().filter(|_| line.starts_with('\t')) {
                Some(field) => field.push_str(line),
                None => fields.push(line.to_owned()),
            }
        }
        fields
    };
    let all = fields(&two);
    let without = |at: usize| two.replacen(&all[at], "", 1);
    let twice = |at: usize| format!("{}{two}", all[at]);
    for (text, expected) in [
        (i2("spf=pass", "spf=fail"), Fault::Seal(2, Why::Header)),
        (i1("spf=pass", "spf=fail"), Fault::Seal(1, Why::Header)),
        (i1("Subject: Hi", "Subject: Ho"), Fault::Message(2, Why::Header)),
        (i1("Hello", "Hallo"), Fault::Message(2, Why::Body)),
        (i2("cv=pass", "cv=none"), Fault::Order(2)),
        (i2("cv=pass", "cv=fail"), Fault::Ended(2)),
        (i2("cv=pass", "cv=good"), Fault::SealField(2, SignatureFault::Missing("cv"))),
        (i1("cv=none", "cv=pass"), Fault::Order(1)),
        (i1("cv=none", "cv=fail"), Fault::Order(1)),
        (i2("cv=pass", "cv=pass; h=from"), Fault::SealCovers(2)),
        (i2("h=", "h=arc-seal:"), Fault::CoversSeal(2)),
        (i2("ARC-Seal: i=2", "ARC-Seal: i=3"), Fault::Missing(2)),
        (i2("ARC-Seal: i=2", "ARC-Seal: i=1"), Fault::Repeated(1)),
        (i2("ARC-Seal: i=2", "ARC-Seal: i=51"), Fault::TooMany),
        (i2("ARC-Seal: i=2", "ARC-Seal: i=0"), Fault::Instance("ARC-Seal")),
        (i2("ARC-Seal: i=2;", "ARC-Seal: "), Fault::Instance("ARC-Seal")),
        (i2("Results: i=2;", "Results: "), Fault::Instance("ARC-Authentication-Results")),
        (without(0), Fault::Missing(2)),
        (without(1), Fault::Missing(2)),
        (without(2), Fault::Missing(2)),
        (without(3), Fault::Missing(1)),
        (first.replace("i=1;", "i=2;"), Fault::Missing(1)),
        (twice(0), Fault::Repeated(2)),
        (twice(4), Fault::Repeated(1)),
        (i2("a=ed25519-sha256", "a=rsa-sha1"), Fault::Seal(2, Why::Sha1)),
        (i2("s=s1", "s=s2"), Fault::Seal(2, Why::KeyUnavailable)),
        (
            i2(&all[1], &all[1].replace("d=list.example", "d=x.example")),
            Fault::Message(2, Why::KeyUnavailable),
        ),
        (
            i2("ARC-Message-Signature: i=2; a=ed25519-sha256", "ARC-Message-Signature: i=2; a=x"),
            Fault::MessageField(2, SignatureFault::Algorithm),
        ),
    ] {
        let chain = sealing.chain(&text);
        assert_eq!(told(&chain), (Status::Fail, Some(expected)), "{text}");
    }
    // The order of the fields does not count, nor do blanks and cases in their names.
    let turned: String = all[..6].iter().rev().map(String::as_str).collect();
    let (_, rest) = two.split_at(two.find("From:").unwrap());
    let turned = format!("{turned}{rest}").replace("ARC-Seal: i=1", "arc-seal:  i=1");
    assert_eq!(told(&sealing.chain(&turned)), (Status::Pass, None));
}

/// RFC 8617 §5.1.2: the set that says so covers nothing of what is broken, and is the last one.
#[test]
fn what_is_broken_is_sealed_once() {
    let sealing = Sealing::new();
    let broken = sealing.sealed(MESSAGE).unwrap().replacen("Hello", "Hallo", 1);
    let told_so = sealing.sealed(&broken).unwrap();
    assert!(told_so.starts_with("ARC-Seal: i=2;") && told_so.contains("cv=fail"), "{told_so}");
    assert_eq!(told(&sealing.chain(&told_so)), (Status::Fail, Some(Fault::Ended(2))));
    assert_eq!(sealing.sealed(&told_so), None);
}

#[test]
fn a_chain_has_an_end() {
    let sealing = Sealing::new();
    let mut message = MESSAGE.to_owned();
    for _ in 0..SETS_MAX {
        message = sealing.sealed(&message).unwrap();
    }
    assert_eq!(told(&sealing.chain(&message)), (Status::Pass, None));
    assert_eq!(sealing.sealed(&message), None);
    let long = "x".repeat(BYTES_MAX);
    let message = message.replacen("spf=pass", &format!("spf=pass ({long})"), 1);
    assert_eq!(told(&sealing.chain(&message)), (Status::Fail, Some(Fault::TooLong)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_pass(
        words in prop::collection::vec(prop::sample::select(vec![
            "ARC-Seal:", "ARC-Message-Signature:", "ARC-Authentication-Results:", " i=1;", " i=2;",
            " a=ed25519-sha256;", " d=list.example;", " s=s1;", " h=from;", " cv=none;", " cv=pass;",
            " bh=YWJj;", " b=YWJj", ";", "\r\n", " ", "From: a", "=", ":", "\u{0}", "(", "\""]), 0..60),
        body in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let sealing = Sealing::new();
        let mut validator = Validator::new(words.concat().into_bytes(), Limits::default());
        prop_assert!(validator.key_names().len() <= 51);
        validator.push(&body);
        prop_assert_ne!(validator.finish(&sealing.keys, NOW).status, Status::Pass);
    }
}
