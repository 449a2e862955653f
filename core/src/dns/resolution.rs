//! One question on its way through the servers until it is answered.
//!
//! ```text
//! loop {
//!     match resolution.step(random) {
//!         Step::Ask(exchange) => resolution.answered(desk.ask(exchange).await),
//!         Step::Done(outcome) => break outcome,
//!     };
//! }
//! ```

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::wire::{Answered, Asked, Unfit, Verdict};
use super::{Answer, Data, Failure, Kind, Lookup, Name, Question, Settings};
use crate::Random;
use crate::effect::{Fault, Transport};

/// How often a name may stand for another. The root's own servers and the largest of the net need
/// two or three.
const ALIASES_MAX: usize = 10;
/// However many servers, aliases and mistakes there are.
const EXCHANGES_MAX: usize = 40;
/// No answer by TCP is longer (RFC 1035 §4.2.2).
const ANSWER_MAX: usize = 65_535;
/// By UDP we ask for much less, and some servers do not care.
const DATAGRAM_MAX: usize = 4_096;
/// For how long trouble is remembered, in seconds, so that a server in trouble is not asked the same
/// over and over (RFC 9520 §3.2).
const TROUBLE_SECONDS: u32 = 5;

/// A question under way.
#[derive(Debug, Clone)]
pub struct Resolution {
    settings: Settings,
    kind: Kind,
    /// What is asked for now: the name of the question, or the last of its aliases.
    name: Name,
    aliases: usize,
    /// Of the aliases followed so far.
    ttl: u32,
    secure: bool,
    /// Goes round the servers.
    turn: usize,
    first: usize,
    over: Transport,
    /// Whether EDNS is used.
    extended: bool,
    exchanges: usize,
    /// By servers: why it is of no use for this question.
    failed: Vec<Option<String>>,
    /// By servers: the last thing that went wrong.
    trouble: Vec<Option<String>>,
    under_way: Option<Asked>,
    outcome: Option<Outcome>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this, and tell what came of it by [`Resolution::answered`].
    Ask(Exchange),
    /// It is known.
    Done(Outcome),
}

/// One message to a server: [`crate::effect::Effect::Exchange`] carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// By which transport.
    pub over: Transport,
    /// The server.
    pub to: SocketAddr,
    /// The message, without a length prefix.
    pub question: Vec<u8>,
    /// The longest answer that is of use, in bytes.
    pub answer_max: usize,
    /// Given up after this long.
    pub within: Duration,
}

/// How a question ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was found.
    pub lookup: Lookup,
    /// For how many seconds it may be remembered; 0: not at all.
    pub keep: u32,
    /// Which of [`Settings::asked`] has answered; `None` where none did.
    pub by: Option<usize>,
}

/// What a server's answer was worth, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The question is answered.
    Answer,
    /// The name stands for this one, which has to be asked for.
    Alias(Name),
    /// The answer breaks off, and is asked for by TCP.
    Truncated,
    /// It is no answer to the question, which is asked again by TCP, where nobody can join in who
    /// does not see it.
    Stray,
    /// The server does not know EDNS, and is asked without it.
    Plain,
    /// It failed, and the next server has its turn.
    Failed(String),
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer => f.write_str("answered"),
            Self::Alias(name) => write!(f, "stands for {name}, which is asked for next"),
            Self::Truncated => f.write_str("answered in part: asked again by TCP"),
            Self::Stray => f.write_str("no answer to the question: asked again by TCP"),
            Self::Plain => f.write_str("knows no EDNS: asked again without it"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl Resolution {
    /// Begins. `first` is which of [`Settings::asked`] is asked first, such as the one that answered
    /// last.
    #[must_use]
    pub fn new(question: &Question, settings: &Settings, first: usize) -> Self {
        let servers = settings.asked();
        let count = servers.len();
        Self {
            settings: Settings { servers, ..settings.clone() },
            kind: question.kind,
            name: question.name.clone(),
            aliases: 0,
            ttl: u32::MAX,
            secure: true,
            turn: 0,
            first,
            over: Transport::Udp,
            extended: true,
            exchanges: 0,
            failed: vec![None; count],
            trouble: vec![None; count],
            under_way: None,
            outcome: None,
        }
    }

    /// What to do next. Asked again before [`answered`](Self::answered), it forgets what was sent.
    pub fn step(&mut self, random: &mut dyn Random) -> Step {
        if let Some(outcome) = &self.outcome {
            return Step::Done(outcome.clone());
        }
        let exchange = self.exchange(random);
        match exchange {
            Some(exchange) => Step::Ask(exchange),
            None => {
                let outcome = Outcome {
                    lookup: Err(Failure::Trouble(self.troubles())),
                    keep: TROUBLE_SECONDS,
                    by: None,
                };
                self.outcome = Some(outcome.clone());
                Step::Done(outcome)
            }
        }
    }

    /// The next message; `None` where nobody is left to be asked.
    fn exchange(&mut self, random: &mut dyn Random) -> Option<Exchange> {
        let count = self.settings.servers.len();
        let turns = count.saturating_mul(self.settings.rounds);
        while self.turn < turns && self.failed.get(self.server()?)?.is_some() {
            self.pass();
        }
        if self.turn >= turns || self.exchanges >= EXCHANGES_MAX {
            return None;
        }
        self.exchanges += 1;
        let to = self.settings.servers.get(self.server()?)?.address;
        // RFC 5452 §9.2: neither can be guessed. The runtime draws the port.
        let (mut id, mut capitals) = ([0; 2], [0; 32]);
        random.fill(&mut id);
        random.fill(&mut capitals);
        let asked = Asked {
            id: u16::from_be_bytes(id),
            name: self.name.clone(),
            kind: self.kind,
            capitals,
            // By TCP nobody can guess, and some servers do not repeat capitals.
            exact: self.over == Transport::Udp,
        };
        let question = asked.message(self.extended)?;
        self.under_way = Some(asked);
        Some(Exchange {
            over: self.over,
            to,
            question,
            answer_max: if self.over == Transport::Udp { DATAGRAM_MAX } else { ANSWER_MAX },
            within: self.settings.timeout,
        })
    }

    /// Which server's turn it is.
    fn server(&self) -> Option<usize> {
        (self.first % self.settings.servers.len().max(1))
            .checked_add(self.turn)?
            .checked_rem(self.settings.servers.len())
    }

    /// The next server's turn.
    fn pass(&mut self) {
        self.turn += 1;
        self.over = Transport::Udp;
        self.extended = true;
    }

    /// Takes what came of the last [`Step::Ask`], and says what it was worth.
    pub fn answered(&mut self, answer: Result<Vec<u8>, Fault>) -> Heard {
        let Some(asked) = self.under_way.take() else {
            return Heard::Failed("nothing was asked".into());
        };
        let read = match answer {
            Ok(bytes) => asked.read(&bytes),
            Err(fault) => return self.missed(fault.reason),
        };
        match read {
            Err(_) if self.over == Transport::Udp => self.again_by_tcp(Heard::Stray),
            Err(Unfit::Stray) => self.missed(self.told("answered another question")),
            Err(Unfit::Malformed) => {
                self.missed(self.told("sent what cannot be read, or too much"))
            }
            Ok(answered) if answered.truncated && self.over == Transport::Udp => {
                self.again_by_tcp(Heard::Truncated)
            }
            Ok(answered) if answered.truncated => {
                self.missed(self.told("sent an answer in part, by TCP"))
            }
            Ok(answered) => self.judge(&answered),
        }
    }

    fn again_by_tcp(&mut self, heard: Heard) -> Heard {
        self.over = Transport::Tcp;
        heard
    }

    /// This turn was for nothing; the server has another one in the next round.
    fn missed(&mut self, why: String) -> Heard {
        if let Some(trouble) = self.server().and_then(|server| self.trouble.get_mut(server)) {
            *trouble = Some(why.clone());
        }
        self.pass();
        Heard::Failed(why)
    }

    /// The server has said that it does not know: it would say so again.
    fn out_of_use(&mut self, why: String) -> Heard {
        if let Some(failed) = self.server().and_then(|server| self.failed.get_mut(server)) {
            *failed = Some(why.clone());
        }
        self.pass();
        Heard::Failed(why)
    }

    /// What this server did, as a sentence.
    fn told(&self, what: &str) -> String {
        let server = self.server().and_then(|server| self.settings.servers.get(server));
        server.map_or_else(String::new, |server| format!("{} {what}", server.address))
    }

    fn judge(&mut self, answered: &Answered) -> Heard {
        let why = |code: &str| match &answered.said {
            Some(said) => format!("says {code}: {said}"),
            None => format!("says {code}"),
        };
        match &answered.verdict {
            Verdict::NotUnderstood if self.extended => {
                self.extended = false;
                Heard::Plain
            }
            Verdict::NotUnderstood => {
                self.out_of_use(self.told(&why("that it does not understand the question")))
            }
            Verdict::Failed(code) => self.out_of_use(self.told(&why(code))),
            Verdict::Good | Verdict::NoName => match self.follow(answered) {
                Ok(heard) => heard,
                Err(TooManyAliases) => {
                    let why = format!("more than {ALIASES_MAX} aliases, or aliases in a circle");
                    self.end(Err(Failure::Trouble(why)), TROUBLE_SECONDS)
                }
            },
        }
    }

    /// Goes from alias to alias (RFC 1034 §3.6.2), as far as the answer leads.
    fn follow(&mut self, answered: &Answered) -> Result<Heard, TooManyAliases> {
        let aliases: BTreeMap<&Name, (u32, &Name)> = answered
            .records
            .iter()
            .rev()
            .filter_map(|(owner, ttl, data)| match data {
                Data::Cname(target) if self.kind != Kind::Cname => Some((owner, (*ttl, target))),
                _ => None,
            })
            .collect();
        let mut name = &self.name;
        while let Some((ttl, target)) = aliases.get(name) {
            self.aliases += 1;
            if self.aliases > ALIASES_MAX {
                return Err(TooManyAliases);
            }
            self.ttl = self.ttl.min(*ttl);
            name = target;
        }
        let name = name.clone();
        let validating = self.server().and_then(|server| self.settings.servers.get(server));
        self.secure &= answered.authentic && validating.is_some_and(|server| server.validating);
        let secure = self.secure;
        // For how long there is nothing (RFC 2308 §5), as the name's own zone says it.
        let denial = answered.denial.as_ref().filter(|(zone, _)| name.is_within(zone));
        let denied_for = denial.map_or(0, |(_, seconds)| self.ttl.min(*seconds));
        let mut ttl = self.ttl;
        let mut records = Vec::new();
        for (owner, seconds, data) in &answered.records {
            let wanted = !matches!(data, Data::Cname(_)) || self.kind == Kind::Cname;
            if wanted && *owner == name {
                // RFC 2181 §5.2: they should be alike.
                ttl = ttl.min(*seconds);
                records.push(data.clone());
            }
        }
        if !records.is_empty() {
            return Ok(self.end(Ok(Answer { name, records, ttl, secure }), ttl));
        }
        // It is told of the last name (RFC 6604 §3); some tell it of the first, and have records all
        // the same.
        if answered.verdict == Verdict::NoName {
            return Ok(self.end(Err(Failure::NoName { secure }), denied_for));
        }
        if denial.is_none() && name != self.name {
            self.name = name.clone();
            self.over = Transport::Udp;
            return Ok(Heard::Alias(name));
        }
        if denial.is_none() && !answered.recursive {
            return Ok(self.out_of_use(self.told("does not ask others")));
        }
        Ok(self.end(Err(Failure::NoRecord { secure }), denied_for))
    }

    fn end(&mut self, lookup: Lookup, keep: u32) -> Heard {
        self.outcome = Some(Outcome { lookup, keep, by: self.server() });
        Heard::Answer
    }

    /// Why nobody has answered.
    fn troubles(&self) -> String {
        let all: Vec<&str> = (self.failed.iter().zip(&self.trouble))
            .filter_map(|(failed, trouble)| failed.as_deref().or(trouble.as_deref()))
            .collect();
        if all.is_empty() { "no name server is known".into() } else { all.join("; ") }
    }
}

struct TooManyAliases;

#[cfg(test)]
mod tests;
