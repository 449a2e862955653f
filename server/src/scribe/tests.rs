use pillarbox_core::{EffectId, Inbox, Outbox};
use pillarbox_store::{AccountId, Written};

use super::*;
use crate::job::Answer;
use crate::login::Way;

struct Trial {
    scribe: BoxMachine<Job>,
    attempts: Arc<Attempts>,
    watch: Option<EffectId>,
    writing: Option<(EffectId, usize)>,
    want: Want,
}

impl Trial {
    /// A scribe that has looked after old ones at its start.
    fn new() -> Self {
        let attempts: Arc<Attempts> = Arc::default();
        let scribe = Scribe::machine(Arc::clone(&attempts), Arc::default());
        let mut trial = Self { scribe, attempts, watch: None, writing: None, want: Want::READ };
        trial.step(0, Input::Start);
        assert_eq!(trial.written(0), 0);
        trial
    }

    fn step(&mut self, at: u64, input: Input<Completion<Job>>) {
        let (mut inbox, mut outbox, mut effects) = (Inbox::new(1), Outbox::new(1), Vec::new());
        let moment = Moment::after_start(Duration::from_secs(at));
        let now = Now { moment, wall: UnixSeconds(1_790_000_000) };
        let mut io = Io { inbox: &mut inbox, outbox: &mut outbox, effects: &mut effects };
        self.want = self.scribe.step(now, input, &mut io);
        for (id, effect) in effects {
            match effect {
                Effect::Watch(TOPIC) => self.watch = Some(id),
                Effect::Job(Job::Write(Write::Note { attempts, .. })) => {
                    self.writing = Some((id, attempts.len()));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Somebody tries to log in to this account.
    fn attempt(&mut self, at: u64, account: i64) {
        let peer = "192.0.2.1".parse().unwrap();
        let way = Way { peer, cid: "c1", protocol: "imap", mechanism: "PLAIN", tls: true };
        self.attempts.note(AccountId(account), "ann", &way, "wrong", UnixSeconds(0));
        self.step(at, Input::Done(self.watch.unwrap(), Completion::Noticed));
    }

    /// The write that is asked for is done; says how many rows it has.
    fn written(&mut self, at: u64) -> usize {
        let (id, rows) = self.writing.take().unwrap();
        assert!(!self.want.done);
        self.step(at, Input::Done(id, Completion::Answer(Ok(Answer::Written(Ok(Written::Done))))));
        rows
    }

    fn deadline(&self) -> Option<u64> {
        self.want.deadline.map(|at| at.since(Moment::START).as_secs())
    }
}

#[test]
fn those_of_five_seconds_are_one_write() {
    let mut trial = Trial::new();
    assert_eq!(trial.deadline(), None);
    trial.attempt(10, 1);
    trial.attempt(14, 2);
    assert_eq!(trial.deadline(), Some(15));
    assert!(trial.writing.is_none());
    trial.step(15, Input::Timer);
    // One that comes meanwhile is next.
    trial.attempt(16, 3);
    assert_eq!(trial.deadline(), None);
    assert_eq!(trial.written(17), 2);
    assert_eq!(trial.deadline(), Some(21));
    trial.step(21, Input::Timer);
    assert_eq!(trial.written(21), 1);
    assert_eq!(trial.deadline(), None);
}

#[test]
fn what_waits_at_the_stop_is_written() {
    let mut trial = Trial::new();
    trial.attempt(10, 1);
    trial.step(11, Input::Stop);
    assert_eq!(trial.written(11), 1);
    assert!(trial.want.done);
    // Also where another write is under way.
    let mut trial = Trial::new();
    trial.attempt(10, 1);
    trial.step(15, Input::Timer);
    trial.attempt(16, 2);
    trial.step(16, Input::Stop);
    assert_eq!(trial.written(17), 1);
    assert_eq!(trial.written(17), 1);
    assert!(trial.want.done);
}
