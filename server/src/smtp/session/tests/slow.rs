//! A client that makes one mistake after the other gets its answers late; nobody else does.

use super::*;

const UNKNOWN: &str = "500 5.5.1 command not known (1)\r\n";

fn stranger() -> Rig {
    let mut rig = Rig::new(&context(&Allowances::default()), false, "192.0.2.1");
    rig.say(b"EHLO a\r\n");
    rig.said();
    rig
}

/// What is held back while the outbox is not above its mark.
fn held(rig: &Rig) -> bool {
    rig.want.hold && rig.outbox.below_mark()
}

#[test]
fn the_sixth_mistake_is_answered_late_and_the_next_later() {
    let mut rig = stranger();
    for delay in [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 20, 20] {
        rig.say(b"FOO\r\n");
        assert_eq!(
            (held(&rig), rig.deadline()),
            if delay == 0 { (false, Some(300)) } else { (true, Some(delay)) }
        );
        rig.wait(delay);
        assert!(!held(&rig));
        assert_eq!((rig.said().as_str(), rig.deadline()), (UNKNOWN, Some(300)));
    }
    // What is no mistake is answered at once.
    rig.say(b"NOOP\r\n");
    assert!(!held(&rig));
    assert_eq!(rig.said(), "250 2.0.0 ok\r\n");
}

#[test]
fn a_whole_group_waits_no_longer_than_25_seconds() {
    let mut rig = stranger();
    rig.say(&b"FOO\r\n".repeat(20));
    let mut waited = 0;
    while held(&rig) {
        let delay = rig.deadline().unwrap();
        rig.wait(delay);
        waited += delay;
    }
    assert_eq!(waited, 25);
    assert_eq!(rig.said(), UNKNOWN.repeat(20));
    rig.say(b"FOO\r\n");
    assert_eq!(rig.deadline(), Some(20), "the last word is late, too");
    rig.wait(20);
    assert!(rig.want.done && rig.said().contains("421 4.7.0 too many commands"));
}

#[test]
fn what_comes_meanwhile_waits() {
    let mut rig = stranger();
    rig.say(&b"FOO\r\n".repeat(5));
    rig.say(b"FOO\r\n");
    rig.said();
    rig.say(b"NOOP\r\n");
    assert!(held(&rig) && rig.said().is_empty());
    rig.wait(1);
    assert_eq!(rig.said(), "250 2.0.0 ok\r\n");
}

#[test]
fn nobody_waits_at_the_end() {
    for end in [Input::Eof, Input::Stop] {
        let mut rig = stranger();
        rig.say(&b"FOO\r\n".repeat(10));
        assert!(held(&rig));
        rig.step(end);
        assert_eq!(rig.want, Want::END);
        assert!(rig.said().starts_with(&UNKNOWN.repeat(10)));
    }
    let mut rig = stranger();
    rig.say(&b"FOO\r\n".repeat(10));
    rig.step(Input::Gone);
    assert_eq!(rig.want, Want::ABORT);
}

#[test]
fn recipients_that_are_nobodys_are_mistakes_and_a_message_makes_up_for_them() {
    let mut rig = stranger();
    rig.say(b"MAIL FROM:<a@b>\r\n");
    for number in 1..=7 {
        rig.say(b"RCPT TO:<x@localhost>\r\n");
        let (id, _) = rig.effects.remove(0);
        let nobody = Answer::Found(Err(pillarbox_store::StoreError::NoSuchAddress));
        rig.step(Input::Done(id, Completion::Answer(Ok(nobody))));
        assert_eq!(held(&rig), number > 5, "{number}");
        rig.wait(2);
        assert!(rig.said().contains("550 5.1.1"));
    }
    rig.say(b"RCPT TO:<c@localhost>\r\n");
    rig.answer_recipient();
    assert!(!held(&rig));
    rig.say(b"DATA\r\n\r\nx\r\n.\r\n");
    let (id, _) = rig.effects.remove(0);
    let delivered = Written::Delivered(Vec::new());
    rig.step(Input::Done(id, Completion::Answer(Ok(Answer::Written(Ok(delivered))))));
    assert!(rig.said().ends_with("250 2.0.0 message accepted\r\n"));
    rig.say(b"FOO\r\n");
    assert!(!held(&rig));
}

#[test]
fn failed_logins_and_refused_rates_are_mistakes() {
    let context = context(&Allowances {
        failed_logins: [0, 0, 0],
        messages: [0, 0, 0],
        ..Allowances::default()
    });
    for (submission, command) in
        [(true, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"), (false, "MAIL FROM:<a@b>\r\n")]
    {
        let mut rig = Rig::new(&context, submission, "192.0.2.1");
        rig.say(b"EHLO a\r\n");
        for number in 1..=7 {
            rig.say(command.as_bytes());
            assert_eq!(held(&rig), number > 5, "{number}");
            rig.wait(2);
        }
    }
}

#[test]
fn whom_we_trust_never_waits() {
    let exempt = vec!["192.0.2.0/24".parse().unwrap()];
    let context = context(&Allowances { exempt, ..Allowances::default() });
    for peer in ["127.0.0.1", "192.0.2.1"] {
        let mut rig = Rig::new(&context, false, peer);
        rig.say(b"EHLO a\r\n");
        for _ in 0..20 {
            rig.say(b"FOO\r\n");
            assert!(!held(&rig));
        }
    }
}
