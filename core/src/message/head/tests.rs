use proptest::prelude::*;

use super::*;

/// The header and where it ended, pushed in pieces of these lengths (the last for all the rest).
fn gather(message: &[u8], max: usize, mut cuts: Vec<usize>) -> Result<(Vec<u8>, usize), Excess> {
    let mut gatherer = Gatherer::new(max);
    let mut at = 0;
    while at < message.len() {
        let length = cuts.pop().unwrap_or(usize::MAX).clamp(1, message.len() - at);
        if let Some(used) = gatherer.push(&message[at..at + length])? {
            return Ok((gatherer.into_head().into_bytes(), at + used));
        }
        at += length;
    }
    Ok((gatherer.into_head().into_bytes(), at))
}

#[test]
fn a_header_ends_behind_the_first_empty_line() {
    for (message, length) in [
        (&b""[..], 0),
        (b"\r\nbody\r\n", 2),
        (b"\nbody\r\n", 1),
        (b"A: 1\r\n\r\nbody\r\n\r\n", 8),
        (b"A: 1\n\nbody", 6),
        (b"A: 1\r\n\nbody", 7),
        (b"A: 1\r\n \r\nB: 2\r\n\r\nbody", 17),
        (b"A: 1\r\n\rB: 2\r\n\r\nbody", 15),
        (b"A: 1\r\n\r\r\nB: 2\r\n\r\n", 17),
        (b"no field\r\nA: 1\r\n", 16),
        (b"A: 1", 4),
    ] {
        let whole = gather(message, 100, Vec::new());
        assert_eq!(whole, Ok((message[..length].to_vec(), length)), "{}", message.escape_ascii());
        assert_eq!(gather(message, 100, vec![1; message.len()]), whole);
        // The limit, and one past it.
        assert_eq!(gather(message, length, Vec::new()), whole);
        if let Some(less) = length.checked_sub(1) {
            assert_eq!(gather(message, less, Vec::new()), Err(Excess::Bytes(less)));
            assert_eq!(gather(message, less, vec![1; length]), Err(Excess::Bytes(less)));
        }
    }
}

#[test]
fn what_is_over_a_limit_is_not_kept() {
    let mut gatherer = Gatherer::new(10);
    assert_eq!(gatherer.push(b"A: 4567890"), Ok(None));
    assert_eq!(gatherer.push(b"1"), Err(Excess::Bytes(10)));
    assert_eq!(gatherer.bytes.capacity(), 0);
}

fn head(text: &str) -> Head {
    Head(text.as_bytes().to_vec())
}

const LIMITS: HeadLimits =
    HeadLimits { bytes_max: 1_000, fields_max: 4, addresses_max: 3, received_max: 2 };

#[test]
fn limits_at_them_and_one_past() {
    for (text, result) in [
        ("", Ok(())),
        ("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n", Ok(())),
        ("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n", Err(Excess::Fields(4))),
        // Folded lines are no fields.
        ("A: 1\r\n 2\r\n 3\r\n 4\r\n 5\r\n", Ok(())),
        ("Received: a\r\nreceived : b\r\n", Ok(())),
        ("Received: a\r\nReceived: b\r\nRECEIVED: c\r\n", Err(Excess::Received(2))),
        ("To: a@x, b@x\r\nCc: c@x\r\n", Ok(())),
        ("To: a@x, b@x\r\nCc: c@x\r\nbcc: d@x\r\n", Err(Excess::Addresses(3))),
        ("To: a@x,\r\n b@x,\r\n c@x,\r\n d@x\r\n", Err(Excess::Addresses(3))),
        // Commas that separate nothing.
        ("To: \"a,b,c,d\" <a@x>, , , <b@x>\r\nCc: none:;\r\nFrom: (a,b) c@x\r\n", Ok(())),
        ("Subject: a@x, b@x, c@x, d@x\r\n", Ok(())),
    ] {
        assert_eq!(head(text).check(&LIMITS), result, "{text}");
    }
}

#[test]
fn fields_are_left_out_with_their_folded_lines() {
    let text = "Bcc: a@x,\r\n\tb@x\r\nA: 1\r\nBCC:\r\n c@x\r\nB: 2\r\n\r\n";
    let kept = head(text).without(|field| field.is(b"Bcc"));
    assert_eq!(String::from_utf8(kept).unwrap(), "A: 1\r\nB: 2\r\n\r\n");
    assert_eq!(head(text).without(|_| false), text.as_bytes());
    assert_eq!(head("Bcc: a@x\r\n").without(|_| true), b"");
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        message in prop::collection::vec(prop::sample::select(b"Ab: \r\n\r\n".to_vec()), 0..80),
        cuts in prop::collection::vec(1_usize..9, 80),
        max in 0_usize..60,
    ) {
        prop_assert_eq!(gather(&message, max, cuts), gather(&message, max, Vec::new()));
    }

    #[test]
    fn the_header_holds_all_fields_and_nothing_of_the_body(
        message in prop::collection::vec(prop::sample::select(b"Ab: \r\n\r\n".to_vec()), 0..80)
    ) {
        let (bytes, end) = gather(&message, 100, Vec::new()).unwrap();
        prop_assert_eq!(&bytes[..], &message[..end]);
        prop_assert!(header::fields(&message).eq(Head(bytes.clone()).fields()));
        let kept = Head(bytes).without(|field| field.is(b"A"));
        prop_assert!(!header::fields(&kept).any(|field| field.is(b"A")));
    }
}
