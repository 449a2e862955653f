//! A client that takes its time: it is sent away, but only for what it takes itself.

use super::*;

const TOO_SLOW: &str = "421 4.4.2 the message comes too slowly (1)\r\n";

#[test]
fn a_command_that_drips_is_not_waited_for() {
    for text in [&b"NOOP xxxxxxxxxxxxxxx"[..], &[b'x'; 5_000]] {
        let mut rig = Rig::new(&context(&Allowances::default()), false, "192.0.2.1");
        rig.wait(299);
        for piece in text.chunks(text.len().div_ceil(20)) {
            rig.say(piece);
            rig.wait(15);
        }
        let said = rig.said();
        assert!(
            said.ends_with(
                "\r\n421 4.4.2 the command has not come to its end for too long (1)\r\n"
            ),
            "{said}"
        );
        assert_eq!(rig.want, Want::END);
    }
}

#[test]
fn the_rest_of_a_command_has_as_long_as_its_beginning() {
    let mut rig = Rig::new(&context(&Allowances::default()), false, "192.0.2.1");
    rig.wait(299);
    rig.say(b"N");
    rig.wait(299);
    rig.say(b"OOP\r\n");
    assert!(rig.said().ends_with("\r\n250 2.0.0 ok\r\n"));
    assert_eq!(rig.deadline(), Some(300));
    rig.wait(300);
    assert_eq!(rig.said(), "421 4.4.2 nothing came for too long (1)\r\n");
}

#[test]
fn a_body_that_drips_is_not_waited_for() {
    let mut rig = Rig::in_body();
    rig.said();
    rig.say(b"Subject: x\r\n\r\n");
    for _ in 0..60 {
        assert!(!rig.want.done);
        rig.wait(5);
        rig.say(b"x");
    }
    rig.wait(5);
    assert_eq!(rig.said(), TOO_SLOW);
    assert!(rig.want.done);
}

#[test]
fn a_body_that_keeps_up_is_waited_for() {
    let mut rig = Rig::in_body();
    rig.say(b"Subject: x\r\n\r\n");
    for minute in 0..120 {
        assert!(!rig.want.done, "after {minute} minutes");
        rig.say(&[b'x'; 30_000]);
        // A piece of it is being written: that is not the client's time.
        for (id, effect) in rig.effects() {
            assert!(matches!(effect, Effect::File(..)), "{effect:?}");
            rig.wait(1_000);
            assert_eq!(rig.deadline(), None);
            rig.step(Input::Done(id, Completion::File(Ok(Vec::new()))));
        }
        rig.wait(60);
    }
    assert!(rig.said().ends_with(TOO_SLOW), "two hours are the most");
    assert!(rig.want.done);
}

#[test]
fn small_chunks_win_no_time() {
    let mut rig = Rig::new(&context(&Allowances::default()), false, "127.0.0.1");
    rig.say(b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@localhost>\r\n");
    rig.answer_recipient();
    for _ in 0..5 {
        rig.say(b"BDAT 1\r\nxNOOP\r\n");
        let said = rig.said();
        assert!(said.contains("bytes so far"), "{said}");
        rig.wait(60);
    }
    assert_eq!(rig.said(), TOO_SLOW);
}

#[test]
fn a_chunk_that_is_refused_is_not_waited_for_either() {
    let mut rig = Rig::new(&context(&Allowances::default()), false, "127.0.0.1");
    rig.say(b"EHLO a\r\nBDAT 4000000000\r\n");
    rig.said();
    for _ in 0..5 {
        rig.say(b"x");
        rig.wait(60);
    }
    assert_eq!(rig.said(), TOO_SLOW);
}

#[test]
fn nobody_stays_for_ever() {
    let mut rig = Rig::new(&context(&Allowances::default()), false, "192.0.2.1");
    for _ in 0..6 * 60 - 1 {
        rig.wait(60);
        rig.say(b"NOOP\r\n");
    }
    assert!(rig.said().ends_with("\r\n250 2.0.0 ok\r\n"));
    assert_eq!(rig.deadline(), Some(60));
    rig.wait(60);
    assert_eq!(rig.said(), "421 4.4.2 this session has lasted for too long (1)\r\n");
}

#[test]
fn while_we_look_something_up_nobody_is_late() {
    let mut rig = Rig::new(&context(&Allowances::default()), false, "127.0.0.1");
    rig.say(b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@localhost>\r\n");
    assert_eq!(rig.deadline(), None);
    rig.wait(1_000);
    rig.answer_recipient();
    assert_eq!(rig.deadline(), Some(300));
}
