//! Reports of qmail, which are texts: a greeting, a paragraph for each recipient, a line, and the
//! message.

use super::fields::clipped;
use super::notice::{Notice, NoticeOutcome, OUTCOMES_MAX, enhanced, id_in};
use super::status::{Action, Status};
use crate::mime::header;

/// Of the reason for one recipient.
const REASON_BYTES_MAX: usize = 2_000;

/// Reads the body of a message; `None` where it is no such report.
pub(super) fn read(body: &str) -> Option<Notice> {
    let rest = body.trim_start().strip_prefix("Hi. This is ")?;
    let (greeting, rest) = rest.split_once('\n')?;
    if !greeting.contains("qmail") {
        return None;
    }
    let reporter = greeting.split_once(" at ").map(|(_, host)| host.trim().trim_end_matches('.'));
    let (report, message) = match rest.split_once("\n--- ") {
        Some((report, message)) => (report, message.split_once('\n').map_or("", |(_, text)| text)),
        None => (rest, ""),
    };
    let mut outcomes: Vec<NoticeOutcome> = Vec::new();
    for line in report.lines() {
        let line = line.trim();
        let address = line.strip_prefix('<').and_then(|line| line.strip_suffix(">:"));
        if let Some(address) = address.filter(|address| address.contains('@')) {
            if outcomes.len() == OUTCOMES_MAX {
                break;
            }
            outcomes.push(outcome(address));
        } else if let Some(last) = outcomes.last_mut()
            && !line.is_empty()
        {
            explain(last, line);
        }
    }
    let message = message.trim_start_matches(['\r', '\n']).as_bytes();
    let id = header::fields(message).find(|field| field.is(b"Message-ID"));
    (!outcomes.is_empty()).then(|| Notice {
        reporter: reporter.map(|host| clipped(host, 255).to_owned()),
        message_id: id.and_then(|field| id_in(field.value)),
        outcomes,
        ..Notice::default()
    })
}

fn outcome(address: &str) -> NoticeOutcome {
    NoticeOutcome {
        address: clipped(address, REASON_BYTES_MAX).to_owned(),
        original: None,
        action: Action::Failed,
        status: Status::new(5, 0, 0),
        server: None,
        diagnostic: None,
        retry_until: None,
    }
}

fn explain(outcome: &mut NoticeOutcome, line: &str) {
    let reason = outcome.diagnostic.get_or_insert_default();
    if reason.len() < REASON_BYTES_MAX {
        if !reason.is_empty() {
            reason.push(' ');
        }
        let line: String = line.chars().filter(|char| !char.is_control()).collect();
        reason.push_str(clipped(&line, REASON_BYTES_MAX));
        // As in `Remote host said: 550 5.1.1 no such user`, or at the end: `(#5.1.1)`.
        let said = line.split_once("said: ").map_or(&*line, |(_, said)| said);
        let code = line.rsplit_once("(#").and_then(|(_, code)| Status::read(code));
        if let Some(status) = code.or_else(|| enhanced(said)).filter(|_| outcome.status.is_vague())
        {
            outcome.status = status;
        }
    }
}
