//! TLS around a session: a stranger's bytes before, within and behind the handshake.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use pillarbox::config::Protocol;
use pillarbox::job::Job;
use pillarbox_core::effect::BoxMachine;
use pillarbox_core::{Inbox, Input, Io, Now, Outbox, Stream, Want};

use crate::fuzz::{Tape, imap, smtp};
use crate::world::{BEGINNING, Mold, World};

/// The first three bytes choose the port, what goes wrong, and how many bytes travel at once.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let protocol = PORTS.get(tape.below(PORTS.len())).copied().unwrap_or(Protocol::Imaps);
    let mode = tape.below(4);
    let piece = [3, 17, 200, 5_000].get(tape.below(4)).copied().unwrap_or(3);
    HOUSE.with(|(mold, world)| {
        let rig = || Rig::new(world, protocol);
        match mode {
            0 => garbage_for_a_handshake(rig(), tape.left, piece),
            1 => flipped_byte(rig(), mold, &mut tape, piece),
            2 => {
                let mut rig = rig();
                let mut client = mold.client();
                rig.shake_hands(&mut client, piece, |_| {});
                // What is no record of this connection ends it, and nothing in it is run.
                rig.feed(tape.left, piece);
                rig.check_records();
            }
            _ => talk_under_tls(&rig, mold, protocol, tape, piece),
        }
    });
}

const PORTS: [Protocol; 4] =
    [Protocol::Smtp, Protocol::Submissions, Protocol::Imap, Protocol::Imaps];

thread_local! {
    /// Deriving keys is slow: one house for all runs. Nothing that is asked of it is carried out.
    static HOUSE: (Mold, World) = {
        let mold = Mold::new();
        let world = mold.world();
        (mold, world)
    };
}

/// Whatever comes instead of a handshake: no word in clear, and no place held for ever.
fn garbage_for_a_handshake(mut rig: Rig, garbage: &[u8], piece: usize) {
    rig.feed(garbage, piece);
    rig.check_records();
    if !rig.ended {
        let deadline = rig.want.deadline.expect("a handshake without a deadline");
        rig.now.moment = deadline;
        rig.step(Input::Timer);
        assert!(rig.ended, "the deadline of a handshake ends nothing");
    }
}

/// One byte of the client's side of the handshake is another one.
fn flipped_byte(mut rig: Rig, mold: &Mold, tape: &mut Tape<'_>, piece: usize) {
    let (at, mask) = (usize::from(tape.byte()) * 256 + usize::from(tape.byte()), tape.byte());
    let mut client = mold.client();
    let mut sent = 0;
    rig.shake_hands(&mut client, piece, |flight| {
        if let Some(byte) = at.checked_sub(sent).and_then(|at| flight.get_mut(at)) {
            *byte ^= mask;
        }
        sent += flight.len();
    });
    rig.check_records();
    if mask != 0 && at < sent && rig.ended {
        rig.feed(b"more", piece);
    }
}

/// What is said under TLS is answered alike however its records are cut.
fn talk_under_tls(
    rig: &dyn Fn() -> Rig,
    mold: &Mold,
    protocol: Protocol,
    mut tape: Tape<'_>,
    piece: usize,
) {
    let is_imap = matches!(protocol, Protocol::Imap | Protocol::Imaps);
    let mut said = tape.said(if is_imap { imap::WORDS } else { smtp::WORDS });
    // A record for each piece, twice: slow without optimisation.
    said.truncate(SAID_MAX);
    let answers = [piece, 16_384].map(|piece| {
        let mut rig = rig();
        let mut client = mold.client();
        rig.shake_hands(&mut client, piece, |_| {});
        assert!(!client.is_handshaking(), "a good handshake fails");
        for plain in said.chunks(piece) {
            use std::io::Write as _;
            client.writer().write_all(plain).unwrap();
            let cipher = flight(&mut client);
            rig.feed(&cipher, piece);
            if rig.ended {
                break;
            }
        }
        rig.check_records();
        // A connection that ends is told about, so that nothing was cut off by another hand.
        without_ids(&rig.decipher(&mut client))
    });
    let [first, second] = answers;
    assert_eq!(first, second, "the answers depend on how records are cut");
}

/// A machine and what stands around it.
struct Rig {
    machine: BoxMachine<Job>,
    inbox: Inbox,
    outbox: Outbox,
    want: Want,
    now: Now,
    ended: bool,
    /// The server's bytes since TLS began.
    heard: Vec<u8>,
    /// How many of them the client has read.
    deciphered: usize,
    plain: Vec<u8>,
}

impl Rig {
    /// A connection at the point where TLS begins.
    fn new(world: &World, protocol: Protocol) -> Self {
        let mut rig = Self {
            machine: world.entrance(protocol).machine(IpAddr::V4(Ipv4Addr::LOCALHOST), false),
            inbox: Inbox::new(65_536),
            outbox: Outbox::new(65_536),
            want: Want::READ,
            now: Now { wall: BEGINNING, ..Now::default() },
            ended: false,
            heard: Vec::new(),
            deciphered: 0,
            plain: Vec::new(),
        };
        rig.step(Input::Start);
        if !protocol.implicit_tls() {
            let hello: &[u8] = if protocol == Protocol::Imap {
                b"a STARTTLS\r\n"
            } else {
                b"EHLO x\r\nSTARTTLS\r\n"
            };
            rig.feed(hello, hello.len());
            assert!(!rig.ended && rig.heard.ends_with(b"\r\n"), "STARTTLS is not taken");
            rig.heard.clear();
        }
        rig
    }

    fn step(&mut self, input: Input<pillarbox_core::effect::Completion<Job>>) {
        if self.ended {
            return;
        }
        let mut effects = Vec::new();
        let mut io = Io { inbox: &mut self.inbox, outbox: &mut self.outbox, effects: &mut effects };
        self.want = self.machine.step(self.now, input, &mut io);
        assert!(effects.len() <= EFFECTS_MAX, "one step asks for very much");
        assert!(self.outbox.unsent().len() <= OUTBOX_MAX, "the outbox is not bounded");
        if self.want.stream != Stream::Abort {
            self.heard.extend_from_slice(self.outbox.unsent());
        }
        self.outbox.clear();
        self.ended = self.want.done || self.want.stream != Stream::Keep;
    }

    /// The client's bytes come in pieces; what the machine does not read now waits.
    fn feed(&mut self, bytes: &[u8], piece: usize) {
        let mut steps = 0;
        for piece in bytes.chunks(piece.max(1)) {
            let mut left = piece;
            while !left.is_empty() && !self.ended && self.want.read && self.inbox.room() > 0 {
                let taken = self.inbox.extend(left);
                left = left.get(taken..).unwrap_or_default();
                self.step(Input::Bytes);
                // The outbox was emptied, wherever it stood.
                self.step(Input::Drained);
                steps += 1;
                assert!(steps <= bytes.len() + 1, "bytes are not used up");
            }
        }
    }

    /// Hands flights to and fro until nothing more is said.
    fn shake_hands(
        &mut self,
        client: &mut rustls::ClientConnection,
        piece: usize,
        mut spoil: impl FnMut(&mut [u8]),
    ) {
        for _ in 0..FLIGHTS_MAX {
            let mut cipher = flight(client);
            spoil(&mut cipher);
            if cipher.is_empty() || self.ended {
                return;
            }
            self.feed(&cipher, piece);
            self.decipher(client);
        }
    }

    /// What the client has read so far.
    fn decipher(&mut self, client: &mut rustls::ClientConnection) -> Vec<u8> {
        use std::io::Read as _;
        let mut left = self.heard.get(self.deciphered..).unwrap_or_default();
        while !left.is_empty() {
            let Ok(count) = client.read_tls(&mut left) else { break };
            let good = count > 0 && client.process_new_packets().is_ok();
            let _nothing_more = client.reader().read_to_end(&mut self.plain);
            if !good {
                break;
            }
        }
        self.deciphered = self.heard.len();
        self.plain.clone()
    }

    /// RFC 8446 §5.1: nothing but records is sent once TLS has begun: not a word in clear.
    fn check_records(&self) {
        let mut left = self.heard.as_slice();
        while let Some((head, rest)) = left.split_at_checked(5) {
            let [kind, major, _, high, low] = head else { return };
            assert!((20..=23).contains(kind) && *major == 3, "no record: {}", left.escape_ascii());
            let length = usize::from(*high) * 256 + usize::from(*low);
            assert!(length <= RECORD_MAX, "a record of {length} bytes");
            let (_, behind) = rest.split_at_checked(length).expect("a record is cut short");
            left = behind;
        }
        assert!(left.is_empty(), "half a record: {}", left.escape_ascii());
    }
}

/// What a TLS client has to send now.
fn flight(client: &mut rustls::ClientConnection) -> Vec<u8> {
    let mut cipher = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut cipher).unwrap();
    }
    cipher
}

/// Without `(7)`, which names the connection.
fn without_ids(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let mut kept = String::new();
    for line in text.split_inclusive("\r\n") {
        let open = line.rfind(" (").filter(|_| line.ends_with(")\r\n"));
        kept.push_str(open.and_then(|at| line.get(..at)).unwrap_or(line));
    }
    kept
}

/// What is said under TLS at most, in bytes.
const SAID_MAX: usize = 600;
const EFFECTS_MAX: usize = 16;
/// The mark, one answer above it, and what records add.
const OUTBOX_MAX: usize = 65_536 + 32_768;
/// RFC 8446 §5.2: 2^14 + 256.
const RECORD_MAX: usize = 16_640;
/// Of a handshake and what follows it.
const FLIGHTS_MAX: usize = 8;

/// Long enough for every deadline of a session.
pub(super) const LONG: Duration = Duration::from_secs(3_600);
