//! Runs transcripts against any mail server by its address, as its clients would.
//!
//! Only what a client can rely on is compared: SMTP reply codes (and enhanced codes where the
//! server announces them, RFC 2034 §4), IMAP's tagged answers, and the untagged data that the RFC
//! fixes. Texts are free, untagged data may come in any order, flags are sets, and UIDs, dates of
//! delivery and the like are the server's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use pillarbox::config::Protocol;

use crate::transcript::{Action, Heard, Session, Step, Transcript};
use keeper::Keeper;
use link::Link;
use names::Names;

pub mod expected;
pub mod imap;
pub mod keeper;
pub mod link;
pub mod names;
pub mod report;
pub mod smtp;

/// The server that is looked at.
#[derive(Debug, Clone)]
pub struct Target {
    /// `HOST:PORT` by what is spoken there.
    pub addresses: BTreeMap<&'static str, String>,
    /// Its accounts.
    pub names: Names,
    /// Where STARTTLS is possible, it comes before all else.
    pub tls: bool,
    /// It is ours, so that transcripts about our own limits are run too.
    pub ours: bool,
    /// How long an answer may take.
    pub patience: Duration,
}

/// What came of one transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server does what the transcript says.
    Passed,
    /// It does something else: the first place.
    Differs(Difference),
    /// The transcript says nothing about this server, and why.
    NotApplicable(String),
}

/// The first place where a server does something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What the client had sent.
    pub client: String,
    /// What was expected.
    pub expected: Vec<String>,
    /// What was heard.
    pub heard: Vec<String>,
    /// The difference in one line.
    pub summary: String,
}

/// Why a transcript ends before its last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The server does something else.
    Differs(Difference),
    /// The transcript needs something that this server does not offer.
    NotApplicable(String),
    /// The conversation cannot go on.
    Broken(String),
}

/// The sessions of a transcript.
enum Talk {
    Smtp(Box<smtp::Session>),
    Imap(Box<imap::Session>),
}

impl Target {
    /// Why a transcript cannot be run against any server but ours, or not against this one.
    #[must_use]
    pub fn why_not(&self, transcript: &Transcript) -> Option<String> {
        if transcript.only_here {
            return Some("it needs accounts and rules of our own tests".into());
        }
        if let Some(why) = transcript.ours.as_ref().filter(|_| !self.ours) {
            return Some(why.clone());
        }
        if transcript.moves_clock() {
            return Some("it moves the clock".into());
        }
        if self.names.friend.is_none() && transcript.names_second_account() {
            return Some("it needs a second account: --other-user".into());
        }
        for protocol in transcript.listeners.values() {
            if self.place(*protocol, transcript).is_none() {
                return Some(format!("no address for it: --{}", protocol.name()));
            }
        }
        None
    }

    /// Runs it. The mailboxes are emptied first.
    ///
    /// # Errors
    /// Where the server cannot be reached or its mailboxes cannot be emptied: nothing more can be
    /// said then.
    pub fn run(&self, transcript: &Transcript, keeper: &mut Keeper) -> Result<Outcome, String> {
        if let Some(why) = self.why_not(transcript) {
            return Ok(Outcome::NotApplicable(why));
        }
        keeper.empty()?;
        let mut talks = BTreeMap::new();
        let mut promised = 0;
        let mut ended = Ok(());
        for step in &transcript.steps {
            ended = self.step(transcript, step, &mut talks, keeper);
            promised = talks.values().map(Talk::promised).sum();
            if ended.is_err() {
                break;
            }
        }
        drop(talks);
        // Letters under way would come into the next transcript.
        keeper.settle(promised)?;
        Ok(match ended {
            Ok(()) => Outcome::Passed,
            Err(End::Differs(difference)) => Outcome::Differs(difference),
            Err(End::NotApplicable(why)) => Outcome::NotApplicable(why),
            Err(End::Broken(summary)) => Outcome::Differs(Difference {
                client: "(before the conversation)".into(),
                expected: Vec::new(),
                heard: Vec::new(),
                summary,
            }),
        })
    }

    fn step(
        &self,
        transcript: &Transcript,
        step: &Step,
        talks: &mut BTreeMap<Session, Talk>,
        keeper: &mut Keeper,
    ) -> Result<(), End> {
        let expected = step.expected(step.session);
        let shown = match &step.action {
            Action::Open => {
                // What SMTP has taken may still be on its way to the mailbox.
                let promised = talks.values().map(Talk::promised).sum();
                keeper.settle(promised).map_err(End::Broken)?;
                let talk = self.open(transcript, step.session, &expected, keeper)?;
                talks.insert(step.session, talk);
                "(connected)".to_owned()
            }
            action => {
                let talk = talks.get_mut(&step.session);
                let talk = talk.ok_or_else(|| End::Broken("nobody has connected".into()))?;
                talk.act(action, step, &expected, transcript.only_whole, &self.names)?
            }
        };
        for (session, talk) in talks.iter_mut().filter(|(session, _)| **session != step.session) {
            let expected = step.expected(*session);
            if let Talk::Imap(imap) = talk
                && expected != Heard::default()
            {
                imap.hear(&expected, &shown)?;
            }
        }
        Ok(())
    }

    fn open(
        &self,
        transcript: &Transcript,
        session: Session,
        expected: &Heard,
        keeper: &Keeper,
    ) -> Result<Talk, End> {
        let protocol = transcript.listeners.get(&session).copied().unwrap_or(Protocol::Smtp);
        let (place, implicit) = self
            .place(protocol, transcript)
            .ok_or_else(|| End::NotApplicable(format!("no address for {}", protocol.name())))?;
        let link = Link::open(place, self.patience).map_err(End::Broken)?;
        let first = self.tls && !implicit && !transcript.only_clear && !transcript.has_tls();
        if matches!(protocol, Protocol::Imap | Protocol::Imaps) {
            let mut talk = imap::Session::new(link, self.patience, keeper.server().clone());
            if implicit {
                talk.shake_hands()?;
            }
            talk.greet()?;
            if first {
                talk.secure()?;
            }
            return Ok(Talk::Imap(Box::new(talk)));
        }
        let mut talk = smtp::Session::new(link, self.patience);
        if implicit {
            talk.shake_hands()?;
        }
        talk.greet(expected)?;
        if first {
            talk.secure()?;
        }
        Ok(Talk::Smtp(Box::new(talk)))
    }

    /// Where a protocol is spoken, and whether TLS comes with the first byte. A port for TLS alone
    /// stands in for the other one, unless the transcript is about STARTTLS.
    fn place(&self, protocol: Protocol, transcript: &Transcript) -> Option<(&str, bool)> {
        let of = |protocol: Protocol| {
            let address = self.addresses.get(protocol.name())?;
            Some((address.as_str(), protocol.implicit_tls()))
        };
        let twin = match protocol {
            Protocol::Submission => Some(Protocol::Submissions),
            Protocol::Imap => Some(Protocol::Imaps),
            _ => None,
        };
        let about_tls = transcript.only_clear || transcript.has_tls();
        of(protocol).or_else(|| twin.filter(|_| !about_tls).and_then(of))
    }
}

impl Talk {
    /// Does what a step says, hears what it expects, and tells how the step is shown.
    fn act(
        &mut self,
        action: &Action,
        step: &Step,
        expected: &Heard,
        whole: bool,
        names: &Names,
    ) -> Result<String, End> {
        let elsewhere = &step.elsewhere;
        match (self, action) {
            (Self::Smtp(talk), Action::Send(sent)) => {
                talk.take(&smtp::Turn { sent, elsewhere, expected, whole }, names)?;
            }
            (Self::Imap(talk), Action::Send(sent)) => {
                talk.take(&imap::Turn { sent, elsewhere, expected, whole }, names)?;
            }
            (Self::Smtp(talk), Action::Tls) => talk.shake_hands()?,
            (Self::Imap(talk), Action::Tls) => talk.shake_hands()?,
            (Self::Smtp(talk), Action::End) => talk.end(expected)?,
            (Self::Imap(talk), Action::End) => talk.end(expected)?,
            (_, Action::Open | Action::Clock(_) | Action::Deflate) => {}
        }
        Ok(step.shown())
    }

    /// How many letters the server has promised to deliver.
    fn promised(&self) -> usize {
        if let Self::Smtp(talk) = self { talk.promised } else { 0 }
    }
}

/// Runs all transcripts whose names contain `filter`, by name; `told` hears of each as it is done.
///
/// # Errors
/// Where the server cannot be reached, or its mailboxes cannot be emptied.
pub fn run_all(
    target: &Target,
    transcripts: &[Transcript],
    filter: &str,
    mut told: impl FnMut(&str, &Outcome),
) -> Result<Vec<(String, Outcome)>, String> {
    let mut keeper = Keeper::new(target)?;
    let mut all = Vec::new();
    for transcript in transcripts {
        let name = transcript.name();
        if name.contains(filter) {
            let outcome = target.run(transcript, &mut keeper)?;
            told(&name, &outcome);
            all.push((name, outcome));
        }
    }
    keeper.empty()?;
    Ok(all)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    C: {}", self.client)?;
        for line in &self.expected {
            writeln!(f, "    S: {line}    (expected)")?;
        }
        for line in &self.heard {
            writeln!(f, "    S: {line}    (heard)")?;
        }
        write!(f, "    {}", self.summary)
    }
}

/// Capabilities, as a client collects them.
pub(crate) type Capabilities = BTreeSet<String>;
