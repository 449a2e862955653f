//! HTTP/1.1 and HTTP/2, as a stranger speaks them to the web port.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use pillarbox::context::{Context, SystemRandom};
use pillarbox::job::{Answer, Job};
use pillarbox::rates::Allowances;
use pillarbox::web::{Landing, Setup, WebDoor, WebLimits, WebSession};
use pillarbox_core::effect::{Completion, Effect};
use pillarbox_core::{EffectId, Inbox, Input, Io, Machine as _, Now, Outbox, Stream, Want};
use pillarbox_store::{Found, Read};

use crate::fuzz::{SAID_MAX, Tape, cuts};
use crate::world::BEGINNING;

/// The first byte chooses the version; the rest is what the client says. Input that is taken as it
/// is speaks HTTP/2 if it begins with its preface.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let plain = bytes.first() == Some(&b'=');
    let two = !plain && tape.below(4) == 0;
    let said = if two { frames(&mut tape) } else { tape.said(WORDS) };
    let mut before: Option<Seen> = None;
    for cut in cuts(&said) {
        let seen = run(&cut);
        if said.starts_with(PREFACE) {
            // Whether an answer leaves before what a later frame brings does depend on the cut.
            check_frames(&seen.said);
        } else if let Some(before) = &before {
            assert_eq!(before, &seen, "the answers depend on the cut");
        } else {
            check_answers(&seen.said);
            before = Some(seen);
        }
    }
}

#[derive(PartialEq, Eq)]
struct Seen {
    said: Vec<u8>,
    closed: bool,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "closed: {}, {}", self.closed, self.said.escape_ascii())
    }
}

fn run(cut: &[&[u8]]) -> Seen {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (context, door) = (Arc::clone(&CONTEXT), Arc::clone(&DOOR));
    let id = context.next_id();
    let mut rig = Rig {
        session: WebSession::new(context, door, peer, id, false),
        inbox: Inbox::new(65_536),
        want: Want::READ,
        said: Vec::new(),
        steps: 0,
    };
    rig.step(Input::Start);
    for piece in cut {
        let mut left = *piece;
        while !left.is_empty() && !rig.want.done {
            let taken = rig.inbox.extend(left);
            left = left.get(taken..).unwrap_or_default();
            rig.step(Input::Bytes);
        }
    }
    if !rig.want.done {
        let deadline = rig.want.deadline.expect("a connection without a deadline");
        assert!(deadline > Now::default().moment, "a deadline that has passed already");
        rig.step(Input::Eof);
    }
    Seen { closed: rig.want.done, said: without_refusal(&rig.said).to_vec() }
}

/// Without hyper's last word to a head that it cannot read. It looks at one that comes in pieces
/// only at its end, so that what is no head may be refused at once, at the end, or never come to one.
fn without_refusal(said: &[u8]) -> &[u8] {
    const REFUSALS: [&str; 3] =
        ["400 Bad Request", "414 URI Too Long", "431 Request Header Fields Too Large"];
    REFUSALS
        .iter()
        .find_map(|refusal| {
            let text =
                format!("HTTP/1.1 {refusal}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            said.strip_suffix(text.as_bytes())
        })
        .unwrap_or(said)
}

struct Rig {
    session: WebSession,
    inbox: Inbox,
    want: Want,
    said: Vec<u8>,
    steps: usize,
}

impl Rig {
    /// One step, and those that follow from it: the store answers, and what was said is taken.
    fn step(&mut self, input: Input<Completion<Job>>) {
        let mut next = Some(input);
        while let Some(input) = next.take().filter(|_| !self.want.done) {
            self.steps += 1;
            assert!(self.steps <= 16 * SAID_MAX, "it never ends");
            let mut effects: Vec<(EffectId, Effect<Job>)> = Vec::new();
            let mut outbox = Outbox::new(65_536);
            let mut io = Io { inbox: &mut self.inbox, outbox: &mut outbox, effects: &mut effects };
            let now = Now { wall: BEGINNING, ..Now::default() };
            self.want = self.session.step(now, input, &mut io);
            let count = outbox.unsent().len();
            assert!(count <= OUTBOX_MAX, "{count} bytes wait");
            if self.want.stream != Stream::Abort {
                self.said.extend_from_slice(outbox.unsent());
            }
            assert!(effects.len() <= STREAMS_MAX, "one step asks for very much");
            for (id, effect) in effects {
                let Effect::Job(Job::Read(Read::IsOurs { domain })) = effect else {
                    panic!("{effect:?} was not to be asked for")
                };
                let found = Found::Ours(domain == "localhost" || domain == "example.org");
                self.step(Input::Done(id, Completion::Answer(Ok(Answer::Found(Ok(found))))));
            }
            if !outbox.below_mark() {
                next = Some(Input::Drained);
            }
        }
    }
}

/// RFC 9112 §4: a status line for each answer, and nothing of what the client has sent stands as a
/// header of ours.
fn check_answers(said: &[u8]) {
    let text = String::from_utf8_lossy(said);
    assert!(text.is_empty() || text.starts_with("HTTP/1."), "no answer: {text}");
    assert!(!text.contains(&format!("\r\n{EVIL}")), "a header of the client's");
}

/// RFC 9113 §4.1: nothing but whole frames.
fn check_frames(said: &[u8]) {
    let mut left = said;
    while let Some((head, rest)) = left.split_at_checked(9) {
        let [high, middle, low, kind, ..] = head else { return };
        let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        assert!(*kind <= 9 && length <= 16_384, "no frame: {}", left.escape_ascii());
        let (_, behind) = rest.split_at_checked(length).expect("a frame is cut short");
        left = behind;
    }
    assert!(left.is_empty(), "half a frame: {}", left.escape_ascii());
}

/// A connection of HTTP/2, with frames that are mostly well formed.
fn frames(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut said = PREFACE.to_vec();
    while !tape.is_empty() && said.len() < SAID_MAX {
        let kind = tape.byte() % 11;
        let flags = tape.byte();
        let stream = tape.byte() % 16;
        let payload = match tape.byte() {
            byte @ 0..=199 => {
                let payload = PAYLOADS.get(usize::from(byte) % PAYLOADS.len());
                payload.copied().unwrap_or_default().to_vec()
            }
            byte => tape.bytes(usize::from(byte - 199)).to_vec(),
        };
        let [.., high, middle, low] = payload.len().to_be_bytes();
        said.extend_from_slice(&[high, middle, low, kind, flags, 0, 0, 0, stream]);
        said.extend_from_slice(&payload);
    }
    said
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Heads by HPACK (RFC 7541 §6), settings, windows, a body.
const PAYLOADS: [&[u8]; 10] = [
    b"",
    b"\x82\x86\x84\x41\x09localhost",
    b"\x82\x86\x44\x08/healthz\x41\x09localhost",
    b"\x83\x86\x44\x1e/autodiscover/autodiscover.xml\x41\x09localhost",
    b"\x82\x86\x44\x0a/style.css\x41\x0bexample.org\x40\x05range\x09bytes=0-3",
    b"\0\0\0\x01",
    b"\x7f\xff\xff\xff",
    b"\0\x04\0\0\0\x01\0\x01\0\0\0\0",
    b"pingpong",
    b"<EMailAddress>a@example.org</EMailAddress>",
];

const EVIL: &str = "X-Evil: ";

const WORDS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: a\r\n",
    "GET ",
    "HEAD ",
    "POST ",
    "PRI ",
    "/",
    "/style.css",
    "/ca.pem",
    "/mail/config-v1.1.xml?emailaddress=",
    "/profile.mobileconfig?addresses=",
    "/autodiscover/autodiscover.xml",
    "a%40example.org",
    "%0d%0aX-Evil: ",
    "*",
    "http://localhost/",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    " HTTP/2.0\r\n",
    "Host: localhost\r\n",
    "Host: elsewhere.example\r\n",
    "X-Evil: x\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 42\r\n",
    "Transfer-Encoding: chunked\r\n",
    "2a\r\n<EMailAddress>a@example.org</EMailAddress>\r\n",
    "0\r\n\r\n",
    "abc",
    "If-None-Match: *\r\n",
    "If-Range: \"x\"\r\n",
    "Range: bytes=1-2\r\n",
    "Accept-Encoding: gzip\r\n",
    "\r\n",
    "\r\n\r\n",
    "\n",
    " ",
];

/// Small limits, so that a fuzzer comes to them.
static DOOR: LazyLock<Arc<WebDoor>> = LazyLock::new(|| {
    Arc::new(WebDoor {
        limits: WebLimits {
            header_bytes_max: 1_024,
            headers_max: 20,
            body_bytes_max: 1_024,
            streams_max: STREAMS_MAX,
            ..WebLimits::default()
        },
        setup: Setup { hostname: "localhost".into(), offers: Vec::new(), by_alpn: Vec::new() },
        mta_sts: None,
        hsts_seconds: 0,
        metrics: None,
        landing: Some(Landing { ca: Some("certificate".into()), ..Landing::default() }),
    })
});

static CONTEXT: LazyLock<Arc<Context>> = LazyLock::new(|| {
    let random = || Box::new(SystemRandom::default()) as _;
    Arc::new(Context::new("localhost".into(), 1, &Allowances::default(), [0; 32], random))
});

const STREAMS_MAX: usize = 4;
/// The mark, and what is written ahead of it.
const OUTBOX_MAX: usize = 65_536 + 32_768;
