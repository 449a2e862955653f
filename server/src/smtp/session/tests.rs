//! What comes from one network; and a client that is gone in the middle: nothing is left behind,
//! and who watches is told.

use std::sync::Arc;

use pillarbox_core::effect::{FileWork, Handle, Topic};
use pillarbox_core::smtp::config::{Capabilities, Strictness};
use pillarbox_core::smtp::limits::Limits;
use pillarbox_core::{EffectId, Inbox, Random};
use pillarbox_store::{AccountId, Addressee, Delivered, Found, Holder, MailboxId, Write, Written};

use super::*;
use crate::job::Answer;
use crate::rates::Allowances;

mod accounts;
mod checked;
mod remembered;
mod slow;
mod times;

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
    now: Now,
}

impl Rig {
    /// A session that has been begun.
    fn new(context: &Arc<Context>, submission: bool, peer: &str) -> Self {
        let capabilities = Capabilities { auth: vec!["PLAIN".into()], ..Capabilities::default() };
        let config =
            Config::new("localhost", Limits::default(), capabilities, Strictness::Lenient).unwrap();
        let door = Door {
            smtp: Arc::new(config),
            submission,
            delivery: Delivery::default(),
            any_sender: true,
            checks: None,
            queue: None,
            head: HeadLimits::default(),
            times: TimeLimits::default(),
            parts_max: 1_000,
        };
        let (id, peer, context) = (context.next_id(), peer.parse().unwrap(), Arc::clone(context));
        let mut rig = Self {
            session: SmtpSession::new(context, Arc::new(door), peer, id, false),
            inbox: Inbox::new(1 << 20),
            outbox: Outbox::new(1 << 16),
            effects: Vec::new(),
            want: Want::READ,
            now: Now::default(),
        };
        rig.step(Input::Start);
        rig
    }

    /// A session with one recipient accepted and DATA under way.
    fn in_body() -> Self {
        let mut rig = Self::new(&context(&Allowances::default()), false, "127.0.0.1");
        rig.say(b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@localhost>\r\nDATA\r\n");
        rig.answer_recipient();
        assert!(String::from_utf8_lossy(rig.outbox.unsent()).contains("\r\n354 "));
        rig
    }

    fn step(&mut self, input: Input<Completion<Job>>) {
        let mut io =
            Io { inbox: &mut self.inbox, outbox: &mut self.outbox, effects: &mut self.effects };
        self.want = self.session.step(self.now, input, &mut io);
    }

    /// Whoever is asked for has an account.
    fn answer_recipient(&mut self) {
        let (id, _) = self.effects.remove(0);
        let ann = Holder { account: AccountId(1), disabled: false, room: None };
        let found = Found::Addressee(Addressee::Account(ann), None);
        self.step(Input::Done(id, Completion::Answer(Ok(Answer::Found(Ok(found))))));
    }

    /// So much later; the runtime tells of the deadline, if it has passed.
    fn wait(&mut self, seconds: u64) {
        self.now.moment = self.now.moment + Duration::from_secs(seconds);
        if self.want.deadline.is_some_and(|deadline| deadline <= self.now.moment) {
            self.step(Input::Timer);
        }
    }

    /// In how many seconds the deadline is.
    fn deadline(&self) -> Option<u64> {
        self.want.deadline.map(|deadline| deadline.since(self.now.moment).as_secs())
    }

    fn say(&mut self, bytes: &[u8]) {
        self.inbox.extend(bytes);
        self.step(Input::Bytes);
    }

    /// What the server has said since it was last asked.
    fn said(&mut self) -> String {
        let said = String::from_utf8(self.outbox.unsent().to_vec()).unwrap();
        self.outbox.clear();
        said
    }

    fn effects(&mut self) -> Vec<(EffectId, Effect<Job>)> {
        std::mem::take(&mut self.effects)
    }
}

fn context(allowances: &Allowances) -> Arc<Context> {
    Arc::new(Context::new("localhost".into(), 1, allowances, [7; 32], || Box::new(Sevens)))
}

#[test]
fn one_connection_too_many_from_a_network_is_refused() {
    let context = context(&Allowances { connections: [1, 2, 9], ..Allowances::default() });
    for (peer, code) in [
        ("192.0.2.1", "220"),
        ("192.0.2.1", "421 4.7.0 too many connections from 192.0.2.1/32, try again in 61 seconds"),
        ("192.0.2.2", "220"),
        ("192.0.2.3", "421 4.7.0 too many connections from 192.0.2.0/26, try again in 31 seconds"),
        ("127.0.0.1", "220"),
        ("127.0.0.1", "220"),
    ] {
        let mut rig = Rig::new(&context, false, peer);
        let said = rig.said();
        assert!(said.starts_with(code), "{said}");
        assert_eq!(rig.want.done, code.starts_with("421"));
    }
    assert_eq!(context.counters.rate_refusals.value(), 2);
}

#[test]
fn one_message_too_many_is_put_off_and_the_session_goes_on() {
    let context = context(&Allowances { messages: [1, 9, 9], ..Allowances::default() });
    let mut rig = Rig::new(&context, false, "192.0.2.1");
    rig.say(b"HELO a\r\nMAIL FROM:<a@b>\r\nRSET\r\n");
    assert!(rig.said().contains("250 2.1.0"));
    rig.say(b"MAIL FROM:<a@b>\r\nNOOP\r\n");
    let said = rig.said();
    assert!(said.starts_with("450 4.7.1 too much mail from 192.0.2.1/32, try again"), "{said}");
    assert!(said.ends_with("\r\n250 2.0.0 ok\r\n"), "{said}");
}

#[test]
fn declared_bytes_count_and_those_that_come_do_too() {
    let context = context(&Allowances { megabytes: [1, 9, 9], ..Allowances::default() });
    let mut rig = Rig::new(&context, false, "192.0.2.1");
    rig.say(b"HELO a\r\nMAIL FROM:<a@b> SIZE=1048577\r\n");
    assert!(rig.said().contains("\r\n450 4.7.1 too much mail"));
    rig.say(b"MAIL FROM:<a@b> SIZE=1048576\r\n");
    assert!(rig.said().starts_with("250"));
}

#[test]
fn after_too_many_failed_logins_no_password_is_looked_at() {
    let context = context(&Allowances { failed_logins: [1, 9, 9], ..Allowances::default() });
    let mut rig = Rig::new(&context, true, "192.0.2.1");
    rig.say(b"EHLO a\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
    let (id, _) = rig.effects().remove(0);
    let nobody = Answer::Found(Err(pillarbox_store::StoreError::NoSuchAccount));
    rig.step(Input::Done(id, Completion::Answer(Ok(nobody))));
    let (id, _) = rig.effects().remove(0);
    rig.step(Input::Done(id, Completion::Answer(Ok(Answer::Checked(false)))));
    assert!(rig.said().ends_with("account (1)\r\n"));
    rig.say(b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
    let said = rig.said();
    assert!(said.starts_with("454 4.7.0 too many failed logins from 192.0.2.1/32"), "{said}");
    assert!(rig.effects().is_empty());
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
fn the_file_of_a_body_that_is_refused_late_is_removed() {
    let mut rig = Rig::in_body();
    rig.say(b"Subject: x\r\n\r\n");
    rig.say(&[b'x'; 300 << 10]);
    let effects = rig.effects();
    let [(id, Effect::File(HANDLE, FileWork::Append(_)))] = &effects[..] else {
        panic!("{effects:?}")
    };
    rig.step(Input::Done(*id, Completion::File(Ok(Vec::new()))));
    rig.said();
    rig.say(b"\0");
    rig.say(&[b'x'; 300 << 10]);
    assert!(rig.effects().is_empty(), "nothing more is written");
    rig.say(b"\r\n.\r\n");
    let said = rig.said();
    assert!(said.starts_with("554 5.6.0 a NUL at byte 307214 of the message"), "{said}");
    let effects = rig.effects();
    assert!(matches!(&effects[..], [(_, Effect::File(HANDLE, FileWork::Remove))]), "{effects:?}");
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
