//! ENVELOPE (RFC 3501 §7.4.2): a header's fields, in an order that never changes.

use super::{Sink, nstring, string};
use crate::mime::address::{Addresses, Entry};
use crate::mime::header::{fields, unfold};

/// Which field is which member. Of fields that RFC 5322 §3.6 allows once, the first counts; of
/// addresses all, so that nobody is left out.
#[derive(Debug, Default)]
struct Found<'a> {
    texts: [Option<&'a [u8]>; TEXTS.len()],
    addresses: [Option<&'a [u8]>; ADDRESSES.len()],
    /// Further fields of the same name.
    more: Vec<(usize, &'a [u8])>,
}

/// Writes the envelope of a message with this header.
pub(super) fn write(header: &[u8], out: &mut impl Sink) {
    let found = Found::of(header);
    let [date, subject, in_reply_to, message_id] = found.texts;
    out.put(b"(");
    text(date, out);
    out.put(b" ");
    text(subject, out);
    out.put(b" ");
    let mut from = Vec::new();
    if !found.list(FROM, &mut from) {
        from.extend_from_slice(b"NIL");
    }
    out.put(&from);
    for index in FROM + 1..ADDRESSES.len() {
        out.put(b" ");
        if !found.list(index, out) {
            // RFC 3501 §7.4.2: Sender and Reply-To are those of From where there are none.
            out.put(if index < TO { &from } else { b"NIL" });
        }
    }
    out.put(b" ");
    text(in_reply_to, out);
    out.put(b" ");
    text(message_id, out);
    out.put(b")");
}

impl<'a> Found<'a> {
    fn of(header: &'a [u8]) -> Self {
        let mut found = Self::default();
        for field in fields(header) {
            if let Some(index) = TEXTS.iter().position(|name| field.is(name))
                && let Some(place) = found.texts.get_mut(index)
            {
                place.get_or_insert(field.value);
            } else if let Some(index) = ADDRESSES.iter().position(|name| field.is(name))
                && let Some(place) = found.addresses.get_mut(index)
            {
                match place {
                    None => *place = Some(field.value),
                    Some(_) => found.more.push((index, field.value)),
                }
            }
        }
        found
    }

    /// Writes a list of addresses, if there are any.
    fn list(&self, index: usize, out: &mut impl Sink) -> bool {
        let more = self.more.iter().filter(|(of, _)| *of == index).map(|(_, value)| *value);
        let mut any = false;
        for value in self.addresses.get(index).copied().flatten().into_iter().chain(more) {
            let mut entries = Addresses::new(value);
            while let Some(entry) = entries.next() {
                if !any {
                    out.put(b"(");
                }
                any = true;
                address(&entry, out);
            }
        }
        if any {
            out.put(b")");
        }
        any
    }
}

/// RFC 3501 §7.4.2: groups begin and end by addresses without a host. Where a mailbox has none, it
/// must not look like one of these.
fn address(entry: &Entry<'_>, out: &mut impl Sink) {
    match entry {
        Entry::Mailbox { name, route, local, domain } => {
            out.put(b"(");
            nstring(*name, out);
            out.put(b" ");
            nstring(*route, out);
            out.put(b" ");
            string(local, out);
            out.put(b" ");
            string(domain, out);
            out.put(b")");
        }
        Entry::GroupStart(name) => {
            out.put(b"(NIL NIL ");
            string(name, out);
            out.put(b" NIL)");
        }
        Entry::GroupEnd => out.put(b"(NIL NIL NIL NIL)"),
    }
}

/// A field as it stands there, unfolded; encoded words are the client's to decode.
fn text(value: Option<&[u8]>, out: &mut impl Sink) {
    match value {
        Some(value) => string(&unfold(value), out),
        None => out.put(b"NIL"),
    }
}

const TEXTS: [&[u8]; 4] = [b"Date", b"Subject", b"In-Reply-To", b"Message-ID"];
/// In the order of the members.
const ADDRESSES: [&[u8]; 6] = [b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Bcc"];
const FROM: usize = 0;
const TO: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(header: &str) -> String {
        let mut out = Vec::new();
        write(header.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_envelope_of_the_standards_example() {
        // RFC 3501 §8.
        let header = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n\
            From: Terry Gray <gray@cac.washington.edu>\r\n\
            Subject: IMAP4rev1 WG mtg summary and minutes\r\n\
            To: imap@cac.washington.edu\r\n\
            cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
            Message-Id: <B27397-0100000@cac.washington.edu>\r\n\
            MIME-Version: 1.0\r\n\r\n";
        let gray = "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))";
        let expected = format!(
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
             {gray} {gray} {gray} ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")\
             (\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
             \"<B27397-0100000@cac.washington.edu>\")"
        );
        assert_eq!(envelope(header), expected);
    }

    #[test]
    fn odd_envelopes() {
        for (header, expected) in [
            ("", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
            // Present and empty is another thing than absent, but for addresses.
            (
                "Date:\r\nSubject: \r\nFrom:\r\nTo: ,\r\n",
                "(\"\" \"\" NIL NIL NIL NIL NIL NIL NIL NIL)",
            ),
            (
                "Subject: folded\r\n \"subject\"\r\nSubject: second\r\n",
                "(NIL \"folded \\\"subject\\\"\" NIL NIL NIL NIL NIL NIL NIL NIL)",
            ),
            (
                "Subject: \u{e4}\r\nBcc: \"\u{e4}\" <a@b>\r\n",
                "(NIL {2}\r\n\u{e4} NIL NIL NIL NIL NIL (({2}\r\n\u{e4} NIL \"a\" \"b\")) NIL NIL)",
            ),
            (
                "From: a@b\r\nSender: c@d\r\nReply-To: <>\r\nIn-Reply-To: <x@y>\r\n",
                "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) \
                 ((NIL NIL \"a\" \"b\")) NIL NIL NIL \"<x@y>\" NIL)",
            ),
            (
                "To: G: a@b, <@r:c@d>;\r\nTo: root\r\n",
                "(NIL NIL NIL NIL NIL ((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")\
                 (NIL \"@r\" \"c\" \"d\")(NIL NIL NIL NIL)(NIL NIL \"root\" \"\")) \
                 NIL NIL NIL NIL)",
            ),
            (
                "Subject: =?utf-8?q?=C3=A4?=\r\n",
                "(NIL \"=?utf-8?q?=C3=A4?=\" NIL NIL NIL NIL NIL NIL NIL NIL)",
            ),
        ] {
            assert_eq!(envelope(header), expected, "{header}");
        }
    }
}
