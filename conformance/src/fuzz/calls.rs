//! The calls of an owner, in any order and with any arguments: what is misused says so, writes
//! nothing and changes nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use pillarbox::config::Protocol;
use pillarbox_core::effect::{Completion, Fault, FaultKind};
use pillarbox_core::imap::server as imap;
use pillarbox_core::smtp::Server;
use pillarbox_core::smtp::config::{Capabilities, Config, Strictness};
use pillarbox_core::smtp::limits::Limits;
use pillarbox_core::smtp::reply::Reply;
use pillarbox_core::smtp::{Event, Next};
use pillarbox_core::{EffectId, Inbox, Input, Io, Now, Outbox, Stream};

use crate::fuzz::tls::LONG;
use crate::fuzz::{Tape, imap as imap_words, smtp as smtp_words};
use crate::world::{Mold, World};

/// The first byte chooses whose calls they are.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    match tape.below(4) {
        0 => smtp_calls(tape),
        1 => imap_calls(tape),
        2 => inputs(tape, Protocol::Submission, smtp_words::WORDS),
        _ => inputs(tape, Protocol::Imap, imap_words::WORDS),
    }
}

/// What the owner of an SMTP server may do now, by what it has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owes {
    Greeting,
    Nothing,
    Reply,
    /// A reply or a challenge.
    Auth,
    Handshake,
    Closed,
}

/// An SMTP server, and what its owner knows.
struct Smtp {
    server: Server,
    out: Outbox,
    unread: Vec<u8>,
    owes: Owes,
    asked_tls: bool,
}

fn smtp_calls(mut tape: Tape<'_>) {
    let names = || vec!["PLAIN".to_owned()];
    let capabilities = Capabilities {
        starttls: true,
        auth: names(),
        auth_under_tls: names(),
        ..Capabilities::default()
    };
    let config =
        Config::new("localhost", Limits::default(), capabilities, Strictness::default()).unwrap();
    let mut smtp = Smtp {
        server: Server::new(Arc::new(config), "id7"),
        out: Outbox::new(1 << 20),
        unread: Vec::new(),
        owes: Owes::Greeting,
        asked_tls: false,
    };
    for _ in 0..CALLS_MAX {
        if tape.is_empty() {
            break;
        }
        let (before, written) = (format!("{:?}", smtp.server), smtp.out.unsent().len());
        let call = tape.below(12);
        let reply = REPLIES.get(tape.below(REPLIES.len())).map(|make| make());
        let reply = reply.unwrap_or_else(Reply::stopping);
        let (good, allowed) = match call {
            0..=4 => {
                smtp.read(&mut tape);
                continue;
            }
            5..=7 => smtp.reply(&reply),
            8 => smtp.challenge(tape.bytes(5)),
            9 => smtp.greet(&reply),
            10 => smtp.tls_started(),
            _ if tape.below(8) == 0 => {
                smtp.close(&reply);
                continue;
            }
            _ => continue,
        };
        assert_eq!(good, allowed, "call {call} in {before}");
        if !good {
            let now = (format!("{:?}", smtp.server), smtp.out.unsent().len());
            assert_eq!(now, (before, written), "misuse");
        }
    }
}

impl Smtp {
    /// More bytes come, and the server reads on: only while nothing is owed.
    fn read(&mut self, tape: &mut Tape<'_>) {
        self.unread.extend(tape.piece(smtp_words::WORDS));
        let step = self.server.next(&self.unread, &mut self.out);
        let used = step.used;
        assert!(used <= self.unread.len());
        match (&step.next, self.owes) {
            (Next::Event(_) | Next::NeedBytes, Owes::Nothing) => {}
            (Next::AwaitReply, Owes::Greeting | Owes::Reply | Owes::Auth | Owes::Handshake) => {
                assert_eq!(used, 0, "read on while a reply is owed");
            }
            (Next::Closed, Owes::Closed | Owes::Nothing) => self.owes = Owes::Closed,
            (next, owes) => panic!("{next:?} while the owner owes {owes:?}"),
        }
        if let Next::Event(event) = &step.next {
            self.asked_tls = matches!(event, Event::StartTls);
            self.owes = owed(event);
        }
        self.unread.drain(..used);
    }

    /// Whether the call was taken, and whether it may be; as with those below.
    fn reply(&mut self, reply: &Reply) -> (bool, bool) {
        let good = self.server.reply(reply, &mut self.out).is_ok();
        let allowed = matches!(self.owes, Owes::Reply | Owes::Auth);
        if good {
            self.owes = match reply.code().to_string().as_bytes() {
                b"421" => Owes::Closed,
                [b'2', ..] if self.asked_tls => Owes::Handshake,
                _ => Owes::Nothing,
            };
        }
        (good, allowed)
    }

    fn challenge(&mut self, data: &[u8]) -> (bool, bool) {
        let good = self.server.challenge(data, &mut self.out).is_ok();
        let allowed = self.owes == Owes::Auth;
        if good {
            self.owes = Owes::Nothing;
        }
        (good, allowed)
    }

    fn greet(&mut self, reply: &Reply) -> (bool, bool) {
        let good = self.server.greet(reply, &mut self.out).is_ok();
        let allowed = self.owes == Owes::Greeting;
        if good {
            let yes = reply.code().to_string().starts_with('2');
            self.owes = if yes { Owes::Nothing } else { Owes::Closed };
        }
        (good, allowed)
    }

    fn tls_started(&mut self) -> (bool, bool) {
        let written = self.out.unsent().len();
        let good = self.server.tls_started().is_ok();
        let allowed = matches!(self.owes, Owes::Greeting | Owes::Handshake);
        if good && self.owes == Owes::Handshake {
            self.owes = Owes::Nothing;
        }
        assert_eq!(self.out.unsent().len(), written, "a handshake says nothing");
        (good, allowed)
    }

    fn close(&mut self, reply: &Reply) {
        self.server.close(reply, &mut self.out);
        assert!(matches!(self.server.next(&self.unread, &mut self.out).next, Next::Closed));
        assert!(!self.server.is_busy(), "closed and busy");
        self.owes = Owes::Closed;
    }
}

fn owed(event: &Event<'_>) -> Owes {
    match event {
        Event::Auth { .. } | Event::AuthResponse(_) => Owes::Auth,
        Event::Body(_) | Event::BodyRefused(_) | Event::Reset | Event::AuthCancelled(_) => {
            Owes::Nothing
        }
        _ => Owes::Reply,
    }
}

const REPLIES: [fn() -> Reply; 8] = [
    || Reply::hello("hello"),
    Reply::sender_ok,
    Reply::recipient_ok,
    Reply::start_mail,
    Reply::accepted,
    Reply::no_such_mailbox,
    Reply::try_later,
    Reply::stopping,
];

fn imap_calls(mut tape: Tape<'_>) {
    let mut server = imap::Server::new(Arc::clone(&IMAP), "id7");
    let mut out = Outbox::new(1 << 20);
    let mut unread = Vec::new();
    let mut closed = false;
    for _ in 0..CALLS_MAX {
        if tape.is_empty() {
            break;
        }
        let (before, written) = (format!("{server:?}"), out.unsent().len());
        let pending = server.pending();
        let good = match tape.below(12) {
            0..=4 => {
                unread.extend(tape.piece(imap_words::WORDS));
                let step = server.next(&unread, &mut out);
                let used = step.used;
                assert!(used <= unread.len());
                let is_closed = matches!(step.next, imap::Next::Closed);
                assert!(!closed || is_closed, "goes on after its end");
                closed = is_closed;
                unread.drain(..used);
                continue;
            }
            5..=7 => {
                let done = match tape.below(3) {
                    0 => imap::Done::ok("done"),
                    1 => imap::Done::no("no"),
                    _ => imap::Done::bad("bad"),
                };
                let finished = server.finish(&done, &mut out).is_ok();
                assert!(!finished || pending.is_some(), "finished what never began");
                assert!(!finished || server.pending().is_none(), "finished and still pending");
                finished
            }
            8 => server.challenge(tape.bytes(5), &mut out).is_ok(),
            9 => server.idle(&mut out).is_ok() || server.accept_append(&mut out).is_ok(),
            10 => server.tls_started().is_ok(),
            _ if tape.below(8) == 0 => {
                server.close("enough", &mut out);
                closed = true;
                assert_eq!((server.pending(), server.tls_started().is_ok()), (None, false));
                continue;
            }
            _ => {
                server.greet(&mut out);
                continue;
            }
        };
        assert!(!good || !closed, "a call is good after the end");
        if !good {
            assert_eq!((format!("{server:?}"), out.unsent().len()), (before, written), "misuse");
        }
    }
}

static IMAP: LazyLock<Arc<imap::Config>> = LazyLock::new(|| {
    let mechanisms = vec!["PLAIN".to_owned()];
    Arc::new(imap::Config { starttls: true, mechanisms, ..imap::Config::default() })
});

thread_local! {
    static WORLD: World = Mold::new().world();
}

/// The inputs of a runtime, in any order after the first; answers for ids that were never given,
/// or of the wrong kind.
fn inputs(mut tape: Tape<'_>, protocol: Protocol, words: &[&str]) {
    WORLD.with(|world| {
        let mut machine = world.entrance(protocol).machine(IpAddr::V4(Ipv4Addr::LOCALHOST), false);
        let (mut inbox, mut outbox) = (Inbox::new(65_536), Outbox::new(65_536));
        let mut now = Now::default();
        let mut input = Input::Start;
        let mut asked = Vec::new();
        let mut alone = false;
        for _ in 0..CALLS_MAX {
            let mut effects = Vec::new();
            let mut io = Io { inbox: &mut inbox, outbox: &mut outbox, effects: &mut effects };
            let want = machine.step(now, input, &mut io);
            assert!(effects.len() <= 16, "one step asks for very much");
            assert!(outbox.unsent().len() <= 65_536 + 32_768, "the outbox is not bounded");
            asked.extend(effects.into_iter().map(|(id, _)| id));
            if want.done || tape.is_empty() {
                return;
            }
            // A machine whose stream is closed goes on only for its answers.
            alone |= want.stream != Stream::Keep;
            input = match tape.below(10) {
                0..=4 if !alone => {
                    inbox.extend(&tape.piece(words));
                    Input::Bytes
                }
                5 => Input::Drained,
                6 => {
                    now.moment = want.deadline.unwrap_or(now.moment + LONG).max(now.moment);
                    Input::Timer
                }
                7 => match tape.below(6) {
                    0 => Input::Eof,
                    1 => Input::Gone,
                    2 => Input::Stop,
                    _ => Input::Drained,
                },
                8 => {
                    outbox.clear();
                    Input::Drained
                }
                _ => {
                    let known = asked.get(tape.below(asked.len())).copied();
                    Input::Done(known.unwrap_or(EffectId(u64::MAX)), answer(&mut tape))
                }
            };
        }
    });
}

fn answer(tape: &mut Tape<'_>) -> Completion<pillarbox::job::Job> {
    match tape.below(2) {
        0 => Completion::Noticed,
        _ => Completion::Answer(Err(Fault::new(FaultKind::Unknown, "a fault"))),
    }
}

/// Calls that one input makes at most.
const CALLS_MAX: usize = 300;
