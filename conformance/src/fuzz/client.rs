//! The client of SMTP and LMTP among servers that say anything.

use pillarbox_core::smtp::address::{ForwardPath, Grammar, Mailbox, ReversePath};
use pillarbox_core::smtp::client::{
    Client, Config, Ending, Envelope, Event, KEPT_MAX, Next, TEXT_MAX,
};
use pillarbox_core::smtp::command::{Mail, Rcpt};
use pillarbox_core::smtp::config::{Protocol, Strictness};
use pillarbox_core::{Moment, Outbox};

use crate::fuzz::{Tape, cuts};

/// The first byte chooses what is spoken and how much is sent; the rest is what the server says. The
/// conversation ends, however that is cut; each recipient has a fate; what is sent is lines; and a
/// server costs no more memory than is said.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let choice = if bytes.starts_with(b"=") { 0 } else { tape.byte() };
    let said = tape.said(WORDS);
    // Whether something was said before it was asked for depends on when it comes, so what is seen need
    // not be the same.
    for cut in cuts(&said) {
        converse(choice, &cut);
    }
}

/// What a server may say.
pub const WORDS: &[&str] = &[
    "220 mx ESMTP\r\n",
    "250 ok\r\n",
    "250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250 8BITMIME\r\n",
    "250-mx\r\n250-CHUNKING\r\n250 SIZE 100\r\n",
    "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
    "250-mx\r\n250 LIMITS RCPTMAX=1 MAILMAX=2\r\n",
    "354 go\r\n",
    "250 2.1.5 recipient ok\r\n",
    "450 4.2.0 later\r\n",
    "452 too many\r\n",
    "452 4.5.3 too many\r\n",
    "550 5.1.1 nobody\r\n",
    "552 full\r\n",
    "554 no\r\n",
    "421 bye\r\n",
    "221 bye\r\n",
    "500 what\r\n",
    "250",
    "250-",
    "-",
    " ",
    "\r\n",
    "\n",
    "x",
    "999 z\r\n",
    "250 5.1.1 odd\r\n",
];

/// One body has a dot at the beginning of a line, one a bare LF.
const BODIES: [&[u8]; 2] = [b"Subject: x\r\n\r\n.dot\r\nend", b"a\nb\r\n"];

fn converse(choice: u8, cut: &[&[u8]]) {
    let protocol = if choice % 2 == 1 { Protocol::Lmtp } else { Protocol::Smtp };
    let mut config = Config::new(protocol, "mail.example").expect("a good name");
    config.chunks = choice & 2 == 0;
    let [with_dots, with_bare_end] = BODIES;
    let body = if choice & 4 == 0 { with_dots } else { with_bare_end };
    let count = 1 + usize::from(choice >> 3) % 4;
    let mut client = Client::new(config);
    let mut out = Outbox::new(1 << 20);
    let mut events = 0;
    let mut unread: Vec<u8> = Vec::new();
    let mut pieces = cut.iter();
    let mut left = 4;
    loop {
        let step = client.next(Moment::START, &unread, &mut out);
        assert!(step.used <= unread.len());
        unread.drain(..step.used);
        match step.next {
            Next::NeedBytes => match pieces.next() {
                Some(piece) => unread.extend_from_slice(piece),
                None => match client.lost(Ending::Lost) {
                    Some(event) => note(&event, count),
                    None => break,
                },
            },
            Next::AwaitOwner => client.quit(&mut out).expect("it is idle"),
            Next::AwaitBody => {
                client.body(body, &mut out).expect("it is wanted");
                if client.wants_body() {
                    client.body_end(&mut out).expect("it is wanted");
                }
            }
            Next::Event(event) => {
                note(&event, count);
                events += 1;
                left -= 1;
                if left > 0 && client.send(envelope(count), &mut out).is_err() {
                    let _is_over = client.quit(&mut out);
                }
            }
            Next::Closed => break,
        }
    }
    assert!(client.quit(&mut out).is_err() && !client.wants_body(), "it is over");
    assert!(events <= 5, "each is an answer to something of the owner's");
    let lone = |pair: &[u8]| matches!(pair, [before, b'\n'] if *before != b'\r');
    assert!(!out.unsent().windows(2).any(lone), "a bare LF was sent");
}

fn note(event: &Event, count: usize) {
    let text = format!("{event:?}");
    assert!(text.len() < (TEXT_MAX + (KEPT_MAX + 200) * 5) * 6, "{}", text.len());
    match event {
        Event::Sent(fates) => assert_eq!(fates.len(), count),
        Event::Ended { fates, .. } => assert!(fates.is_empty() || fates.len() == count),
        _ => {}
    }
}

fn envelope(count: usize) -> Envelope {
    let grammar = Grammar { strictness: Strictness::Lenient, localpart_max: 64, domain_max: 255 };
    let mailbox = |text: &str| Mailbox::parse(text, grammar).expect("an address").into_owned();
    let to = |number| {
        Rcpt::new(ForwardPath::Mailbox(mailbox(&format!("r{number}@d{}.example", number % 2))))
    };
    Envelope {
        mail: Mail::new(ReversePath::Mailbox(mailbox("ann@mail.example"))),
        recipients: (0..count).map(to).collect(),
    }
}
