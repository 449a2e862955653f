//! From a `ClientHello` to a certificate and a protocol: what a client asks for, and what is made
//! of broken bytes.

use std::sync::Arc;

use pillarbox_core::alpn::{self, Choice, Protocol};
use pillarbox_core::tls::{Acceptor, Identity, Layer, Rules, UnknownName};
use pillarbox_core::{Inbox, Outbox};
use rustls::ClientConnection;

use crate::fuzz::Tape;
use crate::world::{BEGINNING, Mold};

/// The first byte chooses between a client that asks for something, a `ClientHello` of which bytes
/// are others, and bytes that are none.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    HOUSE.with(|house| match tape.below(3) {
        0 => asked(house, &mut tape),
        1 => {
            let mut hello = house.hello(&[b"imap", b"h2"], "localhost");
            while !tape.is_empty() {
                let at = usize::from(tape.byte()) * 4 + tape.below(4);
                if let Some(byte) = hello.get_mut(at) {
                    *byte = tape.byte();
                }
            }
            alike_in_pieces(house, &hello);
        }
        _ => {
            let rest = tape.bytes(usize::MAX);
            alike_in_pieces(house, rest);
            let length = u16::try_from(rest.len()).unwrap_or(u16::MAX).to_be_bytes();
            alike_in_pieces(house, &[&[22, 3, 1][..], &length, rest].concat());
        }
    });
}

const NAMES: [&str; 8] = ["h2", "http/1.1", "imap", "smtp", "IMAP", "x", "acme-tls/1", "imapx"];
const HOSTS: [&str; 4] = ["localhost", "LOCALHOST", "example.org", "192.0.2.1"];

struct House {
    mold: Mold,
    identities: Vec<Identity>,
}

thread_local! {
    static HOUSE: House = {
        let mold = Mold::new();
        let identities = mold.identities().to_vec();
        House { mold, identities }
    };
}

impl House {
    fn acceptor(&self, offered: &[Protocol], unknown_name: UnknownName) -> Acceptor {
        let rules = Rules { unknown_name, alpn: offered.to_vec(), ..Rules::default() };
        Acceptor::new(&self.identities, rules, || BEGINNING).unwrap()
    }

    fn client(&self, listed: &[&[u8]], host: &'static str) -> ClientConnection {
        let mut config = self.mold.client_config();
        config.alpn_protocols = listed.iter().map(|name| name.to_vec()).collect();
        ClientConnection::new(Arc::new(config), host.try_into().unwrap()).unwrap()
    }

    fn hello(&self, listed: &[&[u8]], host: &'static str) -> Vec<u8> {
        flight(&mut self.client(listed, host))
    }
}

fn flight(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// What is agreed on is what the rules say, and what is refused is refused by the right alert.
fn asked(house: &House, tape: &mut Tape<'_>) {
    let serve = tape.below(2) == 0;
    let offers = tape.byte();
    let offered = (0u8..).zip(Protocol::ALL).filter(|(bit, _)| offers >> bit & 1 == 1);
    let offered: Vec<_> = offered.map(|(_, protocol)| protocol).collect();
    let host = HOSTS.get(tape.below(HOSTS.len())).copied().unwrap_or("localhost");
    let piece = 1 + usize::from(tape.byte());
    let mut listed = Vec::new();
    while !tape.is_empty() {
        listed.push(NAMES.get(tape.below(NAMES.len())).map_or(&b"?"[..], |name| name.as_bytes()));
    }
    let sent = (!listed.is_empty()).then(|| listed.iter().copied());
    let choice = alpn::choose(sent, &offered);
    let unknown = if serve { UnknownName::Serve } else { UnknownName::Refuse };
    let hello = house.hello(&listed, host);
    let (outcome, reply) = open(&house.acceptor(&offered, unknown), &hello, piece);
    let alert = |description| vec![21, 3, 3, 0, 2, 2, description];
    match (choice, host) {
        (Choice::Refused, _) => assert_eq!((outcome.is_err(), reply), (true, alert(120))),
        (_, "example.org") if !serve => assert_eq!((outcome.is_err(), reply), (true, alert(112))),
        (choice, _) => {
            outcome.unwrap();
            // RFC 8446 §4.1.3: the answer is a ServerHello.
            assert_eq!(reply.first(), Some(&22));
            let agreed = shake_hands(house, &offered, &listed, piece);
            let expected = match choice {
                Choice::Agreed(protocol) => Some(protocol),
                Choice::Open | Choice::Refused => None,
            };
            assert_eq!(agreed, expected);
        }
    }
}

/// A whole handshake, with a name that is known: what both sides have agreed on.
fn shake_hands(
    house: &House,
    offered: &[Protocol],
    listed: &[&[u8]],
    piece: usize,
) -> Option<Protocol> {
    let acceptor = house.acceptor(offered, UnknownName::Refuse);
    let (mut layer, mut client) = (Layer::accept(&acceptor), house.client(listed, "localhost"));
    let (mut inbox, mut plain) = (Inbox::new(1 << 16), Inbox::new(1 << 16));
    let mut outbox = Outbox::new(1 << 16);
    while client.wants_write() {
        for bytes in flight(&mut client).chunks(piece) {
            inbox.extend(bytes);
            layer.open(&mut inbox, &mut plain, &mut outbox).unwrap();
        }
        let mut answer = outbox.unsent();
        while !answer.is_empty() {
            client.read_tls(&mut answer).unwrap();
            client.process_new_packets().unwrap();
        }
        outbox.clear();
    }
    let agreed = layer.agreed().unwrap().alpn;
    assert_eq!(client.alpn_protocol(), agreed.map(|protocol| protocol.name().as_bytes()));
    agreed
}

/// What is said of a `ClientHello`, and what is answered.
fn open(acceptor: &Acceptor, hello: &[u8], piece: usize) -> (Result<(), String>, Vec<u8>) {
    let mut layer = Layer::accept(acceptor);
    let (mut inbox, mut plain) = (Inbox::new(1 << 17), Inbox::new(1 << 16));
    let mut outbox = Outbox::new(1 << 16);
    for bytes in hello.chunks(piece) {
        inbox.extend(bytes);
        if let Err(error) = layer.open(&mut inbox, &mut plain, &mut outbox) {
            return (Err(error.to_string()), outbox.unsent().to_vec());
        }
    }
    (Ok(()), outbox.unsent().to_vec())
}

fn alike_in_pieces(house: &House, bytes: &[u8]) {
    let acceptor = house.acceptor(&[Protocol::Imap], UnknownName::Refuse);
    let (whole, reply) = open(&acceptor, bytes, usize::MAX);
    for piece in [1, 7, 100] {
        let (outcome, answer) = open(&acceptor, bytes, piece);
        // What follows a ServerHello is drawn at random.
        let is_hello = |reply: &[u8]| reply.first() == Some(&22);
        assert_eq!((&outcome, is_hello(&answer)), (&whole, is_hello(&reply)));
        assert!(is_hello(&reply) || answer == reply, "{answer:?} {reply:?}");
    }
}
