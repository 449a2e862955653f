use super::*;
use proptest::prelude::*;

fn mailbox(text: &str) -> Result<Mailbox<'_>, At> {
    Mailbox::parse(text, Grammar::default())
}

#[test]
fn local_parts_are_kept_as_they_are_meant() {
    let cases = [
        ("ann@x", "ann", "ann@x"),
        ("\"ann\"@x", "ann", "ann@x"),
        ("\"a\\nn\"@x", "ann", "ann@x"),
        ("\"\\\"\\\\\"@x", "\"\\", "\"\\\"\\\\\"@x"),
        ("\"a b@c\"@x", "a b@c", "\"a b@c\"@x"),
        ("\"\"@x", "", "\"\"@x"),
        ("a..b.@x", "a..b.", "\"a..b.\"@x"),
        ("j\u{f6}rg@x", "j\u{f6}rg", "j\u{f6}rg@x"),
        ("a+b/c=d!{}@x", "a+b/c=d!{}", "a+b/c=d!{}@x"),
    ];
    for (text, meant, printed) in cases {
        let mailbox = mailbox(text).unwrap();
        assert_eq!(mailbox.localpart.as_str(), meant, "{text}");
        assert_eq!(mailbox.to_string(), printed, "{text}");
    }
}

#[test]
fn hosts() {
    let v6: Ipv6Addr = "2001:db8::1".parse().unwrap();
    for text in ["a@[IPv6:2001:db8::1]", "a@[ipv6:2001:0DB8::1]"] {
        assert_eq!(mailbox(text).unwrap().host, Host::Address(v6.into()));
    }
    assert_eq!(mailbox("a@[192.0.2.1]").unwrap().host, Host::Address([192, 0, 2, 1].into()));
    assert_eq!(mailbox("a@[x25:7]").unwrap().host, Host::Other("x25:7".into()));
    assert_eq!(mailbox("a@Example.ORG").unwrap(), mailbox("a@example.org").unwrap());
    assert_eq!(mailbox("a@b\u{fc}cher.example").unwrap().to_string(), "a@b\u{fc}cher.example");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let cases = [
        ("", "at the end: expected a local part"),
        ("a", "at the end: expected `@`"),
        ("a@", "at the end: expected a domain"),
        ("a@>", "at `>`: expected a domain"),
        ("a b@x", "at the space at byte 1: expected `@`"),
        ("a@x..y", "at `.`: expected a domain"),
        ("a@-x", "at `-`: expected no hyphen at a label's ends"),
        ("a@x-.y", "at `x`: expected no hyphen at a label's ends"),
        ("a@x y", "at the space at byte 3: expected the end"),
        ("a@[1.2.3]", "at `1`: expected an address such as 192.0.2.1 or IPv6:2001:db8::1"),
        ("a@[:x]", "at `:`: expected an address such as 192.0.2.1 or IPv6:2001:db8::1"),
        ("a@[1.2.3.4", "at the end: expected `]` behind an address literal"),
        ("\"a@x", "at the end: expected `\"` at the end of the quoted local part"),
        ("\"a\\", "at the end: expected a printable ASCII character behind the backslash"),
        ("a\u{a0}b@x", "at byte 1: expected `@`"),
        ("\u{85}@x", "at byte 0: expected a local part"),
    ];
    for (text, message) in cases {
        assert_eq!(mailbox(text).unwrap_err().to_string(), message, "{text}");
    }
}

/// Where each mistake in a path is told, in bytes from its start.
#[test]
fn what_is_wrong_in_a_path_is_told_with_its_place() {
    let (label, local) = ("x".repeat(64), "a".repeat(129));
    let u_label = "\u{fc}".repeat(58);
    let cases = [
        ("", 0, "`<`"),
        ("a@x>", 0, "`<`"),
        ("<", 1, "a local part"),
        ("< a@x>", 1, "a local part"),
        ("<<a@x>>", 1, "a local part"),
        ("<a@x", 4, "`>`"),
        ("<a@x.", 5, "a domain"),
        ("<a@x y>", 4, "`>`"),
        ("<a@x>>", 5, "the end"),
        ("<a>", 2, "`@`"),
        ("<a@>", 3, "a domain"),
        ("<a@@x>", 3, "a domain"),
        // Source routes.
        ("<@>", 2, "a domain"),
        ("<@x>", 3, "`:` behind the source route"),
        ("<@x,a@y>", 4, "`@` and a domain of the source route"),
        ("<@x,@:a@y>", 5, "a domain"),
        ("<@-x:a@y>", 2, "no hyphen at a label's ends"),
        ("<@x:>", 4, "a local part"),
        // Quoted local parts, and such as should be.
        ("<\"a@x>", 6, "`\"` at the end of the quoted local part"),
        ("<\"a\\\u{fc}\"@x>", 4, "a printable ASCII character behind the backslash"),
        ("<\"a\"b@x>", 4, "`@`"),
        ("<a\"b@x>", 2, "`@`"),
        ("<a,b@x>", 2, "`@`"),
        ("<j\u{f6}(x)@x>", 4, "`@`"),
        (&format!("<{local}@x>"), 1, "a shorter local part"),
        (&format!("<@x:\"{local}\"@x>"), 4, "a shorter local part"),
        // Domains.
        ("<a@.x>", 3, "a domain"),
        ("<a@x..y>", 5, "a domain"),
        ("<a@x.>", 5, "a domain"),
        ("<a@x.-y>", 5, "no hyphen at a label's ends"),
        ("<a@x.y-.z>", 5, "no hyphen at a label's ends"),
        ("<a@x!y>", 4, "`>`"),
        (&format!("<a@x.{label}>"), 5, "a label of at most 63 bytes"),
        (&format!("<a@{}y>", "x.".repeat(128)), 3, "a shorter domain"),
        (
            "<\u{e9}@x.a\u{fc}\u{200d}>",
            6,
            "letters that a domain can have, in an order that it can have",
        ),
        ("<a@x.a\u{fc}--b>", 5, "no hyphen at a label's ends, nor two behind its second letter"),
        ("<a@x.a_\u{fc}>", 5, "letters, digits and hyphens"),
        (&format!("<a@x.{u_label}>"), 5, "a label of at most 63 bytes in its ASCII form"),
        // Address literals.
        // A literal may hold `>` (RFC 5321 §4.1.3), so that it is not where it should have ended.
        ("<a@[>", 5, "`]` behind an address literal"),
        ("<a@[192.0.2.1>", 14, "`]` behind an address literal"),
        ("<a@[192.0.2.1] >", 14, "`>`"),
        ("<a@[]>", 4, "an address such as 192.0.2.1 or IPv6:2001:db8::1"),
        ("<a@[192.0.2]>", 4, "an address such as 192.0.2.1 or IPv6:2001:db8::1"),
        ("<a@[192.0.2.256]>", 4, "an address such as 192.0.2.1 or IPv6:2001:db8::1"),
        ("<a@[IPv6:1::2::3]>", 4, "an address such as 192.0.2.1 or IPv6:2001:db8::1"),
        ("<a@[x25:]>", 4, "an address such as 192.0.2.1 or IPv6:2001:db8::1"),
        ("<a@[x:\u{fc}]>", 6, "`]` behind an address literal"),
        (&format!("<a@[x:{}]>", "y".repeat(254)), 4, "a shorter address literal"),
    ];
    for (text, offset, expected) in cases {
        let forward = whole(text, |cursor| ForwardPath::read(cursor, Grammar::default()));
        let reverse = whole(text, |cursor| ReversePath::read(cursor, Grammar::default()));
        let told = |at: At| (at.offset, at.expected);
        assert_eq!(forward.map_err(told), Err((offset, expected)), "{text}");
        assert_eq!(reverse.map_err(told), Err((offset, expected)), "{text}");
    }
}

#[test]
fn domains_in_both_forms_are_one() {
    let domain = |text: &'static str| Domain::parse(text, Grammar::default()).unwrap();
    let name = domain("b\u{fc}cher.example");
    for same in ["xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE", "BU\u{308}CHER.Example"] {
        assert_eq!(domain(same), name);
        assert_eq!(name, domain(same));
        assert_eq!(domain(same).name().unwrap().as_ascii(), "xn--bcher-kva.example");
        assert_eq!(domain(same).name().unwrap().to_unicode(), "b\u{fc}cher.example");
    }
    for other in ["bucher.example", "xn--bcher-kva.org", "xn--a", "b\u{fc}cher.xn--a", "x"] {
        assert_ne!(domain(other), name);
        assert_eq!(domain(other), domain(other));
    }
    // No A-label, but what the grammar of RFC 5321 §4.1.2 has; and one name in both cases still.
    assert!(domain("xn--a").name().is_err());
    assert_eq!(domain("xn--a"), domain("XN--A"));
    // How it was spelled is kept.
    assert_eq!(domain("BU\u{308}CHER.Example").to_string(), "BU\u{308}CHER.Example");
}

#[test]
fn pedantic_takes_u_labels_as_they_must_be() {
    let grammar = Grammar { strictness: Strictness::Pedantic, ..Grammar::default() };
    for (text, right) in [
        ("b\u{fc}cher.Example", true),
        ("bu\u{308}cher.example", false),
        ("B\u{dc}CHER.example", false),
        ("xn--bcher-kva.example", true),
        ("xn--a.example", true),
        ("ｅxample.org", false),
    ] {
        assert!(Domain::parse(text, Grammar::default()).is_ok());
        assert_eq!(Domain::parse(text, grammar).is_ok(), right, "{text}");
    }
}

#[test]
fn pedantic_takes_no_odd_dots_or_underscores() {
    let grammar = Grammar { strictness: Strictness::Pedantic, ..Grammar::default() };
    for text in ["a..b@x", ".a@x", "a.@x", "a@x_y"] {
        assert!(mailbox(text).is_ok(), "{text}");
        assert!(Mailbox::parse(text, grammar).is_err(), "{text}");
    }
    assert!(Mailbox::parse("a.b@x-y", grammar).is_ok());
}

#[test]
fn lengths_at_the_limit_and_one_past_it() {
    let label = "x".repeat(63);
    let long = format!("{label}.{label}.{label}.{label}");
    assert_eq!(long.len(), 255);
    for (localpart, domain, fits) in [
        ("a".repeat(128), "x".into(), true),
        ("a".repeat(129), "x".into(), false),
        (format!("\"{}\"", "\\a".repeat(128)), "x".into(), true),
        (format!("\"{}\"", "\\a".repeat(129)), "x".into(), false),
        ("a".into(), label.clone(), true),
        ("a".into(), format!("{label}x"), false),
        ("a".into(), long.clone(), true),
        ("a".into(), format!("{}.y", long.get(..254).unwrap()), false),
    ] {
        assert_eq!(mailbox(&format!("{localpart}@{domain}")).is_ok(), fits, "{localpart} {domain}");
    }
}

#[test]
fn paths() {
    let grammar = Grammar::default();
    let forward = |text| whole(text, |cursor| ForwardPath::read(cursor, grammar));
    let reverse = |text| whole(text, |cursor| ReversePath::read(cursor, grammar));
    assert_eq!(reverse("<>"), Ok(ReversePath::Null));
    assert!(reverse("<postmaster>").is_err());
    assert!(forward("<>").is_err());
    for text in ["<postmaster>", "<PostMaster>", "<\"postmaster\">", "<@a:postmaster>"] {
        assert_eq!(forward(text), Ok(ForwardPath::Postmaster));
    }
    assert_eq!(forward("<Postmaster@x>").unwrap().to_string(), "<Postmaster@x>");
    assert_eq!(forward("<@a.example,@b:ann@x>").unwrap().to_string(), "<ann@x>");
    assert_eq!(reverse("<@a:ann@x>").unwrap().to_string(), "<ann@x>");
    for text in ["<@a>", "<@a,ann@x>", "<@:ann@x>", "<ann@x", "ann@x", "<ann>", "<<ann@x>>"] {
        assert!(forward(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn what_was_parsed_is_printed_as_the_same(text in "[a\"\\\\ .@\u{e9}x-]{0,12}@[a.x-]{1,6}") {
        if let Ok(parsed) = mailbox(&text) {
            let printed = parsed.to_string();
            prop_assert_eq!(mailbox(&printed), Ok(parsed));
        }
    }

    #[test]
    fn both_forms_of_a_domain_are_equal(text in "[a-zA-Zäöüß例え.-]{1,12}|(xn--[a-z0-9-]{1,9}\\.){1,2}x") {
        let Ok(domain) = Domain::parse(&text, Grammar::default()) else { return Ok(()) };
        prop_assert_eq!(&domain, &domain);
        let Ok(name) = domain.name() else { return Ok(()) };
        for form in [name.as_ascii(), &name.to_unicode()] {
            prop_assert_eq!(&Domain::parse(form, Grammar::default()).unwrap(), &domain);
        }
    }

    #[test]
    fn nothing_panics(text in any::<String>()) {
        let _ = mailbox(&text);
    }
}
