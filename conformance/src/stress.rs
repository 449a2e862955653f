//! Several IMAP clients do everything at random in the same mailboxes, and each is watched: what it
//! is told must be what IMAP allows, and in the end all must agree.
//!
//! A run has a seed, from which each client draws what it does. The server and the machine do the
//! rest, so that the same seed does the same kind of run and not the same run.
//!
//! What is checked: message numbers and UIDs keep meaning the same message; EXISTS only grows, and
//! EXPUNGE comes only when it may; UIDs ascend and are given out once; what APPENDUID and COPYUID
//! tell is there, byte by byte; nothing goes that nobody has removed, nothing moves twice; a keyword
//! that only one client changes is what that client has made it; FETCH, STORE and SEARCH answer for
//! each message that is there; several letters that are filed together are all there, or none; what
//! one REPLACE has replaced no other one does; a STORE with UNCHANGEDSINCE changes what has not been
//! changed and nothing else; `$` is what was saved; what SMTP has taken is there, once; all the same where it is compressed; and whenever all is quiet, which it is now and then, each client knows
//! after one NOOP the same messages and flags as somebody who has just come.

mod acts;
mod changes;
mod client;
mod condition;
mod filing;
mod letter;
mod looks;
mod pick;
mod post;
mod record;
mod saved;
mod verdict;
mod view;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::address::Target;
use crate::address::keeper::quoted;
use crate::sim::prng::Prng;

use client::{Client, Mood, Stop};
use letter::Mint;
use record::Record;
use verdict::Truth;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server, and an account made for this. Mailboxes whose names begin with `stress-` are
    /// deleted in it; nothing else is touched but what [`Plan::delivering`] says.
    pub target: Target,
    /// How many clients there are.
    pub clients: usize,
    /// For how long they do something.
    pub time: Duration,
    /// What they draw from.
    pub seed: u64,
    /// The server is known to carry out MOVE as COPY and EXPUNGE: of two clients that move a message
    /// away at the same time both may do so, and nothing is copied into the mailbox it comes from,
    /// where Dovecot then loses copies.
    pub moves_are_copies: bool,
    /// The mailboxes. The first is shared by most; the first two stay for the whole run.
    mailboxes: Vec<String>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Report {
    /// How often each command was given, by its end.
    pub counts: BTreeMap<String, u64>,
    /// What was wrong, each with the lines that led there.
    pub violations: Vec<String>,
}

impl Plan {
    /// A run of a seed.
    #[must_use]
    pub fn new(target: Target, clients: usize, time: Duration, seed: u64) -> Self {
        let names = ["a", "b", "side-0", "side-1", "side-2"];
        let mailboxes = names.iter().map(|name| format!("stress-{name}")).collect();
        Self { target, clients, time, seed, moves_are_copies: false, mailboxes }
    }

    /// Letters come by SMTP meanwhile, which the target must have an address for. The mailbox that
    /// most clients share is then INBOX: all that was in it is deleted. The server must deliver a
    /// letter before it answers for it, else nobody can say when all is quiet.
    #[must_use]
    pub fn delivering(mut self) -> Self {
        if let Some(shared) = self.mailboxes.first_mut() {
            INBOX.clone_into(shared);
        }
        self
    }

    fn delivers(&self) -> bool {
        self.mailboxes.first().is_some_and(|name| name == INBOX)
    }

    const fn mint(&self) -> Mint {
        // Only of our own server it is known that it keeps each line's end as it came.
        Mint { seed: self.seed, odd: self.target.ours }
    }

    /// Whether a mailbox is neither deleted nor renamed.
    fn stays(&self, mailbox: &str) -> bool {
        self.mailboxes.iter().take(STAYING).any(|name| name == mailbox)
    }
}

/// Runs it.
///
/// # Errors
/// The server cannot be reached, or the account is not let in.
pub fn run(plan: &Plan) -> Result<Report, String> {
    let record = Record::default();
    let mut judge = Client::enter(plan, &record, plan.clients)?;
    prepare(&mut judge)?;
    let mut clients = Vec::new();
    for index in 0..plan.clients {
        clients.push(Client::enter(plan, &record, index)?);
    }
    let mut postman = Prng::new(!plan.seed);
    let until = Instant::now() + plan.time;
    while Instant::now() < until && record.violations().is_empty() {
        let round = Duration::from_millis(ROUND_MILLIS + judge.prng.bits() % ROUND_MILLIS);
        let pause = until.min(Instant::now() + round);
        let moods = [Mood::Any, Mood::Flags, Mood::Removal];
        let mood = moods.get(judge.prng.below(moods.len())).copied().unwrap_or(Mood::Any);
        clients.iter_mut().for_each(|client| client.mood = mood);
        std::thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(|| work(client, pause));
            }
            if plan.delivers()
                && let Err(why) = post::deliver(plan, &record, &mut postman, pause)
            {
                record.violation(why);
            }
        });
        if record.violations().is_empty() {
            judge_all(&mut judge, &mut clients);
        }
    }
    drop(clients);
    if let Err(Stop::Wrong(why)) = verdict::tidy(&mut judge) {
        judge.report(&why);
    }
    Ok(Report { counts: record.counts(), violations: record.violations() })
}

/// The mailboxes, empty.
fn prepare(judge: &mut Client<'_>) -> Result<(), String> {
    for name in judge.plan.mailboxes.clone() {
        if name == INBOX {
            verdict::empty(judge).map_err(|stop| format!("INBOX: {stop:?}"))?;
            continue;
        }
        for verb in ["DELETE", "CREATE"] {
            let answer = judge.ask(&format!("{verb} {}", quoted(&name)));
            let answer = answer.map_err(|stop| format!("{verb} {name}: {stop:?}"))?;
            if verb == "CREATE" && !answer.is_ok() {
                return Err(format!("{name} cannot be created"));
            }
        }
    }
    Ok(())
}

/// One client's run. Where something is wrong, all end soon.
fn work(client: &mut Client<'_>, until: Instant) {
    while Instant::now() < until && client.record.violations().is_empty() {
        let again = match client.act() {
            Ok(()) => continue,
            Err(Stop::Wrong(what)) => return client.report(&what),
            Err(Stop::Away) => client.again(),
        };
        if let Err(why) = again {
            return client.report(&why);
        }
    }
}

fn judge_all(judge: &mut Client<'_>, clients: &mut [Client<'_>]) {
    let mut truths: BTreeMap<String, Truth> = BTreeMap::new();
    for mailbox in judge.plan.mailboxes.iter().take(STAYING) {
        match verdict::truth(judge, mailbox) {
            Ok(truth) => drop(truths.insert(mailbox.clone(), truth)),
            Err(Stop::Wrong(what)) => judge.report(&what),
            Err(Stop::Away) => {}
        }
    }
    for client in clients {
        let name = client.view.as_ref().map(|view| view.mailbox.clone());
        let Some(truth) = name.and_then(|name| truths.get(&name)) else { continue };
        if let Err(Stop::Wrong(what)) = verdict::agrees(client, truth) {
            client.report(&what);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.counts {
            writeln!(f, "{count:>8}  {what}")?;
        }
        let all: u64 = self.counts.values().sum();
        writeln!(f, "{all:>8}  commands in all")?;
        for violation in &self.violations {
            writeln!(f, "WRONG: {violation}")?;
        }
        Ok(())
    }
}

/// The least time between two moments of quiet, which is at most doubled.
const ROUND_MILLIS: u64 = 500;
/// Where letters are delivered.
const INBOX: &str = "INBOX";
/// How many mailboxes stay.
const STAYING: usize = 2;
