//! A session of lines with compression around it, its client in memory.

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output};
use miniz_oxide::deflate::{CompressionLevel, compress_to_vec};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{MZError, MZFlush};
use proptest::prelude::*;

use super::*;
use crate::UnixSeconds;

/// Sends each line back, but for empty ones; compresses after `zip`, ends at `quit`, says much at `much`.
#[derive(Debug, Default)]
struct Echo {
    zip: bool,
    seen: Vec<&'static str>,
    lines: usize,
}

impl Machine for Echo {
    type Effect = ();
    type Completion = ();

    fn step(&mut self, _: Now, input: Input<()>, io: &mut Io<'_, ()>) -> Want {
        match input {
            Input::Eof => {
                self.seen.push("eof");
                io.outbox.push(b"bye\n");
                return Want::END;
            }
            Input::Gone => {
                self.seen.push("gone");
                return Want::ABORT;
            }
            _ => {}
        }
        while io.outbox.below_mark()
            && let Some(end) = io.inbox.unread().iter().position(|byte| *byte == b'\n')
        {
            let line = io.inbox.unread()[..=end].to_vec();
            io.inbox.consume(line.len());
            self.lines += 1;
            match &line[..] {
                b"zip\n" => {
                    io.outbox.push(b"zipped\n");
                    self.zip = true;
                    break;
                }
                b"quit\n" => {
                    io.outbox.push(b"bye\n");
                    return Want::END;
                }
                b"much\n" => io.outbox.push(&much()),
                b"\n" => {}
                _ => io.outbox.push(&line),
            }
        }
        // What fills the inbox without an end of a line is of no use.
        if io.inbox.room() == 0 {
            io.inbox.clear();
        }
        Want::READ
    }
}

fn much() -> Vec<u8> {
    (0..20_000_u32).flat_map(|n| format!("* {n} EXISTS\n").into_bytes()).collect()
}

impl Session for Echo {
    fn takes_tls(&mut self) -> bool {
        false
    }
    fn secured(&mut self, _: Agreed) {}
    fn tls_failed(&mut self, _: &TlsError) {}
}

impl Compresses for Echo {
    fn takes_compression(&mut self) -> bool {
        std::mem::take(&mut self.zip)
    }
    fn compression_failed(&mut self) {
        self.seen.push("failed");
    }
}

struct Rig {
    machine: Compressing<Echo>,
    inbox: Inbox,
    outbox: Outbox,
    want: Want,
    now: Now,
    heard: Vec<u8>,
}

impl Rig {
    /// Where compression has begun.
    fn new() -> Self {
        let mut rig = Self {
            machine: Compressing::new(Echo::default()),
            inbox: Inbox::new(1_000),
            outbox: Outbox::new(2_000),
            want: Want::READ,
            now: Now { moment: Moment::START, wall: UnixSeconds(0) },
            heard: Vec::new(),
        };
        rig.step(Input::Start);
        rig.feed(b"plain\nzip\n");
        assert_eq!(std::mem::take(&mut rig.heard), b"plain\nzipped\n");
        rig.machine.session.lines = 0;
        rig
    }

    fn step(&mut self, input: Input<()>) {
        if self.want.done {
            return;
        }
        let mut effects = Vec::new();
        let mut io = Io { inbox: &mut self.inbox, outbox: &mut self.outbox, effects: &mut effects };
        self.want = self.machine.step(self.now, input, &mut io);
    }

    /// All that is to be sent, as the stream takes it.
    fn drain(&mut self) {
        while !self.outbox.is_empty() {
            let was_above = !self.outbox.below_mark();
            let count = self.outbox.unsent().len().min(777);
            self.heard.extend_from_slice(&self.outbox.unsent()[..count]);
            self.outbox.sent(count);
            if was_above && self.outbox.below_mark() {
                self.step(Input::Drained);
            }
        }
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.want.read {
            let taken = self.inbox.extend(bytes);
            bytes = &bytes[taken..];
            self.step(Input::Bytes);
            self.drain();
            self.breathe();
        }
    }

    /// Lets it go on where it has asked for that.
    fn breathe(&mut self) {
        while self.want.deadline.is_some_and(|at| at <= self.now.moment + BREATH) {
            self.now.moment = self.now.moment + BREATH;
            self.step(Input::Timer);
            self.drain();
        }
    }

    /// What the client can read of it.
    fn plain(&self) -> Vec<u8> {
        unpack(&self.heard)
    }
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut state = InflateState::new_boxed(DataFormat::Raw);
    let (mut plain, mut left) = (Vec::new(), packed);
    loop {
        let mut space = [0; 4_096];
        let result = inflate(&mut state, left, &mut space, MZFlush::None);
        plain.extend_from_slice(&space[..result.bytes_written]);
        left = &left[result.bytes_consumed..];
        match result.status {
            Err(MZError::Buf) => break,
            result => assert!(result.is_ok(), "{result:?}"),
        }
        if left.is_empty() && result.bytes_written < space.len() {
            break;
        }
    }
    assert_eq!(left, b"");
    plain
}

/// A client's stream: each of these said and flushed.
fn pack(said: &[&[u8]]) -> Vec<u8> {
    let mut compressor =
        CompressorOxide::with_format_and_level(DataFormat::Raw, CompressionLevel::DefaultLevel);
    let mut packed = Vec::new();
    for piece in said {
        compress_to_output(&mut compressor, piece, TDEFLFlush::Sync, |bytes| {
            packed.extend_from_slice(bytes);
            true
        });
    }
    packed
}

#[test]
fn what_is_said_is_the_same_however_its_bytes_are_cut() {
    let letter = format!("{}\n", "a letter of some length ".repeat(30));
    let said: Vec<&[u8]> =
        vec![b"one\n", b"two\n", letter.as_bytes(), b"one\n", letter.as_bytes(), b"quit\n"];
    let packed = pack(&said);
    let mut expected = said[..5].concat();
    expected.extend_from_slice(b"bye\n");
    for size in [1, 2, 3, 7, 100, 10_000] {
        let mut rig = Rig::new();
        for piece in packed.chunks(size) {
            rig.feed(piece);
        }
        assert!(rig.want.done, "cut {size}");
        assert_eq!(rig.plain(), expected, "cut {size}");
    }
}

#[test]
fn what_comes_together_with_the_command_is_compressed() {
    let mut rig =
        Rig { machine: Compressing::new(Echo::default()), heard: Vec::new(), ..Rig::new() };
    let mut bytes = b"zip\n".to_vec();
    bytes.extend(pack(&[b"hello\n"]));
    rig.feed(&bytes);
    let packed = rig.heard.strip_prefix(b"zipped\n").unwrap();
    assert_eq!(unpack(packed), b"hello\n");
}

#[test]
fn much_waits_for_a_slow_client_and_needs_no_more_than_its_buffers() {
    let mut rig = Rig::new();
    rig.inbox.extend(&pack(&[b"much\nend\n"]));
    rig.step(Input::Bytes);
    assert!(!rig.outbox.below_mark());
    // The mark, and one piece above it.
    assert!(rig.outbox.unsent().len() < 2_000 + PIECE_MAX, "{}", rig.outbox.unsent().len());
    rig.drain();
    let mut expected = much();
    expected.extend_from_slice(b"end\n");
    assert!(rig.plain() == expected);
    assert!(rig.heard.len() < expected.len() / 3, "{} bytes", rig.heard.len());
}

/// What 64 KiB come to at most.
const PIECE_MAX: usize = 70_000;

#[test]
fn a_small_answer_costs_five_bytes_more() {
    let mut rig = Rig::new();
    rig.feed(&pack(&[b"a NOOP\n"]));
    assert_eq!(rig.heard, b"\0\x07\0\xf8\xffa NOOP\n");
}

#[test]
fn a_thousandfold_is_taken_in_turns() {
    let mut rig = Rig::new();
    let bomb = compress_to_vec(&b"\n".repeat(4 << 20), 9);
    let (head, rest) = bomb.split_at(900);
    rig.inbox.extend(head);
    rig.step(Input::Bytes);
    assert!(rig.machine.session.lines <= UNPACKED_AT_ONCE);
    assert_eq!(rig.want.deadline, Some(rig.now.moment + BREATH));
    rig.drain();
    rig.breathe();
    rig.feed(rest);
    // The stream has an end, and so has the session.
    assert_eq!(rig.machine.session.lines, 4 << 20);
    assert_eq!(rig.machine.session.seen, ["eof"]);
    assert_eq!(rig.plain(), b"bye\n");
}

#[test]
fn what_came_before_an_end_is_answered_and_what_comes_behind_it_is_not_read() {
    for cut in [1, 1_000] {
        let mut rig = Rig::new();
        let mut bytes = compress_to_vec(b"last\n", 6);
        bytes.extend(pack(&[b"not this\n"]));
        for piece in bytes.chunks(cut) {
            rig.feed(piece);
        }
        assert_eq!(rig.plain(), b"last\nbye\n");
    }
    let mut rig = Rig::new();
    let bomb = pack(&[&b"\n".repeat(1 << 20)]);
    assert!(bomb.len() > 1_000);
    for piece in bomb.chunks(1_000) {
        rig.inbox.extend(piece);
        rig.step(Input::Bytes);
    }
    // Before it has been unpacked.
    rig.step(Input::Eof);
    rig.drain();
    rig.breathe();
    assert_eq!((rig.machine.session.lines, rig.plain()), (1 << 20, b"bye\n".to_vec()));
}

#[test]
fn what_is_no_stream_ends_the_session_behind_what_was_good() {
    for cut in [1, 1_000] {
        let mut rig = Rig::new();
        let mut bytes = pack(&[b"good\n"]);
        bytes.extend_from_slice(b"\xffa NOOP\r\n");
        for piece in bytes.chunks(cut) {
            rig.feed(piece);
        }
        assert_eq!(rig.machine.session.seen, ["failed", "gone"]);
        assert!(rig.want.done && rig.want.stream == Stream::Flush);
        assert_eq!(rig.plain(), b"good\n");
    }
    // A distance beyond all that was said (RFC 1951 §3.2.5), which must not show what else there is.
    let mut rig = Rig::new();
    let mut far = compress_to_vec(&b"0123456789abcdef".repeat(40), 9);
    far.drain(..8);
    rig.feed(&far);
    rig.feed(&far);
    assert_eq!(rig.machine.session.seen, ["failed", "gone"]);
}

#[test]
fn an_idle_client_costs_what_it_said_last() {
    let mut rig = Rig::new();
    let commands: Vec<Vec<u8>> =
        (0..4_000).map(|n| format!("a{n} UID FETCH {n}:* (FLAGS)\n").into_bytes()).collect();
    let commands: Vec<&[u8]> = commands.iter().map(Vec::as_slice).collect();
    let packed = pack(&commands);
    let (first, last) = packed.split_at(pack(&commands[..3_999]).len());
    rig.feed(first);
    let held = |rig: &Rig| match &rig.machine.state {
        State::Packed(packed) => format!("{:?}", packed.inflater),
        _ => panic!("not compressed"),
    };
    assert_eq!(rig.plain().iter().filter(|byte| **byte == b'\n').count(), 3_999);
    assert_eq!(held(&rig), "Inflater(between blocks, 32768 bytes)");
    let rests = rig.want.deadline.unwrap();
    assert_eq!(rests, rig.now.moment + RESTS_AFTER);
    rig.now.moment = rests;
    rig.step(Input::Timer);
    assert_eq!(rig.want.deadline, None);
    let text = held(&rig);
    let count = text.split(' ').nth(2).and_then(|word| word.parse::<usize>().ok()).unwrap();
    assert!(text.ends_with("packed)") && count < 9_000, "{text}");
    // What it says then may refer to all of that.
    rig.feed(last);
    assert!(rig.plain().ends_with(commands[3_999]));
}

proptest! {
    #[test]
    fn what_is_packed_can_be_unpacked(
        pieces in proptest::collection::vec(proptest::collection::vec("[a-c]{1,30}|[ -~]{1,9}", 0..60), 1..8),
        cut in 1..200_usize,
        rests in any::<bool>(),
    ) {
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.concat().into_bytes()).collect();
        let mut outbox = Outbox::new(usize::MAX);
        for piece in &pieces {
            let mut left = piece.as_slice();
            while !left.is_empty() {
                left = &left[deflate(left, &mut outbox)..];
            }
        }
        let plain = pieces.concat();
        prop_assert_eq!(&unpack(outbox.unsent()), &plain);
        let (mut inflater, mut heard) = (Inflater::new(), Vec::new());
        let (mut packed, mut room) = (Inbox::new(cut), Inbox::new(50));
        let mut left = outbox.unsent();
        while !left.is_empty() || inflater.holds_more() {
            left = &left[packed.extend(left)..];
            while inflater.inflate(&mut packed, &mut room, 30).unwrap() > 0 {
                heard.extend_from_slice(room.unread());
                room.clear();
            }
            if rests {
                inflater.rest();
            }
        }
        prop_assert_eq!(heard, plain);
    }
}
