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
        "LHLO client.example",
        "HELO [192.0.2.1]",
        "EHLO anything at all",
        "MAIL FROM:<ann@client.example>",
        "MAIL FROM:<>",
        "MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME SMTPUTF8 AUTH=e+3Dmc2@example.com",
        "MAIL FROM:<a@b> BODY=7BIT AUTH=<>",
        "RCPT TO:<\"a b\"@c>",
        "RCPT TO:<postmaster>",
        "MAIL FROM:<a@b> BODY=BINARYMIME REQUIRETLS RET=HDRS ENVID=a+20b+2Bc",
        "MAIL FROM:<> RET=FULL HOLDFOR=86400 BY=-30;NT MT-PRIORITY=-4",
        "MAIL FROM:<a@b> HOLDUNTIL=2026-11-24T13:34:00Z BY=120;R MT-PRIORITY=9",
        "RCPT TO:<a@b> NOTIFY=NEVER",
        "RCPT TO:<a@b> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@c",
        "RCPT TO:<a@b> ORCPT=utf-8;j\\x{F6}rg@c\\x{2B}",
        "DATA",
        "BDAT 0",
        "BDAT 1000000 LAST",
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
        (
            "MAIL FROM:<a@b> BY=+60;nt HOLDUNTIL=2026-11-24T15:34:00+02:00",
            "MAIL FROM:<a@b> HOLDUNTIL=2026-11-24T13:34:00Z BY=60;NT",
        ),
        ("RCPT TO:<a@b> notify=delay,success", "RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY"),
        ("RCPT TO:<a@b> ORCPT=utf-8;j\u{f6}rg@c", "RCPT TO:<a@b> ORCPT=utf-8;j\\x{F6}rg@c"),
        ("bdat  7  last ", "BDAT 7 LAST"),
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
        ("LHLO", 501, "at the end: expected a host name"),
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
        ("RCPT TO:<>", 501, "at `>`: expected a local part"),
        (
            "BDAT",
            501,
            "at the end: expected a number of bytes; what follows cannot be told from commands",
        ),
        (
            "BDAT x",
            501,
            "at `x`: expected a number of bytes; what follows cannot be told from commands",
        ),
        (
            "BDAT 18446744073709551616",
            501,
            "at `1`: expected a number of bytes; what follows cannot be told from commands",
        ),
        (
            "BDAT 5 FIRST",
            501,
            "at `F`: expected LAST or the end; what follows cannot be told from commands",
        ),
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
fn what_is_wrong_with_a_parameter_is_told_with_its_place() {
    for (line, code, text) in [
        ("MAIL FROM:<a@b> SIZE", 501, "at the end: expected a number of bytes"),
        ("MAIL FROM:<a@b> SIZE=", 501, "at the end: expected a value"),
        ("MAIL FROM:<a@b> SIZE=x", 501, "at `x`: expected a number of bytes"),
        ("MAIL FROM:<a@b> SIZE=-1", 501, "at `-`: expected a number of bytes"),
        ("MAIL FROM:<a@b> SIZE=111111111111111111111", 501, "at `1`: expected a number of bytes"),
        ("MAIL FROM:<a@b> BODY=9BIT", 501, "at `9`: expected 7BIT, 8BITMIME or BINARYMIME"),
        ("MAIL FROM:<a@b> REQUIRETLS=1", 501, "at `1`: expected no value"),
        ("MAIL FROM:<a@b> RET=NO", 501, "at `N`: expected FULL or HDRS"),
        (
            "MAIL FROM:<a@b> ENVID=+0D",
            501,
            "at `+`: expected at most 100 printable characters in xtext",
        ),
        ("MAIL FROM:<a@b> HOLDFOR=1234567890", 501, "at `1`: expected a number of seconds"),
        ("MAIL FROM:<a@b> HOLDFOR=+1", 501, "at `+`: expected a number of seconds"),
        (
            "MAIL FROM:<a@b> HOLDUNTIL=now",
            501,
            "at `n`: expected a time such as 2026-11-24T13:34:00Z",
        ),
        (
            "MAIL FROM:<a@b> HOLDFOR=1 HOLDUNTIL=2026-11-24T13:34:00Z",
            501,
            "at byte 26: parameter given before",
        ),
        (
            "MAIL FROM:<a@b> BY=0;R",
            501,
            "at `0`: expected seconds and a mode such as 3600;N, more than 0 with R",
        ),
        (
            "MAIL FROM:<a@b> BY=60",
            501,
            "at `6`: expected seconds and a mode such as 3600;N, more than 0 with R",
        ),
        ("MAIL FROM:<a@b> MT-PRIORITY=10", 501, "at `1`: expected -9 to 9"),
        ("MAIL FROM:<a@b> MT-PRIORITY=+1", 501, "at `+`: expected -9 to 9"),
        ("MAIL FROM:<a@b> NOTIFY=NEVER", 555, "at byte 16: parameter not offered"),
        ("MAIL FROM:<a@b> SMTPUTF8=1", 501, "at `1`: expected no value"),
        ("MAIL FROM:<a@b> AUTH=a", 501, "at `a`: expected an address in xtext, or <>"),
        ("MAIL FROM:<a@b> AUTH=a+4@b", 501, "at `a`: expected an address in xtext, or <>"),
        ("MAIL FROM:<a@b> AUTH=a+3d@b", 501, "at `a`: expected an address in xtext, or <>"),
        ("MAIL FROM:<a@b> SIZE=1 SIZE=1", 501, "at byte 23: parameter given before"),
        ("MAIL FROM:<a@b> X-NEW=1", 555, "at byte 16: parameter not offered"),
        ("RCPT TO:<a@b> SIZE=1", 555, "at byte 14: parameter not offered"),
        (
            "RCPT TO:<a@b> NOTIFY=NEVER,DELAY",
            501,
            "at `N`: expected NEVER, or some of SUCCESS,FAILURE,DELAY",
        ),
        (
            "RCPT TO:<a@b> NOTIFY=DELAY,DELAY",
            501,
            "at `D`: expected NEVER, or some of SUCCESS,FAILURE,DELAY",
        ),
        (
            "RCPT TO:<a@b> ORCPT=a@b",
            501,
            "at `a`: expected an address type, a semicolon and an address in xtext",
        ),
        (
            "RCPT TO:<a@b> ORCPT=utf-8;a\\x{D800}",
            501,
            "at `u`: expected an address type, a semicolon and an address in xtext",
        ),
    ] {
        let reply = parse(line).unwrap_err().reply();
        assert_eq!((reply.code().number(), reply.text()), (code, text), "{line}");
    }
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

    /// Each limit of a parameter's length, at it and one past it.
    #[test]
    fn lengths_of_parameters(more in 0..2_usize) {
        let envid = format!("MAIL FROM:<a@b> ENVID={}", "x".repeat(100 + more));
        prop_assert_eq!(parse(&envid).is_ok(), more == 0);
        let orcpt = format!("RCPT TO:<a@b> ORCPT=rfc822;{}", "x".repeat(493 + more));
        prop_assert_eq!(parse(&orcpt).is_ok(), more == 0);
    }

    #[test]
    fn parameters_printed_and_parsed_again_are_the_same(
        verb in prop::sample::select(vec!["MAIL FROM:<a@b>", "RCPT TO:<a@b>"]),
        parameters in prop::collection::vec(
            "(ENVID|ORCPT|NOTIFY|BY|HOLDFOR|HOLDUNTIL|RET|MT-PRIORITY|AUTH)=[A-Za-z0-9;+{}@,.:-]{0,12}", 0..4),
    ) {
        let line = format!("{verb} {}", parameters.join(" "));
        if let Ok(command) = parse(&line) {
            let printed = command.to_string();
            prop_assert_eq!(parse(&printed), Ok(command));
        }
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
