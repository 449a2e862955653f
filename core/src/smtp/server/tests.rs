//! Conversations, any split of them, limits, and calls out of order.
//!
//! A conversation is written as the RFC writes one. `C:` is a line of the client, `C|` raw bytes
//! with escapes, `S:` a line of the server, `E:` what the owner learns without being asked for a
//! reply (a body is shown whole, at its end), `T:` TLS starting, and `X:` the server closing.
//!
//! The owner accepts everything but recipients called `nobody` and the password `wrong`, and says
//! in its replies what it was asked. In LMTP a recipient called `full` gets no message.

mod chunking;
mod conversations;
mod extensions;
mod limits;
mod lmtp;
mod misuse;
mod smuggling;
mod splits;

use super::*;
use crate::UnixSeconds;
use crate::smtp::address::ForwardPath;
use crate::smtp::config::{Capabilities, FutureRelease, Protocol};
use crate::smtp::limits::Limits;
use crate::smtp::reply::Enhanced;

/// One conversation and where it is had.
struct Conversation {
    name: &'static str,
    setting: Setting,
    script: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Setting {
    /// Nothing is offered that need not be.
    Bare,
    /// A host that receives mail: STARTTLS, and AUTH under TLS.
    Receiving,
    /// AUTH without TLS too.
    Trusting,
    /// As `Receiving`, and pedantic.
    Pedantic,
    /// Everything, without AUTH.
    Generous,
    /// A host that receives mail by LMTP.
    Lmtp,
}

impl Setting {
    fn config(self) -> Config {
        let strictness = match self {
            Self::Pedantic => Strictness::Pedantic,
            Self::Bare | Self::Receiving | Self::Trusting | Self::Generous | Self::Lmtp => {
                Strictness::Lenient
            }
        };
        let limits = Limits { message_bytes_max: 200, text_line_max: 80, ..Limits::default() };
        let protocol = if matches!(self, Self::Lmtp) { Protocol::Lmtp } else { Protocol::Smtp };
        let config = Config::new("mx.example", limits, self.capabilities(), strictness);
        config.unwrap().speaking(protocol).unwrap()
    }

    fn capabilities(self) -> Capabilities {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        match self {
            Self::Bare => Capabilities {
                pipelining: false,
                size: false,
                eight_bit_mime: false,
                smtp_utf8: false,
                chunking: false,
                limits: false,
                ..Capabilities::default()
            },
            Self::Lmtp => Capabilities::default(),
            Self::Receiving | Self::Pedantic => Capabilities {
                starttls: true,
                auth_under_tls: names(&["PLAIN", "LOGIN"]),
                ..Capabilities::default()
            },
            Self::Generous => Capabilities {
                starttls: true,
                dsn: true,
                require_tls: true,
                future_release: Some(FutureRelease {
                    seconds_max: 3600,
                    until_max: UnixSeconds(1_893_456_000),
                }),
                deliver_by: true,
                mt_priority: true,
                ..Capabilities::default()
            },
            Self::Trusting => Capabilities {
                starttls: true,
                auth: names(&["PLAIN"]),
                auth_under_tls: names(&["LOGIN"]),
                ..Capabilities::default()
            },
        }
    }
}

/// What the owner has of a transaction.
#[derive(Default)]
struct Letter {
    text: Vec<u8>,
    recipients: Vec<String>,
}

impl Letter {
    /// One reply for each recipient, in the order of RCPT.
    fn replies(&self) -> Vec<Reply> {
        let reply = |recipient: &String| match recipient.as_str() {
            "full" => Reply::no_storage(),
            name => Reply::new(Code::OK, Enhanced::new(0, 0), format!("for {name}")),
        };
        self.recipients.iter().map(reply).collect()
    }
}

/// A server with its owner, and the log of what both did.
struct House {
    server: Server,
    out: Outbox,
    unread: Vec<u8>,
    letter: Letter,
    closed: bool,
    log: Vec<String>,
}

impl House {
    fn new(config: Config) -> Self {
        let server = Server::new(Arc::new(config), "c7");
        let (unread, letter, log) = (Vec::new(), Letter::default(), Vec::new());
        let out = Outbox::new(1 << 16);
        let mut house = Self { server, out, unread, letter, closed: false, log };
        house.server.greet(&Reply::greeting("ESMTP"), &mut house.out).unwrap();
        house.note_replies();
        house
    }

    /// The client sends these bytes, and the server does what it can with them.
    fn hears(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        loop {
            let step = self.server.next(&self.unread, &mut self.out);
            let used = step.used;
            assert!(used <= self.unread.len());
            let mut log = replies(&mut self.out);
            let done = match step.next {
                Next::Event(event) => {
                    log.extend(decide(&mut self.server, &mut self.out, &mut self.letter, event));
                    log.append(&mut replies(&mut self.out));
                    false
                }
                Next::NeedBytes => used == 0,
                Next::AwaitReply => true,
                Next::Closed => {
                    if !self.closed {
                        log.push("X:".into());
                    }
                    self.closed = true;
                    true
                }
            };
            self.log.append(&mut log);
            self.unread.drain(..used);
            if done {
                return;
            }
        }
    }

    fn note_replies(&mut self) {
        self.log.append(&mut replies(&mut self.out));
    }

    fn tls_starts(&mut self) {
        assert!(self.unread.is_empty());
        self.server.tls_started().unwrap();
    }

    /// The log since it was last taken.
    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// Sends a line and says what followed.
    fn answers(&mut self, line: &str) -> Vec<String> {
        self.log.clear();
        self.hears(format!("{line}\r\n").as_bytes());
        self.said()
    }
}

/// The owner's part. What it learns without being asked is told.
fn decide(
    server: &mut Server,
    out: &mut Outbox,
    letter: &mut Letter,
    event: Event<'_>,
) -> Option<String> {
    let ok = |text: String| Reply::new(Code::OK, Enhanced::new(0, 0), text);
    let mut told = None;
    let reply = match event {
        Event::Hello(hello) => Reply::hello(format!("greets {}", hello.name)),
        Event::Mail(mail) => {
            letter.recipients.clear();
            ok(format!("ok{mail}"))
        }
        Event::Rcpt(rcpt) => match &rcpt.recipient {
            ForwardPath::Mailbox(mailbox) if mailbox.localpart.as_str() == "nobody" => {
                Reply::no_such_mailbox()
            }
            recipient => {
                let name = recipient.mailbox().map(|mailbox| mailbox.localpart.as_str());
                letter.recipients.push(name.unwrap_or("postmaster").to_owned());
                match rcpt.notify {
                    Some(_) => ok(format!("ok{rcpt}")),
                    None => ok(format!("ok {recipient}")),
                }
            }
        },
        Event::Data => Reply::start_mail(),
        Event::BodyEnd => {
            told = Some(format!("E: body {}", std::mem::take(&mut letter.text).escape_ascii()));
            if letter.recipients.iter().any(|name| name == "full") {
                server.reply_each(&letter.replies(), out).unwrap();
                return told;
            }
            Reply::accepted()
        }
        Event::Auth { mechanism, initial: Some(secret) } => {
            told = Some(format!("E: {mechanism} {}", secret.0.escape_ascii()));
            login(&secret)
        }
        Event::AuthResponse(secret) => {
            told = Some(format!("E: {}", secret.0.escape_ascii()));
            login(&secret)
        }
        Event::Auth { initial: None, .. } => {
            server.challenge(b"", out).unwrap();
            return None;
        }
        Event::StartTls => Reply::start_tls(),
        Event::Body(text) => {
            assert!(!text.is_empty());
            letter.text.extend_from_slice(text);
            return None;
        }
        Event::BodyRefused(_) => {
            return Some(format!(
                "E: body refused {}",
                std::mem::take(&mut letter.text).escape_ascii()
            ));
        }
        Event::Reset => return Some("E: reset".into()),
        Event::AuthCancelled(_) => return Some("E: cancelled".into()),
    };
    server.reply(&reply, out).unwrap();
    told
}

fn login(secret: &Secret) -> Reply {
    if secret.0.ends_with(b"\0wrong") {
        Reply::authentication_failed()
    } else {
        Reply::authenticated()
    }
}

fn replies(out: &mut Outbox) -> Vec<String> {
    let text = String::from_utf8(out.unsent().to_vec()).unwrap();
    out.clear();
    assert!(text.is_empty() || text.ends_with("\r\n"), "{text:?}");
    text.split_terminator("\r\n").map(|line| format!("S: {line}")).collect()
}

/// One line of a script.
#[derive(Debug, Clone)]
enum ScriptLine {
    Client(Vec<u8>),
    Tls,
    Expected(String),
}

fn lines(script: &str) -> Vec<ScriptLine> {
    let script = script.lines().map(str::trim_start).filter(|line| !line.is_empty());
    script
        .map(|line| match line.split_at(2) {
            ("C:", text) => ScriptLine::Client(format!("{}\r\n", text.trim_start()).into_bytes()),
            ("C|", raw) => ScriptLine::Client(unescaped(raw.trim_start())),
            ("T:", _) => ScriptLine::Tls,
            ("S:" | "E:" | "X:", _) => {
                // A space at the end, which nobody would see.
                ScriptLine::Expected(line.replace(r"\x20", " "))
            }
            _ => panic!("what is {line:?}?"),
        })
        .collect()
}

/// Knows `\r`, `\n`, `\0`, and `\xff` in hex.
fn unescaped(raw: &str) -> Vec<u8> {
    let mut parts = raw.split('\\');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        let (byte, length) = match part.as_bytes()[0] {
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            b'0' => (0, 1),
            b'x' => (u8::from_str_radix(part.get(1..3).unwrap(), 16).unwrap(), 3),
            _ => panic!("what is \\{part}?"),
        };
        bytes.push(byte);
        bytes.extend_from_slice(&part.as_bytes()[length..]);
    }
    bytes
}

/// Has the conversation line by line, each answered as written before the next is said.
fn hold(conversation: &Conversation) {
    let mut house = House::new(conversation.setting.config());
    let mut line = String::from("the beginning");
    let mut expected = Vec::new();
    let check = |house: &mut House, line: &str, expected: &mut Vec<String>| {
        let said = house.said().join("\n");
        let expected = std::mem::take(expected).join("\n");
        assert!(said == expected, "{}: behind {line} came\n{said}", conversation.name);
    };
    for next in lines(conversation.script) {
        match next {
            ScriptLine::Expected(line) => expected.push(line),
            ScriptLine::Client(bytes) => {
                check(&mut house, &line, &mut expected);
                line = bytes.escape_ascii().to_string();
                house.hears(&bytes);
            }
            ScriptLine::Tls => {
                check(&mut house, &line, &mut expected);
                line = "TLS".into();
                house.tls_starts();
            }
        }
    }
    check(&mut house, &line, &mut expected);
}
