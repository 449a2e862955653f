use proptest::prelude::*;

use super::*;
use crate::UnixSeconds;

/// Messages of an mbox that comes in these pieces.
fn read(quoting: Quoting, pieces: &[&[u8]]) -> Result<Vec<(String, Vec<u8>)>, NoMbox> {
    let (mut reader, mut found) = (Reader::new(quoting), Vec::new());
    for piece in pieces {
        reader.push(piece, &mut found)?;
    }
    reader.finish(&mut found)?;
    let mut messages = Vec::new();
    let mut open = false;
    for piece in found {
        match piece {
            Piece::Begin(from) => {
                assert!(!open);
                open = true;
                messages.push((from.sender, Vec::new()));
            }
            Piece::Bytes(bytes) => messages.last_mut().unwrap().1.extend(bytes),
            Piece::End => {
                assert!(open);
                open = false;
            }
        }
    }
    assert!(!open);
    Ok(messages)
}

fn texts(quoting: Quoting, file: &str) -> Vec<String> {
    let messages = read(quoting, &[file.as_bytes()]).unwrap();
    messages.into_iter().map(|(_, text)| String::from_utf8(text).unwrap()).collect()
}

const A: &str = "From a Thu Mar  4 05:06:07 2021\n";

#[test]
fn messages_are_told_apart() {
    for (file, expected) in [
        (String::new(), vec![]),
        ("\n\n".into(), vec![]),
        (A.into(), vec![""]),
        (A.trim_end().into(), vec![""]),
        (format!("{A}Subject: x\n\nhi\n\n"), vec!["Subject: x\n\nhi\n"]),
        // Without the empty line at the end, and without the end of the line.
        (format!("{A}Subject: x\n\nhi"), vec!["Subject: x\n\nhi"]),
        (format!("{A}one\n\n{A}two\n\n"), vec!["one\n", "two\n"]),
        (format!("\n{A}one\n\n\n\n{A}two\n"), vec!["one\n\n\n", "two\n"]),
        (format!("{A}\n{A}two\n"), vec!["", "two\n"]),
        // No empty line before it, or no date in it: text.
        (format!("{A}one\n{A}\n"), vec![&*format!("one\n{A}")]),
        (format!("{A}one\n\nFrom here on\n\n"), vec!["one\n\nFrom here on\n"]),
        (format!("{A}one\n\nFrom here"), vec!["one\n\nFrom here"]),
        (format!("{A}one\n\nFro"), vec!["one\n\nFro"]),
        (format!("{A}one\r\n\r\n{A}two\r\n\r\n"), vec!["one\r\n", "two\r\n"]),
        (format!("{A}one\r"), vec!["one\r"]),
        (format!("{A}one\n\n\r"), vec!["one\n\n\r"]),
    ] {
        assert_eq!(texts(Quoting::Rd, &file), expected, "{file:?}");
    }
}

#[test]
fn quoting_is_undone() {
    let file = format!("{A}>From a\n>>From b\n>>>Fro\n>From\n> From c\n\n>From {A}\n>>");
    let rd = "From a\n>From b\n>>>Fro\n>From\n> From c\n\nFrom ";
    assert_eq!(texts(Quoting::Rd, &file), [format!("{rd}{A}\n>>")]);
    let o = "From a\n>>From b\n>>>Fro\n>From\n> From c\n\nFrom ";
    assert_eq!(texts(Quoting::O, &file), [format!("{o}{A}\n>>")]);
}

#[test]
fn other_files_are_no_mbox() {
    for file in ["x", "Subject: x\n\n", ">From a\n", "From here\n", "\nfrom", "\r"] {
        assert_eq!(read(Quoting::Rd, &[file.as_bytes()]), Err(NoMbox), "{file:?}");
    }
}

#[test]
fn a_line_that_could_begin_a_message_is_held_no_longer_than_such_lines_are() {
    let (mut reader, mut found) = (Reader::new(Quoting::Rd), Vec::new());
    reader.push(format!("{A}one\n\nFrom ").as_bytes(), &mut found).unwrap();
    for _ in 0..10 {
        reader.push(&[b'x'; 1_000], &mut found).unwrap();
    }
    let held = |reader: &Reader| match &reader.line {
        Line::Beginning(begun) | Line::Quoted(_, begun) => begun.capacity(),
        Line::Middle => 0,
    };
    assert!(held(&reader) <= 2 * LENGTH_MAX);
    reader.push(b"\n", &mut found).unwrap();
    reader.push(&[b'>'; 100_000], &mut found).unwrap();
    assert!(held(&reader) <= 2 * LENGTH_MAX);
}

fn write(messages: &[(&str, &[u8])], cut: usize) -> Vec<u8> {
    let (mut writer, mut file) = (Writer::default(), Vec::new());
    for (sender, text) in messages {
        let from = FromLine { sender: (*sender).into(), date: UnixSeconds(1_614_834_367) };
        writer.begin(&from, &mut file);
        for piece in text.chunks(cut.max(1)) {
            writer.push(piece, &mut file);
        }
        writer.end(&mut file);
    }
    file
}

#[test]
fn what_is_written_is_quoted_and_ended() {
    let many = [">".repeat(500).as_bytes(), b"From \n"].concat();
    let expected = [b">", &many[..]].concat();
    for (text, lines) in [
        (&b"one\n"[..], &b"one\n\n"[..]),
        (b"", b"\n"),
        (b"one", b"one\n\n"),
        (b"From \n>From x\n>>From\n>>", b">From \n>>From x\n>>From\n>>\n\n"),
        (b"a\nFrom b", b"a\n>From b\n\n"),
        (&many, &[&expected[..], b"\n"].concat()),
    ] {
        for cut in [1, 3, 1_000] {
            let file = write(&[("a", text)], cut);
            let body = file.strip_prefix(A.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(body), String::from_utf8_lossy(lines), "{cut}");
        }
    }
}

proptest! {
    #[test]
    fn messages_come_back_in_any_pieces(
        texts in prop::collection::vec(prop::collection::vec(prop::sample::select(vec![
            "From ", ">", ">>From x", "\n", "\n\n", "\r\n", "x", "Fro", A, "\r",
        ]), 0..12), 0..5),
        cut in 1_usize..40,
    ) {
        // A message's last line has an end.
        let texts: Vec<String> = texts.iter().map(|words| words.concat() + "y\n").collect();
        let messages: Vec<_> = texts.iter().map(|text| ("a", text.as_bytes())).collect();
        let file = write(&messages, cut);
        prop_assert_eq!(&write(&messages, usize::MAX), &file);
        let pieces: Vec<&[u8]> = file.chunks(cut).collect();
        let found = read(Quoting::Rd, &pieces).unwrap();
        let expected: Vec<_> = texts.into_iter().map(|t| ("a".to_owned(), t.into_bytes())).collect();
        prop_assert_eq!(found, expected);
    }
}
