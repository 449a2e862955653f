use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<DomainName<'_>, DomainError> {
    DomainName::parse(text)
}

#[test]
fn one_domain_however_it_is_written() {
    for (texts, ascii, unicode) in [
        (&["example.org", "Example.ORG"][..], "example.org", "example.org"),
        (
            &[
                "b\u{fc}cher.example",
                "bu\u{308}cher.example",
                "B\u{dc}CHER.EXAMPLE",
                "BU\u{308}CHER.example",
                "xn--bcher-kva.example",
                "XN--BCHER-KVA.Example",
            ],
            "xn--bcher-kva.example",
            "b\u{fc}cher.example",
        ),
        // Not what older rules made of it, `strasse`.
        (&["straße.example", "xn--strae-oqa.example"], "xn--strae-oqa.example", "straße.example"),
        (&["例え.テスト", "xn--r8jz45g.xn--zckzah"], "xn--r8jz45g.xn--zckzah", "例え.テスト"),
        (&["ｅxample.org"], "example.org", "example.org"),
        (&["xn--bcher-kva.b\u{fc}cher"], "xn--bcher-kva.xn--bcher-kva", "b\u{fc}cher.b\u{fc}cher"),
        // RFC 5893 §2: right to left, by itself and with digits.
        (&["אבג.example"], "xn--4dbcd.example", "אבג.example"),
        (&["☃.example"], "xn--n3h.example", "☃.example"),
        (&["a--b.r3---x.3com"], "a--b.r3---x.3com", "a--b.r3---x.3com"),
    ] {
        for text in texts {
            let name = parse(text).unwrap();
            assert_eq!((name.as_ascii(), &*name.to_unicode()), (ascii, unicode), "{text}");
            assert_eq!(name, parse(ascii).unwrap());
            assert_eq!(domain_key(text), ascii);
        }
    }
}

#[test]
fn what_is_wrong_with_which_label() {
    let long = "x".repeat(64);
    for (text, part, flaw) in [
        ("", "", DomainFlaw::Empty),
        ("a..b", "", DomainFlaw::Empty),
        ("a.b.", "", DomainFlaw::Empty),
        (".b\u{fc}cher", "", DomainFlaw::Empty),
        ("b\u{fc}cher.", "", DomainFlaw::Empty),
        ("a.-b", "-b", DomainFlaw::Hyphen),
        ("a-.b", "a-", DomainFlaw::Hyphen),
        ("a.b\u{fc}-", "b\u{fc}-", DomainFlaw::Hyphen),
        ("a.b\u{fc}--x", "b\u{fc}--x", DomainFlaw::Hyphen),
        ("b\u{fc}cher.a_b", "a_b", DomainFlaw::Character),
        ("a b.example", "a b", DomainFlaw::Character),
        ("b\u{fc} cher.example", "b\u{fc} cher", DomainFlaw::Character),
        ("b\u{fc}cher.xn--", "xn--", DomainFlaw::Hyphen),
        ("a.xn--a", "xn--a", DomainFlaw::FakeALabel),
        // It decodes to capitals, which a U-label does not have.
        ("xn--bcher-2pa", "xn--bcher-2pa", DomainFlaw::FakeALabel),
        // It decodes to ASCII.
        ("xn--example-", "xn--example-", DomainFlaw::Hyphen),
        ("a.\u{301}b", "\u{301}b", DomainFlaw::Letters),
        ("a.\u{ad}", "\u{ad}", DomainFlaw::Letters),
        ("a.b\u{3002}c", "b\u{3002}c", DomainFlaw::Letters),
        // Right to left with left to right in it; a joiner where nothing is joined (RFC 5892).
        ("אa.example", "אa", DomainFlaw::Letters),
        ("a\u{200d}b.example", "a\u{200d}b", DomainFlaw::Letters),
        // RFC 5893 §2: a label that begins with a digit beside one from right to left.
        ("אב.1a", "אב.1a", DomainFlaw::Direction),
        (&long, &long, DomainFlaw::LabelTooLong),
        (&"ü".repeat(58), &"ü".repeat(58), DomainFlaw::LabelTooLong),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!((error.part(text), error.flaw), (part, flaw), "{text}: {error}");
    }
}

#[test]
fn lengths_at_the_limit_and_one_past_it() {
    let label = "x".repeat(63);
    let four = [&*label, &label, &label, &"x".repeat(61)].join(".");
    assert_eq!(four.len(), NAME_MAX);
    let international = four.replacen(&label, &format!("ü{}", "x".repeat(55)), 1);
    let longest = "ü".repeat(57);
    for (text, length) in [
        (label.clone(), Some(63)),
        (format!("{label}x"), None),
        (four.clone(), Some(NAME_MAX)),
        (format!("{four}x"), None),
        (longest.clone(), Some(63)),
        (format!("{longest}ü"), None),
        (international.clone(), Some(NAME_MAX)),
        (format!("{international}x"), None),
        ("a.".repeat(2 * NAME_MAX) + "b", None),
        ("𐌰".repeat(300), None),
    ] {
        assert_eq!(parse(&text).ok().map(|name| name.as_ascii().len()), length, "{text}");
    }
}

#[test]
fn small_ascii_is_lent() {
    for text in ["example.org", "a--b.x", "3com"] {
        assert!(matches!(parse(text).unwrap().into_ascii(), Cow::Borrowed(_)));
        assert!(matches!(parse(text).unwrap().to_unicode(), Cow::Borrowed(_)));
        assert!(matches!(domain_key(text), Cow::Borrowed(_)));
    }
}

#[test]
fn what_is_no_domain_has_a_key_of_its_own() {
    for (text, key) in [
        ("A_B.example", "a_b.example"),
        ("", ""),
        ("XN--A.example", "xn--a.example"),
        ("\u{dc} .example", "\u{fc} .example"),
    ] {
        assert_eq!(domain_key(text), key);
    }
}

/// Names with much of what makes them wrong.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "(xn--)?[a-zA-Z0-9üÜßאב例\u{308}\u{200d}_. -]{0,20}(\\.xn--[a-z0-9-]{1,12})?",
        "[a-züäößéèαωяж例え가-각]{1,12}(\\.[a-züäößéèαωяж例え가-각]{1,12}){0,3}",
    ]
}

proptest! {
    #[test]
    fn there_and_back(text in any_text()) {
        let Ok(name) = parse(&text) else { return Ok(()) };
        let ascii = name.as_ascii();
        prop_assert!(ascii.is_ascii() && (1..=NAME_MAX).contains(&ascii.len()));
        let unicode = name.to_unicode().into_owned();
        let (upper, shouted) = (ascii.to_ascii_uppercase(), text.to_ascii_uppercase());
        for other in [ascii, &unicode, &upper, &shouted] {
            prop_assert_eq!(parse(other), Ok(name.clone()), "{}", other);
        }
        prop_assert!(!name.to_unicode().split('.').any(|label| label.starts_with("xn--")));
        prop_assert_eq!(domain_key(&text), ascii);
    }

    #[test]
    fn an_error_has_its_place(text in any_text()) {
        if let Err(error) = parse(&text) {
            prop_assert!(text.get(error.offset..error.end).is_some());
        }
    }

    #[test]
    fn a_key_is_its_own_key(text in any_text()) {
        let key = domain_key(&text).into_owned();
        prop_assert_eq!(domain_key(&key), key.as_str());
    }
}
