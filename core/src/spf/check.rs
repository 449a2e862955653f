//! `check_host()` (RFC 7208 §4), one question at a time.

use core::net::IpAddr;
use std::collections::VecDeque;

use super::domain_spec::{MacroString, Values};
use super::outcome::{Identity, Outcome, Problem, Trace, Verdict};
use super::record::{Hosts, Mechanism, Record, is_record};
use crate::UnixSeconds;
use crate::dns::{Answer, Data, Failure, Kind, Lookup, Name, Question};
use crate::wire::network::Network;

/// Terms that need lookups (RFC 7208 §4.6.4).
const LOOKUPS_MAX: usize = 10;
/// Lookups that find nothing (RFC 7208 §4.6.4).
const VOIDS_MAX: usize = 2;
/// Hosts of one `mx`, and names of one address (RFC 7208 §4.6.4).
const HOSTS_MAX: usize = 10;
const TRAIL_MAX: usize = 200;
const EXPLANATION_MAX: usize = 500;
/// The sender where there is none (RFC 7208 §2.4, §4.3).
const POSTMASTER: &str = "postmaster";

/// Who sends, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Where it connects from.
    pub ip: IpAddr,
    /// What it called itself.
    pub helo: String,
    /// Our name.
    pub receiver: String,
    /// Whether a name of a single label is a domain, as in a house of one's own: RFC 7208 §4.3 has
    /// it count for nothing.
    pub single_labels: bool,
}

/// A check under way. It ends after at most 10 terms with lookups, which are at most 122 questions.
#[derive(Debug)]
pub struct Check {
    client: Client,
    localpart: String,
    sender_domain: String,
    identity: Identity,
    now: UnixSeconds,
    /// The records that are being gone through, each led to by an `include` of the one before.
    frames: Vec<Frame>,
    goal: Goal,
    question: Option<(Question, Purpose)>,
    lookups: usize,
    voids: usize,
    /// The names that the client's address was proved to have, once that is known.
    proved: Option<Vec<Name>>,
    decided_by: Option<(Name, String)>,
    explanation: Option<String>,
    problem: Option<Problem>,
    trail: Vec<Trace>,
    verdict: Option<Verdict>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask this, and tell what came of it by [`Check::answered`].
    Ask(Question),
    /// It is known.
    Done(Box<Outcome>),
}

#[derive(Debug)]
struct Frame {
    domain: Name,
    record: Record,
    next: usize,
}

/// What the check is about.
#[derive(Debug, Clone)]
enum Goal {
    /// The terms of the last frame.
    Terms,
    /// Where the explanation is.
    ExplanationName(MacroString),
    /// What it says.
    ExplanationText(MacroString),
    Done,
}

/// What a question was asked for.
#[derive(Debug)]
enum Purpose {
    /// The record of a domain, whose `redirect`ing one it replaces if so.
    Record { redirected: bool },
    /// Whether one of the addresses is the client's; then those of the others are asked for.
    Addresses { bits: u8, others: VecDeque<Name> },
    /// The hosts that take mail.
    MailHosts { bits: u8 },
    /// Whether there is anything.
    Existence,
    /// The names of the client's address.
    Names,
    /// Whether a name of it has it; then the others'.
    Proof { others: VecDeque<Name>, proved: Vec<Name> },
    /// The explanation.
    Explanation,
}

impl Check {
    /// Checks the domain of MAIL FROM; the local part may be empty.
    #[must_use]
    pub fn mail_from(client: Client, localpart: &str, domain: &str, now: UnixSeconds) -> Self {
        Self::new(client, localpart, domain, Identity::MailFrom, now)
    }

    /// Checks what the client called itself, as where the sender is the null one (RFC 7208 §2.4).
    #[must_use]
    pub fn helo(client: Client, now: UnixSeconds) -> Self {
        let domain = client.helo.clone();
        Self::new(client, POSTMASTER, &domain, Identity::Helo, now)
    }

    fn new(
        client: Client,
        localpart: &str,
        domain: &str,
        identity: Identity,
        now: UnixSeconds,
    ) -> Self {
        let client = Client { ip: client.ip.to_canonical(), ..client };
        let localpart = if localpart.is_empty() { POSTMASTER } else { localpart };
        let mut check = Self {
            client,
            localpart: localpart.to_owned(),
            sender_domain: domain.to_owned(),
            identity,
            now,
            frames: Vec::new(),
            goal: Goal::Terms,
            question: None,
            lookups: 0,
            voids: 0,
            proved: None,
            decided_by: None,
            explanation: None,
            problem: None,
            trail: Vec::new(),
            verdict: None,
        };
        // RFC 7208 §4.3: what is no name of several labels has no record.
        match Name::parse(domain) {
            Ok(name) if name.label_count() > 1 || check.client.single_labels => {
                if !domain.is_ascii() {
                    // RFC 8616 §4: macros have A-labels.
                    check.sender_domain = name.to_string();
                }
                check.ask(name, Kind::Txt, Purpose::Record { redirected: false });
            }
            _ => check.finish(Verdict::None),
        }
        check
    }

    /// What to do next. The same until it is answered.
    pub fn step(&mut self) -> Step {
        loop {
            if let Some((question, _)) = &self.question {
                return Step::Ask(question.clone());
            }
            match (self.verdict, &self.goal) {
                (Some(verdict), Goal::Done) => return Step::Done(Box::new(self.outcome(verdict))),
                _ => self.advance(),
            }
        }
    }

    /// Who sends.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    fn outcome(&self, verdict: Verdict) -> Outcome {
        Outcome {
            verdict,
            identity: self.identity,
            domain: self.sender_domain.clone(),
            decided_by: self.decided_by.clone(),
            explanation: self.explanation.clone(),
            problem: self.problem.clone(),
            trail: self.trail.clone(),
        }
    }

    fn advance(&mut self) {
        let names = match &self.goal {
            Goal::Terms => self.term_names(),
            Goal::ExplanationName(spec) | Goal::ExplanationText(spec) => spec.asks_validated(),
            Goal::Done => false,
        };
        if names && self.proved.is_none() {
            let name = Name::of_address(self.client.ip);
            self.ask(name, Kind::Ptr, Purpose::Names);
            return;
        }
        match std::mem::replace(&mut self.goal, Goal::Done) {
            Goal::Terms => {
                self.goal = Goal::Terms;
                self.next_term();
            }
            Goal::ExplanationName(spec) => {
                if let Some(name) = self.name(&spec) {
                    self.ask(name, Kind::Txt, Purpose::Explanation);
                }
            }
            Goal::ExplanationText(text) => {
                let words = self.values().map(|values| text.expand(&values));
                self.explanation = words.map(|words| words.chars().take(EXPLANATION_MAX).collect());
            }
            Goal::Done => {}
        }
    }

    /// Whether the next term asks for the names of the client's address.
    fn term_names(&self) -> bool {
        let Some(frame) = self.frames.last() else { return false };
        match frame.record.directives.get(frame.next) {
            Some(directive) => match &directive.mechanism {
                Mechanism::Ptr(_) => true,
                Mechanism::Include(spec) | Mechanism::Exists(spec) => spec.asks_validated(),
                Mechanism::A(hosts) | Mechanism::Mx(hosts) => {
                    hosts.domain.as_ref().is_some_and(MacroString::asks_validated)
                }
                Mechanism::All | Mechanism::Ip(_) => false,
            },
            None => frame.record.redirect.as_ref().is_some_and(MacroString::asks_validated),
        }
    }

    fn next_term(&mut self) {
        let Some(frame) = self.frames.last_mut() else {
            self.finish(Verdict::None);
            return;
        };
        let Some(directive) = frame.record.directives.get(frame.next).cloned() else {
            self.end_of_record();
            return;
        };
        match directive.mechanism {
            Mechanism::All => self.judge(true),
            Mechanism::Ip(network) => {
                let ip = self.client.ip;
                self.judge(network.is_some_and(|network| network.contains(ip)));
            }
            // Everything else needs lookups.
            _ if self.lookups == LOOKUPS_MAX => self.fail(Problem::TooManyLookups),
            mechanism => {
                self.lookups += 1;
                self.look(&mechanism);
            }
        }
    }

    /// Begins with a mechanism that needs lookups.
    fn look(&mut self, mechanism: &Mechanism) {
        let (spec, hosts) = match mechanism {
            Mechanism::A(hosts) | Mechanism::Mx(hosts) => (hosts.domain.as_ref(), Some(hosts)),
            Mechanism::Include(spec) | Mechanism::Exists(spec) => (Some(spec), None),
            Mechanism::Ptr(spec) => (spec.as_ref(), None),
            Mechanism::All | Mechanism::Ip(_) => (None, None),
        };
        let bits = hosts.map_or(0, |hosts| self.bits(hosts));
        let name = match spec {
            Some(spec) => self.name(spec),
            None => self.frames.last().map(|frame| frame.domain.clone()),
        };
        let Some(name) = name else {
            // RFC 7208 §4.8, §5.2: a name that is none matches nothing; a record must be somewhere.
            match mechanism {
                Mechanism::Include(_) if self.localpart.is_ascii() => self.fail(Problem::NoRecord),
                _ => self.judge(false),
            }
            return;
        };
        match mechanism {
            Mechanism::Include(_) => {
                self.ask(name, Kind::Txt, Purpose::Record { redirected: false });
            }
            Mechanism::A(_) => {
                let others = VecDeque::new();
                self.ask(name, self.kind(), Purpose::Addresses { bits, others });
            }
            Mechanism::Mx(_) => self.ask(name, Kind::Mx, Purpose::MailHosts { bits }),
            // RFC 7208 §5.7: an A record, also for clients of IPv6.
            Mechanism::Exists(_) => self.ask(name, Kind::A, Purpose::Existence),
            Mechanism::Ptr(_) | Mechanism::All | Mechanism::Ip(_) => {
                let proved = self.proved.as_deref().unwrap_or_default();
                let within = proved.iter().any(|proved| proved.is_within(&name));
                self.judge(within);
            }
        }
    }

    fn bits(&self, hosts: &Hosts) -> u8 {
        if self.client.ip.is_ipv4() { hosts.prefix_v4 } else { hosts.prefix_v6 }
    }

    /// The kind of addresses that the client has.
    const fn kind(&self) -> Kind {
        if self.client.ip.is_ipv4() { Kind::A } else { Kind::Aaaa }
    }

    fn values(&self) -> Option<Values<'_>> {
        let domain = &self.frames.last()?.domain;
        let proved = self.proved.as_deref().unwrap_or_default();
        // RFC 7208 §7.3: the domain itself, or one below it, or any.
        let validated = proved
            .iter()
            .find(|name| *name == domain)
            .or_else(|| proved.iter().find(|name| name.is_within(domain)))
            .or_else(|| proved.first());
        Some(Values {
            ip: self.client.ip,
            helo: &self.client.helo,
            localpart: &self.localpart,
            sender_domain: &self.sender_domain,
            domain,
            validated,
            receiver: &self.client.receiver,
            now: self.now,
        })
    }

    /// What a `domain-spec` stands for; `None` if that is no name.
    fn name(&self, spec: &MacroString) -> Option<Name> {
        // RFC 8616 §4: no name is made of such a local part.
        if spec.asks_localpart() && !self.localpart.is_ascii() {
            return None;
        }
        spec.name(&self.values()?).ok()
    }

    fn ask(&mut self, name: Name, kind: Kind, purpose: Purpose) {
        self.question = Some((Question { name, kind }, purpose));
    }

    /// Takes the answer to what was asked.
    pub fn answered(&mut self, lookup: &Lookup) {
        let Some((question, purpose)) = self.question.take() else { return };
        // Neither decides anything by itself, nor is an error.
        match &purpose {
            Purpose::Names | Purpose::Proof { .. } => {
                return self.on_proof(question, purpose, lookup);
            }
            Purpose::Explanation => return self.on_explanation(lookup),
            Purpose::Record { .. } => {}
            _ => {
                if lookup.as_ref().is_err_and(Failure::is_void) {
                    self.voids += 1;
                    if self.voids > VOIDS_MAX {
                        return self.fail(Problem::TooManyVoidLookups);
                    }
                }
            }
        }
        let answer = match lookup {
            Ok(answer) => Some(answer),
            Err(Failure::Trouble(why)) => {
                self.problem = Some(Problem::Lookup(format!("{question}: {why}")));
                return self.finish(Verdict::TempError);
            }
            Err(_) => None,
        };
        match purpose {
            Purpose::Record { redirected } => self.on_record(&question.name, redirected, answer),
            Purpose::Addresses { bits, mut others } => {
                if answer.is_some_and(|answer| has_address(answer, self.client.ip, bits)) {
                    self.judge(true);
                } else if let Some(next) = others.pop_front() {
                    self.ask(next, question.kind, Purpose::Addresses { bits, others });
                } else {
                    self.judge(false);
                }
            }
            Purpose::MailHosts { bits } => {
                let mut others = mail_hosts(answer);
                if others.len() > HOSTS_MAX {
                    self.fail(Problem::TooManyHosts);
                } else if let Some(first) = others.pop_front() {
                    self.ask(first, self.kind(), Purpose::Addresses { bits, others });
                } else {
                    self.judge(false);
                }
            }
            _ => self.judge(answer.is_some()),
        }
    }

    /// A domain's records.
    fn on_record(&mut self, domain: &Name, redirected: bool, answer: Option<&Answer>) {
        let mut texts =
            answer.iter().flat_map(|answer| &answer.records).filter_map(|record| match record {
                Data::Txt(text) if is_record(text) => Some(text),
                _ => None,
            });
        let (first, second) = (texts.next(), texts.next());
        let at_the_start = self.frames.is_empty();
        let Some(text) = first else {
            self.trace(domain, "v=spf1", "there is none");
            match at_the_start {
                true => self.finish(Verdict::None),
                false => self.fail(Problem::NoRecord),
            }
            return;
        };
        if second.is_some() {
            self.trace(domain, "v=spf1", "there are several");
            self.fail(Problem::SeveralRecords);
            return;
        }
        match Record::parse(text) {
            Ok(record) => {
                if redirected {
                    self.frames.pop();
                }
                self.frames.push(Frame { domain: domain.clone(), record, next: 0 });
                self.trace(domain, "v=spf1", "found");
            }
            Err(malformed) => {
                self.trace(domain, &malformed.term, "is malformed");
                self.fail(Problem::Malformed(malformed));
            }
        }
    }

    /// A mechanism of the last frame matches or does not.
    fn judge(&mut self, matches: bool) {
        let depth = self.frames.len();
        let Some(frame) = self.frames.last_mut() else { return };
        let Some(directive) = frame.record.directives.get(frame.next) else { return };
        frame.next += 1;
        let (domain, term) = (frame.domain.clone(), directive.text.to_string());
        let verdict = Verdict::from(directive.qualifier);
        self.trace(&domain, &term, if matches { "matches" } else { "does not match" });
        if !matches {
            return;
        }
        if depth == 1 {
            self.decided_by = Some((domain, term));
        }
        self.end_of_frame(verdict);
    }

    /// No directive has matched.
    fn end_of_record(&mut self) {
        let redirect = self.frames.last().and_then(|frame| frame.record.redirect.clone());
        let Some(spec) = redirect else { return self.end_of_frame(Verdict::Neutral) };
        if self.lookups == LOOKUPS_MAX {
            return self.fail(Problem::TooManyLookups);
        }
        self.lookups += 1;
        match self.name(&spec) {
            Some(name) => self.ask(name, Kind::Txt, Purpose::Record { redirected: true }),
            // RFC 7208 §6.1.
            None => self.fail(Problem::NoRecord),
        }
    }

    /// A record has come to a verdict: that of the check, or of an `include` (RFC 7208 §5.2).
    fn end_of_frame(&mut self, verdict: Verdict) {
        if self.frames.len() > 1 {
            self.frames.pop();
            self.judge(verdict == Verdict::Pass);
            return;
        }
        self.finish(verdict);
        // RFC 7208 §6.2: that of the record that has decided, and not of one that was included.
        let explanation = self.frames.last().and_then(|frame| frame.record.explanation.clone());
        if let (Verdict::Fail, Some(spec)) = (verdict, explanation) {
            self.goal = Goal::ExplanationName(spec);
        }
    }

    fn finish(&mut self, verdict: Verdict) {
        (self.verdict, self.goal, self.question) = (Some(verdict), Goal::Done, None);
    }

    fn fail(&mut self, problem: Problem) {
        self.problem = Some(problem);
        self.finish(Verdict::PermError);
    }

    /// RFC 7208 §5.5: what cannot be looked up is not proved, and that is no error.
    fn on_proof(&mut self, question: Question, purpose: Purpose, lookup: &Lookup) {
        let (mut others, proved) = match purpose {
            Purpose::Proof { others, mut proved } => {
                let ip = self.client.ip;
                let whole = if ip.is_ipv4() { 32 } else { 128 };
                if lookup.as_ref().is_ok_and(|answer| has_address(answer, ip, whole)) {
                    proved.push(question.name);
                }
                (others, proved)
            }
            _ => (names(lookup), Vec::new()),
        };
        match others.pop_front() {
            Some(next) => self.ask(next, self.kind(), Purpose::Proof { others, proved }),
            None => self.proved = Some(proved),
        }
    }

    /// RFC 7208 §6.2: whatever is wrong with it, there is then none.
    fn on_explanation(&mut self, lookup: &Lookup) {
        let Ok(Answer { records, .. }) = lookup else { return };
        let [Data::Txt(text)] = records.as_slice() else { return };
        let text = std::str::from_utf8(text).ok();
        if let Some(text) = text.and_then(|text| MacroString::parse(text, true).ok()) {
            self.goal = Goal::ExplanationText(text);
        }
    }

    fn trace(&mut self, domain: &Name, term: &str, result: &'static str) {
        if self.trail.len() < TRAIL_MAX {
            let depth = self.frames.len().saturating_sub(1);
            let (domain, term) = (domain.clone(), term.to_owned());
            self.trail.push(Trace { depth, domain, term, result });
        }
    }
}

/// Whether one of the addresses begins with the same bits.
fn has_address(answer: &Answer, ip: IpAddr, bits: u8) -> bool {
    let network = Network::around(ip, bits);
    answer.records.iter().any(|record| match record {
        Data::A(address) => network.contains((*address).into()),
        // One that is an IPv4 address is none of IPv6.
        Data::Aaaa(address) => {
            address.to_ipv4_mapped().is_none() && network.contains((*address).into())
        }
        _ => false,
    })
}

/// The hosts that take mail, in the order of their preference.
fn mail_hosts(answer: Option<&Answer>) -> VecDeque<Name> {
    let mut hosts: Vec<(u16, &Name)> = answer
        .iter()
        .flat_map(|answer| &answer.records)
        .filter_map(|record| match record {
            Data::Mx { preference, exchange } if exchange.label_count() > 0 => {
                Some((*preference, exchange))
            }
            _ => None,
        })
        .collect();
    hosts.sort_unstable();
    hosts.into_iter().map(|(_, host)| host.clone()).collect()
}

/// The names of an address that are looked at (RFC 7208 §5.5).
fn names(lookup: &Lookup) -> VecDeque<Name> {
    let records = lookup.as_ref().map(|answer| answer.records.as_slice()).unwrap_or_default();
    let names = records.iter().filter_map(|record| match record {
        Data::Ptr(name) => Some(name.clone()),
        _ => None,
    });
    names.take(HOSTS_MAX).collect()
}
