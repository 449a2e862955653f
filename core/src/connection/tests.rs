//! A session of lines under TLS, its client a rustls client in memory.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::tls::{Identity, Rules};
use crate::{EffectId, UnixSeconds};

/// Says `hello` at its start, sends each line back, takes TLS at `tls`, ends at `quit`; after
/// `keep` it goes on without its client until an answer comes.
#[derive(Debug, Default)]
struct Echo {
    /// Said after the greeting.
    speaks: Option<alpn::Protocol>,
    tls: bool,
    keeps: bool,
    seen: Vec<&'static str>,
}

impl Machine for Echo {
    type Effect = ();
    type Completion = ();

    fn step(&mut self, _: Now, input: Input<()>, io: &mut Io<'_, ()>) -> Want {
        match input {
            Input::Start => {
                io.outbox.push(b"hello\n");
                if let Some(protocol) = self.speaks {
                    io.outbox.push(protocol.name().as_bytes());
                    io.outbox.push(b"\n");
                }
            }
            Input::Eof => {
                self.seen.push("eof");
                return Want::END;
            }
            Input::Gone => {
                self.seen.push("gone");
                return Want { done: !self.keeps, ..Want::ABORT };
            }
            Input::Done(..) => {
                self.seen.push("answer");
                return Want::ABORT;
            }
            _ => {}
        }
        while io.outbox.below_mark()
            && let Some(end) = io.inbox.unread().iter().position(|byte| *byte == b'\n')
        {
            let line = io.inbox.unread()[..=end].to_vec();
            io.inbox.consume(line.len());
            io.outbox.push(&line);
            match &line[..] {
                b"tls\n" => {
                    self.tls = true;
                    break;
                }
                b"quit\n" => return Want::END,
                b"keep\n" => self.keeps = true,
                _ => {}
            }
        }
        Want::READ
    }
}

impl Session for Echo {
    fn takes_tls(&mut self) -> bool {
        std::mem::take(&mut self.tls)
    }
    fn secured(&mut self, agreed: Agreed) {
        assert!(agreed.version.starts_with("TLSv1."));
        self.seen.push("secured");
    }
    fn tls_failed(&mut self, _: &TlsError) {
        self.seen.push("failed");
    }
}

struct Rig {
    server: Connection<Echo>,
    inbox: Inbox,
    outbox: Outbox,
    client: rustls::ClientConnection,
    want: Want,
    now: Now,
    /// How many bytes travel at once.
    piece: usize,
    heard: Vec<u8>,
}

fn certificate(alpn: &[alpn::Protocol]) -> (Acceptor, rustls::ClientConfig) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let identity =
        Identity::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes())
            .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let rules = Rules { alpn: alpn.into(), ..Rules::default() };
    (Acceptor::new(&[identity], rules, || UnixSeconds(1_795_527_240)).unwrap(), client)
}

impl Rig {
    fn new(piece: usize, security: impl FnOnce(Acceptor) -> Security) -> Self {
        let (acceptor, client) = certificate(&[]);
        let limits = Limits { inbox_max: 100, outbox_mark: 200, ..Limits::default() };
        Self::with(piece, client, Connection::new(Echo::default(), security(acceptor), limits))
    }

    /// A client that lists these protocols.
    fn choosing(piece: usize, listed: &[&str]) -> Self {
        let (acceptor, mut client) = certificate(&[alpn::Protocol::Imap, alpn::Protocol::Smtp]);
        client.alpn_protocols = listed.iter().map(|name| name.as_bytes().into()).collect();
        let choose = |protocol| Echo { speaks: Some(protocol), ..Echo::default() };
        let limits = Limits::default();
        let server = Connection::choosing(Echo::default(), Box::new(choose), acceptor, limits);
        Self::with(piece, client, server)
    }

    fn with(piece: usize, client: rustls::ClientConfig, server: Connection<Echo>) -> Self {
        let client =
            rustls::ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap())
                .unwrap();
        let mut rig = Self {
            server,
            inbox: Inbox::new(1 << 16),
            outbox: Outbox::new(1_000),
            client,
            want: Want::READ,
            now: Now::default(),
            piece,
            heard: Vec::new(),
        };
        rig.step(Input::Start);
        rig
    }

    fn step(&mut self, input: Input<()>) {
        let mut effects: Vec<(EffectId, ())> = Vec::new();
        let mut io = Io { inbox: &mut self.inbox, outbox: &mut self.outbox, effects: &mut effects };
        self.want = self.server.step(self.now, input, &mut io);
    }

    fn receive_clear(&mut self, bytes: &[u8]) {
        self.inbox.extend(bytes);
        self.step(Input::Bytes);
    }

    fn sent_clear(&mut self) -> String {
        let text = String::from_utf8_lossy(self.outbox.unsent()).into_owned();
        self.outbox.clear();
        text
    }

    /// Carries cipher bytes both ways until nothing moves.
    fn settle(&mut self) {
        loop {
            let mut moved = false;
            let mut cipher = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut cipher).unwrap();
            }
            for piece in cipher.chunks(self.piece) {
                moved = true;
                let mut rest = piece;
                while !rest.is_empty() && !self.want.done {
                    let taken = self.inbox.extend(rest);
                    rest = &rest[taken..];
                    self.step(Input::Bytes);
                    self.drain();
                }
            }
            moved |= self.drain();
            if !moved {
                return;
            }
        }
    }

    fn drain(&mut self) -> bool {
        let mut moved = false;
        while !self.outbox.is_empty() {
            moved = true;
            let was_above = !self.outbox.below_mark();
            let unsent = self.outbox.unsent();
            let mut piece = &unsent[..unsent.len().min(self.piece)];
            let count = self.client.read_tls(&mut piece).unwrap();
            self.client.process_new_packets().unwrap();
            let _would_block = self.client.reader().read_to_end(&mut self.heard);
            self.outbox.sent(count);
            if was_above && self.outbox.below_mark() && !self.want.done {
                self.step(Input::Drained);
            }
        }
        moved
    }

    fn say(&mut self, text: &str) {
        self.client.writer().write_all(text.as_bytes()).unwrap();
        self.settle();
    }

    fn heard(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.heard)).unwrap()
    }
}

#[test]
fn what_the_client_asks_for_is_spoken() {
    for piece in [1, 7, 4096] {
        for (listed, greeting) in [
            (&["imap"][..], "hello\nimap\n"),
            (&["h2", "smtp", "imap"], "hello\nsmtp\n"),
            // The session for those who do not ask.
            (&[], "hello\n"),
        ] {
            let mut rig = Rig::choosing(piece, listed);
            rig.settle();
            assert_eq!(rig.heard(), greeting, "{listed:?}");
            assert_eq!(rig.server.session.seen, ["secured"]);
            rig.say("one\n");
            assert_eq!(rig.heard(), "one\n");
        }
    }
}

#[test]
fn implicit_tls_in_pieces_of_any_size() {
    for piece in [1, 7, 4096] {
        let mut rig = Rig::new(piece, Security::Implicit);
        assert!(rig.outbox.is_empty(), "nothing is said before the handshake");
        rig.settle();
        assert_eq!(rig.heard(), "hello\n");
        rig.say("one\ntwo\n");
        assert_eq!(rig.heard(), "one\ntwo\n");
        rig.say("quit\n");
        assert_eq!(rig.heard(), "quit\n");
        assert_eq!(rig.want, Want::END);
        assert_eq!(rig.server.session.seen, ["secured"]);
    }
}

#[test]
fn more_than_all_buffers_hold_goes_through() {
    for piece in [13, 4096] {
        let mut rig = Rig::new(piece, Security::Implicit);
        rig.settle();
        rig.heard();
        let text = "0123456789abcdef\n".repeat(2_000);
        rig.say(&text);
        assert_eq!(rig.heard(), text);
    }
}

#[test]
fn starttls_greets_no_second_time_and_forgets_nothing_it_must_not() {
    let mut rig = Rig::new(5, Security::Offered);
    assert_eq!(rig.sent_clear(), "hello\n");
    rig.receive_clear(b"tls\n");
    assert_eq!(rig.sent_clear(), "tls\n");
    rig.settle();
    rig.say("under tls\n");
    assert_eq!(rig.heard(), "under tls\n");
    assert_eq!(rig.server.session.seen, ["secured"]);
}

#[test]
fn what_came_in_clear_behind_starttls_ends_the_connection() {
    let mut rig = Rig::new(5, Security::Offered);
    rig.receive_clear(b"tls\ninjected\n");
    assert_eq!(rig.want, Want::ABORT);
}

#[test]
fn a_session_that_takes_tls_where_there_is_none_ends() {
    let mut rig = Rig::new(5, |_| Security::Clear);
    rig.receive_clear(b"tls\n");
    assert_eq!(rig.want, Want::ABORT);
}

#[test]
fn close_notify_is_an_end_and_a_bare_end_is_a_cut() {
    let mut rig = Rig::new(4096, Security::Implicit);
    rig.settle();
    rig.client.send_close_notify();
    rig.settle();
    assert_eq!(rig.server.session.seen, ["secured", "eof"]);
    assert_eq!(rig.want, Want::END);

    let mut rig = Rig::new(4096, Security::Implicit);
    rig.settle();
    rig.step(Input::Eof);
    assert_eq!(rig.server.session.seen, ["secured", "gone"]);
    assert_eq!(rig.want, Want::ABORT);
}

#[test]
fn a_session_brings_something_to_its_end_without_its_client() {
    for input in [Input::Eof, Input::Gone] {
        let mut rig = Rig::new(4096, Security::Implicit);
        rig.settle();
        rig.say("keep\n");
        rig.step(input);
        assert!(!rig.want.done && !rig.want.read);
        rig.step(Input::Done(EffectId(1), ()));
        assert!(rig.want.done);
        assert_eq!(rig.server.session.seen, ["secured", "gone", "answer"]);
    }
}

#[test]
fn rubbish_is_answered_by_an_alert() {
    let mut rig = Rig::new(4096, Security::Implicit);
    rig.receive_clear(b"EHLO client.example\r\n");
    assert_eq!(rig.want, Want::END);
    assert_eq!(rig.outbox.unsent().first(), Some(&21), "content type alert");
    assert_eq!(rig.server.session.seen, ["failed", "gone"]);
}

#[test]
fn a_handshake_at_its_deadline_and_just_before() {
    let mut rig = Rig::new(4096, Security::Implicit);
    let limit = Limits::default().handshake_within;
    rig.now.moment = Moment::START + (limit - Duration::from_nanos(1));
    rig.step(Input::Timer);
    assert_eq!(rig.want.deadline, Some(Moment::START + limit));
    assert!(!rig.want.done);
    rig.now.moment = Moment::START + limit;
    rig.step(Input::Timer);
    assert!(rig.want.done);
}
