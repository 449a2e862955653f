use super::*;
use proptest::prelude::*;

/// What a body came to: its text, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    text: Vec<u8>,
    end: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Open,
    /// With the count of bytes used, the last line end included.
    Ended(usize),
    Refused(Refusal),
}

/// The plain definition. The rules are patterns over the whole of what came, behind the CRLF of
/// the DATA command; the one that is complete first decides.
fn reference(came: &[u8], bare_lf: BareLf) -> Outcome {
    let all = [b"\r\n", came].concat();
    for last in 2..all.len() {
        let ends = |pattern: &str| all[..=last].ends_with(pattern.as_bytes());
        let offset_back = |back: usize| (last - 2 - back) as u64;
        let refused = |sequence, back| {
            let offset = offset_back(back);
            let text = text_of(&came[..usize::try_from(offset).unwrap()]);
            Outcome { text, end: Ending::Refused(Refusal { sequence, offset }) }
        };
        let bare_cr = all[last - 1] == b'\r' && all[last] != b'\n' && last > 2;
        let bare = all[last] == b'\n' && all[last - 1] != b'\r';
        if ends("\r\n.\r\n") {
            return Outcome { text: text_of(&came[..last - 4]), end: Ending::Ended(last - 1) };
        } else if bare && bare_lf == BareLf::Refuse && !ends("\n.\n") {
            return refused(Sequence::BareLf, 0);
        } else if ends("\r\n.\n") {
            return refused(Sequence::CrLfDotLf, 0);
        } else if ends("\n.\n") {
            return refused(Sequence::LfDotLf, 0);
        } else if ends("\n.\r\n") {
            return refused(Sequence::LfDotCrLf, 1);
        } else if bare_cr {
            let before = &all[..=last - 1];
            return if before.ends_with(b"\r\n.\r") {
                refused(Sequence::CrLfDotCr, 1)
            } else if before.ends_with(b"\n.\r") {
                refused(Sequence::LfDotCr, 1)
            } else if all[last] == b'.' {
                refused(Sequence::CrDot, 1)
            } else {
                refused(Sequence::BareCr, 1)
            };
        }
    }
    Outcome { text: text_of(came.strip_suffix(b"\r").unwrap_or(came)), end: Ending::Open }
}

/// Each line without its first dot, each line end as CRLF.
fn text_of(raw: &[u8]) -> Vec<u8> {
    let raw = String::from_utf8(raw.to_vec()).unwrap().replace("\r\n", "\n");
    let lines = raw.split('\n').map(|line| line.strip_prefix('.').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\r\n").into_bytes()
}

/// Lets the scanner see `came` up to each of `cuts` in turn, then all of it.
fn scan(body: &mut Body, came: &[u8], cuts: impl IntoIterator<Item = usize>) -> Outcome {
    let mut text = Vec::new();
    let mut used = 0;
    for cut in cuts.into_iter().chain([came.len()]) {
        loop {
            let piece = body.next(&came[used..cut.max(used)]);
            used += piece.used;
            match piece.part {
                Part::Text(part) => {
                    assert!(!part.is_empty() && piece.used > 0);
                    text.extend_from_slice(part);
                }
                Part::NeedBytes => {
                    assert_eq!(piece.used, 0);
                    assert!(cut.saturating_sub(used) <= 2, "more than two bytes left undecided");
                    break;
                }
                Part::End => return Outcome { text, end: Ending::Ended(used) },
                Part::Refused(refusal) => {
                    return Outcome { text, end: Ending::Refused(refusal) };
                }
            }
        }
    }
    Outcome { text, end: Ending::Open }
}

fn check_all_splits(came: &[u8], bare_lf: BareLf) {
    let expected = reference(came, bare_lf);
    let scanned =
        |cuts: &mut dyn Iterator<Item = usize>| scan(&mut Body::new(bare_lf, 1000), came, cuts);
    for cut in 0..came.len() {
        assert_eq!(scanned(&mut [cut].into_iter()), expected, "{came:?} cut at {cut}");
    }
    assert_eq!(scanned(&mut [].into_iter()), expected, "{came:?} whole");
    assert_eq!(scanned(&mut (0..came.len())), expected, "{came:?} by bytes");
}

#[test]
fn every_short_string_is_judged_as_defined() {
    const ALPHABET: [u8; 4] = [b'\r', b'\n', b'.', b'x'];
    for length in 0..=9_u32 {
        for number in 0..4_usize.pow(length) {
            let came: Vec<u8> =
                (0..length).map(|digit| ALPHABET[number >> (2 * digit) & 3]).collect();
            check_all_splits(&came, BareLf::Mend);
            if length <= 7 {
                check_all_splits(&came, BareLf::Refuse);
            }
        }
    }
}

#[test]
fn named_sequences() {
    let cases: [(&[u8], Sequence, u64); 11] = [
        (b"a\n.\nMAIL", Sequence::LfDotLf, 3),
        (b"a\n.\r\nMAIL", Sequence::LfDotCrLf, 3),
        (b"a\n.\rMAIL", Sequence::LfDotCr, 3),
        (b"a\r\n.\nMAIL", Sequence::CrLfDotLf, 4),
        (b".\nMAIL", Sequence::CrLfDotLf, 1),
        (b"a\r\n.\rMAIL", Sequence::CrLfDotCr, 4),
        (b"a\r\n.\r\r\nMAIL", Sequence::CrLfDotCr, 4),
        (b"a\r.\rMAIL", Sequence::CrDot, 1),
        (b"a\r.\r\nMAIL", Sequence::CrDot, 1),
        (b"a\rMAIL", Sequence::BareCr, 1),
        (b"a\r\r\n.\r\n", Sequence::BareCr, 1),
    ];
    for (came, sequence, offset) in cases {
        let outcome = scan(&mut Body::new(BareLf::Mend, 1000), came, []);
        assert_eq!(outcome.end, Ending::Refused(Refusal { sequence, offset }), "{came:?}");
    }
}

#[test]
fn dots_and_line_ends() {
    let cases: [(&[u8], &[u8]); 9] = [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n.\r\n", b"..\r\n"),
        (b".x\r\n.\r\n", b"x\r\n"),
        (b"a..b\r\n..\r\n.\r\n", b"a..b\r\n.\r\n"),
        (b"a\nb\r\n.\r\n", b"a\r\nb\r\n"),
        (b"a\n..b\r\n.\r\n", b"a\r\n.b\r\n"),
        (b"\n\n\r\n.\r\n", b"\r\n\r\n\r\n"),
    ];
    for (came, text) in cases {
        let outcome = scan(&mut Body::new(BareLf::Mend, 1000), came, []);
        assert_eq!(outcome, Outcome { text: text.to_vec(), end: Ending::Ended(came.len()) });
    }
}

#[test]
fn many_lines_come_as_one_piece() {
    let came = [b"From: a\r\n\r\n".as_slice(), &b"0123456789\r\n".repeat(500), b".\r\n"].concat();
    let piece = Body::new(BareLf::Mend, 1000).next(&came);
    assert_eq!(piece.used, came.len() - 3);
    assert_eq!(piece.part, Part::Text(&came[..came.len() - 3]));
}

#[test]
fn what_follows_the_end_is_left() {
    let mut body = Body::new(BareLf::Mend, 1000);
    assert_eq!(body.next(b".\r\nQUIT\r\n"), Piece { used: 3, part: Part::End });
    assert_eq!(body.next(b"QUIT\r\n"), Piece { used: 0, part: Part::End });
}

#[test]
fn lines_are_measured_at_the_limit_and_one_past_it() {
    for (length, too_long) in [(18, false), (19, true)] {
        let line = [b"x".repeat(length).as_slice(), b"\r\n"].concat();
        for before in [0, 1, 7, 40] {
            for after in [0, 1, 7, 40] {
                let lines = [b"short\r\n".repeat(before), line.clone(), b"yz\r\n".repeat(after)];
                let came = [lines.concat().as_slice(), b".\r\n"].concat();
                for cut in 0..came.len() {
                    let mut body = Body::new(BareLf::Mend, 20);
                    scan(&mut body, &came, [cut]);
                    assert_eq!(body.line_too_long(), too_long, "{came:?} cut at {cut}");
                }
                let mut body = Body::new(BareLf::Mend, 20);
                scan(&mut body, &came, 0..came.len());
                assert_eq!(body.line_too_long(), too_long, "{came:?} by bytes");
            }
        }
    }
}

#[test]
fn a_doubled_dot_does_not_count_in_the_line() {
    let mut body = Body::new(BareLf::Mend, 6);
    scan(&mut body, b"..xyz\r\n.\r\n", []);
    assert!(!body.line_too_long());
    scan(&mut body, b"", []);
    let mut body = Body::new(BareLf::Mend, 5);
    scan(&mut body, b"..xyz\r\n.\r\n", []);
    assert!(body.line_too_long());
}

/// Mostly text, so that blocks are judged as a whole too, with odd places in it.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => (0..200_usize).prop_map(|count| [&b"x".repeat(count), b"\r\n".as_slice()].concat()),
        2 => (0..900_usize).prop_map(|count| b"y".repeat(count)),
        2 => Just(b"\r\n..".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => Just(b".".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\r\n.\r\n".to_vec()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn long_bodies_are_judged_as_defined(
        came in bodies(),
        mut cuts in prop::collection::vec(0..6000_usize, 0..20),
        refuse in any::<bool>(),
    ) {
        let bare_lf = if refuse { BareLf::Refuse } else { BareLf::Mend };
        cuts.retain(|&cut| cut <= came.len());
        cuts.sort_unstable();
        let outcome = scan(&mut Body::new(bare_lf, 1000), &came, cuts);
        prop_assert_eq!(outcome, reference(&came, bare_lf));
    }

    /// Any single odd place, anywhere within a block or across its border.
    #[test]
    fn one_odd_place_in_clean_text(
        columns in 1..100_usize,
        at in 0..3000_usize,
        odd in prop::sample::select(vec!["\r", "\n", ".", "\r\n.", "\n.\n", "\r\n.\r\n", "\r\n.\n"]),
    ) {
        let lines = 3000 / columns + 1;
        let mut came = [b"x".repeat(columns), b"\r\n".to_vec()].concat().repeat(lines);
        came.splice(at..at, odd.bytes());
        let outcome = scan(&mut Body::new(BareLf::Mend, 1000), &came, []);
        prop_assert_eq!(outcome, reference(&came, BareLf::Mend));
    }
}
