use pillarbox_core::imap::response::Fetch;
use pillarbox_core::mime::Structure;
use std::time::Instant;
fn time(name: &str, n: u32, mut f: impl FnMut()) {
    let per = (n / 1000).max(1);
    let mut best = f64::MAX;
    for _ in 0..1000.min(n) {
        let t = Instant::now();
        for _ in 0..per {
            f();
        }
        best = best.min(t.elapsed().as_secs_f64() * 1e6 / f64::from(per));
    }
    println!("{name}: {best:.3} us");
}
fn main() {
    let head = "Return-Path: <a@b.test>\r\nReceived: from mail.example.org (mail.example.org [192.0.2.1])\r\n\tby mx.example.net with ESMTPS id abc123\r\n\tfor <user@example.net>; Tue, 24 Nov 2026 10:00:00 +0000\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel;\r\n\th=from:to:subject:date; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZVoG4ZHRNiYzR\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nFrom: \"Some One\" <some.one@example.org>\r\nTo: \"User Name\" <user@example.net>, other@example.net\r\nSubject: A subject of the usual length for a letter\r\nMessage-ID: <20261124100000.123@example.org>\r\nMIME-Version: 1.0\r\n";
    let line = "The quick brown fox jumps over the lazy dog and back again, all day long.\r\n";
    let mut plain = format!(
        "{head}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
    );
    while plain.len() < 2048 {
        plain += line;
    }
    let mut multi = format!(
        "{head}Content-Type: multipart/alternative; boundary=\"=_abcdef\"\r\n\r\n--=_abcdef\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}--=_abcdef\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
        line.repeat(6)
    );
    while multi.len() < 2048 {
        multi += line;
    }
    multi += "\r\n--=_abcdef--\r\n";
    let big = {
        let mut b = format!(
            "{head}Content-Type: multipart/mixed; boundary=\"=_abcdef\"\r\n\r\n--=_abcdef\r\n\r\n{line}--=_abcdef\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        );
        while b.len() < 1 << 20 {
            b += "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n";
        }
        b + "--=_abcdef--\r\n"
    };
    let mut out: Vec<u8> = Vec::with_capacity(1 << 16);
    for (name, m) in [("plain 2K", &plain), ("multi 2K", &multi)] {
        let m = m.as_bytes();
        time(&format!("{name} parse"), 100_000, || {
            std::hint::black_box(Structure::of(m));
        });
        let s = Structure::of(m);
        time(&format!("{name} envelope"), 100_000, || {
            out.clear();
            let mut f = Fetch::begin(1, &mut out);
            f.envelope(s.header(s.root()), &mut out);
            f.end(&mut out);
        });
        time(&format!("{name} bodystructure"), 100_000, || {
            out.clear();
            let mut f = Fetch::begin(1, &mut out);
            f.structure(&s, true, &mut out);
            f.end(&mut out);
        });
        time(&format!("{name} all"), 100_000, || {
            out.clear();
            let s = Structure::of(m);
            let mut f = Fetch::begin(1, &mut out);
            f.envelope(s.header(s.root()), &mut out);
            f.structure(&s, true, &mut out);
            f.end(&mut out);
        });
        time(&format!("{name} mail-parser 0.11"), 50_000, || {
            std::hint::black_box(mail_parser::MessageParser::default().parse(m));
        });
    }
    time("1 MiB parse", 500, || {
        std::hint::black_box(Structure::of(big.as_bytes()));
    });
    time("1 MiB mail-parser 0.11", 100, || {
        std::hint::black_box(mail_parser::MessageParser::default().parse(big.as_bytes()));
    });
    let text = line.repeat(14_000);
    use pillarbox_core::imap::{
        command::Command,
        flags::{FlagBits, Keywords},
        grammar,
        search::{Facts, Search},
        view::View,
    };
    let (_, r) = grammar::command(b"a SEARCH BODY nowhere").unwrap();
    let Some(Command::Search { key, .. }) = Command::from_request(r).unwrap() else { panic!() };
    let search = Search::new(&key, &View::new([1], 1), &Keywords::new([""; 0])).unwrap();
    let facts =
        Facts { sequence: 1, uid: 1, flags: FlagBits(0), received: grammar::Day(1), size: 1 };
    let msg = format!("Subject: a\r\n\r\n{text}");
    time("1 MiB search body", 50, || {
        std::hint::black_box(search.matching(facts).whole(msg.as_bytes()));
    });
    time("2 KiB search body", 20_000, || {
        std::hint::black_box(search.matching(facts).whole(plain.as_bytes()));
    });
}
