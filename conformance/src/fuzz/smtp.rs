//! The reader of SMTP and LMTP commands and messages.

use std::sync::{Arc, LazyLock};

use pillarbox_core::Outbox;
use pillarbox_core::smtp::Server;
use pillarbox_core::smtp::command::Encoding;
use pillarbox_core::smtp::config::{Capabilities, Config, Protocol, Strictness};
use pillarbox_core::smtp::limits::Limits;
use pillarbox_core::smtp::reply::Reply;
use pillarbox_core::smtp::{Event, Misuse, Next};

use crate::fuzz::{Tape, cuts};

/// The first byte chooses what is spoken and how strict the server is; the rest is what the client
/// says. Input that is taken as it is speaks LMTP if it begins with LHLO.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let plain = bytes.starts_with(b"=");
    let choice = if plain { 0 } else { tape.byte() };
    let lmtp = if plain { bytes.starts_with(b"=LHLO") } else { choice / 2 % 4 == 3 };
    let config = match (lmtp, choice % 2 == 1) {
        (false, false) => &*LENIENT,
        (false, true) => &*STRICT,
        (true, _) => &*LMTP,
    };
    let said = tape.said(WORDS);
    let mut first: Option<Seen> = None;
    for cut in cuts(&said) {
        let seen = converse(config, &cut);
        match &first {
            None => first = Some(seen),
            Some(first) => assert_eq!(*first, seen, "the result depends on how it is cut"),
        }
    }
}

/// What a client may say.
pub const WORDS: &[&str] = &[
    "EHLO client.example\r\n",
    "MAIL FROM:<ann@client.example>\r\n",
    "RCPT TO:<user@localhost>\r\n",
    "DATA\r\n",
    "\r\n.\r\n",
    ".\r\n",
    "\r\n",
    "text\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
    "HELO x\r\n",
    "LHLO client.example\r\n",
    "BDAT 4\r\nab\r\n",
    "VRFY user\r\n",
    "HELP\r\n",
    "EXPN x\r\n",
    "AUTH PLAIN AHVzZXIAcGFzcw==\r\n",
    "AUTH PLAIN\r\n",
    "AUTH LOGIN\r\n",
    "dXNlcg==\r\n",
    "*\r\n",
    "STARTTLS\r\n",
    "MAIL FROM:<> BODY=8BITMIME SIZE=100 SMTPUTF8\r\n",
    "MAIL FROM:<j\u{f6}rg@client.example>",
    "RCPT TO:<nobody@localhost>\r\n",
    "RCPT TO:<@a,@b:\"q\\\" x\"@[192.0.2.1]>\r\n",
    "RCPT TO:<Postmaster>",
    "MAIL FROM:",
    "RCPT TO:",
    "BDAT 3 LAST\r\nabc",
    "<",
    ">",
    "@",
    "a.b",
    "[IPv6:::1]",
    "\"",
    "\\",
    " ",
    "\r",
    "\n",
    "\n.\n",
    "\r.\r",
    ".",
    "..",
    "=",
    " SIZE=",
    "99999999999999999999",
    "\u{7528}\u{6237}",
    "\0",
];

/// What comes of a conversation.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    events: Vec<String>,
    said: Vec<u8>,
    closed: bool,
}

fn converse(config: &Arc<Config>, pieces: &[&[u8]]) -> Seen {
    let mut server = Server::new(Arc::clone(config), "id7");
    let mut out = Outbox::new(1 << 20);
    server.greet(&Reply::greeting("ESMTP"), &mut out).unwrap();
    let mut owner = Owner { protocol: config.protocol(), ..Owner::default() };
    let (mut unread, mut steps, mut came) = (Vec::new(), 0_usize, 0_usize);
    let mut closed = false;
    for piece in pieces {
        unread.extend_from_slice(piece);
        came += piece.len();
        loop {
            steps += 1;
            assert!(steps <= 4 * came + pieces.len() + 16, "work is not linear: {steps} steps");
            let before = out.unsent().len();
            let step = server.next(&unread, &mut out);
            let used = step.used;
            assert!(used <= unread.len(), "more was used than has come");
            assert!(out.unsent().len() - before <= REPLY_MAX, "a very long reply");
            let done = match step.next {
                Next::Event(event) => {
                    owner.decide(&mut server, &mut out, event);
                    false
                }
                Next::NeedBytes => {
                    let stuck = used == 0;
                    assert!(!stuck || unread.len() < LINE_MAX, "a line without end is kept");
                    stuck
                }
                Next::AwaitReply => true,
                Next::Closed => {
                    closed = true;
                    true
                }
            };
            unread.drain(..used);
            if done {
                break;
            }
        }
    }
    check_replies(out.unsent());
    Seen { events: owner.events, said: out.unsent().to_vec(), closed }
}

/// Says yes to nearly everything, and holds the events to their order.
#[derive(Default)]
struct Owner {
    protocol: Protocol,
    events: Vec<String>,
    text: Vec<u8>,
    /// MAIL was accepted, and so many recipients.
    transaction: Option<usize>,
    text_is: TextIs,
}

/// What a text is held to.
#[derive(Default, PartialEq, Eq, Clone, Copy)]
enum TextIs {
    /// None was asked for, though chunks need not be (RFC 3030 §2).
    #[default]
    Chunks,
    /// Chunks of a message that is not in lines.
    Binary,
    /// What follows DATA.
    Data,
}

impl Owner {
    fn decide(&mut self, server: &mut Server, out: &mut Outbox, event: Event<'_>) {
        let told = match &event {
            // A text may come in any pieces.
            Event::Body(_) => None,
            Event::AuthResponse(secret) => Some(format!("response {:?}", secret.0)),
            event => Some(format!("{event:?}")),
        };
        self.events.extend(told);
        let reply = match event {
            Event::Hello(_) => {
                self.transaction = None;
                Reply::hello("hello")
            }
            Event::Mail(mail) => {
                assert!(self.transaction.is_none(), "MAIL within a transaction");
                let binary = mail.body == Some(Encoding::BinaryMime);
                self.text_is = if binary { TextIs::Binary } else { TextIs::Chunks };
                self.transaction = Some(0);
                Reply::sender_ok()
            }
            Event::Rcpt(rcpt) => {
                let count = self.transaction.as_mut().expect("RCPT without MAIL");
                if format!("{:?}", rcpt.recipient).contains("nobody") {
                    Reply::no_such_mailbox()
                } else {
                    *count += 1;
                    assert!(*count <= RECIPIENTS_MAX, "more recipients than the limit");
                    Reply::recipient_ok()
                }
            }
            Event::Data => {
                assert!(self.transaction > Some(0), "DATA without a recipient");
                assert!(self.text_is == TextIs::Chunks, "DATA for a binary message");
                self.text_is = TextIs::Data;
                Reply::start_mail()
            }
            Event::Body(piece) => {
                assert!(self.transaction > Some(0), "text without a recipient");
                assert!(!piece.is_empty(), "an empty piece of text");
                self.text.extend_from_slice(piece);
                return;
            }
            Event::BodyEnd => {
                self.check_text();
                let owed = self.protocol.replies(self.transaction.unwrap_or(0));
                self.finish();
                let mut replies = vec![Reply::accepted(); owed + 1];
                let misuse = server.reply_each(&replies, out);
                assert_eq!(misuse, Err(Misuse::Replies(owed)), "a reply to nobody");
                replies.truncate(owed);
                if let Some(last) = replies.last_mut().filter(|_| owed > 1) {
                    *last = Reply::no_storage();
                }
                return server.reply_each(&replies, out).unwrap();
            }
            Event::BodyRefused(_) => return self.finish(),
            Event::Reset => {
                self.transaction = None;
                return;
            }
            Event::AuthCancelled(_) => return,
            Event::Auth { initial: None, .. } => return server.challenge(b"", out).unwrap(),
            Event::Auth { initial: Some(secret), .. } | Event::AuthResponse(secret) => {
                if secret.0.len() % 2 == 0 {
                    Reply::authentication_failed()
                } else {
                    Reply::authenticated()
                }
            }
            Event::StartTls => panic!("STARTTLS was not offered"),
        };
        server.reply(&reply, out).unwrap();
    }

    fn finish(&mut self) {
        assert!(self.transaction > Some(0), "the end of a text that could not begin");
        self.transaction = None;
        self.text.clear();
    }

    /// RFC 5321 §2.3.8: each line ends in CRLF, and neither byte comes alone.
    fn check_text(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.events.push(format!("text {}", text.escape_ascii()));
        assert!(text.len() as u64 <= MESSAGE_MAX, "a message above the limit was accepted");
        if self.text_is == TextIs::Binary {
            return;
        }
        let ended = text.is_empty() || text.ends_with(b"\r\n");
        assert!(ended || self.text_is == TextIs::Chunks, "the last line has no end");
        for (at, byte) in text.iter().enumerate() {
            let other = match byte {
                b'\r' => text.get(at + 1) == Some(&b'\n'),
                b'\n' => at > 0 && text.get(at - 1) == Some(&b'\r'),
                _ => true,
            };
            assert!(other, "a bare CR or LF was accepted");
        }
    }
}

/// RFC 5321 §4.2: three digits, a blank or a hyphen, printable text, CRLF, at most 512 bytes.
fn check_replies(said: &[u8]) {
    let text = std::str::from_utf8(said).expect("replies are UTF-8");
    assert!(text.ends_with("\r\n"), "a reply without its end");
    for line in text.split_terminator("\r\n") {
        let (code, rest) = line.split_at_checked(3).expect("a reply without a code");
        assert!(code.bytes().all(|byte| byte.is_ascii_digit()), "{line}");
        assert!(rest.starts_with([' ', '-']), "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.len() + 2 <= REPLY_LINE_MAX, "{line}");
    }
}

static LENIENT: LazyLock<Arc<Config>> =
    LazyLock::new(|| config(Protocol::Smtp, Strictness::Lenient));
static STRICT: LazyLock<Arc<Config>> =
    LazyLock::new(|| config(Protocol::Smtp, Strictness::Pedantic));
static LMTP: LazyLock<Arc<Config>> = LazyLock::new(|| config(Protocol::Lmtp, Strictness::Lenient));

/// Small limits, so that a fuzzer comes to them.
fn config(protocol: Protocol, strictness: Strictness) -> Arc<Config> {
    let limits = Limits {
        command_line_max: 600,
        auth_line_max: LINE_MAX,
        text_line_max: 300,
        message_bytes_max: MESSAGE_MAX,
        recipients_max: RECIPIENTS_MAX,
        transactions_max: 20,
        ..Limits::default()
    };
    let names = || vec!["PLAIN".to_owned(), "LOGIN".to_owned()];
    // No STARTTLS: whether something came behind it does depend on the cut (RFC 3207 §4). The
    // target `tls` has it.
    let capabilities =
        Capabilities { auth: names(), auth_under_tls: names(), ..Capabilities::default() };
    let config = Config::new("localhost", limits, capabilities, strictness);
    Arc::new(config.unwrap().speaking(protocol).unwrap())
}

const LINE_MAX: usize = 700;
const MESSAGE_MAX: u64 = 1_000;
const RECIPIENTS_MAX: usize = 5;
/// RFC 5321 §4.5.3.1.5.
const REPLY_LINE_MAX: usize = 512;
/// What one step may write: EHLO's announcements.
const REPLY_MAX: usize = 2_048;
