//! What is kept of a message in short and in the index says nothing that the message does not.

#![allow(clippy::indexing_slicing, reason = "a target panics where an invariant does not hold")]

use pillarbox_core::imap::grammar::Fields;
use pillarbox_core::imap::response::Fetch;
use pillarbox_core::imap::search::trigrams::Trigrams;
use pillarbox_core::imap::section::{header_end, header_fields};
use pillarbox_core::mime::preview::PREVIEW_CHARS_MAX;
use pillarbox_core::mime::{DIGEST_BYTES_MAX, Digest, Structure, TextReader};

use crate::fuzz::Tape;

/// The first byte chooses between a message and a digest of any bytes; in a message it says with how
/// many bytes at once it is read for the index.
pub fn target(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    match tape.below(256) {
        choice @ 0..=199 => message(&tape.said(WORDS), 1 + choice),
        _ => stored(bytes.get(1..).unwrap_or_default()),
    }
}

const WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "--x\r\n",
    "--x--\r\n",
    " folded\r\n",
    "Subject: word\r\n",
    "subject : =?utf-8?q?w=C3=B6rd?=\n",
    "From: Ann <a@b>, friends: c@d;\r\n",
    "Received: here\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "Content-Type: text/html; charset=iso-8859-1\r\n",
    "Content-Type: multipart/alternative; boundary=x\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Disposition: attachment\r\n",
    "<style>",
    "</style>",
    "<p a=\"",
    "\">",
    "<!--",
    "-->",
    "&auml;",
    "&#228;",
    "&",
    "> quoted\r\n",
    "-- \r\n",
    "word w\u{f6}rd ",
    "d29yZA==",
];

fn told(structure: &Structure) -> Vec<u8> {
    let mut out = Vec::new();
    let mut fetch = Fetch::begin(1, &mut out);
    fetch.envelope(structure.header(structure.root()), &mut out);
    fetch.structure(structure, true, &mut out);
    fetch.end(&mut out);
    out
}

fn message(body: &[u8], at_once: usize) {
    let written = Digest::of(body);
    assert!(written.len() <= DIGEST_BYTES_MAX);
    let front = b"Return-Path: <>\r\nReceived: by us;\r\n\tnow\r\n";
    let whole = [front, body].concat();
    if let Some(digest) = Digest::read(&written, whole.len() as u64) {
        let structure = Structure::of(&whole);
        assert_eq!(told(digest.structure()), told(&structure));
        let names = ["Subject", "From", "Content-Type"];
        let fields = |header: &[u8]| {
            let mut out = Vec::new();
            header_fields(header, Fields::These, &names, &mut out);
            out
        };
        assert_eq!(fields(digest.header()), fields(&whole[..header_end(&whole)]));
        let preview = digest.preview();
        assert!(preview.chars().count() <= PREVIEW_CHARS_MAX);
        assert!(!preview.chars().any(char::is_control), "{preview:?}");
        assert_eq!(preview.trim(), preview);
    }
    let mut trigrams = Trigrams::default();
    trigrams.message(body);
    let at_one_go = trigrams.take();
    let structure = Structure::of(body);
    trigrams.headers(&structure, body.first().copied());
    for part in structure.parts() {
        let Some(mut reader) = TextReader::of(&structure, part) else { continue };
        let index = |offset: u64| usize::try_from(offset).unwrap();
        for piece in body[index(part.body.start)..index(part.body.end)].chunks(at_once) {
            trigrams.piece(&mut reader, piece);
        }
        trigrams.part_end(&mut reader);
    }
    assert_eq!(trigrams.take(), at_one_go);
}

/// A damaged store is no reason to fall over.
fn stored(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), [&[1], bytes].concat()] {
        if let Some(digest) = Digest::read(&bytes, 1 << 20) {
            assert!(told(digest.structure()).len() < 1 << 20);
        }
    }
}
