//! What a report tells people: what happened, what the other side said, and what to do about it.

use super::fields::{clipped, printable};
use super::report::{Outcome, Report};
use super::status::{Action, Status};
use crate::wire::date::HeaderDate;

/// Where lines end, in characters, if there is a blank.
const LINE_WANTED: usize = 72;
/// Of what a server said.
const SAID_BYTES_MAX: usize = 2_000;
/// Of the subject.
const SUBJECT_BYTES_MAX: usize = 200;

/// The text, in lines that end with CRLF.
pub(super) fn text(report: &Report<'_>) -> String {
    let mut text = String::new();
    let mail = &report.original;
    paragraph(&mut text, 0, &format!("This is the mail system of {}.", report.reporter));
    text.push_str("\r\n");
    let about = [("Subject", b"Subject".as_slice()), ("To", b"To"), ("Date", b"Date")];
    let known: Vec<_> = about
        .into_iter()
        .filter_map(|(name, field)| Some((name, mail.text(field, SUBJECT_BYTES_MAX)?)))
        .collect();
    paragraph(
        &mut text,
        0,
        if known.is_empty() { "About a message of yours." } else { "About your message:" },
    );
    text.push_str("\r\n");
    for (name, value) in &known {
        paragraph(&mut text, 4, &format!("{name}: {value}"));
    }
    if !known.is_empty() {
        text.push_str("\r\n");
    }
    for action in Action::ALL {
        let mut outcomes =
            report.outcomes.iter().filter(|outcome| outcome.action == action).peekable();
        if outcomes.peek().is_some() {
            paragraph(&mut text, 0, heading(action));
            text.push_str("\r\n");
        }
        for outcome in outcomes {
            tell(&mut text, outcome);
        }
    }
    if report.outcomes.iter().any(|outcome| outcome.action == Action::Failed) {
        let end = "Nothing more is tried for the addresses that failed. Technical details and \
                   your message, or its header, are attached.";
        paragraph(&mut text, 0, end);
    } else {
        paragraph(&mut text, 0, "You need not do anything. Technical details are attached.");
    }
    text
}

const fn heading(action: Action) -> &'static str {
    match action {
        Action::Failed => "It could NOT be delivered to:",
        Action::Delayed => "It has not been delivered yet, and will be tried again, to:",
        Action::Delivered => "It was delivered to:",
        Action::Relayed => {
            "It went on to a server that does not tell whether it is delivered, for:"
        }
        Action::Expanded => "It was delivered to an address that stands for several others:",
    }
}

fn tell(text: &mut String, outcome: &Outcome<'_>) {
    let given = outcome.original.map(|(_, address)| address);
    let given = given.filter(|address| *address != outcome.address);
    let wrote = given.map_or_else(String::new, |address| format!(" (you wrote to {address})"));
    paragraph(text, 4, &format!("{}{wrote}", outcome.address));
    if let Some(said) = outcome.said {
        let by = outcome.server.unwrap_or("our own server");
        paragraph(text, 8, &format!("{by} said:"));
        for line in clipped(said, SAID_BYTES_MAX).lines() {
            paragraph(text, 12, line);
        }
    }
    if let Some(why) = outcome.why {
        paragraph(text, 8, clipped(why, SAID_BYTES_MAX));
    }
    let advice = match outcome.action {
        Action::Failed => advice(outcome.status),
        Action::Delayed => comfort(outcome.status),
        Action::Delivered | Action::Relayed | Action::Expanded => None,
    };
    if let Some(advice) = advice {
        paragraph(text, 8, advice);
    }
    if let (Action::Delayed, Some(until)) = (outcome.action, outcome.retry_until) {
        paragraph(text, 8, &format!("It will be tried until {}.", HeaderDate(until)));
    }
    text.push_str("\r\n");
}

/// What a code means for the sender where nothing more is tried, of those whose meaning helps
/// (RFC 3463 §3, and the registry of RFC 5248).
const fn advice(status: Status) -> Option<&'static str> {
    Some(match (status.subject(), status.detail()) {
        (1, 0 | 1 | 3 | 6) => {
            "There is no such mailbox, or not any more. Look whether the address is spelled right, \
             or ask the person by other means."
        }
        (1, 2) => {
            "There is no such domain. Look whether what stands behind the @ is spelled right."
        }
        (1, 10) => "The domain takes no mail at all. Look whether the address is spelled right.",
        (1, 7 | 8) => "The other side does not take your address as a sender.",
        (2, 1) => "The mailbox is switched off.",
        (2, 2) => "The mailbox is full. The person has to make room; send the message again later.",
        (2, 3) | (3, 4) => "The message is too large. Send less at once, or a link to it.",
        (4, 1 | 2) => {
            "The other server could not be reached. Send the message again, or ask the person by \
             other means."
        }
        (4, 3 | 4) => "It could not be found out which server takes mail for this domain.",
        (4, 6) => "The message ran in a circle. Who runs the other server has to mend that.",
        (4, 7) => {
            "It was tried for too long. Send the message again, or ask the person by other means."
        }
        (5, 3) => "There were too many recipients. Send the message to fewer at once.",
        (6, 7 | 9) => {
            "The other server does not take addresses or headers in letters such as these."
        }
        (6, 1 | 3) => "The other server does not take a message of this kind.",
        (7, 4 | 10 | 30) => {
            "The message was to go under encryption only, and the other server could not be reached \
             in that way."
        }
        (7, 20..=27) => {
            "The other server could not tell that the message is from you. Who runs this mail system \
             can mend that: show them this message."
        }
        (7, _) => {
            "The other server does not want the message. If you think that it is mistaken, ask the \
             person by other means, and tell them what their server said."
        }
        _ => return None,
    })
}

/// The same while it is still tried.
const fn comfort(status: Status) -> Option<&'static str> {
    Some(match (status.subject(), status.detail()) {
        (2, 2) => "The mailbox is full. The person has to make room.",
        (3, 1) => "The other server has no room at the moment.",
        (4, 1 | 2) => "The other server cannot be reached at the moment.",
        (4, 3 | 4) => {
            "It cannot be found out at the moment which server takes mail for this domain."
        }
        (7, 4 | 10 | 30) => {
            "The message is to go under encryption only, and the other server cannot be reached in \
             that way at the moment."
        }
        (7, _) => "The other server does not want the message yet. That often passes.",
        _ => return None,
    })
}

/// Appends a text behind so many blanks, in lines that are not too long.
fn paragraph(text: &mut String, indent: usize, words: &str) {
    let words = printable(words, true);
    let mut length = 0;
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        while !word.is_empty() {
            // A word without an end is cut.
            let piece = clipped(word, WORD_BYTES_MAX);
            word = word.strip_prefix(piece).unwrap_or_default();
            let width = piece.chars().count();
            if length == 0 {
                text.extend(std::iter::repeat_n(' ', indent));
                length = indent;
            } else if length + 1 + width > LINE_WANTED {
                text.push_str("\r\n");
                text.extend(std::iter::repeat_n(' ', indent));
                length = indent;
            } else {
                text.push(' ');
                length += 1;
            }
            text.push_str(piece);
            length += width;
        }
    }
    text.push_str("\r\n");
}

/// A longer word is cut. RFC 5322 §2.1.1: no line has more than 998 bytes.
const WORD_BYTES_MAX: usize = 900;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_indented_and_bounded() {
        for (words, expected) in [
            ("", "\r\n"),
            ("a  b\r\nc", "    a b c\r\n"),
            (
                &"x".repeat(2_000),
                &format!("    {0}\r\n    {0}\r\n    {1}\r\n", "x".repeat(900), "x".repeat(200)),
            ),
            (&"word ".repeat(14), &format!("    {}\r\n    word\r\n", ["word"; 13].join(" "))),
        ] {
            let mut text = String::new();
            paragraph(&mut text, 4, words);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn advice_is_whole_sentences() {
        for subject in 0..=7 {
            for detail in 0..=40 {
                let status = Status::new(5, subject, detail);
                for advice in [advice(status), comfort(status)] {
                    assert!(advice.is_none_or(|advice| advice.ends_with('.')));
                }
            }
        }
    }
}
