use proptest::prelude::*;

use super::*;
use crate::UnixSeconds;
use crate::imap::command::SearchKey;
use crate::imap::flags::{FlagBits, Keywords};
use crate::imap::object::EmailId;
use crate::imap::search::{Facts, Search};
use crate::imap::view::View;

fn search(key: &SearchKey) -> Search {
    Search::new(key, &View::new([1], 1), &Keywords::new([""; 0]), UnixSeconds(0))
}

fn finds(search: &Search, message: &[u8]) -> bool {
    let facts = Facts {
        sequence: 1,
        uid: 1,
        flags: FlagBits(0),
        received: UnixSeconds(0),
        saved: UnixSeconds(0),
        email: EmailId { body: 1, prefix: None },
        size: message.len() as u64,
        modseq: 1,
    };
    search.matching(facts).whole(message)
}

/// The marks of a text, as an index has them.
fn gathered(text: &[u8]) -> Option<(u32, Vec<u8>)> {
    let mut trigrams = Trigrams::default();
    trigrams.message(text);
    trigrams.take()
}

fn has(gathered: Option<&(u32, Vec<u8>)>, marks: &[u32]) -> bool {
    let Some((bits, marked)) = gathered else { return true };
    marks.iter().all(|mark| {
        let place = mark >> (MARK_BITS - bits);
        marked[usize::try_from(place / 8).unwrap()] & 1 << (place % 8) != 0
    })
}

fn passes(filter: &Filter, of: &[Option<(u32, Vec<u8>)>]) -> bool {
    match filter {
        Filter::Any => true,
        Filter::Has(marks) => of.iter().any(|gathered| has(gathered.as_ref(), marks)),
        Filter::All(filters) => filters.iter().all(|filter| passes(filter, of)),
        Filter::One(filters) => filters.iter().any(|filter| passes(filter, of)),
    }
}

#[test]
fn what_lacks_a_string_is_passed_over() {
    let letter = gathered(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello World");
    for (text, may) in [
        ("hello", true),
        ("O WOR", true),
        ("GR\u{dc}\u{df}", true),
        ("subject: g", true),
        ("hellx", false),
        ("worlds", false),
        // The end of one text and the beginning of the next make no string.
        ("\u{df}ehe", false),
        ("xy", true),
    ] {
        let filter = search(&SearchKey::Text(text.into())).filter();
        assert_eq!(passes(&filter, std::slice::from_ref(&letter)), may, "{text}");
    }
}

#[test]
fn few_marks_are_few_bits() {
    assert_eq!(gathered(b"A: b\r\n\r\nc").unwrap().0, 11);
    let words: String = (0..3_000).map(|number| format!("{number:x} ")).collect();
    assert_eq!(gathered(format!("\r\n{words}").as_bytes()).unwrap().0, 15);
    let noise = (0..200_000_u32).map(|number| number.wrapping_mul(0x9E37_79B9) >> 16);
    let noise: String = noise.filter_map(char::from_u32).collect();
    assert_eq!(gathered(format!("\r\n{noise}").as_bytes()), None);
    // And the next one begins anew.
    let mut trigrams = Trigrams::default();
    trigrams.message(format!("\r\n{noise}").as_bytes());
    assert_eq!(trigrams.take(), None);
    trigrams.message(b"A: b\r\n\r\nc");
    assert_eq!(trigrams.take(), gathered(b"A: b\r\n\r\nc"));
}

fn line() -> impl Strategy<Value = &'static [u8]> {
    let texts = vec![
        "Subject: abc Abd\r\n",
        "subject : =?utf-8?q?=C3=84bc?= =?utf-8?b?YWI=?=\n",
        " abcab\r\n",
        "X: \u{c4}B cab\r\n",
        "abc\r\n",
        "\r\n",
        "Content-Type: multipart/mixed; boundary=x\r\n",
        "Content-Type: message/rfc822\r\n",
        "Content-Type: text/plain; charset=iso-8859-1\r\n",
        "Content-Type: image/png\r\n",
        "--x\r\n",
        "--x--\r\n",
        "Content-Transfer-Encoding: base64\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n",
        "YWJjYWJjw4Ri\r\n",
        "ab=\r\nca=C4=E4b\r\n",
        "\u{e4}bc\u{df}\r\n",
        "a b c a b",
        "Subject: =?utf-8?q?a=C3?=\r\n =?utf-8?b?pGJj?= =?iso-8859-1?q?ab=E4b?=\r\n",
        "Subject: =?shift_jis?b?k/o=?= =?shift_jis?b?lns=?= abd=?\r\n",
        "From: =?koi8-r?q?=D1b?= (=?x-none?q?abc?=) <abc@abd>\r\n",
        "Content-Type: multipart/mixed; boundary=\"y z\"\r\n",
        "Content-Type: text/html; charset=koi8-r\r\n",
        "Content-Type: text/plain; charset=iso-2022-jp\r\n",
        "Content-Type: text/plain; charset=utf-16be\r\n",
        "Content-Type: text/plain; charset=gb18030\r\n",
        "Content-Type: text/plain; charset=x-none\r\n",
        "Content-Type: message/delivery-status\r\n",
        "Content-Type: message/global\r\n",
        "--y z\r\n",
        "\u{1b}$BF|K\\\u{1b}(Babc",
        "ABC=  \r\nD \u{130}BC \u{3a9}\u{2126}",
        "YW*Jj\r\n=YWJk",
    ];
    let mut lines: Vec<&[u8]> = texts.into_iter().map(str::as_bytes).collect();
    lines.extend([
        &b"Subject: \xE4bc \xFFabc\r\n"[..],
        b"\0a\0b\0c\0 \0a\0b\xD8\x3D\xDC\x8C",
        b"ab\xC4\xD1\xE4b\0c\r\n",
        b"\xC8\xD5\xB1\xBEabc\x94\x39\xD7\x34",
        b"\x93\xFA\x96{",
        b"a\rb\nc\0abc\n",
        b"\xEF\xBB\xBFabc",
        b"abc\xE2\x82",
        b"YWJjYWL",
    ]);
    prop::sample::select(lines)
}

fn term() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "abc",
        "bca",
        "ab",
        "\u{e4}b",
        "\u{c4}bc",
        "b c",
        "abcab",
        "cab",
        "subject: ",
        "x: \u{e4}",
        "received",
        "example",
        "\u{df}",
        "bd",
        "abd ",
        "YWJj",
        "\u{65e5}\u{672c}",
        "\u{1f48c}",
        "\u{44f}b",
        "\u{e4}bcab\u{e4}b",
        "\u{65e5}\u{672c} abd",
        "i\u{307}bc",
        "\u{3c9}\u{3c9}",
        "\u{fffd}",
        "\u{fffd}abc",
        "a\rb",
        "b\nc",
        "=c3",
    ])
    .prop_map(str::to_owned)
}

fn key() -> impl Strategy<Value = SearchKey> {
    let leaf = prop_oneof![
        term().prop_map(|term| SearchKey::Text(term.into())),
        term().prop_map(|term| SearchKey::Body(term.into())),
        term().prop_map(|term| SearchKey::Header(b"Subject"[..].into(), term.into())),
        term().prop_map(|term| SearchKey::Header(b"Received"[..].into(), term.into())),
        Just(SearchKey::All),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| SearchKey::Not(Box::new(key))),
            (inner.clone(), inner.clone())
                .prop_map(|(one, other)| SearchKey::Or(Box::new(one), Box::new(other))),
            prop::collection::vec(inner, 1..3).prop_map(SearchKey::And),
        ]
    })
}

/// The texts of a message, as a reader has them.
fn texts(message: &[u8]) -> Vec<String> {
    let structure = Structure::of(message);
    let mut texts = Vec::new();
    field_texts(&structure, &mut String::new(), |text| texts.push(text.to_owned()));
    for part in structure.parts() {
        let Some(mut reader) = TextReader::of(&structure, part) else { continue };
        let at = |offset: u64| usize::try_from(offset).unwrap();
        let mut text = String::new();
        reader.push(&message[at(part.body.start)..at(part.body.end)], &mut text);
        reader.finish(&mut text);
        texts.push(text);
    }
    texts.retain(|text| !text.is_empty());
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_found_passes(
        lines in prop::collection::vec(line(), 0..14),
        front in any::<bool>(),
        key in key(),
    ) {
        let front = if front { "Return-Path: <a@b>\r\nReceived: from x\r\n\tby example\r\n" } else { "" };
        let body = lines.concat();
        let of = [gathered(front.as_bytes()), gathered(&body)];
        let search = search(&key);
        let found = finds(&search, &[front.as_bytes(), &body].concat());
        prop_assert!(!found || passes(&search.filter(), &of));
    }

    #[test]
    fn whatever_stands_there_passes(
        lines in prop::collection::vec(line(), 1..14),
        which in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        length in 1_usize..12,
    ) {
        let body = lines.concat();
        let texts = texts(&body);
        prop_assume!(!texts.is_empty());
        let text: Vec<char> = which.get(&texts).chars().collect();
        let from = from.index(text.len());
        let needle: String = text[from..text.len().min(from + length)].iter().collect();
        let search = search(&SearchKey::Text(needle.as_str().into()));
        prop_assert!(finds(&search, &body), "{needle:?}");
        prop_assert!(passes(&search.filter(), &[gathered(&body)]), "{needle:?}");
    }

    #[test]
    fn pieces_are_as_good_as_the_whole(
        lines in prop::collection::vec(line(), 0..14),
        size in 1_usize..9,
    ) {
        let body = lines.concat();
        let structure = Structure::of(&body);
        let mut trigrams = Trigrams::default();
        trigrams.headers(&structure, body.first().copied());
        for part in structure.parts() {
            let Some(mut reader) = TextReader::of(&structure, part) else { continue };
            let index = |offset: u64| usize::try_from(offset).unwrap();
            for piece in body[index(part.body.start)..index(part.body.end)].chunks(size) {
                trigrams.piece(&mut reader, piece);
            }
            trigrams.part_end(&mut reader);
        }
        prop_assert_eq!(trigrams.take(), gathered(&body));
    }
}
