//! A client that is gone in the middle: nothing is left behind, and who watches is told.

use std::sync::Arc;

use pillarbox_core::effect::{FileWork, Handle, Topic};
use pillarbox_core::smtp::config::{Capabilities, Strictness};
use pillarbox_core::smtp::limits::Limits;
use pillarbox_core::{EffectId, Inbox, Random};
use pillarbox_store::{AccountId, Delivered, Found, MailboxId, Write, Written};

use super::*;
use crate::job::Answer;

struct Sevens;

impl Random for Sevens {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

const HANDLE: Handle = Handle([7; 16]);

struct Rig {
    session: SmtpSession,
    inbox: Inbox,
    outbox: Outbox,
    effects: Vec<(EffectId, Effect<Job>)>,
    want: Want,
}

impl Rig {
    /// A session with one recipient accepted and DATA under way.
    fn in_body() -> Self {
        let config = Config::new(
            "localhost",
            Limits::default(),
            Capabilities::default(),
            Strictness::Lenient,
        );
        let door = Door {
            smtp: Arc::new(config.unwrap()),
            submission: false,
            any_sender: true,
            head: HeadLimits::default(),
        };
        let context = Arc::new(Context::new("localhost".into(), 1, || Box::new(Sevens)));
        let id = context.next_id();
        let peer = "127.0.0.1".parse().unwrap();
        let mut rig = Self {
            session: SmtpSession::new(context, Arc::new(door), peer, id, false),
            inbox: Inbox::new(1 << 20),
            outbox: Outbox::new(1 << 16),
            effects: Vec::new(),
            want: Want::READ,
        };
        rig.step(Input::Start);
        rig.say(b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@localhost>\r\nDATA\r\n");
        let (id, _) = rig.effects.remove(0);
        rig.step(Input::Done(
            id,
            Completion::Answer(Ok(Answer::Found(Ok(Found::Account(AccountId(1)))))),
        ));
        assert!(String::from_utf8_lossy(rig.outbox.unsent()).contains("\r\n354 "));
        rig
    }

    fn step(&mut self, input: Input<Completion<Job>>) {
        let mut io =
            Io { inbox: &mut self.inbox, outbox: &mut self.outbox, effects: &mut self.effects };
        self.want = self.session.step(Now::default(), input, &mut io);
    }

    fn say(&mut self, bytes: &[u8]) {
        self.inbox.extend(bytes);
        self.step(Input::Bytes);
    }

    fn effects(&mut self) -> Vec<(EffectId, Effect<Job>)> {
        std::mem::take(&mut self.effects)
    }
}

#[test]
fn the_file_of_a_body_that_stops_coming_is_removed() {
    let mut rig = Rig::in_body();
    rig.say(b"Subject: x\r\n\r\n");
    rig.say(&[b'x'; 300 << 10]);
    let effects = rig.effects();
    let [(id, Effect::File(HANDLE, FileWork::Append(_)))] = &effects[..] else {
        panic!("{effects:?}")
    };
    rig.step(Input::Gone);
    assert!(!rig.want.done, "the piece is still on its way to the file");
    assert_eq!(rig.want.stream, Stream::Abort);
    rig.step(Input::Done(*id, Completion::File(Ok(Vec::new()))));
    let effects = rig.effects();
    assert!(matches!(&effects[..], [(_, Effect::File(HANDLE, FileWork::Remove))]), "{effects:?}");
    assert!(rig.want.done);
}

#[test]
fn a_whole_letter_is_told_to_watchers_though_its_client_is_gone() {
    let mut rig = Rig::in_body();
    rig.say(b"Subject: x\r\n\r\nx\r\n.\r\n");
    let effects = rig.effects();
    let [(id, Effect::Job(Job::Write(Write::Deliver { .. })))] = &effects[..] else {
        panic!("{effects:?}")
    };
    rig.step(Input::Gone);
    assert!(!rig.want.done);
    let delivered = Written::Delivered(vec![Delivered { mailbox: MailboxId(9), uid: 1 }]);
    rig.step(Input::Done(*id, Completion::Answer(Ok(Answer::Written(Ok(delivered))))));
    let effects = rig.effects();
    assert!(matches!(&effects[..], [(_, Effect::Notify(Topic(9)))]), "{effects:?}");
    assert!(rig.want.done);
    assert!(rig.outbox.is_empty(), "there is nobody to answer");
}

#[test]
fn a_question_for_the_client_alone_is_forgotten_with_it() {
    let mut rig = Rig::in_body();
    rig.say(b"x\r\n.\r\n");
    let effects = rig.effects();
    rig.step(Input::Done(
        effects[0].0,
        Completion::Answer(Ok(Answer::Written(Ok(Written::Delivered(Vec::new()))))),
    ));
    rig.say(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@localhost>\r\n");
    assert_eq!(rig.effects().len(), 1);
    rig.step(Input::Gone);
    assert!(rig.want.done);
}
