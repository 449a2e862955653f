//! Conversations as text files: one behaviour in each, and named after it.
//!
//! ```text
//! # RFC 5321 §4.1.1.9: what it shows
//! listener: smtp
//! S: 220 localhost ESMTP ...
//! C: NOOP
//! S: 250 2.0.0 OK
//! ```
//!
//! - `listener: NAME` (and `listener2: NAME` for a second session): where the client connects.
//! - `C: ` and `S: ` are lines that end in CRLF. In `S:`, `...` is any text.
//! - `C| ` and `S| ` are bytes as they are, with `\r`, `\n`, `\\` and `\xNN`.
//! - `C2:`, `S2:` and so on belong to the second session, which connects where it first appears.
//! - `TLS` (`TLS2`) is a handshake, as after STARTTLS.
//! - `DEFLATE` (`DEFLATE2`): from here on all is compressed, as after COMPRESS. Such a file is not
//!   run by address.
//! - `C. ends`: the client sends nothing more. `S. closed`: the server has closed the connection.
//! - `+ 5m` (or `30s`) moves the clock; such a file is run in memory only.
//! - `only: whole`: what it shows depends on how the bytes are cut.
//! - `only: drawn`: the server's words are drawn at random, so two runs cannot be compared.
//! - `only: clear`: what it shows is different under TLS.
//! - `only: private`: nobody logs in without TLS there. It is run in the tests' own world only.
//! - `only: here`: it needs accounts and rules that only the tests' own world has, so it is not run
//!   [by address](crate::address), not even against our own server.
//! - `ours: WHY`: other servers may do something else, so it is not run [by
//!   address](crate::address).
//! - `elsewhere: 502 550: WHY`, before a `C:` line: what else an RFC lets another server answer to
//!   it. `elsewhere: any: WHY` where it fixes nothing.
//!
//! What a client says without waiting stands in lines that follow each other: it is sent at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pillarbox::config::Protocol;

/// Which of a transcript's sessions: 1 or 2.
pub type Session = u8;

/// A conversation.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// Where it lies.
    pub file: PathBuf,
    /// Where each session connects.
    pub listeners: BTreeMap<Session, Protocol>,
    /// It is not to be cut into pieces.
    pub only_whole: bool,
    /// What the server says is drawn at random.
    pub only_drawn: bool,
    /// It is not to be run under TLS from the first byte.
    pub only_clear: bool,
    /// Nobody logs in without TLS where its clients connect.
    pub only_private: bool,
    /// It is not to be run by address at all.
    pub only_here: bool,
    /// Why it says nothing about other servers.
    pub ours: Option<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    head: Vec<String>,
    /// Remarks on what comes next.
    remarks: Vec<String>,
    /// What else may be answered to what comes next.
    elsewhere: Vec<String>,
}

/// One thing that happens, and what the server says to it.
#[derive(Debug, Clone)]
pub struct Step {
    /// Whose it is.
    pub session: Session,
    /// What happens.
    pub action: Action,
    /// What else other servers may answer to the command that begins at this byte of what is sent.
    pub elsewhere: BTreeMap<usize, Vec<String>>,
    /// The lines of the file that say so.
    source: Vec<String>,
    /// What the server says, as it stands in the file.
    expected: Vec<String>,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The client connects.
    Open,
    /// It sends this at once.
    Send(Vec<u8>),
    /// It shakes hands.
    Tls,
    /// It compresses from now on.
    Deflate,
    /// It sends nothing more.
    End,
    /// Time passes.
    Clock(Duration),
}

/// What one session has heard in one step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// The server's bytes.
    pub bytes: Vec<u8>,
    /// The server has closed the connection.
    pub closed: bool,
}

/// What all sessions have heard in one step.
pub type Hearing = BTreeMap<Session, Heard>;

impl Transcript {
    /// All transcripts below a folder, by name.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn all(folder: &Path) -> Result<Vec<Self>, String> {
        let entries =
            std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        paths.sort();
        let mut found = Vec::new();
        for path in paths {
            if path.is_dir() {
                found.extend(Self::all(&path)?);
            } else if path.extension().is_some_and(|ending| ending == "txt") {
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                let read = Self::parse(&path, &text);
                found.push(read.map_err(|why| format!("{}:{why}", path.display()))?);
            }
        }
        Ok(found)
    }

    /// Reads the text of a transcript.
    ///
    /// # Errors
    /// The line's number and what is wrong with it.
    pub fn parse(file: &Path, text: &str) -> Result<Self, String> {
        let mut transcript = Self {
            file: file.to_owned(),
            listeners: BTreeMap::new(),
            only_whole: false,
            only_drawn: false,
            only_clear: false,
            only_private: false,
            only_here: false,
            ours: None,
            steps: Vec::new(),
            head: Vec::new(),
            remarks: Vec::new(),
            elsewhere: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let done = transcript.line(line).and_then(|()| {
                let rfc = transcript.head.first().is_some_and(|line| line.starts_with("# RFC "));
                if rfc { Ok(()) } else { Err("begin with `# RFC …: what this shows`".into()) }
            });
            done.map_err(|why| format!("{}: {why}", index + 1))?;
        }
        Ok(transcript)
    }

    /// Its folder and file, without the ending: `smtp/quit`.
    #[must_use]
    pub fn name(&self) -> String {
        let parts: Vec<_> =
            self.file.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
        let path = parts.into_iter().rev().collect::<Vec<_>>().join("/");
        path.strip_suffix(".txt").unwrap_or(&path).to_owned()
    }

    /// Its first line: what it shows.
    #[must_use]
    pub fn shows(&self) -> &str {
        self.head.first().map_or("", |line| line.trim_start_matches("# "))
    }

    /// Whether it is about the account `friend` too.
    #[must_use]
    pub fn names_second_account(&self) -> bool {
        let sent = |step: &Step| match &step.action {
            Action::Send(bytes) => bytes.windows(6).any(|word| word == b"friend"),
            _ => false,
        };
        self.steps.iter().any(sent)
    }

    /// Whether it can be run with a clock that nobody moves.
    #[must_use]
    pub fn moves_clock(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Clock(_)))
    }

    /// Whether it shakes hands by itself.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.steps.iter().any(|step| step.action == Action::Tls)
    }

    /// Where this differs from what was heard; `None` where it does not.
    #[must_use]
    pub fn difference(&self, heard: &[Hearing]) -> Option<String> {
        self.steps.iter().zip(heard).find_map(|(step, hearing)| {
            let told = lines(hearing);
            let fits = told.len() == step.expected.len() && {
                let of = |lines: &[String], session: char| -> Vec<String> {
                    lines.iter().filter(|line| owner(line) == session).cloned().collect()
                };
                ['1', '2'].into_iter().all(|session| {
                    let (wanted, told) = (of(&step.expected, session), of(&told, session));
                    wanted.len() == told.len()
                        && wanted.iter().zip(&told).all(|(wanted, told)| matches(wanted, told))
                })
            };
            (!fits).then(|| {
                format!(
                    "{}: after\n{}\nexpected\n{}\nbut heard\n{}\n",
                    self.file.display(),
                    step.source.join("\n"),
                    step.expected.join("\n"),
                    told.join("\n")
                )
            })
        })
    }

    /// The file as it ought to be, by what was heard. Lines with `...` that fit are kept.
    #[must_use]
    pub fn rewritten(&self, heard: &[Hearing]) -> String {
        let mut all = self.head.clone();
        for (step, hearing) in self.steps.iter().zip(heard) {
            all.extend(step.source.iter().cloned());
            for (index, told) in lines(hearing).into_iter().enumerate() {
                let kept = step.expected.get(index).filter(|wanted| matches(wanted, &told));
                all.push(kept.cloned().unwrap_or(told));
            }
        }
        all.extend(self.remarks.iter().cloned());
        all.push(String::new());
        all.join("\n")
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            let begun = !self.steps.is_empty();
            (if begun { &mut self.remarks } else { &mut self.head }).push(line.to_owned());
            return Ok(());
        }
        if let Some(span) = line.strip_prefix("+ ") {
            let (session, span) = (1, span_of(span)?);
            self.begin(session, Action::Clock(span), line);
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("elsewhere: ") {
            let (answers, why) = rest.split_once(": ").ok_or("say why: `elsewhere: 502: WHY`")?;
            if why.is_empty() || self.steps.is_empty() {
                return Err("`elsewhere` stands before a `C:` line and says why".into());
            }
            self.elsewhere = answers.split(' ').map(str::to_owned).collect();
            self.remarks.push(line.to_owned());
            return Ok(());
        }
        if let Some((key, value)) = line.split_once(": ")
            && !key.starts_with(['C', 'S'])
        {
            self.head.push(line.to_owned());
            return self.setting(key, value);
        }
        let kind = line.chars().next().unwrap_or_default();
        let (kind, rest) = if let Some(rest) = line.strip_prefix("TLS") {
            ('T', rest)
        } else if let Some(rest) = line.strip_prefix("DEFLATE") {
            ('D', rest)
        } else {
            (kind, line.get(1..).unwrap_or_default())
        };
        let (session, rest) = rest.strip_prefix('2').map_or((1, rest), |rest| (2, rest));
        self.open(session)?;
        match (kind, rest) {
            ('T', "") => self.begin(session, Action::Tls, line),
            ('D', "") => {
                self.only_here = true;
                self.begin(session, Action::Deflate, line);
            }
            ('C', ". ends") => self.begin(session, Action::End, line),
            ('C', rest) => self.send(session, &bytes_of(rest)?, line),
            ('S', _) => {
                let step = self.steps.last_mut().ok_or("nothing has happened yet")?;
                step.expected.push(line.to_owned());
            }
            _ => return Err(format!("`{line}` is no line of a transcript")),
        }
        Ok(())
    }

    fn setting(&mut self, key: &str, value: &str) -> Result<(), String> {
        match (key, value) {
            ("listener" | "listener2", name) => {
                let session = if key == "listener" { 1 } else { 2 };
                let found = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name);
                self.listeners.insert(session, found.ok_or("there is no such listener")?);
            }
            ("only", "whole") => self.only_whole = true,
            ("only", "drawn") => self.only_drawn = true,
            ("only", "clear") => self.only_clear = true,
            ("only", "private") => {
                (self.only_private, self.only_clear, self.only_here) = (true, true, true);
            }
            ("only", "here") => self.only_here = true,
            ("ours", why) => self.ours = Some(why.to_owned()),
            _ => return Err(format!("`{key}: {value}` means nothing")),
        }
        Ok(())
    }

    /// The session connects where it first appears.
    fn open(&mut self, session: Session) -> Result<(), String> {
        if !self.listeners.contains_key(&session) {
            return Err(format!("session {session} has no listener"));
        }
        let opened = |step: &Step| step.session == session && matches!(step.action, Action::Open);
        if !self.steps.iter().any(opened) {
            self.steps.push(Step {
                session,
                action: Action::Open,
                elsewhere: BTreeMap::new(),
                source: Vec::new(),
                expected: Vec::new(),
            });
        }
        Ok(())
    }

    fn begin(&mut self, session: Session, action: Action, line: &str) {
        let mut source = std::mem::take(&mut self.remarks);
        source.push(line.to_owned());
        let elsewhere = BTreeMap::new();
        self.steps.push(Step { session, action, elsewhere, source, expected: Vec::new() });
    }

    fn send(&mut self, session: Session, bytes: &[u8], line: &str) {
        if let Some(step) = self.steps.last_mut()
            && step.session == session
            && step.expected.is_empty()
            && let Action::Send(sent) = &mut step.action
        {
            if !self.elsewhere.is_empty() {
                step.elsewhere.insert(sent.len(), std::mem::take(&mut self.elsewhere));
            }
            sent.extend_from_slice(bytes);
            step.source.append(&mut self.remarks);
            step.source.push(line.to_owned());
            return;
        }
        let elsewhere = std::mem::take(&mut self.elsewhere);
        self.begin(session, Action::Send(bytes.to_vec()), line);
        if let Some(step) = self.steps.last_mut().filter(|_| !elsewhere.is_empty()) {
            step.elsewhere.insert(0, elsewhere);
        }
    }
}

impl Step {
    /// What the client does, as the file says it, in one line.
    #[must_use]
    pub fn shown(&self) -> String {
        self.source.iter().find(|line| !line.starts_with('#')).cloned().unwrap_or_default()
    }

    /// What one session is to hear, as the server's bytes. In them, `...` is any text.
    #[must_use]
    pub fn expected(&self, session: Session) -> Heard {
        let mut heard = Heard::default();
        let name = if session == 1 { "S".to_owned() } else { format!("S{session}") };
        for line in &self.expected {
            let Some(rest) = line.strip_prefix(&name) else { continue };
            if rest == ". closed" {
                heard.closed = true;
            } else if let Ok(bytes) = bytes_of(rest) {
                heard.bytes.extend(bytes);
            }
        }
        heard
    }
}

/// What was heard, as it can be compared between ways of running: the present is hidden, and with
/// `tls` also what is offered in clear only (STARTTLS) or under TLS only (what binds to it).
#[must_use]
pub fn comparable(hearing: &[Hearing], tls: bool) -> Vec<Vec<String>> {
    let line = |line: String| {
        let line = mask_seconds(&mask_dates(&line));
        let offers = [" STARTTLS", " SCRAM-SHA-256-PLUS", " SCRAM-SHA-1-PLUS"];
        let offers = offers.iter().chain(&[" AUTH=SCRAM-SHA-256-PLUS", " AUTH=SCRAM-SHA-1-PLUS"]);
        offers.filter(|_| tls).fold(line, |line, offer| line.replace(offer, ""))
    };
    let offer = |line: &String| !(tls && line.ends_with("250-STARTTLS"));
    hearing.iter().map(|heard| lines(heard).into_iter().filter(offer).map(line).collect()).collect()
}

/// Hides dates as IMAP (RFC 3501 §9: date-time) and messages (RFC 5322 §3.3) have them.
fn mask_dates(line: &str) -> String {
    let shape: String = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let mut masked = line.to_owned();
    for (hour, found) in shape.match_indices("00:00:00 +0000") {
        // Back to the weekday: `Tue, 24 Nov 2026 13:34:00 +0000`.
        let (from, to) = (hour.saturating_sub(17), hour + found.len());
        if line.is_char_boundary(from) {
            masked.replace_range(from..to, &"#".repeat(to - from));
        }
    }
    masked
}

/// Hides numbers of ten digits: so long are seconds since 1970, which UIDVALIDITY is made from.
fn mask_seconds(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    for run in line.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        if run.len() == 10 && run.iter().all(u8::is_ascii_digit) {
            masked.push_str("##########");
        } else {
            masked.push_str(&String::from_utf8_lossy(run));
        }
    }
    masked
}

/// What was heard, as lines of a transcript.
fn lines(hearing: &Hearing) -> Vec<String> {
    let mut all = Vec::new();
    for (session, heard) in hearing {
        let name = if *session == 1 { "S".to_owned() } else { format!("S{session}") };
        for line in heard.bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok());
            let plain =
                text.filter(|text| !text.ends_with(' ') && !text.contains(char::is_control));
            all.push(match plain {
                Some("") => format!("{name}:"),
                Some(text) => format!("{name}: {text}"),
                None => format!("{name}| {}", escaped(line)),
            });
        }
        if heard.closed {
            all.push(format!("{name}. closed"));
        }
    }
    all
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        let before_end = bytes.get(index + 1).is_none_or(|next| *next == b'\r');
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\\' => text.push_str("\\\\"),
            b' ' if !before_end => text.push(' '),
            byte if byte.is_ascii_graphic() => text.push(char::from(*byte)),
            byte => {
                let _infallible = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text
}

/// The bytes of what stands behind `C`: `: text`, `:` alone, or `| escaped`.
fn bytes_of(rest: &str) -> Result<Vec<u8>, String> {
    if let Some(text) = rest.strip_prefix(':') {
        let text = text.strip_prefix(' ').unwrap_or(text);
        return Ok([text.as_bytes(), b"\r\n"].concat());
    }
    let text = rest.strip_prefix("| ").ok_or("write `C: text` or `C| bytes`")?;
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('r')) => bytes.push(b'\r'),
            ('\\', Some('n')) => bytes.push(b'\n'),
            ('\\', Some('\\')) => bytes.push(b'\\'),
            ('\\', Some('x')) => {
                let digits: String = chars.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).map_err(|_| "\\x wants two digits")?);
            }
            ('\\', _) => return Err("after \\ comes r, n, \\ or xNN".into()),
            (c, _) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(bytes)
}

fn span_of(text: &str) -> Result<Duration, String> {
    let number = |unit| text.strip_suffix(unit).and_then(|digits| digits.parse::<u64>().ok());
    match (number('m'), number('s')) {
        (Some(minutes), _) => Ok(Duration::from_secs(minutes * 60)),
        (None, Some(seconds)) => Ok(Duration::from_secs(seconds)),
        (None, None) => Err(format!("`{text}` is no span such as 5m or 30s")),
    }
}

fn owner(line: &str) -> char {
    if line.starts_with("S2") { '2' } else { '1' }
}

/// Whether a line fits one in which `...` is any text.
fn matches(wanted: &str, told: &str) -> bool {
    let Some((first, rest)) = wanted.split_once("...") else { return wanted == told };
    let Some(mut left) = told.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split("...").collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, behind)) = left.split_once(part) else { return false };
        left = behind;
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &[u8], closed: bool) -> Hearing {
        Hearing::from([(1, Heard { bytes: bytes.to_vec(), closed })])
    }

    const TEXT: &str = "# RFC 5321: a test\nlistener: smtp\nS: 220 ...\nC: a\nC| b\\r\\x00\n\
                        # why\nS: 250 x\nS. closed\n";

    #[test]
    fn what_is_sent_at_once_is_one_step() {
        let read = Transcript::parse(Path::new("x.txt"), TEXT).unwrap();
        assert_eq!(read.steps.len(), 2);
        assert_eq!(read.steps[0].action, Action::Open);
        assert_eq!(read.steps[1].action, Action::Send(b"a\r\nb\r\0".to_vec()));
    }

    #[test]
    fn differences_are_found_and_rewritten() {
        let text = TEXT.replace("# why\nS: 250 x", "S: 250 x").replace("C: a", "# why\nC: a");
        let read = Transcript::parse(Path::new("x.txt"), &text).unwrap();
        let greeting = heard(b"220 localhost\r\n", false);
        let good = [greeting.clone(), heard(b"250 x\r\n", true)];
        assert_eq!(read.difference(&good), None);
        assert_eq!(read.rewritten(&good), text);
        for bad in [
            heard(b"250 y\r\n", true),
            heard(b"250 x\r\n", false),
            heard(b"", true),
            heard(b"250 x\n", true),
        ] {
            let bad = [greeting.clone(), bad];
            assert!(read.difference(&bad).is_some());
            let again = Transcript::parse(Path::new("x.txt"), &read.rewritten(&bad)).unwrap();
            assert_eq!(again.difference(&bad), None);
        }
    }

    #[test]
    fn faulty_lines_are_told_with_their_number() {
        for (line, what) in [
            ("X: 1", "means nothing"),
            ("C2: x", "no listener"),
            ("C| \\q", "after \\"),
            ("+ 5h", "no span"),
            ("hello", "no line"),
        ] {
            let text = format!("# RFC 5321: x\nlistener: smtp\n{line}\n");
            let why = Transcript::parse(Path::new("x.txt"), &text).unwrap_err();
            assert!(why.starts_with("3: ") && why.contains(what), "{why}");
        }
    }

    #[test]
    fn the_present_is_hidden() {
        assert_eq!(mask_seconds("[COPYUID 1795527242 1:12 ü]"), "[COPYUID ########## 1:12 ü]");
        assert_eq!(mask_seconds("17955272421"), "17955272421");
    }

    #[test]
    fn dots_are_any_text() {
        assert!(matches("S: a...c...e", "S: abcde"));
        assert!(matches("S: ...", "S: "));
        assert!(!matches("S: a...c", "S: abcd"));
    }
}
