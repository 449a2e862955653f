//! One IMAP session of a transcript, held with any server: tagged answers count, and what the RFC
//! fixes of the untagged data.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::address::link::{Link, Silence};
use crate::address::names::Names;
use crate::address::{Difference, End};
use crate::transcript::Heard;

use command::Unit;
use facts::{About, Facts};
use response::{Response, literal_at_end};

pub mod command;
pub mod facts;
pub mod response;

/// A session.
#[derive(Debug)]
pub struct Session {
    link: Link,
    patience: Duration,
    server: Server,
    /// The second account has logged in.
    is_friend: bool,
    mailbox: Option<String>,
    /// What the client's next bytes are.
    pending: Pending,
    /// Told before it was expected.
    early: Facts,
}

/// What is known of the server before the transcript begins.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// What it announces before login or after.
    pub capabilities: BTreeSet<String>,
    /// By account (the second one is `true`) and mailbox, the UID that comes before the first
    /// that the transcript will see.
    pub bases: BTreeMap<(bool, String), u32>,
}

/// What the client's next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pending {
    /// A command.
    #[default]
    Command,
    /// A literal of this many bytes in the transcript, and the rest of its command.
    Literal {
        /// Its length.
        bytes: usize,
        /// It is a name or a password.
        login: bool,
    },
    /// An answer to a SASL challenge.
    Sasl,
    /// `DONE`.
    Idle,
}

/// What one step sends and is to hear.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The client's bytes, as the transcript has them.
    pub sent: &'a [u8],
    /// What else may be answered to the command that begins at a byte of `sent`.
    pub elsewhere: &'a BTreeMap<usize, Vec<String>>,
    /// What the transcript's own server says.
    pub expected: &'a Heard,
    /// All is sent at once.
    pub whole: bool,
}

/// Responses up to one that ends a command or asks for more.
#[derive(Debug, Default)]
struct Window {
    facts: Facts,
    end: Option<Response>,
    lines: Vec<String>,
}

impl Session {
    /// A session on a fresh connection, whose greeting is still to be heard.
    #[must_use]
    pub fn new(link: Link, patience: Duration, server: Server) -> Self {
        Self {
            link,
            patience,
            server,
            is_friend: false,
            mailbox: None,
            pending: Pending::Command,
            early: Facts::default(),
        }
    }

    /// Hears the greeting.
    ///
    /// # Errors
    /// Where it is none.
    pub fn greet(&mut self) -> Result<(), End> {
        let until = self.until();
        match self.response(until) {
            Ok((Response::Status { tag: None, kind, .. }, _)) if kind == "OK" => Ok(()),
            Ok((_, line)) => Err(End::Broken(format!("expected `* OK` as greeting, heard {line}"))),
            Err(why) => Err(End::Broken(format!("expected a greeting: {why}"))),
        }
    }

    /// Begins TLS before anything else, as a client does that insists on it.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn secure(&mut self) -> Result<(), End> {
        let answer = self.ask("tls", "STARTTLS").map_err(End::Broken)?;
        match answer.last() {
            Some(Response::Status { kind, .. }) if kind == "OK" => self.shake_hands(),
            _ => Err(End::Broken("STARTTLS is refused".into())),
        }
    }

    /// A handshake, after STARTTLS or on a port for TLS alone.
    ///
    /// # Errors
    /// Why it failed.
    pub fn shake_hands(&mut self) -> Result<(), End> {
        let until = self.until();
        self.link.shake_hands(until).map_err(|why| End::Broken(format!("TLS: {why}")))
    }

    /// A command of the harness itself, and all that is answered, the tagged status last.
    ///
    /// # Errors
    /// Why there was no answer.
    pub fn ask(&mut self, tag: &str, command: &str) -> Result<Vec<Response>, String> {
        self.link.send(format!("{tag} {command}\r\n").as_bytes());
        let until = self.until();
        let mut all = Vec::new();
        loop {
            let (response, _) =
                self.response(until).map_err(|why| format!("after {command}: {why}"))?;
            let done = matches!(&response, Response::Status { tag: Some(own), .. } if own == tag);
            all.push(response);
            if done {
                return Ok(all);
            }
        }
    }

    /// The client sends nothing more; then the server closes, where it is to.
    ///
    /// # Errors
    /// It does not.
    pub fn end(&mut self, expected: &Heard) -> Result<(), End> {
        self.link.end();
        self.close_if(expected, "the end of what the client sends")
    }

    /// Sends what the step sends and hears what is answered.
    ///
    /// # Errors
    /// The first difference, or why the transcript says nothing about this server.
    pub fn take(&mut self, turn: &Turn<'_>, names: &Names) -> Result<(), End> {
        let mut wanted = windows(&turn.expected.bytes)?;
        let mut waiting: VecDeque<Unit> = VecDeque::new();
        let mut at = 0;
        let mut last = String::new();
        while let Some(left) = turn.sent.get(at..).filter(|left| !left.is_empty()) {
            let alternatives = turn.elsewhere.get(&at).cloned().unwrap_or_default();
            let (unit, length) = Unit::cut(left, self.pending, alternatives);
            at += length;
            last.clone_from(&unit.line);
            if let Some(window) = wanted.get(waiting.len())
                && window.is_good()
                && let Some(missing) = unit.missing(&self.server.capabilities)
            {
                return Err(End::NotApplicable(format!("{missing} is not offered")));
            }
            self.link.send(&unit.bytes(names, self.base()));
            self.pending = unit.next;
            waiting.push_back(unit);
            while !turn.whole
                && let Some(unit) = waiting.pop_front()
            {
                self.answer(&unit, wanted.pop_front())?;
            }
        }
        for unit in waiting {
            self.answer(&unit, wanted.pop_front())?;
        }
        for more in wanted {
            self.unasked(&last, &more)?;
        }
        self.close_if(turn.expected, &last)
    }

    /// Hears what another session's step makes the server tell this one.
    ///
    /// # Errors
    /// What did not come.
    pub fn hear(&mut self, expected: &Heard, after: &str) -> Result<(), End> {
        for window in windows(&expected.bytes)? {
            self.unasked(after, &window)?;
        }
        self.close_if(expected, after)
    }

    /// The answer to one command or to a part of one.
    fn answer(&mut self, unit: &Unit, wanted: Option<Window>) -> Result<(), End> {
        let Some(wanted) = wanted else { return Ok(()) };
        let Some(end) = &wanted.end else { return self.unasked(&unit.line, &wanted) };
        if unit.opens() {
            self.early = Facts::default();
            self.mailbox = unit.mailbox();
        }
        let heard = self.window(&unit.line, &wanted)?;
        let told = heard.end.as_ref().map(kind_of).unwrap_or_default();
        let allowed = unit.alternatives.iter().any(|kind| kind == "any" || *kind == told);
        if told != kind_of(end) && !allowed {
            return Err(differs(
                unit,
                &wanted,
                &heard,
                format!("expected {}, heard {told}", kind_of(end)),
            ));
        }
        if told == "OK" {
            self.learn(unit);
        }
        if !matches!(heard.end, Some(Response::Continue)) && unit.next == self.pending {
            self.pending = Pending::Command;
        }
        if unit.forbids_expunge() && heard.facts.tells_expunged() {
            let what = "EXPUNGE told where numbers must not move (RFC 3501 §7.4.1)".to_owned();
            return Err(differs(unit, &wanted, &heard, what));
        }
        let about = About {
            opens: unit.opens() && told == "OK",
            asks_uid: unit.asks_uid(),
            finds_uids: unit.finds_uids(),
            base: self.base(),
        };
        let mut facts = std::mem::take(&mut self.early);
        facts.merge(heard.facts.clone());
        if !allowed {
            let missing = wanted.facts.missing_in(&facts, about);
            if let Some(what) = missing.or_else(|| missing_code(end, heard.end.as_ref())) {
                return Err(differs(unit, &wanted, &heard, what));
            }
        }
        self.early = facts.left_over(&wanted.facts);
        Ok(())
    }

    /// What comes without being asked for.
    fn unasked(&mut self, after: &str, wanted: &Window) -> Result<(), End> {
        let until = self.until();
        let mut facts = std::mem::take(&mut self.early);
        let mut lines = Vec::new();
        loop {
            let about = About { base: self.base(), ..About::default() };
            let Some(what) = wanted.facts.missing_in(&facts, about) else {
                self.early = facts.left_over(&wanted.facts);
                return Ok(());
            };
            match self.response(until) {
                Ok((response, line)) => {
                    facts.add(&response);
                    lines.push(line);
                }
                Err(why) => {
                    lines.push(format!("({why})"));
                    return Err(End::Differs(Difference {
                        client: after.to_owned(),
                        expected: wanted.lines.clone(),
                        heard: lines,
                        summary: what,
                    }));
                }
            }
        }
    }

    /// All that comes up to an answer.
    fn window(&mut self, after: &str, wanted: &Window) -> Result<Window, End> {
        let until = self.until();
        let mut heard = Window::default();
        loop {
            match self.response(until) {
                Ok((response, line)) => {
                    heard.lines.push(line);
                    let ends = match (&response, &wanted.end) {
                        (Response::Status { tag: None, .. }, Some(end)) => {
                            kind_of(end) == UNTAGGED_BAD
                        }
                        (other, _) => is_answer(other),
                    };
                    heard.facts.add(&response);
                    if ends {
                        heard.end = Some(response);
                        return Ok(heard);
                    }
                }
                Err(why) => {
                    heard.lines.push(format!("({why})"));
                    return Err(End::Differs(Difference {
                        client: after.to_owned(),
                        expected: wanted.lines.clone(),
                        heard: heard.lines,
                        summary: format!("no answer: {why}"),
                    }));
                }
            }
        }
    }

    /// What an OK means for what comes next.
    fn learn(&mut self, unit: &Unit) {
        match unit.verb.as_str() {
            "LOGIN" => self.is_friend = unit.names_friend(),
            "CLOSE" | "UNSELECT" => self.mailbox = None,
            _ => {}
        }
    }

    fn base(&self) -> u32 {
        let mailbox = self.mailbox.clone().unwrap_or_default();
        self.server.bases.get(&(self.is_friend, mailbox)).copied().unwrap_or_default()
    }

    fn close_if(&mut self, expected: &Heard, after: &str) -> Result<(), End> {
        let until = self.until();
        if !expected.closed || self.link.closes(until) {
            return Ok(());
        }
        Err(End::Differs(Difference {
            client: after.to_owned(),
            expected: vec!["(closed)".into()],
            heard: vec!["(still open)".into()],
            summary: "the connection is not closed".into(),
        }))
    }

    /// Writes what a client says.
    pub fn say(&mut self, bytes: &[u8]) {
        self.link.send(bytes);
    }

    /// The server has agreed to COMPRESS: from here on everything is compressed (RFC 4978 §3).
    pub fn compress(&mut self) {
        self.link.compress();
    }

    /// Waits until the server begins to say something, but no longer than this.
    ///
    /// # Errors
    /// It never will again.
    pub fn speaks(&mut self, wait: Duration) -> Result<bool, String> {
        self.link.comes(Instant::now() + wait).map_err(|silence| silence.to_string())
    }

    /// The next response, and its first line to be shown.
    ///
    /// # Errors
    /// Why there was none in time, or what is wrong with it.
    pub fn hears(&mut self) -> Result<(Response, String), String> {
        self.response(self.until())
    }

    /// One response, and its first line to be shown.
    fn response(&mut self, until: Instant) -> Result<(Response, String), String> {
        let why = |silence: Silence| silence.to_string();
        let mut bytes = Vec::new();
        loop {
            let line = self.link.line(until).map_err(why)?;
            let literal = literal_at_end(&line);
            bytes.extend(line);
            let Some(length) = literal else { break };
            bytes.extend(self.link.exactly(length, until).map_err(why)?);
        }
        let shown = shown(&bytes);
        let response =
            Response::parse(bytes.trim_ascii_end()).map_err(|what| format!("{what} in {shown}"))?;
        Ok((response, shown))
    }

    fn until(&self) -> Instant {
        Instant::now() + self.patience
    }
}

impl Window {
    /// The command is to succeed.
    fn is_good(&self) -> bool {
        self.end.as_ref().is_some_and(|end| ["OK", "+"].contains(&kind_of(end).as_str()))
    }
}

/// A response that ends a command, or asks for more of it.
fn is_answer(response: &Response) -> bool {
    matches!(response, Response::Continue | Response::Status { tag: Some(_), .. })
}

/// `OK`, `NO`, `BAD`, or `+`.
fn kind_of(response: &Response) -> String {
    match response {
        Response::Continue => "+".into(),
        Response::Status { tag: Some(_), kind, .. } => kind.clone(),
        Response::Status { tag: None, kind, .. } => format!("* {kind}"),
        Response::Data { name, .. } => name.clone(),
    }
}

/// Response codes that an RFC demands: RFC 3501 §6.3.1, §6.3.11, §6.4.7.
fn missing_code(wanted: &Response, heard: Option<&Response>) -> Option<String> {
    let code = |response: &Response| match response {
        Response::Status { code: Some((name, _)), .. } => Some(name.clone()),
        _ => None,
    };
    let wanted = code(wanted).filter(|name| CODES.contains(&name.as_str()))?;
    let told = heard.and_then(code);
    (told.as_ref() != Some(&wanted)).then(|| format!("expected [{wanted}], heard {told:?}"))
}

const CODES: [&str; 3] = ["READ-WRITE", "READ-ONLY", "TRYCREATE"];

/// What ends a command that had no tag.
const UNTAGGED_BAD: &str = "* BAD";

fn differs(unit: &Unit, wanted: &Window, heard: &Window, summary: String) -> End {
    End::Differs(Difference {
        client: unit.line.clone(),
        expected: wanted.lines.clone(),
        heard: heard.lines.clone(),
        summary,
    })
}

/// Reads what a transcript expects, cut behind each answer.
fn windows(bytes: &[u8]) -> Result<VecDeque<Window>, End> {
    let mut all = VecDeque::new();
    let mut window = Window::default();
    let mut left = bytes;
    while !left.is_empty() {
        let mut length = 0;
        // Up to the end of a line that announces no literal.
        loop {
            let rest = left.get(length..).unwrap_or_default();
            let line = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
            let head = rest.get(..line).unwrap_or_default();
            length += line;
            match literal_at_end(head) {
                Some(literal) => length += literal,
                None => break,
            }
        }
        let (one, rest) = left.split_at_checked(length).unwrap_or((left, &[]));
        left = rest;
        let response = Response::parse(one.trim_ascii_end())
            .map_err(|what| End::Broken(format!("the transcript: {what}")))?;
        window.lines.push(shown(one));
        window.facts.add(&response);
        if is_answer(&response) || kind_of(&response) == UNTAGGED_BAD {
            window.end = Some(response);
            all.push_back(std::mem::take(&mut window));
        }
    }
    if !window.facts.is_empty() {
        all.push_back(window);
    }
    Ok(all)
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\r', '\n']);
    let escaped: String = text.chars().flat_map(char::escape_debug).collect();
    escaped.chars().take(SHOWN_MAX).collect()
}

/// Characters of a response that are shown.
const SHOWN_MAX: usize = 300;
