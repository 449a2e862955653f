//! Conversations as tables, and what holds for all of them.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::sasl::{Channel, Credentials, Mechanism, NONCE_BYTES, Secret};
use crate::smtp::address::{ForwardPath, Grammar, Mailbox, ReversePath};
use crate::smtp::command::{ByMode, DeliverBy, Encoding, Hold, Mail, Rcpt};
use crate::smtp::config::{Capabilities, Strictness};
use crate::smtp::limits::Limits;
use crate::smtp::reply::Reply;
use crate::smtp::{self, Server};

fn mailbox(text: &str) -> Mailbox<'static> {
    let grammar = Grammar { strictness: Strictness::Pedantic, localpart_max: 64, domain_max: 255 };
    Mailbox::parse(text, grammar).unwrap().into_owned()
}

fn letter(to: &[&str]) -> Envelope {
    let recipients = to.iter().map(|to| Rcpt::new(ForwardPath::Mailbox(mailbox(to)))).collect();
    Envelope { mail: Mail::new(ReversePath::Mailbox(mailbox("a@c.example"))), recipients }
}

fn shown(fate: &Fate) -> String {
    match fate {
        Fate::Delivered(_) => "ok".into(),
        Fate::Refused { at, answer } => format!("{}@{at:?}", answer.code),
        Fate::Another(_) => "another".into(),
        Fate::NotHandedOver(_) => "lost".into(),
        Fate::Unknown(_) => "unknown".into(),
    }
}

/// An owner who sends letters one after the other and quits.
struct Owner {
    client: Client,
    out: Outbox,
    letters: VecDeque<Envelope>,
    body: Vec<u8>,
    piece: usize,
    unread: Vec<u8>,
    /// What has happened, in short.
    told: Vec<String>,
}

impl Owner {
    fn new(protocol: Protocol, letters: Vec<Envelope>) -> Self {
        Self {
            client: Client::new(Config::new(protocol, "c.example").unwrap()),
            out: Outbox::new(65_536),
            letters: letters.into(),
            body: b"one\r\n.two\r\n".to_vec(),
            piece: 1_000,
            unread: Vec::new(),
            told: Vec::new(),
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        loop {
            let step = self.client.next(Moment::START, &self.unread, &mut self.out);
            self.unread.drain(..step.used);
            match step.next {
                Next::NeedBytes | Next::Closed => return,
                Next::AwaitOwner => match self.letters.pop_front() {
                    Some(envelope) => {
                        if let Err(why) = self.client.send(envelope, &mut self.out) {
                            self.told.push(format!("{why:?}"));
                        }
                    }
                    None if self.client.quit(&mut self.out).is_ok() => {}
                    None => return,
                },
                Next::AwaitBody => self.give(),
                Next::Event(event) => self.note(&event),
            }
        }
    }

    fn give(&mut self) {
        let body = self.body.clone();
        let mut pieces = body.chunks(self.piece).skip(self.given());
        match pieces.next() {
            Some(piece) => self.client.body(piece, &mut self.out).unwrap(),
            None => self.client.body_end(&mut self.out).unwrap(),
        }
        let given = self.given() + 1;
        self.told.push(format!("#{given}"));
    }

    /// How many pieces of the present body were given.
    fn given(&self) -> usize {
        self.told.iter().rev().take_while(|told| told.starts_with('#')).count()
    }

    fn note(&mut self, event: &Event) {
        let fates = |fates: &[Fate]| fates.iter().map(shown).collect::<Vec<_>>().join(" ");
        self.told.push(match event {
            Event::Sent(all) => format!("sent {}", fates(all)),
            Event::Ended { why, fates: all } => {
                let why = format!("{why:?}");
                let why = why.split(['(', ' ']).next().unwrap_or_default();
                format!("{why} {}", fates(all)).trim_end().to_owned()
            }
            other => format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
        });
    }

    fn told(&self) -> Vec<&str> {
        self.told.iter().map(|told| &**told).filter(|told| !told.starts_with('#')).collect()
    }

    fn said(&mut self) -> String {
        let said = String::from_utf8_lossy(self.out.unsent()).into_owned();
        self.out.clear();
        said
    }
}

/// `S:` lines are told; what the client says then must be the `C:` lines up to the next.
fn play(mut owner: Owner, script: &str) -> Vec<String> {
    let mut heard = String::new();
    let mut expected = String::new();
    for line in script.lines().map(str::trim).chain(["S:"]).filter(|line| !line.is_empty()) {
        if let Some(line) = line.strip_prefix("C:") {
            if !heard.is_empty() {
                owner.hear(std::mem::take(&mut heard).as_bytes());
            }
            expected.push_str(line.strip_prefix(' ').unwrap_or(line));
            expected.push_str("\r\n");
        } else {
            if !heard.is_empty() {
                owner.hear(std::mem::take(&mut heard).as_bytes());
            }
            assert_eq!(owner.said(), std::mem::take(&mut expected), "{script}");
            let line = line.trim_start_matches("S:").trim_start();
            if !line.is_empty() {
                heard = format!("{line}\r\n");
            }
        }
    }
    owner.told().into_iter().map(str::to_owned).collect()
}

const ALL_IN_ONE: &str = "S: 220 mx
    C: EHLO c.example
    S: 250-mx
    S: 250 PIPELINING
    C: MAIL FROM:<a@c.example>
    C: RCPT TO:<b@d.example>
    C: RCPT TO:<c@d.example>
    C: DATA
    ";

#[test]
fn every_mix_of_answers_to_a_group() {
    let table = [
        ("250 250 251 354 250", "sent ok ok"),
        ("250 250 550 354 250", "sent ok 550@Rcpt"),
        ("250 250 452 354 250", "sent ok another"),
        ("250 250 552 354 250", "sent ok another"),
        ("250 452 250 354 250", "sent 452@Rcpt ok"),
        ("250 250 250 354 451", "sent 451@Message 451@Message"),
        ("250 250 250 354 554", "sent 554@Message 554@Message"),
        ("250 250 250 451", "sent 451@Data 451@Data"),
        ("250 550 451 503", "sent 550@Rcpt 451@Rcpt"),
        ("250 550 550 354 554", "sent 550@Rcpt 550@Rcpt"),
        ("550 503 503 503", "sent 550@Mail 550@Mail"),
        ("451 250 250 354 250", "sent 451@Mail 451@Mail"),
        ("421", "ShuttingDown lost lost"),
        ("250 550 421", "ShuttingDown 550@Rcpt lost"),
        ("250 250 250 421", "ShuttingDown lost lost"),
        ("250 250 250 354 421", "ShuttingDown 421@Message 421@Message"),
        ("250 354", "Unexpected lost lost"),
        ("250 250 250 250", "Unexpected lost lost"),
        ("250 250 250 354 354", "Unexpected unknown unknown"),
        ("250 250 250 354 25", "Malformed unknown unknown"),
        ("250 250 250", "Lost lost lost"),
        ("250 250 250 354", "Lost unknown unknown"),
    ];
    for (answers, expected) in table {
        let letters = vec![letter(&["b@d.example", "c@d.example"])];
        let mut owner = Owner::new(Protocol::Smtp, letters);
        owner.hear(b"220 mx\r\n250-mx\r\n250 PIPELINING\r\n");
        assert!(owner.said().ends_with("DATA\r\n"));
        for answer in answers.split(' ') {
            owner.hear(format!("{answer}\r\n").as_bytes());
        }
        if let Some(event) = owner.client.lost(Ending::Lost)
            && expected.starts_with("Lost")
        {
            owner.note(&event);
        }
        assert_eq!(owner.told(), ["Ready", expected], "{answers}");
        // A message goes only where somebody is to get it.
        let said = owner.said();
        let any = answers.contains("354") && !expected.starts_with("Unexpected lost");
        assert_eq!(said.contains(".\r\n"), any, "{answers}: {said}");
        let lone = expected.contains("Rcpt 550@Rcpt") || expected.contains("@Mail");
        assert_eq!(said.contains("..two\r\n.\r\n"), any && !lone, "{answers}: {said}");
    }
}

#[test]
fn one_by_one_without_pipelining_and_after_helo() {
    let script = "S: 220 mx
        C: EHLO c.example
        S: 502 what
        C: HELO c.example
        S: 250 mx
        C: MAIL FROM:<a@c.example>
        S: 250 ok
        C: RCPT TO:<b@d.example>
        S: 550-5.1.1 no
        S: 550 5.1.1 such user
        C: RSET
        S: 250 ok
        C: MAIL FROM:<a@c.example>
        S: 250 ok
        C: RCPT TO:<c@d.example>
        S: 250 ok
        C: DATA
        S: 354 go
        C: one
        C: ..two
        C: .
        S: 250 2.0.0 taken
        C: QUIT
        S: 221 bye";
    // The first transaction is open on the server's side, so RSET comes before the second.
    let letters = vec![letter(&["b@d.example"]), letter(&["c@d.example"])];
    let told = play(Owner::new(Protocol::Smtp, letters), script);
    assert_eq!(told, ["Ready", "sent 550@Rcpt", "sent ok", "Quit"]);
}

#[test]
fn a_message_without_recipients_is_a_lone_dot() {
    let script = format!(
        "{ALL_IN_ONE}
        S: 250 ok
        S: 550 no
        S: 550 no
        S: 354 go
        C: .
        S: 554 no valid recipients
        C: QUIT"
    );
    let owner = Owner::new(Protocol::Smtp, vec![letter(&["b@d.example", "c@d.example"])]);
    assert_eq!(play(owner, &script), ["Ready", "sent 550@Rcpt 550@Rcpt"]);
}

#[test]
fn lmtp_answers_for_each() {
    let script = "S: 220 mx
        C: LHLO c.example
        S: 250-mx
        S: 250 PIPELINING
        C: MAIL FROM:<a@c.example>
        C: RCPT TO:<b@d.example>
        C: RCPT TO:<c@d.example>
        C: RCPT TO:<e@d.example>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 550 no
        S: 250 ok
        S: 354 go
        C: one
        C: ..two
        C: .
        S: 250 ok
        S: 452 full
        C: QUIT";
    let letters = vec![letter(&["b@d.example", "c@d.example", "e@d.example"])];
    let told = play(Owner::new(Protocol::Lmtp, letters), script);
    assert_eq!(told, ["Ready", "sent ok 550@Rcpt 452@Message"]);
}

#[test]
fn chunks_are_counted_and_a_refused_one_ends_the_message() {
    let script = "S: 220 mx
        C: EHLO c.example
        S: 250-mx
        S: 250 CHUNKING
        C: MAIL FROM:<a@c.example>
        S: 250 ok
        C: RCPT TO:<b@d.example>
        S: 250 ok
        C: BDAT 11
        C: one
        C: .two
        S: 250 ok
        C: BDAT 0 LAST
        S: 250 taken
        C: MAIL FROM:<a@c.example>
        S: 250 ok
        C: RCPT TO:<b@d.example>
        S: 250 ok
        C: BDAT 11
        C: one
        C: .two
        S: 552 5.3.4 too large
        C: QUIT";
    let letters = vec![letter(&["b@d.example"]), letter(&["b@d.example"])];
    let told = play(Owner::new(Protocol::Smtp, letters), script);
    assert_eq!(told, ["Ready", "sent ok", "sent 552@Body"]);
}

#[test]
fn limits_that_are_told_are_kept() {
    let script = "S: 220 mx
        C: EHLO c.example
        S: 250-mx
        S: 250-PIPELINING
        S: 250 LIMITS MAILMAX=1 RCPTMAX=2 RCPTDOMAINMAX=1
        C: MAIL FROM:<a@c.example>
        C: RCPT TO:<b@d.example>
        C: RCPT TO:<c@d.example>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: one
        C: ..two
        C: .
        S: 250 ok
        C: QUIT";
    let to = ["b@d.example", "x@other.example", "c@d.example", "e@d.example"];
    let told = play(Owner::new(Protocol::Smtp, vec![letter(&to), letter(&to)]), script);
    assert_eq!(told, ["Ready", "sent ok another ok another", "Exhausted"]);
}

#[test]
fn what_a_server_lacks_is_told_before_anything_is_sent() {
    type Change = fn(&mut Mail<'static>);
    let table: [(&str, Change, NotSent); 9] = [
        ("", |m| m.smtp_utf8 = true, NotSent::SmtpUtf8),
        ("", |m| m.body = Some(Encoding::EightBitMime), NotSent::NeedsSevenBit),
        ("CHUNKING", |m| m.body = Some(Encoding::BinaryMime), NotSent::NeedsLines),
        ("BINARYMIME", |m| m.body = Some(Encoding::BinaryMime), NotSent::NeedsLines),
        ("SIZE 10", |m| m.size = Some(11), NotSent::TooLarge(10)),
        ("REQUIRETLS", |m| m.require_tls = true, NotSent::TlsNotVerified),
        ("", |m| m.hold = Some(Hold::For(5)), NotSent::Hold),
        ("FUTURERELEASE 4 2030-01-01T00:00:00Z", |m| m.hold = Some(Hold::For(5)), NotSent::Hold),
        (
            "DELIVERBY 60",
            |m| m.by = Some(DeliverBy { seconds: 59, mode: ByMode::Return, trace: false }),
            NotSent::DeliverBy,
        ),
    ];
    for (offers, change, expected) in table {
        let mut owner = Owner::new(Protocol::Smtp, Vec::new());
        let greeting = format!("220 mx\r\n250-mx\r\n250 {offers}\r\n");
        let step = owner.client.next(Moment::START, greeting.as_bytes(), &mut owner.out);
        assert_eq!(step.next, Next::Event(Event::Ready));
        let said = owner.said();
        let mut envelope = letter(&["b@d.example"]);
        change(&mut envelope.mail);
        assert_eq!(owner.client.send(envelope, &mut owner.out), Err(expected));
        assert_eq!((said.as_str(), &*owner.said()), ("EHLO c.example\r\n", ""));
    }
}

fn ready(offers: &str) -> Owner {
    let mut owner = Owner::new(Protocol::Smtp, Vec::new());
    let greeting = format!("220 mx\r\n250-mx\r\n250 {offers}\r\n");
    let step = owner.client.next(Moment::START, greeting.as_bytes(), &mut owner.out);
    assert_eq!(step.next, Next::Event(Event::Ready));
    owner.said();
    owner
}

#[test]
fn tls_begins_anew_and_takes_nothing_that_came_in_clear() {
    let mut owner = ready("STARTTLS");
    owner.client.start_tls(&mut owner.out).unwrap();
    let injected = b"220 go\r\n250 x\r\n";
    let mut other = ready("STARTTLS");
    other.client.start_tls(&mut other.out).unwrap();
    let step = other.client.next(Moment::START, injected, &mut other.out);
    let ended = Event::Ended { why: Ending::Injected, fates: Vec::new() };
    assert_eq!(step, Step { used: injected.len(), next: Next::Event(ended) });

    let step = owner.client.next(Moment::START, b"220 go\r\n", &mut owner.out);
    assert_eq!(step.next, Next::Event(Event::StartTls));
    assert!(owner.client.quit(&mut owner.out).is_err());
    owner.client.tls_started(true, &mut owner.out).unwrap();
    assert_eq!(owner.said(), "STARTTLS\r\nEHLO c.example\r\n");
    let step = owner.client.next(Moment::START, b"250-mx\r\n250 REQUIRETLS\r\n", &mut owner.out);
    assert_eq!(step.next, Next::Event(Event::Ready));
    assert!(owner.client.start_tls(&mut owner.out).is_err());
    let mut envelope = letter(&["b@d.example"]);
    envelope.mail.require_tls = true;
    owner.client.send(envelope, &mut owner.out).unwrap();
    assert_eq!(owner.said(), "MAIL FROM:<a@c.example> REQUIRETLS\r\n");
}

#[test]
fn logins() {
    let who = |password: &str| Credentials {
        authzid: String::new(),
        authcid: "u".into(),
        password: Secret::new(password.into()),
    };
    let long = "p".repeat(600);
    let table = [
        (Mechanism::Plain, "p", vec!["235 ok"], "AUTH PLAIN AHUAcA==\r\n", "Authenticated"),
        (Mechanism::Plain, "p", vec!["535 no"], "AUTH PLAIN AHUAcA==\r\n", "LoginFailed"),
        (
            Mechanism::Login,
            "p",
            vec!["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok"],
            "AUTH LOGIN\r\ndQ==\r\ncA==\r\n",
            "Authenticated",
        ),
        (Mechanism::Login, "p", vec!["334 !", "501 ok"], "AUTH LOGIN\r\n*\r\n", "LoginFailed"),
        // A yes before the password was asked for is none.
        (Mechanism::Login, "p", vec!["235 ok"], "AUTH LOGIN\r\n", "LoginFailed"),
        (Mechanism::Plain, &long, vec!["334 "], "AUTH PLAIN\r\nAHUAcHBw", ""),
        (Mechanism::Plain, "p", vec!["421 no"], "AUTH PLAIN AHUAcA==\r\n", "ShuttingDown"),
    ];
    for (mechanism, password, answers, said, told) in table {
        let mut owner = ready("AUTH PLAIN LOGIN");
        let nonce = [7; NONCE_BYTES];
        let channel = Channel::Unbound;
        let begun =
            owner.client.authenticate(mechanism, who(password), &channel, nonce, &mut owner.out);
        assert_eq!(begun, Ok(()));
        for answer in answers {
            let bytes = format!("{answer}\r\n");
            let step = owner.client.next(Moment::START, bytes.as_bytes(), &mut owner.out);
            if let Next::Event(event) = step.next {
                owner.note(&event);
            }
        }
        assert!(owner.said().starts_with(said), "{said}");
        assert_eq!(owner.told().join(" "), told);
    }
}

#[test]
fn waits_end() {
    let mut client = Client::new(Config::new(Protocol::Smtp, "c.example").unwrap());
    let mut out = Outbox::new(1_000);
    let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
    client.next(at(0), b"", &mut out);
    assert_eq!(client.deadline(), Some(at(300)));
    client.next(at(299), b"220-mx\r\n", &mut out);
    // A part of an answer does not prolong the wait.
    assert_eq!(client.deadline(), Some(at(300)));
    client.next(at(299), b"220 mx\r\n", &mut out);
    assert_eq!(client.deadline(), Some(at(599)));
    let ended = Event::Ended { why: Ending::TimedOut, fates: Vec::new() };
    assert_eq!(client.next(at(599), b"", &mut out).next, Next::Event(ended));
    assert_eq!(client.next(at(600), b"", &mut out).next, Next::Closed);
}

#[test]
fn answers_without_end_are_cut_off() {
    let line = format!("220-{}\r\n", "x".repeat(100));
    for (endless, what) in [
        ("x".repeat(LINE_MAX), Malformed::LineTooLong),
        (line.repeat(1_000), Malformed::TooMuchText),
        ("220-\r\n".repeat(LINES_MAX + 1), Malformed::TooManyLines),
        ("220-a\r\n221 b\r\n".into(), Malformed::CodesDiffer),
        ("2a0 b\r\n".into(), Malformed::NoCode),
        ("220b\r\n".into(), Malformed::NoCode),
    ] {
        let mut owner = Owner::new(Protocol::Smtp, Vec::new());
        let step = owner.client.next(Moment::START, endless.as_bytes(), &mut owner.out);
        let ended = Event::Ended { why: Ending::Malformed(what), fates: Vec::new() };
        assert_eq!(step.next, Next::Event(ended));
    }
}

/// What a server of ours gets from a client of ours.
fn between(body: &[u8], piece: usize, capabilities: Capabilities) -> Option<Vec<u8>> {
    let config =
        smtp::config::Config::new("mx", Limits::default(), capabilities, Strictness::Pedantic);
    let mut server = Server::new(config.unwrap().into(), "c1");
    let mut back = Outbox::new(1 << 20);
    server.greet(&Reply::greeting("x"), &mut back).unwrap();
    let mut owner = Owner::new(Protocol::Smtp, vec![letter(&["b@d.example"])]);
    owner.client.config.bare_ends = BareEnds::Mend;
    (owner.body, owner.piece) = (body.to_vec(), piece);
    let (mut got, mut whole, mut unread) = (Vec::new(), false, Vec::new());
    loop {
        let answers = back.unsent().to_vec();
        back.clear();
        owner.hear(&answers);
        unread.extend_from_slice(owner.out.unsent());
        owner.out.clear();
        loop {
            let step = server.next(&unread, &mut back);
            let used = step.used;
            let reply = match step.next {
                smtp::Next::Event(smtp::Event::Hello(_)) => Some(Reply::hello("x")),
                smtp::Next::Event(smtp::Event::Mail(_)) => Some(Reply::sender_ok()),
                smtp::Next::Event(smtp::Event::Rcpt(_)) => Some(Reply::recipient_ok()),
                smtp::Next::Event(smtp::Event::Data) => Some(Reply::start_mail()),
                smtp::Next::Event(smtp::Event::BodyEnd) => {
                    whole = true;
                    Some(Reply::accepted())
                }
                smtp::Next::Event(smtp::Event::Body(text)) => {
                    got.extend_from_slice(text);
                    None
                }
                smtp::Next::NeedBytes if used == 0 => break,
                smtp::Next::Closed => {
                    owner.hear(back.unsent());
                    let all = owner.told() == ["Ready", "sent ok", "Quit"];
                    return (whole && all).then_some(got);
                }
                _ => None,
            };
            if let Some(reply) = reply {
                server.reply(&reply, &mut back).unwrap();
            }
            unread.drain(..used);
        }
    }
}

/// Each CR, LF and CRLF a line end, and one at the end.
fn in_lines(body: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut rest = body.iter().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'\r' => {
                rest.next_if(|next| **next == b'\n');
                lines.extend_from_slice(b"\r\n");
            }
            b'\n' => lines.extend_from_slice(b"\r\n"),
            byte => lines.push(*byte),
        }
    }
    if !lines.is_empty() && !lines.ends_with(b"\r\n") {
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(&b"..\r\r\n\nab"[..]), 0..40)
}

fn answers() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop::sample::select(vec![
        "220 x\r\n",
        "250-x\r\n",
        "250 PIPELINING\r\n",
        "250 CHUNKING\r\n",
        "250 ok\r\n",
        "250 2.1.0 ok\r\n",
        "354 go\r\n",
        "452 4.5.3 many\r\n",
        "550 no\r\n",
        "421 bye\r\n",
        "x",
        "\r\n",
        "503 what\r\n",
        "334 \r\n",
    ]);
    prop::collection::vec(lines, 0..24).prop_map(|lines| lines.concat().into_bytes())
}

proptest! {
    #[test]
    fn a_server_of_ours_gets_the_lines(body in bodies(), piece in 1_usize..9, chunking: bool,
        pipelining: bool)
    {
        let capabilities = Capabilities { chunking, pipelining, ..Capabilities::default() };
        prop_assert_eq!(between(&body, piece, capabilities), Some(in_lines(&body)));
    }

    #[test]
    fn no_bare_end_leaves(body in bodies(), piece in 1_usize..9, stuffs: bool, mends: bool) {
        let bare = if mends { BareEnds::Mend } else { BareEnds::Refuse };
        let mut text = Text::new(bare, stuffs);
        let mut sent = Vec::new();
        let mut result = Ok(());
        for piece in body.chunks(piece) {
            result = result.and_then(|()| text.write(piece, &mut |b| sent.extend_from_slice(b)));
        }
        result = result.and_then(|()| text.finish(&mut |b| sent.extend_from_slice(b)));
        let clean = in_lines(&body) == body || in_lines(&body) == [&*body, b"\r\n"].concat();
        prop_assert_eq!(result.is_ok(), mends || clean);
        let rest = sent.split(|byte| *byte == b'\n').collect::<Vec<_>>();
        let (tail, lines) = rest.split_last().unwrap();
        prop_assert!(!tail.contains(&b'\r'));
        for line in lines {
            prop_assert_eq!(line.iter().position(|byte| *byte == b'\r'), Some(line.len() - 1));
            prop_assert!(!stuffs || *line != b".\r");
        }
    }

    #[test]
    fn any_split_of_the_answers_is_the_same(
        first in prop::sample::select(vec!["", "220 x\r\n250-x\r\n250 PIPELINING\r\n"]),
        answers in answers(),
        cuts in prop::collection::vec(1_usize..12, 1..8),
        lmtp: bool,
    ) {
        let protocol = if lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let to = ["b@d.example", "c@d.example"];
        let bytes = [first.as_bytes(), &answers].concat();
        let mut whole = Owner::new(protocol, vec![letter(&to), letter(&to)]);
        // Line by line: what a server says before it is asked is a mistake of its own.
        let mut split = Owner::new(protocol, vec![letter(&to), letter(&to)]);
        let mut cuts = cuts.iter().cycle();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            whole.hear(line);
            let mut rest = line;
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                split.hear(piece);
                rest = behind;
            }
        }
        prop_assert_eq!(whole.told(), split.told());
        prop_assert_eq!(whole.said(), split.said());
        for told in whole.told().iter().filter(|told| told.starts_with("sent ")) {
            prop_assert_eq!(told.split(' ').count(), 3);
        }
    }
}
