use super::super::config::Strictness;
use super::*;
use proptest::prelude::*;

fn parse(line: &str) -> Result<Command<'_>, Fault> {
    Command::parse(line.as_bytes(), Grammar::default())
}

#[test]
fn commands_are_printed_as_they_were_parsed() {
    for line in [
        "EHLO client.example",
        "HELO [192.0.2.1]",
        "EHLO anything at all",
        "MAIL FROM:<ann@client.example>",
        "MAIL FROM:<>",
        "MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME SMTPUTF8 AUTH=e+3Dmc2@example.com",
        "MAIL FROM:<a@b> BODY=7BIT AUTH=<>",
        "RCPT TO:<\"a b\"@c>",
        "RCPT TO:<postmaster>",
        "DATA",
        "RSET",
        "NOOP",
        "VRFY ann",
        "EXPN list",
        "HELP",
        "QUIT",
        "STARTTLS",
        "AUTH PLAIN",
        "AUTH PLAIN =",
        "AUTH PLAIN AGEAYg==",
    ] {
        assert_eq!(parse(line).map(|command| command.to_string()), Ok(line.into()));
        let verb = parse(line).unwrap().verb();
        assert_eq!(Verb::of(line.to_lowercase().as_bytes()), Some(verb));
    }
}

#[test]
fn other_spellings() {
    for (line, plain) in [
        (
            "mail from:<a@b> size=7 body=8bitmime smtputf8",
            "MAIL FROM:<a@b> SIZE=7 BODY=8BITMIME SMTPUTF8",
        ),
        ("MAIL FROM: <a@b>", "MAIL FROM:<a@b>"),
        ("MAIL  FROM:<a@b>  SIZE=7 ", "MAIL FROM:<a@b> SIZE=7"),
        ("RCPT TO: <@x,@y:a@b> ", "RCPT TO:<a@b>"),
        ("MAIL FROM:<a@b> SIZE=99999999999999999999", "MAIL FROM:<a@b> SIZE=18446744073709551615"),
        ("MAIL FROM:<a@b> AUTH=+3C+3E", "MAIL FROM:<a@b> AUTH=<>"),
        ("NOOP whatever", "NOOP"),
        ("HELP me", "HELP"),
        ("DATA \t", "DATA"),
        ("EHLO  a.b  ", "EHLO a.b"),
        ("auth plain", "AUTH plain"),
    ] {
        assert_eq!(parse(line).map(|command| command.to_string()), Ok(plain.into()), "{line}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (line, code, text) in [
        ("", 500, "command not known"),
        ("XYZZY", 500, "command not known"),
        ("EHLOX a", 500, "command not known"),
        ("NOOP \0", 500, "at byte 5: a control character"),
        ("NO\rOP", 500, "at byte 2: a control character"),
        ("EHLO", 501, "at the end: expected a host name"),
        ("HELO  ", 501, "at the end: expected a host name"),
        ("VRFY", 501, "at the end: expected a user or mailbox name"),
        ("MAIL", 501, "at the end: expected `FROM:`"),
        ("MAIL TO:<a@b>", 501, "at `T`: expected `FROM:`"),
        ("MAIL FROM:", 501, "at the end: expected `<`"),
        ("MAIL FROM:a@b", 501, "at `a`: expected `<`"),
        ("MAIL FROM:<a@<", 501, "at `<`: expected a domain"),
        ("MAIL FROM:<a@b", 501, "at the end: expected `>`"),
        ("MAIL FROM:<a@b>x", 501, "at `x`: expected a space or the end"),
        ("MAIL FROM:<a@b> =", 501, "at `=`: expected a parameter"),
        ("MAIL FROM:<a@b> SIZE", 501, "at the end: expected a number of bytes"),
        ("MAIL FROM:<a@b> SIZE=", 501, "at the end: expected a value"),
        ("MAIL FROM:<a@b> SIZE=x", 501, "at `x`: expected a number of bytes"),
        ("MAIL FROM:<a@b> SIZE=-1", 501, "at `-`: expected a number of bytes"),
        ("MAIL FROM:<a@b> SIZE=111111111111111111111", 501, "at `1`: expected a number of bytes"),
        ("MAIL FROM:<a@b> BODY=BINARYMIME", 501, "at `B`: expected 7BIT or 8BITMIME"),
        ("MAIL FROM:<a@b> SMTPUTF8=1", 501, "at `1`: expected no value"),
        ("MAIL FROM:<a@b> AUTH=a", 501, "at `a`: expected an address in xtext, or <>"),
        ("MAIL FROM:<a@b> AUTH=a+4@b", 501, "at `a`: expected an address in xtext, or <>"),
        ("MAIL FROM:<a@b> AUTH=a+3d@b", 501, "at `a`: expected an address in xtext, or <>"),
        ("MAIL FROM:<a@b> SIZE=1 SIZE=1", 501, "at byte 23: parameter given before"),
        ("MAIL FROM:<a@b> X-NEW=1", 555, "at byte 16: parameter not offered"),
        ("RCPT TO:<>", 501, "at `>`: expected a local part"),
        ("RCPT TO:<a@b> NOTIFY=NEVER", 555, "at byte 14: parameter not offered"),
        ("DATA now", 501, "at `n`: expected the end: this command has no argument"),
        ("AUTH", 501, "at the end: expected a mechanism"),
        ("AUTH PLAIN a b", 501, "at `b`: expected the end"),
    ] {
        let reply = parse(line).unwrap_err().reply();
        assert_eq!((reply.code().number(), reply.text()), (code, text), "{line}");
    }
    let latin1 = Command::parse(b"MAIL FROM:<j\xf6rg@x>", Grammar::default());
    assert_eq!(latin1, Err(Fault::NotUtf8(12)));
}

#[test]
fn pedantic_takes_no_space_before_a_path() {
    let grammar = Grammar { strictness: Strictness::Pedantic, ..Grammar::default() };
    for line in ["MAIL FROM: <a@b>", "RCPT TO: <a@b>"] {
        let fault = Command::parse(line.as_bytes(), grammar).unwrap_err();
        assert!(fault.to_string().ends_with("expected `<`"), "{fault}");
    }
}

#[test]
fn debug_hides_what_may_be_a_password() {
    let line = format!("{:?}", parse("AUTH PLAIN c2VjcmV0").unwrap());
    assert!(!line.contains("c2VjcmV0"), "{line}");
}

proptest! {
    #[test]
    fn nothing_panics(
        verb in prop::sample::select(vec!["", "MAIL FROM:<", "RCPT TO:<", "AUTH ", "MAIL FROM:<> "]),
        rest in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let _ = Command::parse(&[verb.as_bytes(), &rest].concat(), Grammar::default());
    }

    #[test]
    fn printed_and_parsed_again_is_the_same(rest in "[<>a@b.\" =\\\\+SIZEAUTH0-9]{0,30}") {
        let line = format!("MAIL FROM:<{rest}");
        if let Ok(command) = parse(&line) {
            let printed = command.to_string();
            prop_assert_eq!(parse(&printed), Ok(command));
        }
    }
}
