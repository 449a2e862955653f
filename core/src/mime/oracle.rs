//! The same messages read by mail-parser: what it finds, we find.
//!
//! Where it means something else on purpose, the samples avoid it:
//! - a multipart without any part is a text for it, [`Content::Opaque`] for us;
//! - where there is a display name, a comment beside it joins it there and is left out here.

use mail_parser::{MessageParser, MimeHeaders as _, PartType};

use super::address::{Addresses, Entry};
use super::{Content, PartId, Structure, words};

/// Parts as indented lines: kind, begin and end of the body.
fn ours(structure: &Structure, id: PartId, depth: usize, out: &mut Vec<String>) {
    let part = structure.part(id);
    let kind = match part.content {
        Content::Leaf | Content::Opaque => "leaf",
        Content::Multipart(_) => "multipart",
        Content::Message(_) => "message",
    };
    // Where a multipart ends, with its epilogue or without, is a matter of taste.
    let end = if kind == "leaf" { part.body.end } else { 0 };
    out.push(format!("{:depth$}{kind} {}..{end}", "", part.body.start));
    for child in structure.children(part) {
        ours(structure, child, depth + 1, out);
    }
}

fn theirs(message: &mail_parser::Message<'_>, id: u32, depth: usize, out: &mut Vec<String>) {
    let part = &message.parts[id as usize];
    let (begin, end) = (part.offset_body, part.offset_end);
    match &part.body {
        PartType::Multipart(children) => {
            out.push(format!("{:depth$}multipart {begin}..0", ""));
            for child in children {
                theirs(message, *child, depth + 1, out);
            }
        }
        PartType::Message(inner) => {
            out.push(format!("{:depth$}message {begin}..0", ""));
            theirs(inner, 0, depth + 1, out);
        }
        _ => out.push(format!("{:depth$}leaf {begin}..{end}", "")),
    }
}

const SAMPLES: &[&str] = &[
    "From: Ann <ann@a.test>\r\nTo: bob@b.test, \"C, D\" <c@d.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nText\r\n",
    "From: \"Joe Q. Public\" <john.q.public@example.com>\r\nTo: Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>\r\nSubject: =?iso-8859-1?q?a?=\r\n =?iso-8859-1?q?b?= c\r\n\r\nHi\r\n",
    "From: a@b.test\r\nTo: A Group:Ed Jones <joe@where.test>,john@one.test;\r\nSubject: folded\r\n\tsubject\r\n\r\n",
    "From: pete@silly.test (Pete)\r\nSubject: =?KOI8-R?B?79TXxdQ=?=\r\n\r\nx",
    "Content-Type: multipart/mixed; boundary=x\r\n\r\npreamble\r\n--x\r\n\r\none\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>two</p>\r\n\r\n--x--\r\nepilogue\r\n",
    "Content-Type: multipart/mixed; boundary=\"=_outer\"\r\n\r\n--=_outer\r\nContent-Type: multipart/alternative; boundary=\"=_outer_inner\"\r\n\r\n--=_outer_inner\r\nContent-Type: text/plain\r\n\r\nplain\r\n--=_outer_inner\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n--=_outer_inner--\r\n\r\n--=_outer\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--=_outer--\r\n",
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--x\r\nContent-Type: text/plain\r\n\r\nlast\r\n--x--\r\n",
    "Content-Type: multipart/digest; boundary=x\r\n\r\n--x\r\n\r\nSubject: one\r\n\r\nfirst\r\n--x\r\n\r\nSubject: two\r\n\r\nsecond\r\n--x--\r\n",
    "Content-Type: message/rfc822\r\n\r\nSubject: a\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n",
    "Content-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x\n\ntwo\n--x--\n",
];

#[test]
fn the_same_parts() {
    for sample in SAMPLES {
        let theirs_all = MessageParser::default().parse(sample).unwrap();
        let structure = Structure::of(sample.as_bytes());
        let (mut left, mut right) = (Vec::new(), Vec::new());
        ours(&structure, PartId::ROOT, 0, &mut left);
        theirs(&theirs_all, 0, 0, &mut right);
        assert_eq!(left, right, "{sample}");
    }
}

#[test]
fn the_same_subjects_and_addresses() {
    for sample in SAMPLES {
        let theirs = MessageParser::default().parse(sample).unwrap();
        let structure = Structure::of(sample.as_bytes());
        let subject = structure.field(structure.root(), b"Subject").map(|field| {
            let mut text = String::new();
            words::decode(field.value, &mut text);
            text
        });
        // It puts one space for each fold.
        let normal = |text: &str| text.replace('\t', " ");
        assert_eq!(subject.as_deref().map(normal), theirs.subject().map(normal), "{sample}");
        for (name, field) in [("From", theirs.from()), ("To", theirs.to())] {
            let mut right = Vec::new();
            for address in field.iter().flat_map(|list| list.iter()) {
                right.push((
                    address.name.as_deref().map(str::to_owned),
                    address.address.as_deref().unwrap_or_default().to_owned(),
                ));
            }
            let mut left = Vec::new();
            if let Some(field) = structure.field(structure.root(), name.as_bytes()) {
                let mut list = Addresses::new(field.value);
                while let Some(entry) = list.next() {
                    let Entry::Mailbox { name, local, domain, .. } = entry else { continue };
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    left.push((name.map(text), format!("{}@{}", text(local), text(domain))));
                }
            }
            assert_eq!(left, right, "{name} of {sample}");
        }
        assert!(
            theirs.content_type().is_none() == structure.media_type(structure.root()).is_none()
        );
    }
}
