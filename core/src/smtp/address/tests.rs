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
    fn nothing_panics(text in any::<String>()) {
        let _ = mailbox(&text);
    }
}
