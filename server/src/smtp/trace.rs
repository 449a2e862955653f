//! The lines that we put in front of a message: who it came from, and how it came to us.

use std::fmt::Write as _;
use std::net::IpAddr;

use pillarbox_core::UnixSeconds;
use pillarbox_core::wire::date::HeaderDate;

/// How a message came to us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trace<'a> {
    /// What the client called itself.
    pub(super) hello: &'a str,
    /// Its address; `None` where that is nobody's business, nor is what it called itself: our own
    /// people's mail does not tell where they are.
    pub(super) peer: Option<IpAddr>,
    /// Our name.
    pub(super) hostname: &'a str,
    /// As `ESMTPS` or `LMTP` (RFC 3848).
    pub(super) with: &'static str,
    /// The TLS version and cipher, where there is TLS.
    pub(super) tls: Option<(&'static str, &'a str)>,
    /// The connection's id: an operator finds the log lines by it.
    pub(super) id: &'a str,
    pub(super) at: UnixSeconds,
    /// Fields that tell what was found out about it.
    pub(super) found: &'a str,
}

/// What the client spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Smtp,
    /// SMTP that began with EHLO.
    Extended,
    Lmtp,
}

/// RFC 3848 §1: the transmission type tells extended SMTP or LMTP, TLS and authentication; with
/// internationalized mail the types of RFC 6531 §4.3.
pub(super) const fn with(spoken: Spoken, tls: bool, login: bool, utf8: bool) -> &'static str {
    match (spoken, tls, login, utf8) {
        (Spoken::Smtp, ..) => "SMTP",
        (Spoken::Extended, false, false, false) => "ESMTP",
        (Spoken::Extended, true, false, false) => "ESMTPS",
        (Spoken::Extended, false, true, false) => "ESMTPA",
        (Spoken::Extended, true, true, false) => "ESMTPSA",
        (Spoken::Extended, false, false, true) => "UTF8SMTP",
        (Spoken::Extended, true, false, true) => "UTF8SMTPS",
        (Spoken::Extended, false, true, true) => "UTF8SMTPA",
        (Spoken::Extended, true, true, true) => "UTF8SMTPSA",
        (Spoken::Lmtp, false, false, false) => "LMTP",
        (Spoken::Lmtp, true, false, false) => "LMTPS",
        (Spoken::Lmtp, false, true, false) => "LMTPA",
        (Spoken::Lmtp, true, true, false) => "LMTPSA",
        (Spoken::Lmtp, false, false, true) => "UTF8LMTP",
        (Spoken::Lmtp, true, false, true) => "UTF8LMTPS",
        (Spoken::Lmtp, false, true, true) => "UTF8LMTPA",
        (Spoken::Lmtp, true, true, true) => "UTF8LMTPSA",
    }
}

impl Trace<'_> {
    /// `Return-Path` (RFC 5321 §4.4: at final delivery) and `Received`, for one recipient.
    ///
    /// The name that the client gave is its own claim: what would break the header's syntax is
    /// replaced.
    pub(super) fn lines(&self, sender: &str, recipient: &str) -> Vec<u8> {
        let mut text = format!("Return-Path: <{sender}>\r\n{}", self.found);
        self.received(Some(recipient), &mut text);
        text.into_bytes()
    }

    /// `Received`, for a letter that goes on. Who else gets it is nobody's business: with more than
    /// one recipient none is named.
    pub(super) fn passing(&self, recipient: Option<&str>) -> Vec<u8> {
        let mut text = self.found.to_owned();
        self.received(recipient, &mut text);
        text.into_bytes()
    }

    fn received(&self, recipient: Option<&str>, text: &mut String) {
        // Writing to a String cannot fail.
        let _infallible = match self.peer {
            Some(peer) => {
                write!(text, "Received: from {} ({})\r\n", harmless(self.hello), literal(peer))
            }
            // RFC 5321 §4.4 wants a name here: ours, which the `by` tells anyway.
            None => write!(text, "Received: from {}\r\n", self.hostname),
        };
        let _infallible = write!(text, "\tby {} with {} id {}", self.hostname, self.with, self.id);
        if let Some((version, cipher)) = self.tls {
            let _infallible = write!(text, "\r\n\t({version} {cipher})");
        }
        let _infallible = match recipient {
            Some(recipient) => write!(text, "\r\n\tfor <{recipient}>; {}\r\n", HeaderDate(self.at)),
            None => write!(text, ";\r\n\t{}\r\n", HeaderDate(self.at)),
        };
    }
}

/// A name that cannot break out of its place.
fn harmless(name: &str) -> String {
    let char = |c: char| if c.is_control() || "()<>\\\"; ".contains(c) { '?' } else { c };
    name.chars().map(char).take(255).collect()
}

/// An address literal (RFC 5321 §4.1.3).
fn literal(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_message_over_tls() {
        let trace = Trace {
            hello: "client.example",
            peer: "::ffff:192.0.2.7".parse().ok(),
            hostname: "mx.example",
            with: with(Spoken::Extended, true, false, false),
            tls: Some(("TLSv1.3", "TLS13_AES_128_GCM_SHA256")),
            id: "c1",
            at: UnixSeconds(1_795_527_240),
            found: "",
        };
        assert_eq!(
            String::from_utf8(trace.lines("ann@client.example", "bob@mx.example")).unwrap(),
            "Return-Path: <ann@client.example>\r\n\
             Received: from client.example ([192.0.2.7])\r\n\
             \tby mx.example with ESMTPS id c1\r\n\
             \t(TLSv1.3 TLS13_AES_128_GCM_SHA256)\r\n\
             \tfor <bob@mx.example>; Tue, 24 Nov 2026 13:34:00 +0000\r\n"
        );
    }

    #[test]
    fn our_own_people_are_not_traced() {
        let trace = Trace {
            hello: "[192.168.7.9]",
            peer: None,
            hostname: "mx.example",
            with: with(Spoken::Extended, true, true, false),
            tls: None,
            id: "c1",
            at: UnixSeconds(1_795_527_240),
            found: "",
        };
        assert_eq!(
            String::from_utf8(trace.lines("ann@mx.example", "bob@mx.example")).unwrap(),
            "Return-Path: <ann@mx.example>\r\n\
             Received: from mx.example\r\n\
             \tby mx.example with ESMTPSA id c1\r\n\
             \tfor <bob@mx.example>; Tue, 24 Nov 2026 13:34:00 +0000\r\n"
        );
    }

    #[test]
    fn types_are_those_that_are_registered() {
        for (spoken, name) in [(Spoken::Extended, "SMTP"), (Spoken::Lmtp, "LMTP")] {
            for number in 0..8 {
                let (tls, login, utf8) = (number & 1 > 0, number & 2 > 0, number & 4 > 0);
                let first = match (spoken, utf8) {
                    (_, true) => "UTF8",
                    (Spoken::Extended, false) => "E",
                    (_, false) => "",
                };
                let (s, a) = (if tls { "S" } else { "" }, if login { "A" } else { "" });
                assert_eq!(with(spoken, tls, login, utf8), format!("{first}{name}{s}{a}"));
            }
        }
    }

    #[test]
    fn a_name_cannot_break_out_of_its_place() {
        let trace = Trace {
            hello: "a) by evil\r\nX: y;",
            peer: "2001:db8::1".parse().ok(),
            hostname: "mx.example",
            with: with(Spoken::Smtp, false, false, false),
            tls: None,
            id: "c1",
            at: UnixSeconds(0),
            found: "",
        };
        let text = String::from_utf8(trace.lines("", "bob@mx.example")).unwrap();
        assert!(text.starts_with(
            "Return-Path: <>\r\nReceived: from a??by?evil??X:?y? ([IPv6:2001:db8::1])\r\n"
        ));
    }
}
