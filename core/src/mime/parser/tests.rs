use super::*;

/// The tree in one line: kinds of content with the bodies of leaves.
fn tree(message: &[u8]) -> String {
    let structure = Structure::of(message);
    show(&structure, structure.root(), message)
}

fn show(structure: &Structure, part: &Part, message: &[u8]) -> String {
    let inner: Vec<_> =
        structure.children(part).map(|id| show(structure, structure.part(id), message)).collect();
    let inner = inner.join(", ");
    match part.content {
        Content::Multipart(_) => format!("multi({inner})"),
        Content::Message(_) => format!("message({inner})"),
        Content::Opaque => format!("opaque {}", body(part, message)),
        Content::Leaf => body(part, message),
    }
}

fn body(part: &Part, message: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(slice(message, &part.body)))
}

fn slice<'a>(message: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    &message[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

/// A message of this multipart type with the boundary `x`.
fn mixed(rest: &str) -> Vec<u8> {
    format!("Content-Type: multipart/mixed; boundary=x\r\n\r\n{rest}").into_bytes()
}

#[test]
fn single_parts() {
    for (message, expected) in [
        ("", "\"\""),
        ("\r\n", "\"\""),
        ("A: 1", "\"\""),
        ("A: 1\r\n\r\nText\r\n", "\"Text\\r\\n\""),
        ("A: 1\n\nText\n", "\"Text\\n\""),
        ("\r\nno header", "\"no header\""),
        ("Content-Type: garbage\r\n\r\n--x\r\n", "\"--x\\r\\n\""),
        ("Content-Type: multipart/mixed\r\n\r\nText", "opaque \"Text\""),
        ("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n", "opaque \"--\\r\\n\""),
        ("Content-Type: multipart/mixed; boundary=x\r\n\r\nText", "opaque \"Text\""),
        ("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x", "opaque \"--x\""),
    ] {
        assert_eq!(tree(message.as_bytes()), expected, "{message}");
    }
}

#[test]
fn boundaries() {
    for (rest, expected) in [
        ("--x\r\n\r\na\r\n--x\r\n\r\nb\r\n--x--\r\n", "multi(\"a\", \"b\")"),
        ("before\r\n--x\r\n\r\na\r\n--x--\r\nafter\r\n--x\r\n\r\nnot\r\n", "multi(\"a\")"),
        ("--x\n\na\n--x\n\nb\n--x--", "multi(\"a\", \"b\")"),
        // RFC 2046 §5.1.1: blanks may have been added, and only the beginning counts.
        ("--x \t\r\n\r\na\r\n--x-- \t\r\n", "multi(\"a\")"),
        ("--x!\r\n\r\na\r\n--x--!\r\n--x\r\n", "multi(\"a\")"),
        // No line end of the body's own.
        ("--x\r\n\r\n--x\r\n\r\n--x--\r\n", "multi(\"\", \"\")"),
        ("--x\r\n\r\n\r\n--x--\r\n", "multi(\"\")"),
        ("--x\r\n\r\na\r\n\r\n--x--\r\n", "multi(\"a\\r\\n\")"),
        // The end is missing.
        ("--x\r\n\r\na\r\n", "multi(\"a\\r\\n\")"),
        ("--x\r\n\r\na\r\n--x", "multi(\"a\")"),
        ("--x\r\n", "multi(\"\")"),
        // Headers that a boundary ends.
        ("--x\r\nA: 1\r\n--x\r\nB: 2\r\n--x--", "multi(\"\", \"\")"),
        // Not at the beginning of a line, or not the whole boundary.
        (
            "--x\r\n\r\n --x\r\n-x\r\n--y\r\na--x\r\n--x--",
            "multi(\" --x\\r\\n-x\\r\\n--y\\r\\na--x\")",
        ),
        ("--x\r\n\r\n-\r\n--\r\n--x--", "multi(\"-\\r\\n--\")"),
    ] {
        assert_eq!(tree(&mixed(rest)), expected, "{rest}");
    }
}

#[test]
fn nesting() {
    let inner = |boundary: &str| {
        format!("Content-Type: multipart/alternative; boundary={boundary}\r\n\r\n")
    };
    let xy = inner("xy");
    let y = inner("y");
    for (rest, expected) in [
        // The inner boundary begins with the outer one.
        (
            format!("--x\r\n{xy}--xy\r\n\r\na\r\n--xy\r\n\r\nb\r\n--xy--\r\n--x\r\n\r\nc\r\n--x--"),
            "multi(multi(\"a\", \"b\"), \"c\")",
        ),
        // The outer one ends what is not ended.
        (
            format!("--x\r\n{y}--y\r\n\r\na\r\n--x\r\n\r\nb\r\n--y\r\nc\r\n--x--"),
            "multi(multi(\"a\"), \"b\\r\\n--y\\r\\nc\")",
        ),
        (format!("--x\r\n{y}none\r\n--x--"), "multi(opaque \"none\")"),
        (
            "--x\r\nContent-Type: message/rfc822\r\n\r\nA: 1\r\n\r\nb\r\n--x--".to_owned(),
            "multi(message(\"b\"))",
        ),
        (
            format!(
                "--x\r\nContent-Type: message/rfc822\r\n\r\n{y}--y\r\n\r\na\r\n--y--\r\n\r\n--x--"
            ),
            "multi(message(multi(\"a\")))",
        ),
        // Nothing in it, and a header without end.
        ("--x\r\nContent-Type: message/rfc822\r\n\r\n--x--".to_owned(), "multi(message(\"\"))"),
        ("--x\r\nContent-Type: message/rfc822\r\n--x--".to_owned(), "multi(message(\"\"))"),
        (
            "--x\r\nContent-Type: message/rfc822\r\n\r\nA: 1\r\n--x--".to_owned(),
            "multi(message(\"\"))",
        ),
        (
            "--x\r\nContent-Type: message/delivery-status\r\n\r\nA: 1\r\n\r\nB: 2\r\n--x--"
                .to_owned(),
            "multi(\"A: 1\\r\\n\\r\\nB: 2\")",
        ),
    ] {
        assert_eq!(tree(&mixed(&rest)), expected, "{rest}");
    }
}

#[test]
fn a_digest_holds_messages() {
    let digest = "Content-Type: multipart/digest; boundary=x\r\n\r\n\
        --x\r\n\r\nSubject: one\r\n\r\na\r\n\
        --x\r\nContent-Type: text/plain\r\n\r\nb\r\n--x--";
    assert_eq!(tree(digest.as_bytes()), "multi(message(\"a\"), \"b\")");
}

#[test]
fn places_and_lines_are_exact() {
    let message = mixed(
        "--x\r\nA: 1\r\n\r\none\r\ntwo\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nB: 2\r\n\r\nthree\r\n\r\n--x--\r\n",
    );
    let structure = Structure::of(&message);
    let ids: Vec<_> = structure.children(structure.root()).collect();
    let first = structure.part(ids[0]);
    assert_eq!(slice(&message, &first.header), b"A: 1\r\n\r\n");
    assert_eq!(slice(&message, &first.body), b"one\r\ntwo");
    assert_eq!(first.lines, 1);
    assert_eq!(structure.header(first), b"A: 1\r\n\r\n");
    let second = structure.part(ids[1]);
    assert_eq!(slice(&message, &second.body), b"B: 2\r\n\r\nthree\r\n");
    assert_eq!(second.lines, 3);
    let third = structure.part(structure.children(second).next().unwrap());
    assert_eq!(slice(&message, &third.header), b"B: 2\r\n\r\n");
    assert_eq!((slice(&message, &third.body), third.lines), (&b"three\r\n"[..], 1));
    assert_eq!(structure.root().lines, 13);
    assert_eq!(structure.root().body.end, length(message.len()));
}

#[test]
fn what_is_too_deep_is_taken_as_a_whole() {
    let nested = |depth: usize| {
        let mut message = String::new();
        for level in 0..depth {
            message += &format!(
                "Content-Type: multipart/mixed; boundary=b{level}.\r\n\r\n--b{level}.\r\n"
            );
        }
        message + "\r\ntext"
    };
    let at_limit = Structure::of(nested(DEPTH_MAX - 1).as_bytes());
    assert_eq!(at_limit.parts.len(), DEPTH_MAX);
    assert_eq!(at_limit.parts.last().unwrap().content, Content::Leaf);
    for depth in [DEPTH_MAX, DEPTH_MAX + 1, 10 * DEPTH_MAX] {
        let beyond = Structure::of(nested(depth).as_bytes());
        assert_eq!(beyond.parts.len(), DEPTH_MAX);
        assert_eq!(beyond.parts.last().unwrap().content, Content::Opaque);
    }
}

#[test]
fn the_last_of_too_many_parts_reaches_to_the_end() {
    let parts = |count: usize| mixed(&("--x\r\n\r\na\r\n".repeat(count) + "--x--\r\n"));
    let at_limit = Structure::of(&parts(PARTS_MAX - 1));
    assert_eq!(at_limit.parts.len(), PARTS_MAX);
    let last = at_limit.parts.last().unwrap();
    assert_eq!(last.body.end - last.body.start, 1);
    for count in [PARTS_MAX, PARTS_MAX + 1, 3 * PARTS_MAX] {
        let message = parts(count);
        let beyond = Structure::of(&message);
        assert_eq!(beyond.parts.len(), PARTS_MAX + 1);
        assert_eq!(beyond.parts.last().unwrap().body.end, length(message.len()));
    }
    // Messages in messages count too.
    let mut message = "--x\r\nContent-Type: message/rfc822\r\n\r\nA: 1\r\n\r\n".repeat(PARTS_MAX);
    message += "--x--";
    assert_eq!(Structure::of(&mixed(&message)).parts.len(), PARTS_MAX + 1);
    let mut parser = Parser::with_parts_max(2);
    parser.push(&parts(1));
    assert_eq!(parser.parts(), 2);
    let mut parser = Parser::with_parts_max(2);
    parser.push(&parts(9));
    assert_eq!(parser.parts(), 3);
}

#[test]
fn headers_are_kept_up_to_the_limit() {
    let line = format!("X: {}\r\n", "a".repeat(1_019));
    assert_eq!(line.len(), 1_024);
    let fits = line.repeat(HEADER_BYTES_MAX / 1_024);
    let structure = Structure::of(fits.as_bytes());
    assert_eq!(structure.header(structure.root()).len(), HEADER_BYTES_MAX);
    let message = format!("{fits}Y: 1\r\n\r\ntext");
    let structure = Structure::of(message.as_bytes());
    assert_eq!(structure.header(structure.root()), fits.as_bytes());
    assert_eq!(structure.root().header.end, length(message.len() - 4));
    // Cut between two lines.
    let message = format!("Z: 1\r\n{fits}");
    let kept = HEADER_BYTES_MAX - 1_024 + 6;
    let structure = Structure::of(message.as_bytes());
    assert_eq!(structure.header(structure.root()).len(), kept);
    // All together.
    let many = mixed(&format!("--x\r\n{fits}\r\na\r\n").repeat(10));
    assert!(Structure::of(&many).headers.len() <= HEADERS_BYTES_MAX);
}

#[test]
fn the_longest_boundary() {
    let with = |length: usize| {
        let boundary = "b".repeat(length);
        format!(
            "Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n\r\na\r\n--{boundary}--"
        )
    };
    assert_eq!(tree(with(BOUNDARY_BYTES_MAX).as_bytes()), "multi(\"a\")");
    assert!(tree(with(BOUNDARY_BYTES_MAX + 1).as_bytes()).starts_with("opaque"));
}

#[test]
fn the_end_of_the_header_is_known_as_soon_as_it_has_come() {
    let mut parser = Parser::new();
    parser.push(b"Content-Type: message/rfc822\r\n\r");
    assert_eq!(parser.header_end(), None);
    parser.push(b"\n");
    assert_eq!(parser.header_end(), Some(32));
    parser.push(b"A: 1\r\n");
    assert_eq!(parser.header_end(), Some(32));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Messages made of what matters to the parser.
    fn message() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "\r\n",
            "\n",
            "\r",
            "-",
            "--",
            "--x",
            "--xy",
            "--x--",
            "--xy--",
            " ",
            "a",
            "text\r\n",
            "\r\n\r\n",
            "A: 1\r\n",
            "\r\n--x\r\n",
            "\r\n--xy\r\n",
            "Content-Type: multipart/mixed; boundary=x\r\n\r\n",
            "Content-Type: multipart/digest; boundary=xy\r\n\r\n",
            "Content-Type: message/rfc822\r\n\r\n",
            "Content-Type: message/rfc822\r\n",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(
            message in message(),
            sizes in prop::collection::vec(1_usize..9, 1..20),
        ) {
            let whole = Structure::of(&message);
            let mut parser = Parser::new();
            let mut rest = &message[..];
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                parser.push(piece);
                rest = after;
            }
            prop_assert_eq!(&parser.finish(), &whole);
        }

        #[test]
        fn parts_lie_within_each_other_and_behind_each_other(message in message()) {
            let structure = Structure::of(&message);
            prop_assert_eq!(structure.root().header.start, 0);
            prop_assert_eq!(structure.root().body.end, length(message.len()));
            for part in structure.parts() {
                prop_assert_eq!(part.header.end, part.body.start);
                prop_assert_eq!(structure.header(part), slice(&message, &part.header));
                let newlines = memchr_iter(b'\n', slice(&message, &part.body)).count();
                prop_assert_eq!(part.lines, length(newlines));
                let mut from = part.body.start;
                for id in structure.children(part) {
                    let child = structure.part(id);
                    prop_assert!(child.header.start >= from, "{:?}", structure);
                    prop_assert!(child.body.end <= part.body.end, "{:?}", structure);
                    from = child.body.end;
                }
                if let Content::Message(id) = part.content {
                    let child = structure.part(id);
                    prop_assert_eq!(child.header.start..child.body.end, part.body.clone());
                }
            }
        }
    }
}
