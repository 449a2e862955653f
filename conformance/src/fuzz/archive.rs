//! Mail in files: mbox, line ends, flags in headers, names of maildir files.

use pillarbox_core::archive::from_line::FromLine;
use pillarbox_core::archive::lines::{Evenness, ToCrlf, ToLf};
use pillarbox_core::archive::maildir::{Keywords, Name, letters};
use pillarbox_core::archive::mbox::{Piece, Quoting, Reader, Writer};
use pillarbox_core::archive::status;

use super::{Tape, cuts};

const WORDS: [&str; 16] = [
    "From a@b.example Thu Mar  4 05:06:07 2021\n",
    "From - Mon Jan  1 00:00 EST 2001\r\n",
    "From ",
    ">",
    ">From ",
    "\n",
    "\r\n",
    "\n\n",
    "\r",
    "Status: RO\n",
    "X-Status: AFDT\n",
    "X-Keywords: Blue $Junk\n",
    "Subject: x\n y\n",
    "text",
    ":2,DFPRSTaz",
    "0 Blue\n",
];

/// A message: what its first line said, and its bytes.
type Letter = (FromLine, Vec<u8>);

/// Reads an mbox in pieces; `None` where it is none.
fn read(quoting: Quoting, pieces: &[&[u8]]) -> Option<Vec<Letter>> {
    let (mut reader, mut found) = (Reader::new(quoting), Vec::new());
    for piece in pieces {
        reader.push(piece, &mut found).ok()?;
    }
    reader.finish(&mut found).ok()?;
    let mut letters: Vec<Letter> = Vec::new();
    let mut open = false;
    for piece in found {
        match piece {
            Piece::Begin(from) => {
                assert!(!open, "a message begins within another");
                open = true;
                letters.push((from, Vec::new()));
            }
            Piece::Bytes(bytes) => {
                assert!(open, "bytes of no message");
                letters.last_mut().unwrap().1.extend(bytes);
            }
            Piece::End => open = false,
        }
    }
    assert!(!open, "a message without an end");
    Some(letters)
}

fn mbox(said: &[u8]) {
    for quoting in [Quoting::Rd, Quoting::O] {
        let whole = read(quoting, &[said]);
        for cut in cuts(said) {
            assert_eq!(read(quoting, &cut), whole, "the cut changes the messages");
        }
        let Some(found) = whole else { continue };
        let bytes: usize = found.iter().map(|(_, text)| text.len()).sum();
        assert!(bytes <= said.len(), "more came out than in");
        // A message's last line gets an end if it has none.
        let ended: Vec<Letter> = found
            .into_iter()
            .map(|(from, mut text)| {
                if !text.is_empty() && !text.ends_with(b"\n") {
                    text.push(b'\n');
                }
                (from, text)
            })
            .collect();
        let (mut writer, mut file) = (Writer::default(), Vec::new());
        for (from, text) in &ended {
            writer.begin(from, &mut file);
            cuts(text).pop().unwrap().iter().for_each(|piece| writer.push(piece, &mut file));
            writer.end(&mut file);
        }
        let again = read(Quoting::Rd, &[&file]).unwrap();
        let texts = |letters: &[Letter]| -> Vec<(i64, Vec<u8>)> {
            letters.iter().map(|(from, text)| (from.date.0, text.clone())).collect()
        };
        assert_eq!(texts(&again), texts(&ended), "what was written is read otherwise");
    }
}

fn lines(said: &[u8]) {
    let (mut even, mut lf, mut mail) = (Evenness::default(), ToLf::default(), Vec::new());
    let mut back = Vec::new();
    for piece in cuts(said).pop().unwrap() {
        even.push(piece);
        lf.push(piece, &mut mail);
    }
    lf.finish(&mut mail);
    let mut crlf = ToCrlf::default();
    cuts(&mail).pop().unwrap().iter().for_each(|piece| crlf.push(piece, &mut back));
    assert!(back.len() <= 2 * said.len() && !back.contains(&0));
    if even.is_even() && !said.contains(&0) {
        assert_eq!(back, said, "line ends do not come back");
    }
}

fn headers(said: &[u8]) {
    let (marks, rest) = status::take(said);
    assert!(rest.len() <= said.len() && marks.keywords.len() <= 64);
    let mut block = status::block(&marks).replace('\n', "\r\n").into_bytes();
    block.extend_from_slice(&rest);
    let again = status::take(&block);
    // Read as text, words may have changed; the rest has not.
    assert_eq!(again, (marks, rest), "the block is read otherwise");
    let _any = status::is_internal(said);
}

fn names(said: &[u8]) {
    let text = String::from_utf8_lossy(said);
    let mut keywords = Keywords::read(&text);
    let Some(name) = Name::read(&text) else { return };
    let marks = name.marks(&keywords);
    let (letters, left) = letters(&marks, &mut keywords);
    assert!(left.is_empty(), "a letter was lost");
    let again = Name { unique: name.unique, flags: &letters }.marks(&keywords);
    assert_eq!(again.seen, marks.seen);
    assert_eq!((again.draft, again.flagged), (marks.draft, marks.flagged));
}

/// Any bytes.
pub fn target(bytes: &[u8]) {
    let said = Tape::new(bytes).said(&WORDS);
    mbox(&said);
    lines(&said);
    headers(&said);
    names(&said);
}
