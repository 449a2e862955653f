//! The reader of IMAP commands, their literals and the messages of APPEND.

use std::sync::{Arc, LazyLock};

use pillarbox_core::Outbox;
use pillarbox_core::imap::command::{Command, Verb};
use pillarbox_core::imap::server::{Config, Done, Event, Next, Server, Step};

use crate::address::imap::response::{Response, literal_at_end};
use crate::fuzz::{Tape, cuts};

/// All of the bytes are what the client says.
pub fn target(bytes: &[u8]) {
    let said = Tape::new(bytes).said(WORDS);
    let mut first: Option<Seen> = None;
    for cut in cuts(&said) {
        let seen = converse(&cut);
        match &first {
            None => first = Some(seen),
            Some(first) => assert_eq!(*first, seen, "the result depends on how it is cut"),
        }
    }
}

/// What a client may say.
pub const WORDS: &[&str] = &[
    "a ",
    "b LOGIN user secret\r\n",
    "c SELECT INBOX\r\n",
    "\r\n",
    "d NOOP\r\n",
    "v ENABLE QRESYNC\r\n",
    "v ENABLE IMAP4rev2\r\n",
    "v CREATE \"B\u{fc}cher/A&B\"\r\n",
    "w SELECT INBOX (QRESYNC (7 9 1:5,3 (1,3:4 2,5:9)) CONDSTORE)\r\n",
    "x UID FETCH 1:* (FLAGS) (CHANGEDSINCE 5 VANISHED)\r\n",
    "y STORE 1 (UNCHANGEDSINCE 5) FLAGS ()\r\n",
    "z SEARCH MODSEQ \"/flags/x\" all 5\r\n",
    "e IDLE\r\n",
    "DONE\r\n",
    "f APPEND INBOX {5+}\r\nhello\r\n",
    "g APPEND INBOX (\\Seen) \"24-Nov-2026 10:00:01 +0000\" {3}\r\nabc\r\n",
    "h AUTHENTICATE PLAIN\r\n",
    "AHVzZXIAcGFzcw==\r\n",
    "*\r\n",
    "i FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (TO)]<0.10>)\r\n",
    "i FETCH 1 (BINARY[1]<0.10> BINARY.PEEK[] BINARY.SIZE[1.2])\r\n",
    "g APPEND INBOX ~{5+}\r\na\0b\0c\r\n",
    "~",
    "u GETQUOTAROOT INBOX\r\n",
    "v SETQUOTA {0+}\r\n (STORAGE 1)\r\n",
    "w CREATE x (USE (\\Drafts))\r\n",
    "x STATUS INBOX (MAILBOXID DELETED-STORAGE)\r\n",
    "y FETCH 1 (EMAILID THREADID SAVEDATE)\r\n",
    "z SEARCH EMAILID M1-2 SAVEDSINCE 1-Jan-2026 THREADID T1\r\n",
    "g APPEND INBOX {3+}\r\nabc (\\Seen) ~{2+}\r\n\0\n {0+}\r\n\r\n",
    "g REPLACE 1 INBOX (\\Draft) {3+}\r\nabc\r\n",
    "g UID REPLACE * Drafts {4}\r\nabcd {3+}\r\nabc\r\n",
    "REPLACE 1 ",
    "j SEARCH OR SEEN (NOT UID 1:3)\r\n",
    "j SEARCH RETURN (MIN COUNT) ALL\r\n",
    "j UID SEARCH RETURN (SAVE) NOT $\r\n",
    "j SORT RETURN (ALL) (SUBJECT REVERSE DATE) UTF-8 ALL\r\n",
    "j UID THREAD REFERENCES UTF-8 ALL\r\n",
    "k STORE 1 +FLAGS.SILENT (\\Deleted $x)\r\n",
    "l UID FETCH *:1 ALL\r\n",
    "m LIST \"\" \"*\"\r\n",
    "m LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (% a*) RETURN (CHILDREN STATUS (SIZE))\r\n",
    "n STATUS INBOX (MESSAGES)\r\n",
    "o EXPUNGE\r\n",
    "p CLOSE\r\n",
    "q LOGOUT\r\n",
    "r CAPABILITY\r\n",
    "s EXAMINE {5}\r\nINBOX\r\n",
    "t STARTTLS\r\n",
    "u LOGIN {4+}\r\nuser {6+}\r\nsecret\r\n",
    "APPEND ",
    "SELECT ",
    "FETCH ",
    "UID ",
    "SEARCH ",
    "STORE ",
    "LOGIN ",
    "{3}\r\n",
    "{3+}\r\n",
    "{99999999999}\r\n",
    "{400+}\r\n",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "\\",
    "*",
    ":",
    ",",
    "1",
    "4294967295",
    "&AOk-",
    " ",
    "\r",
    "\n",
    "\0",
    "\u{e9}",
];

/// What comes of a conversation.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    events: Vec<String>,
    said: Vec<u8>,
}

fn converse(pieces: &[&[u8]]) -> Seen {
    let mut server = Server::new(Arc::clone(&CONFIG), "id7");
    let mut out = Outbox::new(1 << 20);
    server.greet(&mut out);
    let mut owner = Owner::default();
    let (mut unread, mut steps, mut came) = (Vec::new(), 0_usize, 0_usize);
    for piece in pieces {
        unread.extend_from_slice(piece);
        came += piece.len();
        loop {
            steps += 1;
            assert!(steps <= 4 * came + pieces.len() + 16, "work is not linear: {steps} steps");
            let before = out.unsent().len();
            let Step { used, next } = server.next(&unread, &mut out);
            assert!(used <= unread.len(), "more was used than has come");
            assert!(out.unsent().len() - before <= ANSWER_MAX, "a very long answer");
            let done = match next {
                Next::Event(event) => {
                    owner.act(&mut server, &event, &mut out);
                    false
                }
                Next::NeedBytes => {
                    assert!(
                        used > 0 || unread.len() <= COMMAND_MAX,
                        "a command without end is kept"
                    );
                    used == 0
                }
                Next::AwaitReply => true,
                Next::Closed => {
                    owner.closed(&server);
                    true
                }
            };
            unread.drain(..used);
            if done {
                break;
            }
        }
    }
    check_answers(out.unsent());
    Seen { events: owner.events, said: out.unsent().to_vec() }
}

/// Says yes to nearly everything, and holds the events to their order.
#[derive(Default)]
struct Owner {
    events: Vec<String>,
    /// What has come of the message that is under way.
    message: Option<Vec<u8>>,
}

impl Owner {
    fn act(&mut self, server: &mut Server, event: &Event<'_>, out: &mut Outbox) {
        match event {
            Event::AppendData(_) | Event::AppendNext(_) | Event::AppendEnd => {}
            Event::AuthResponse(bytes) => self.events.push(format!("response {bytes:?}")),
            event => self.events.push(format!("{event:?}")),
        }
        let streams = matches!(
            event,
            Event::AppendData(_) | Event::AppendNext(_) | Event::AppendEnd | Event::Abandoned(_)
        );
        assert!(self.message.is_none() || streams, "a command within a message");
        let ok = Done::ok("done");
        let done = match event {
            Event::Command(Command::Authenticate { .. }) => server.challenge(b"", out),
            Event::Command(Command::Idle) => server.idle(out),
            Event::Command(Command::StartTls | Command::Noop) => {
                server.finish(&Done::no("no"), out)
            }
            Event::Command(Command::Select { mailbox, .. }) if mailbox.as_str() != "INBOX" => {
                server.finish(&Done::no("no such mailbox"), out)
            }
            Event::AppendBegin(append) => {
                assert!(
                    append.message.size <= APPEND_MAX.into(),
                    "a message above the limit is offered"
                );
                if append.mailbox.as_str() == "INBOX" {
                    self.message = Some(Vec::new());
                    server.accept_append(out)
                } else {
                    server.finish(&Done::no("no such mailbox"), out)
                }
            }
            Event::AppendData(bytes) => {
                let message = self.message.as_mut().expect("text that was not asked for");
                assert!(!bytes.is_empty());
                message.extend_from_slice(bytes);
                assert!(message.len() <= APPEND_MAX as usize, "a message grows above the limit");
                Ok(())
            }
            Event::AppendNext(next) => {
                assert!(next.size <= APPEND_MAX.into(), "a message above the limit is offered");
                let message = self.message.replace(Vec::new()).expect("one after none");
                self.events.push(format!("message {}, {next:?}", message.escape_ascii()));
                server.accept_append(out)
            }
            Event::AppendEnd => {
                let message = self.message.take().expect("the end of what never began");
                self.events.push(format!("message {}", message.escape_ascii()));
                server.finish(&ok, out)
            }
            Event::Abandoned(verb) => {
                assert!(
                    [Verb::Append, Verb::Replace, Verb::UidReplace, Verb::Authenticate, Verb::Idle]
                        .contains(verb)
                );
                self.message = None;
                Ok(())
            }
            Event::Command(_) | Event::AuthResponse(_) | Event::IdleDone => server.finish(&ok, out),
        };
        done.expect("the event says what may be called");
    }

    fn closed(&mut self, server: &Server) {
        assert_eq!(server.pending(), None, "closed with a command under way");
        self.events.push("closed".into());
        self.events.dedup();
    }
}

/// Each response can be read by a client (RFC 3501 §9), and holds no control character.
fn check_answers(said: &[u8]) {
    let mut left = said;
    while !left.is_empty() {
        let end =
            left.windows(2).position(|two| two == b"\r\n").expect("a response without its end");
        let (line, rest) = left.split_at_checked(end + 2).unwrap();
        assert_eq!(literal_at_end(line), None, "this machine writes no literals");
        let line = line.strip_suffix(b"\r\n").unwrap();
        assert!(!line.iter().any(u8::is_ascii_control), "{}", line.escape_ascii());
        Response::parse(line).unwrap_or_else(|why| panic!("{why}: {}", line.escape_ascii()));
        left = rest;
    }
}

/// Small limits, so that a fuzzer comes to them.
static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| {
    Arc::new(Config {
        greeting: "hello".to_owned(),
        starttls: true,
        mechanisms: vec!["PLAIN".to_owned()],
        command_bytes_max: COMMAND_MAX,
        auth_bytes_max: 100,
        append_bytes_max: APPEND_MAX,
        ..Config::default()
    })
});

const COMMAND_MAX: usize = 300;
const APPEND_MAX: u32 = 500;
/// What one step may write.
const ANSWER_MAX: usize = 1_024;
