//! SORT and THREAD over headers that anybody may have written.

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::command::Command;
use pillarbox_core::imap::grammar::{self, Algorithm};
use pillarbox_core::imap::name::Spelling;
use pillarbox_core::imap::sort::Sorter;
use pillarbox_core::imap::thread::Threader;

use crate::fuzz::Tape;

/// Headers with an empty line between them.
pub fn target(bytes: &[u8]) {
    let said = Tape::new(bytes).said(WORDS);
    let headers = split(&said);
    for key in KEYS {
        let line = format!("a SORT ({key} REVERSE SUBJECT) UTF-8 ALL");
        let (_, request) = grammar::command(line.as_bytes()).expect("a command");
        let command = Command::from_request(request, Spelling::Utf7).expect("no names in it");
        let Some(Command::Sort { criteria, .. }) = command else { panic!("no sort") };
        let mut sorter = Sorter::new(criteria);
        for (number, header) in (1..).zip(&headers) {
            sorter.push(number, UnixSeconds(number.into()), header.len() as u64, header);
        }
        let mut sorted = sorter.sorted();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq((1..).take(headers.len())), "each message once");
    }
    for algorithm in [Algorithm::OrderedSubject, Algorithm::References, Algorithm::Refs] {
        let mut threader = Threader::new(algorithm);
        for (number, header) in (1..).zip(&headers) {
            threader.push(number, UnixSeconds(0), header);
        }
        let mut out = Vec::new();
        assert!(!threader.threads().write(&mut out, |_| true), "all in one piece");
        let told = String::from_utf8(out).expect("digits");
        holds(told.strip_prefix("* THREAD").and_then(|t| t.strip_suffix("\r\n")), headers.len());
    }
}

/// Whether each number is told once, between brackets that fit.
fn holds(told: Option<&str>, count: usize) {
    let told = told.expect("a response");
    let mut depth = 0_usize;
    for byte in told.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1).expect("what is closed was opened"),
            b' ' | b'0'..=b'9' => {}
            _ => panic!("{told}"),
        }
    }
    assert_eq!(depth, 0);
    assert!(!told.contains("()") && !told.contains("  "), "{told}");
    let words = told.split(['(', ')', ' ']).filter(|word| !word.is_empty());
    let mut numbers: Vec<usize> = words.map(|word| word.parse().expect("a number")).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=count), "each message once: {told}");
}

/// At most [`HEADERS_MAX`] headers.
fn split(said: &[u8]) -> Vec<&[u8]> {
    let mut headers = Vec::new();
    let mut rest = said;
    while headers.len() < HEADERS_MAX
        && let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n")
    {
        let (header, after) = rest.split_at(end + 1);
        headers.push(header);
        rest = after.get(1..).unwrap_or_default();
    }
    headers.push(rest);
    headers
}

const HEADERS_MAX: usize = 64;
const KEYS: [&str; 9] =
    ["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO"];

/// What headers are made of.
const WORDS: &[&str] = &[
    "\n\n",
    "\n\nMessage-ID: <1@x>\n",
    "\n\nMessage-ID: <2@x>\n",
    "\n\nMessage-ID: <\"3\"@x>\n",
    "References: <1@x> <2@x>\n",
    "References: <2@x>\n <3@x>\n",
    "References: <3@x> <1@x>\n",
    "References: <4@x> <1@x>\n",
    "In-Reply-To: your letter <4@x>\n",
    "Subject: a\n",
    "Subject: Re: =?utf-8?q?=C3=A4?=\n",
    "Subject: ",
    "Re: ",
    "[fwd: ",
    "[list] ",
    "] ",
    "(fwd)",
    "Date: 31 Dec 2000 16:01:33 -0800\n",
    "Date: 1 Jan 01 24:00 EST\n",
    "From: \"Zoe\" <z@a.test>, b@c\n",
    "To: G: a@b, c@d;\n",
    "Cc: <@r:a@b>\n",
    "To: ",
    "<",
    ">",
    "\"",
    "\\",
    "@",
    "=?utf-8?b?",
    "?=",
    ",",
    ":",
    ";",
    "(",
    "\r\n ",
    "\n",
];
