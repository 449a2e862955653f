//! One SMTP session of a transcript, held with any server: reply codes count, texts do not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use crate::address::link::{Link, Silence};
use crate::address::names::Names;
use crate::address::{Difference, End};
use crate::transcript::Heard;

/// A session.
#[derive(Debug)]
pub struct Session {
    link: Link,
    patience: Duration,
    /// What EHLO has announced, as `KEYWORD PARAMETERS`; `None` before it.
    offers: Option<BTreeSet<String>>,
    /// The server has asked for the message.
    in_data: bool,
    /// Recipients taken in the transaction under way.
    recipients: usize,
    /// How many letters the server has promised to deliver.
    pub promised: usize,
    /// In this step, the server has given another answer than ours, which it may.
    strayed: bool,
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
    /// All is sent at once, even where RFC 2920 would have the client wait.
    pub whole: bool,
}

/// A reply, of one line or several (RFC 5321 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    code: u16,
    /// RFC 2034 §3: `class.subject.detail`, as text.
    enhanced: Option<String>,
    /// The texts behind the code.
    lines: Vec<String>,
}

/// One command or one message, and whether a reply is due to it.
struct Unit<'a> {
    bytes: &'a [u8],
    alternatives: &'a [String],
    is_text: bool,
}

impl Session {
    /// A session on a fresh connection, whose greeting is still to be heard.
    #[must_use]
    pub const fn new(link: Link, patience: Duration) -> Self {
        Self {
            link,
            patience,
            offers: None,
            in_data: false,
            recipients: 0,
            promised: 0,
            strayed: false,
        }
    }

    /// Begins TLS before anything else, as a client does that insists on it.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn secure(&mut self) -> Result<(), End> {
        let refused = |what| End::Broken(format!("STARTTLS cannot begin: {what}"));
        for command in ["EHLO client.example\r\n", "STARTTLS\r\n"] {
            self.link.send(command.as_bytes());
            let reply = self.reply().map_err(|silence| refused(silence.to_string()))?;
            if reply.code >= 300 {
                return Err(refused(reply.to_string()));
            }
        }
        self.shake_hands()
    }

    /// A handshake, after STARTTLS or on a port for TLS alone.
    ///
    /// # Errors
    /// Why it failed.
    pub fn shake_hands(&mut self) -> Result<(), End> {
        self.offers = None;
        self.link.shake_hands(self.until()).map_err(|why| End::Broken(format!("TLS: {why}")))
    }

    /// The client sends nothing more; then the server closes, where it is to.
    ///
    /// # Errors
    /// It does not.
    pub fn end(&mut self, expected: &Heard) -> Result<(), End> {
        self.link.end();
        self.close_if(expected, "the end of what the client sends")
    }

    /// Hears the greeting.
    ///
    /// # Errors
    /// Where it differs.
    pub fn greet(&mut self, expected: &Heard) -> Result<(), End> {
        let mut wanted = replies(&expected.bytes);
        while let Some(wanted) = wanted.pop_front() {
            self.compare("(connected)", &wanted, &[])?;
        }
        self.close_if(expected, "(connected)")
    }

    /// Sends what the step sends and hears what is answered.
    ///
    /// # Errors
    /// The first difference, or why the transcript says nothing about this server.
    pub fn take(&mut self, turn: &Turn<'_>, names: &Names) -> Result<(), End> {
        let mut wanted = replies(&turn.expected.bytes);
        let units = units(turn, self.in_data);
        self.strayed = false;
        let mut waiting = Vec::new();
        let mut last = String::new();
        for unit in &units {
            let line = shown(unit.bytes);
            let good = wanted.get(waiting.len()).is_some_and(|reply| reply.code < 400);
            if good
                && !unit.is_text
                && let Some(missing) = self.missing(&line)
            {
                return Err(End::NotApplicable(format!("{missing} is not offered")));
            }
            let bytes = if unit.is_text { unit.bytes.to_vec() } else { names.smtp(unit.bytes) };
            self.link.send(&bytes);
            waiting.push((line.clone(), unit));
            if !turn.whole && (!self.pipelines() || ends_group(&line)) {
                self.answers(&mut waiting, &mut wanted)?;
            }
            last = line;
        }
        self.answers(&mut waiting, &mut wanted)?;
        while let Some(more) = wanted.pop_front() {
            self.compare(&last, &more, &[])?;
        }
        self.close_if(turn.expected, &last)
    }

    /// The replies to what has been sent.
    fn answers(
        &mut self,
        waiting: &mut Vec<(String, &Unit<'_>)>,
        wanted: &mut VecDeque<Reply>,
    ) -> Result<(), End> {
        for (line, unit) in waiting.drain(..) {
            // Nothing is answered to a text that has no end, nor after the end of all.
            let Some(reply) = wanted.pop_front() else { continue };
            let heard = self.compare(&line, &reply, unit.alternatives)?;
            self.learn(&line, unit, &heard);
        }
        Ok(())
    }

    /// What a reply means for what comes next.
    fn learn(&mut self, line: &str, unit: &Unit<'_>, heard: &Reply) {
        let good = heard.code < 300;
        if unit.is_text {
            self.in_data = false;
            self.promised += if good { self.recipients } else { 0 };
            self.recipients = 0;
            return;
        }
        match verb(line).as_str() {
            "EHLO" if good => {
                let keywords = heard.lines.iter().skip(1).map(|line| line.to_ascii_uppercase());
                self.offers = Some(keywords.collect());
                self.recipients = 0;
            }
            "RCPT" if good => self.recipients += 1,
            "MAIL" | "RSET" | "HELO" if good => self.recipients = 0,
            "DATA" => self.in_data = heard.code == 354,
            _ => {}
        }
    }

    fn compare(
        &mut self,
        after: &str,
        wanted: &Reply,
        alternatives: &[String],
    ) -> Result<Reply, End> {
        let differs = |heard: String| {
            End::Differs(Difference {
                client: after.to_owned(),
                expected: vec![wanted.to_string()],
                heard: vec![heard.clone()],
                summary: format!("expected {}, heard {heard}", wanted.short()),
            })
        };
        let heard = self.reply().map_err(|silence| differs(silence.to_string()))?;
        if alternatives.iter().any(|code| code == "any" || *code == heard.code.to_string()) {
            self.strayed |= heard.code != wanted.code;
            return Ok(heard);
        }
        let offered = self.offers.as_ref().is_some_and(|all| all.contains(ENHANCED));
        let same = heard.code == wanted.code
            && (!offered || wanted.enhanced.is_none() || wanted.enhanced == heard.enhanced);
        if same { Ok(heard) } else { Err(differs(heard.to_string())) }
    }

    fn close_if(&mut self, expected: &Heard, after: &str) -> Result<(), End> {
        if !expected.closed || self.strayed || self.link.closes(self.until()) {
            return Ok(());
        }
        Err(End::Differs(Difference {
            client: after.to_owned(),
            expected: vec!["(closed)".into()],
            heard: vec!["(still open)".into()],
            summary: "the connection is not closed".into(),
        }))
    }

    fn reply(&mut self) -> Result<Reply, Silence> {
        let until = self.until();
        let mut lines = Vec::new();
        loop {
            let line = self.link.line(until)?;
            let more = line.get(3) == Some(&b'-');
            lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            if !more || lines.len() > LINES_MAX {
                return Ok(Reply::of(&lines));
            }
        }
    }

    fn until(&self) -> Instant {
        Instant::now() + self.patience
    }

    fn pipelines(&self) -> bool {
        self.offers.as_ref().is_some_and(|all| all.contains("PIPELINING"))
    }

    /// What the command needs and the server does not announce.
    fn missing(&self, line: &str) -> Option<String> {
        let offers = self.offers.as_ref()?;
        let line = line.to_ascii_uppercase();
        let has = |keyword: &str| {
            offers.iter().any(|offer| offer.split(' ').next().is_some_and(|word| word == keyword))
        };
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        if verb == "AUTH" {
            let mechanism = words.next().unwrap_or_default();
            let offer = offers.iter().find(|offer| offer.starts_with("AUTH "));
            let known = offer.is_some_and(|offer| offer.split(' ').any(|word| word == mechanism));
            return (!known).then(|| format!("AUTH {mechanism}"));
        }
        let needed = match verb {
            "STARTTLS" => Some("STARTTLS"),
            "BDAT" => Some("CHUNKING"),
            _ => words.find_map(|word| {
                let key = word.split('=').next().unwrap_or_default();
                PARAMETERS.iter().find(|(known, _)| *known == key).map(|(_, keyword)| *keyword)
            }),
        };
        needed.filter(|keyword| !has(keyword)).map(str::to_owned)
    }
}

impl Reply {
    fn of(lines: &[String]) -> Self {
        let last = lines.last().map(String::as_str).unwrap_or_default();
        let code = last.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or_default();
        let texts: Vec<String> =
            lines.iter().map(|line| line.get(4..).unwrap_or_default().to_owned()).collect();
        let word = texts.last().and_then(|text| text.split(' ').next()).unwrap_or_default();
        let parts: Vec<&str> = word.split('.').collect();
        let is_number = |part: &&str| {
            !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let enhanced = parts.len() == 3
            && parts.first().is_some_and(|class| ["2", "4", "5"].contains(class))
            && parts.iter().all(is_number);
        Self { code, enhanced: enhanced.then(|| word.to_owned()), lines: texts }
    }

    fn short(&self) -> String {
        let enhanced = self.enhanced.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
        format!("{}{enhanced}", self.code)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.lines.last().map(String::as_str).unwrap_or_default())
    }
}

/// RFC 2034 §4: only where it is announced do replies have these codes.
const ENHANCED: &str = "ENHANCEDSTATUSCODES";

/// Parameters of MAIL and RCPT, and the keyword that announces each.
const PARAMETERS: [(&str, &str); 6] = [
    ("BODY", "8BITMIME"),
    ("SIZE", "SIZE"),
    ("SMTPUTF8", "SMTPUTF8"),
    ("NOTIFY", "DSN"),
    ("RET", "DSN"),
    ("ENVID", "DSN"),
];

/// Lines of one reply that are read.
const LINES_MAX: usize = 1_000;

fn replies(bytes: &[u8]) -> VecDeque<Reply> {
    let text = String::from_utf8_lossy(bytes);
    let mut all = VecDeque::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(line.to_owned());
        if line.as_bytes().get(3) != Some(&b'-') {
            all.push_back(Reply::of(&lines));
            lines.clear();
        }
    }
    all
}

/// Cuts what is sent into commands, and a message where one is due.
fn units<'a>(turn: &Turn<'a>, in_data: bool) -> Vec<Unit<'a>> {
    let mut found = Vec::new();
    let (mut at, mut in_data) = (0, in_data);
    while let Some(left) = turn.sent.get(at..).filter(|left| !left.is_empty()) {
        let length = if in_data {
            let whole = left.starts_with(b".\r\n").then_some(3);
            let end = left.windows(5).position(|five| five == b"\r\n.\r\n").map(|at| at + 5);
            whole.or(end).unwrap_or(left.len())
        } else {
            let line = left.iter().position(|byte| *byte == b'\n').map_or(left.len(), |at| at + 1);
            (line + chunk(left)).min(left.len())
        };
        let alternatives = turn.elsewhere.get(&at).map(Vec::as_slice).unwrap_or_default();
        let bytes = left.get(..length).unwrap_or(left);
        found.push(Unit { bytes, alternatives, is_text: in_data });
        in_data = false;
        at += length;
    }
    found
}

/// How many bytes of the message follow a BDAT command.
fn chunk(command: &[u8]) -> usize {
    let line = shown(command.split(|byte| *byte == b'\n').next().unwrap_or_default());
    let size = line.split(' ').nth(1).filter(|_| verb(&line) == "BDAT");
    size.and_then(|size| size.parse().ok()).unwrap_or_default()
}

/// RFC 2920 §3.1: these may only come last in a group, and so may what answers a challenge.
fn ends_group(line: &str) -> bool {
    let pipelined = ["MAIL", "RCPT", "RSET"];
    !pipelined.contains(&verb(line).as_str())
}

fn verb(line: &str) -> String {
    line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase()
}

/// A command as it is shown, without its end; of a message, its first line.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\r', '\n']);
    let escaped: String = text.chars().flat_map(char::escape_debug).collect();
    escaped.chars().take(SHOWN_MAX).collect()
}

/// Characters of a command that are shown.
const SHOWN_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_with_their_enhanced_codes() {
        let all = replies(b"250-a\r\n250-SIZE 1\r\n250 OK\r\n550 5.7.1 no\r\n354 go\r\n334 \r\n");
        let short: Vec<_> = all.iter().map(Reply::short).collect();
        assert_eq!(short, ["250", "550 5.7.1", "354", "334"]);
        assert_eq!(all[0].lines, ["a", "SIZE 1", "OK"]);
        assert_eq!(replies(b"250 1.2.3 no class\r\n")[0].enhanced, None);
        assert_eq!(replies(b"250 127.0.0.1 hello\r\n")[0].enhanced, None);
    }

    #[test]
    fn a_message_is_one_unit_and_commands_behind_it_are_their_own() {
        let elsewhere = BTreeMap::from([(13, vec!["502".to_owned()])]);
        let expected = Heard::default();
        let sent = b"a\r\n..\r\nx\r\n.\r\nRSET\r\nNOOP\n";
        let turn = Turn { sent, elsewhere: &elsewhere, expected: &expected, whole: false };
        let found: Vec<_> = units(&turn, true)
            .iter()
            .map(|unit| (unit.bytes.len(), unit.is_text, unit.alternatives.len()))
            .collect();
        assert_eq!(found, [(13, true, 0), (6, false, 1), (5, false, 0)]);
        let turn = Turn { sent: b".\r\nQUIT\r\n", ..turn };
        assert_eq!(units(&turn, true).len(), 2);
    }
}
