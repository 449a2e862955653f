use proptest::prelude::*;

use super::*;

mod oracle;

/// A message: its own id, those it refers to, its subject, and when it was sent and received.
#[derive(Debug, Clone)]
struct Letter {
    id: &'static str,
    references: Vec<&'static str>,
    subject: &'static str,
    sent: i64,
    received: i64,
}

const fn letter(
    id: &'static str,
    references: Vec<&'static str>,
    subject: &'static str,
    sent: i64,
) -> Letter {
    Letter { id, references, subject, sent, received: 0 }
}

impl Letter {
    fn header(&self) -> String {
        let date = crate::wire::date::HeaderDate(UnixSeconds(self.sent));
        let mut header = format!("Date: {date}\r\n");
        for (name, value) in [("Message-ID", self.id), ("Subject", self.subject)] {
            if !value.is_empty() {
                header += &format!("{name}: {value}\r\n");
            }
        }
        if !self.references.is_empty() {
            header += &format!("References: {}\r\n", self.references.join("\r\n "));
        }
        header
    }
}

/// The response, without its name.
fn told(algorithm: Algorithm, letters: &[Letter]) -> String {
    let headers: Vec<_> = letters.iter().map(|l| (l.received, l.header())).collect();
    threaded(algorithm, headers.iter().map(|(received, header)| (*received, header.as_str())))
}

fn threaded<'h>(algorithm: Algorithm, headers: impl IntoIterator<Item = (i64, &'h str)>) -> String {
    let mut threader = Threader::new(algorithm);
    for (number, (received, header)) in (1..).zip(headers) {
        threader.push(number, UnixSeconds(received), header.as_bytes());
    }
    written(&mut threader.threads())
}

fn written(threads: &mut Threads) -> String {
    let mut out = Vec::new();
    assert!(!threads.write(&mut out, |_| true));
    let line = String::from_utf8(out).unwrap();
    let rest = line.strip_prefix("* THREAD").unwrap().strip_suffix("\r\n").unwrap();
    rest.strip_prefix(' ').unwrap_or(rest).to_owned()
}

use Algorithm::{OrderedSubject, References, Refs};

#[test]
fn subjects_make_threads_of_two_levels() {
    let letters = [
        letter("", vec![], "b", 30),
        letter("", vec![], "a", 40),
        letter("", vec![], "Re: b", 20),
        letter("", vec![], "RE: A (fwd)", 50),
        letter("", vec![], "[list] B", 60),
        letter("", vec![], "c", 10),
    ];
    assert_eq!(told(OrderedSubject, &letters), "(6)(3 (1)(5))(2 4)");
    assert_eq!(told(OrderedSubject, &[]), "");
}

#[test]
fn references_make_trees() {
    for (letters, expected) in [
        // A plain exchange, the answers in any order.
        (
            vec![
                letter("<3@x>", vec!["<1@x>", "<2@x>"], "Re: a", 30),
                letter("<1@x>", vec![], "a", 10),
                letter("<2@x>", vec!["<1@x>"], "Re: a", 20),
                letter("<4@x>", vec!["<1@x>"], "Re: a", 40),
            ],
            "(2 (3 1)(4))",
        ),
        // What is not there is left out; where two answer it, they are beside each other.
        (
            vec![
                letter("<2@x>", vec!["<1@x>"], "a", 20),
                letter("<4@x>", vec!["<1@x>", "<3@x>"], "b", 10),
            ],
            "((2)(1))",
        ),
        (vec![letter("<2@x>", vec!["<0@x>", "<1@x>"], "a", 20)], "(1)"),
        (
            vec![
                letter("<1@x>", vec![], "a", 5),
                letter("<3@x>", vec!["<1@x>", "<2@x>"], "b", 20),
                letter("<4@x>", vec!["<1@x>", "<2@x>"], "c", 10),
            ],
            "(1 (3)(2))",
        ),
        // The same id twice: the first has it.
        (
            vec![
                letter("<1@x>", vec![], "a", 1),
                letter("<1@x>", vec![], "b", 2),
                letter("<2@x>", vec!["<1@x>"], "c", 3),
            ],
            "(1 3)(2)",
        ),
        // Loops are not closed.
        (
            vec![
                letter("<1@x>", vec!["<2@x>"], "a", 1),
                letter("<2@x>", vec!["<1@x>"], "b", 2),
                letter("<3@x>", vec!["<3@x>"], "c", 3),
            ],
            "(2 1)(3)",
        ),
        // A better parent takes the place of one that a list with gaps had named.
        (
            vec![
                letter("<4@x>", vec!["<1@x>", "<3@x>"], "a", 4),
                letter("<1@x>", vec![], "b", 1),
                letter("<2@x>", vec!["<1@x>"], "c", 2),
                letter("<3@x>", vec!["<1@x>", "<2@x>"], "d", 3),
            ],
            "(2 3 4 1)",
        ),
    ] {
        assert_eq!(told(References, &letters), expected, "{letters:?}");
    }
}

#[test]
fn subjects_join_what_has_no_references() {
    for (subjects, expected) in [
        (&["a", "Re: a"][..], "(1 2)"),
        (&["Re: a", "a"], "(2 1)"),
        (&["a", "a"], "((1)(2))"),
        (&["Re: a", "Re: a"], "((1)(2))"),
        (&["a", "a", "a", "Re: a"], "((1)(2)(3)(4))"),
        (&["Re: a", "a", "a"], "((2 1)(3))"),
        (&["", "Re:", ""], "(1)(2)(3)"),
        (&["a", "b", "re: A", "fwd: B"], "(1 3)(2 4)"),
    ] {
        let letters: Vec<_> =
            (1..).zip(subjects).map(|(sent, subject)| letter("", vec![], subject, sent)).collect();
        assert_eq!(told(References, &letters), expected, "{subjects:?}");
        let alone: String = (1..=subjects.len()).map(|number| format!("({number})")).collect();
        assert_eq!(told(Refs, &letters), alone, "{subjects:?}");
    }
    // Two threads whose beginnings are not there become one.
    let letters = [
        letter("<1@x>", vec!["<a@x>"], "s", 1),
        letter("<2@x>", vec!["<a@x>"], "s", 2),
        letter("<3@x>", vec!["<b@x>"], "s", 3),
        letter("<4@x>", vec!["<b@x>"], "s", 4),
        letter("<5@x>", vec![], "s", 5),
    ];
    assert_eq!(told(References, &letters), "((1)(2)(3)(4)(5))");
    assert_eq!(told(Refs, &letters), "((1)(2))((3)(4))(5)");
}

#[test]
fn the_thread_that_got_a_message_last_is_last() {
    let arrived = |received, letter| Letter { received, ..letter };
    let letters = [
        arrived(1, letter("<1@x>", vec![], "a", 90)),
        arrived(2, letter("<2@x>", vec![], "b", 80)),
        arrived(3, letter("<3@x>", vec!["<1@x>"], "a", 70)),
        arrived(4, letter("<4@x>", vec!["<1@x>"], "a", 60)),
        arrived(5, letter("<5@x>", vec![], "c", 50)),
    ];
    assert_eq!(told(Refs, &letters), "(2)(1 (4)(3))(5)");
    assert_eq!(told(References, &letters), "(5)(2)(1 (4)(3))");
}

#[test]
fn in_reply_to_is_for_those_without_references() {
    for (fields, expected) in [
        ("In-Reply-To: <1@x>\r\n", "(1 2)"),
        ("In-Reply-To: Joe <1@x> and <0@x>\r\n", "(1 2)"),
        ("References: nothing\r\nIn-Reply-To: <1@x>\r\n", "(1 2)"),
        ("References: <0@x>\r\nIn-Reply-To: <1@x>\r\n", "(1)(2)"),
        ("In-Reply-To: your letter\r\n", "(1)(2)"),
        ("References: <\"1\"@x>\r\n", "(1 2)"),
    ] {
        let headers = ["Message-ID: <1@x>\r\n", &format!("Message-ID: <2@x>\r\n{fields}")];
        assert_eq!(threaded(References, headers.map(|header| (0, header))), expected, "{fields}");
    }
}

/// The example of RFC 5256 §4, from the relations that it draws.
#[test]
fn the_response_is_that_of_the_standard() {
    let numbers = [2, 3, 6, 4, 23, 44, 7, 96];
    let below = [(1, 2), (2, 3), (2, 5), (3, 4), (5, 6), (6, 7), (8, 0), (8, 1)];
    let mut threads = Threads::new(numbers.into_iter(), 8, below.into_iter());
    assert_eq!(written(&mut threads), "(2)(3 6 (4 23)(44 7 96))");
    let below = [(2, 0), (2, 1), (3, 2)];
    let mut threads = Threads::new([3, 5].into_iter(), 3, below.into_iter());
    assert_eq!(written(&mut threads), "((3)(5))");
}

/// Of many messages each answers the one before it: taken in order, backwards, and mixed.
#[test]
fn a_deep_thread_costs_no_stack_and_no_square() {
    let header = |place: u64| {
        format!("Message-ID: <{place}@x>\r\nReferences: <{}@x>\r\n", place.saturating_sub(1))
    };
    // Permutations: the factor and the count have no divisor in common.
    for (count, factor, begin) in [(100_000, 1, 0), (20_000, 19_999, 19_999), (20_000, 12_361, 0)] {
        let order = |place: u64| (place * factor + begin) % count;
        let headers: Vec<_> = (0..count).map(|place| header(order(place))).collect();
        let told = threaded(Refs, headers.iter().map(|header| (0, header.as_str())));
        let numbers: Vec<u64> = told
            .trim_matches(['(', ')'])
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        let expected = numbers.iter().map(|number| order(number - 1));
        assert!(expected.eq(0..count), "one thread in order");
    }
}

/// A comb of 50,000 levels: at each of them a message has two answers.
#[test]
fn a_deep_response_is_written_in_pieces() {
    let depth = 50_000;
    let headers: Vec<_> = (0..depth)
        .flat_map(|level: u32| {
            let up = level.saturating_sub(1);
            let spine = format!("Message-ID: <{level}@x>\r\nReferences: <{up}@x>\r\n");
            let tooth = format!("Message-ID: <{level}@y>\r\nReferences: <{up}@x>\r\n");
            [spine, tooth]
        })
        .collect();
    let mut threader = Threader::new(Refs);
    for (number, header) in (1..).zip(&headers) {
        threader.push(number, UnixSeconds(0), header.as_bytes());
    }
    let mut threads = threader.threads();
    let (mut all, mut piece) = (Vec::new(), Vec::new());
    while threads.write(&mut piece, |piece: &Vec<u8>| piece.len() < 1_000) {
        assert!(piece.len() < 1_020);
        all.append(&mut piece);
    }
    all.append(&mut piece);
    let open = all.iter().filter(|byte| **byte == b'(').count();
    let close = all.iter().filter(|byte| **byte == b')').count();
    assert_eq!((open, close), (100_000, 100_000));
}

const IDS: [&str; 7] = ["", "<1@x>", "<2@x>", "<3@x>", "<4@x>", "<5@x>", "<6@x>"];

fn letters() -> impl Strategy<Value = Vec<Letter>> {
    let ids = || proptest::sample::select(&IDS[..]);
    let known = proptest::sample::select(&IDS[1..]);
    let subject = proptest::sample::select(&["", "a", "Re: a", "b", "fwd: b"][..]);
    let one = (ids(), proptest::collection::vec(known, 0..4), subject, 0_i64..6, 0_i64..6);
    let one = one.prop_map(|(id, references, subject, sent, received)| Letter {
        id,
        references,
        subject,
        sent,
        received,
    });
    proptest::collection::vec(one, 0..9)
}

proptest! {
    #[test]
    fn threads_are_those_of_the_plain_reading(letters in letters()) {
        prop_assert_eq!(told(References, &letters), oracle::references(&letters, true));
        prop_assert_eq!(told(Refs, &letters), oracle::references(&letters, false));
    }

    #[test]
    fn each_message_is_told_once(letters in letters()) {
        for algorithm in [OrderedSubject, References, Refs] {
            let told = told(algorithm, &letters);
            let mut numbers: Vec<usize> = told
                .split(['(', ')', ' '])
                .filter(|word| !word.is_empty())
                .map(|word| word.parse().unwrap())
                .collect();
            numbers.sort_unstable();
            prop_assert!(numbers.into_iter().eq(1..=letters.len()), "{}", told);
        }
    }

    #[test]
    fn pieces_are_as_good_as_the_whole(letters in letters(), size in 1_usize..30) {
        let mut threader = Threader::new(References);
        for (number, letter) in (1..).zip(&letters) {
            threader.push(number, UnixSeconds(letter.received), letter.header().as_bytes());
        }
        let mut threads = threader.threads();
        let (mut all, mut piece) = (Vec::new(), Vec::new());
        while threads.write(&mut piece, |piece: &Vec<u8>| piece.len() < size) {
            all.append(&mut piece);
        }
        all.append(&mut piece);
        let told = told(References, &letters);
        let space = if told.is_empty() { "" } else { " " };
        prop_assert_eq!(String::from_utf8(all).unwrap(), format!("* THREAD{space}{told}\r\n"));
    }
}
