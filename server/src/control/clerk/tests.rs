//! A clerk among made-up lanes: every order of events by hand.

use std::sync::mpsc::{Receiver, channel};

use pillarbox_core::effect::{Hands as _, Job as _, Lane};
use pillarbox_core::{EffectId, Inbox, Moment, Outbox, UnixSeconds};
use pillarbox_store::{
    Additions, Flags, Found, Leaving, NewAccount, NewBody, Options, Place, Read, Recipient, Store,
    Sync, Write, Written,
};

use super::*;
use crate::control::wire;
use crate::job::Worker;

/// A clerk, its store, and the lanes between them.
struct Trial {
    _dir: tempfile::TempDir,
    clerk: BoxMachine<Job>,
    inlet: Arc<Inlet>,
    writer: Worker,
    reader: Worker,
    asked: VecDeque<(EffectId, Job)>,
    listening: Option<EffectId>,
    done: bool,
}

impl Trial {
    /// With the account `ann` and so many messages in its INBOX.
    fn new(messages: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { sync: Sync::Off, wal_size: 0, ..Options::default() };
        let store = Store::open(dir.path(), &options).unwrap();
        let mut writer = store.writer().unwrap();
        let now = UnixSeconds(1_790_000_000);
        let accounts = vec![NewAccount { name: "ann".into(), secrets: vec![] }];
        let additions = Additions { accounts, ..Additions::default() };
        writer.commit(vec![Write::Add { additions, now }]);
        let mut reader = store.reader().unwrap();
        let question = Read::Credentials { login: "ann".into() };
        let Ok(Found::Credentials(ann)) = reader.read(question) else { panic!() };
        let recipient = Recipient {
            account: ann.account,
            into: Place::Inbox,
            alias: None,
            prefix: vec![],
            flags: Flags::NONE,
        };
        let body = NewBody::Inline(b"x".to_vec());
        let recipients = vec![recipient; messages];
        let delivered = writer.commit(vec![Write::Deliver {
            recipients,
            body,
            leaving: Leaving::default(),
            received: now,
        }]);
        assert!(matches!(delivered[..], [Ok(Written::Delivered(_))]));
        let inlet = Arc::new(Inlet::default());
        let mut trial = Self {
            _dir: dir,
            clerk: Clerk::machine(Arc::clone(&inlet), Arc::default()),
            inlet,
            writer: Worker::Writer(writer, None),
            reader: Worker::Reader(Box::new(reader)),
            asked: VecDeque::new(),
            listening: None,
            done: false,
        };
        trial.step(Input::Start);
        trial
    }

    fn step(&mut self, input: Input<Completion<Job>>) {
        assert!(!self.done);
        let (mut inbox, mut outbox) = (Inbox::new(1), Outbox::new(1));
        let mut effects = Vec::new();
        let now = Now { moment: Moment::START, wall: UnixSeconds(1_790_000_000) };
        let mut io = Io { inbox: &mut inbox, outbox: &mut outbox, effects: &mut effects };
        self.done = self.clerk.step(now, input, &mut io).done;
        for (id, effect) in effects {
            match effect {
                Effect::Job(Job::Listen(_)) => self.listening = Some(id),
                Effect::Job(job) => self.asked.push_back((id, job)),
                _ => {}
            }
        }
    }

    /// Answers one question; false where all wait for a request.
    fn turn(&mut self) -> bool {
        let (id, answer) = if let Some((id, job)) = self.asked.pop_front() {
            let mut answers = Vec::new();
            let hands = if job.lane() == Lane::Write { &mut self.writer } else { &mut self.reader };
            hands.carry_out(vec![job], &mut answers);
            (id, answers.pop().unwrap())
        } else if !self.inlet.is_idle()
            && let Some(id) = self.listening.take()
        {
            (id, Answer::Heard(self.inlet.wait()))
        } else {
            return false;
        };
        self.step(Input::Done(id, Completion::Answer(Ok(answer))));
        true
    }

    fn settle(&mut self) {
        while !self.done && self.turn() {}
    }

    fn ask(&mut self, request: Request) -> Receiver<Reply> {
        let (replies, heard) = channel();
        self.inlet.lay(Asked { request, cargo: Ok(vec![]), replies });
        heard
    }
}

impl Inlet {
    fn is_idle(&self) -> bool {
        matches!(&*self.lock(), Queue::Open(waiting) if waiting.is_empty())
    }
}

fn remove() -> Request {
    Request::RemoveAccount { login: "ann".into() }
}

#[test]
fn requests_are_answered_until_the_stop() {
    let mut trial = Trial::new(600);
    trial.settle();
    let heard = trial.ask(Request::Domains { after: String::new() });
    let lost = trial.ask(Request::Account { login: "nobody".into() });
    trial.settle();
    let none = wire::Answer::Domains { domains: vec![], more: false };
    assert_eq!(heard.recv(), Ok(Reply::Ok(none)));
    assert!(matches!(lost.recv(), Ok(Reply::Error(_))));
    let heard = trial.ask(remove());
    trial.settle();
    let replies: Vec<_> = heard.iter().collect();
    let left = |messages_left| Reply::Progress { messages_left };
    assert_eq!(replies, [left(344), left(88), Reply::Ok(wire::Answer::Done)]);
    trial.step(Input::Stop);
    trial.settle();
    assert!(trial.done);
    // Whoever comes now hears that nobody is there.
    assert!(trial.ask(remove()).recv().is_err());
}

#[test]
fn a_stop_ends_a_removal_between_two_steps_and_the_next_clerk_goes_on() {
    let mut trial = Trial::new(600);
    trial.settle();
    let heard = trial.ask(remove());
    while heard.try_recv().is_err() {
        assert!(trial.turn());
    }
    trial.step(Input::Stop);
    trial.settle();
    assert!(trial.done);
    let Some(Reply::Error(why)) = heard.iter().last() else { panic!() };
    assert!(why.contains("next start"), "{why}");
    // The next start's clerk, on the same store.
    trial.inlet = Arc::default();
    trial.clerk = Clerk::machine(Arc::clone(&trial.inlet), Arc::default());
    trial.done = false;
    trial.step(Input::Start);
    trial.settle();
    let mut answers = Vec::new();
    trial.reader.carry_out(vec![Job::Read(Read::Counts)], &mut answers);
    let Some(Answer::Found(Ok(Found::Counts(counts)))) = answers.pop() else { panic!() };
    assert_eq!(counts, pillarbox_store::Counts::default());
}

#[test]
fn a_clerk_that_is_dropped_leaves_nobody_waiting() {
    let trial = Trial::new(1);
    let inlet = Arc::clone(&trial.inlet);
    let waiting = std::thread::spawn(move || inlet.wait().is_none());
    drop(trial);
    assert!(waiting.join().unwrap());
}
