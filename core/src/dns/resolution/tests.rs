use domain::base::iana::{Class, OptRcode, Rcode, Rtype};
use domain::base::opt::ExtendedError;
use domain::base::{Message, MessageBuilder, Name as WireName, Ttl};
use domain::rdata::A;
use domain::zonefile::inplace::{Entry, Zonefile};
use proptest::prelude::*;

use super::*;
use crate::dns::Server;
use crate::effect::FaultKind;

/// The same on every run.
struct Numbers(u8);

impl Random for Numbers {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(113);
            *byte = self.0;
        }
    }
}

/// What a server does with a question.
#[derive(Clone, Copy, Default)]
struct Reply<'a> {
    /// Of `aa tc ad`, with `ra` unless there is `nora`; `silent`, `small` (forgets capitals), `id`,
    /// `other` (name), `kind`, `cut`, `noopt`.
    does: &'a str,
    code: u8,
    answer: &'a str,
    authority: &'a str,
    /// An extended error.
    because: Option<(u16, &'a str)>,
}

const SOA: &str = "example. 600 IN SOA a. b. 1 2 3 4 300";

fn records(text: &str) -> Vec<domain::zonefile::inplace::ScannedRecord> {
    let mut file = Zonefile::from(format!("{text}\n").as_str());
    std::iter::from_fn(|| file.next_entry().unwrap())
        .map(|entry| match entry {
            Entry::Record(record) => record,
            Entry::Include { .. } => panic!("{entry:?}"),
        })
        .collect()
}

fn reply(question: &[u8], with: Reply<'_>) -> Result<Vec<u8>, Fault> {
    let does = |word: &str| with.does.split(' ').any(|it| it == word);
    if does("silent") {
        return Err(Fault::new(FaultKind::TimedOut, "did not answer in time"));
    }
    let asked = Message::from_octets(question).unwrap();
    let has_opt = asked.opt().is_some();
    let mut builder = MessageBuilder::new_vec();
    let header = builder.header_mut();
    header.set_id(asked.header().id() ^ u16::from(does("id")));
    header.set_qr(true);
    header.set_rd(true);
    header.set_ra(!does("nora"));
    header.set_tc(does("tc"));
    header.set_ad(does("ad"));
    header.set_rcode(Rcode::checked_from_int(with.code).unwrap());
    let mut builder = builder.question();
    let mut sole = asked.sole_question().unwrap();
    if does("small") {
        let name = sole.qname().to_string().to_ascii_lowercase();
        builder
            .push((WireName::<Vec<u8>>::from_chars(name.chars()).unwrap(), sole.qtype()))
            .unwrap();
    } else if does("other") {
        builder
            .push((WireName::<Vec<u8>>::from_chars("x.".chars()).unwrap(), sole.qtype()))
            .unwrap();
    } else if does("kind") {
        builder.push((*sole.qname(), Rtype::HINFO)).unwrap();
    } else {
        sole = asked.sole_question().unwrap();
        builder.push(sole).unwrap();
    }
    let mut builder = builder.answer();
    for record in records(with.answer) {
        builder.push(record).unwrap();
    }
    let mut builder = builder.authority();
    for record in records(with.authority) {
        builder.push(record).unwrap();
    }
    let mut builder = builder.additional();
    if has_opt && !does("noopt") {
        builder
            .opt(|opt| {
                opt.set_rcode(OptRcode::from(Rcode::checked_from_int(with.code).unwrap()));
                match with.because {
                    Some((code, "")) => opt.push(&ExtendedError::<Vec<u8>>::from(code)),
                    Some((code, text)) => opt
                        .push(&ExtendedError::<Vec<u8>>::new_with_str(code.into(), text).unwrap()),
                    None => Ok(()),
                }
            })
            .unwrap();
    }
    let mut bytes = builder.finish();
    if does("cut") {
        bytes.pop();
    }
    Ok(bytes)
}

fn servers(texts: &[&str]) -> Settings {
    let server = |text: &&str| Server::at(SocketAddr::new(text.parse().unwrap(), 53));
    Settings { servers: texts.iter().map(server).collect(), ..Settings::default() }
}

fn question(name: &str, kind: Kind) -> Question {
    Question { name: Name::parse(name).unwrap(), kind }
}

/// Each message as `server transport name kind`, with `plain` where it is without EDNS; and the
/// outcome.
fn play(settings: &Settings, question: &Question, replies: &[Reply<'_>]) -> (Vec<String>, Outcome) {
    let mut resolution = Resolution::new(question, settings, 0);
    let (mut random, mut told, mut replies) = (Numbers(1), Vec::new(), replies.iter());
    loop {
        match resolution.step(&mut random) {
            Step::Done(outcome) => {
                assert!(replies.next().is_none(), "a reply is left over: {told:?} {outcome:?}");
                return (told, outcome);
            }
            Step::Ask(Exchange { over, to, question, .. }) => {
                let message = Message::from_octets(&question[..]).unwrap();
                let sole = message.sole_question().unwrap();
                assert!(message.header().rd() && message.header().ad());
                assert_eq!(sole.qclass(), Class::IN);
                let plain = if message.opt().is_none() { " plain" } else { "" };
                let name = sole.qname().to_string().to_ascii_lowercase();
                told.push(format!("{} {over:?} {name} {}{plain}", to.ip(), sole.qtype()));
                let Some(with) = replies.next() else { panic!("no reply is left: {told:?}") };
                resolution.answered(reply(&question, *with));
            }
        }
    }
}

fn addresses(lookup: &Lookup) -> Vec<String> {
    let records = lookup.as_ref().unwrap().records.iter();
    records.map(|data| if let Data::A(ip) = data { ip.to_string() } else { panic!() }).collect()
}

#[test]
fn a_question_is_answered() {
    let good = Reply {
        does: "ad",
        answer: "a.example. 60 IN A 192.0.2.7\na.example. 50 IN A 192.0.2.8\n\
                 b.example. 1 IN A 192.0.2.9\na.example. 1 IN TXT x",
        ..Reply::default()
    };
    for (server, does, secure) in
        [("::1", "ad", true), ("::1", "", false), ("192.0.2.1", "ad", false)]
    {
        let settings = servers(&[server]);
        let asked = question("A.example", Kind::A);
        let (told, outcome) = play(&settings, &asked, &[Reply { does, ..good }]);
        assert_eq!(told, [format!("{server} Udp a.example A")]);
        assert_eq!(addresses(&outcome.lookup), ["192.0.2.7", "192.0.2.8"]);
        let answer = outcome.lookup.unwrap();
        assert_eq!((answer.ttl, answer.secure, outcome.keep), (50, secure, 50));
        assert_eq!((answer.name, outcome.by), (asked.name, Some(0)));
    }
}

#[test]
fn what_is_not_there_is_told() {
    let asked = question("a.example", Kind::A);
    let alias = "a.example. 100 IN CNAME b.example.";
    for (reply, void, secure, keep) in [
        (Reply { code: 3, authority: SOA, does: "ad", ..Reply::default() }, "name", true, 300),
        (Reply { code: 3, authority: SOA, ..Reply::default() }, "name", false, 300),
        (Reply { code: 3, ..Reply::default() }, "name", false, 0),
        (Reply { authority: SOA, does: "ad", ..Reply::default() }, "record", true, 300),
        (Reply { ..Reply::default() }, "record", false, 0),
        (Reply { answer: alias, authority: SOA, ..Reply::default() }, "record", false, 100),
        (Reply { answer: alias, code: 3, authority: SOA, ..Reply::default() }, "name", false, 100),
        // Of another zone.
        (
            Reply { authority: "x. 600 IN SOA a. b. 1 2 3 4 300", ..Reply::default() },
            "record",
            false,
            0,
        ),
    ] {
        let (_, outcome) = play(&servers(&["127.0.0.1"]), &asked, &[reply]);
        let expected = match void {
            "name" => Failure::NoName { secure },
            _ => Failure::NoRecord { secure },
        };
        assert_eq!((outcome.lookup, outcome.keep), (Err(expected), keep));
    }
}

#[test]
fn aliases_are_followed_so_far() {
    let settings = servers(&["127.0.0.1"]);
    let asked = question("a.example", Kind::A);
    // All in one, in any order.
    let whole = "b.example. 7 IN CNAME 0/25.c.example.\n0/25.c.example. 60 IN A 192.0.2.7\n\
                 a.example. 50 IN CNAME B.example.";
    let (_, outcome) =
        play(&settings, &asked, &[Reply { answer: whole, does: "ad", ..Reply::default() }]);
    let answer = outcome.lookup.unwrap();
    assert_eq!((answer.name.as_str(), answer.ttl, answer.secure), ("0/25.c.example", 7, true));
    let (_, outcome) =
        play(&settings, &asked, &[Reply { answer: whole, code: 3, ..Reply::default() }]);
    assert_eq!(addresses(&outcome.lookup), ["192.0.2.7"]);
    // The rest is asked for; secure is what is so on the whole way.
    let first = "a.example. 50 IN CNAME b.example.";
    let second = "b.example. 60 IN A 192.0.2.7";
    for (does, secure) in [(["ad", "ad"], true), (["", "ad"], false), (["ad", ""], false)] {
        let reply = |answer, does| Reply { answer, does, ..Reply::default() };
        let replies = [reply(first, does[0]), reply(second, does[1])];
        let (told, outcome) = play(&settings, &asked, &replies);
        assert_eq!(told, ["127.0.0.1 Udp a.example A", "127.0.0.1 Udp b.example A"]);
        let answer = outcome.lookup.unwrap();
        assert_eq!((answer.ttl, answer.secure), (50, secure));
    }
    // In a circle.
    let circle = "a.example. 50 IN CNAME b.example.\nb.example. 50 IN CNAME a.example.";
    let (told, outcome) = play(&settings, &asked, &[Reply { answer: circle, ..Reply::default() }]);
    assert_eq!(told.len(), 1);
    assert!(outcome.lookup.unwrap_err().to_string().contains("circle"));
    // The alias itself.
    let (_, outcome) = play(
        &settings,
        &question("a.example", Kind::Cname),
        &[Reply { answer: first, ..Reply::default() }],
    );
    let target = Data::Cname(Name::parse("b.example").unwrap());
    assert_eq!(outcome.lookup.unwrap().records, [target]);
}

#[test]
fn a_long_way_of_aliases_ends() {
    let chain: Vec<String> = (0..30)
        .map(|number| format!("n{number}.example. 9 IN CNAME n{}.example.", number + 1))
        .collect();
    let asked = question("n0.example", Kind::Mx);
    let replies: Vec<_> = chain.iter().map(|answer| Reply { answer, ..Reply::default() }).collect();
    let (told, outcome) = play(&servers(&["127.0.0.1"]), &asked, &replies[..=ALIASES_MAX]);
    assert_eq!(told.len(), ALIASES_MAX + 1);
    assert!(outcome.lookup.unwrap_err().to_string().contains("more than 10 aliases"));
}

#[test]
fn what_goes_wrong_is_tried_in_another_way() {
    let good = Reply { answer: "a.example. 60 IN A 192.0.2.7", ..Reply::default() };
    let does = |does| Reply { does, ..good };
    let code = |code| Reply { code, ..Reply::default() };
    let one = "192.0.2.1 Udp a.example A";
    let two = "192.0.2.2 Udp a.example A";
    let tcp = "192.0.2.1 Tcp a.example A";
    let plain = "192.0.2.1 Udp a.example A plain";
    for (replies, expected) in [
        (&[does("tc"), good][..], &[one, tcp][..]),
        // Somebody else may have answered.
        (&[does("id"), good], &[one, tcp]),
        (&[does("other"), good], &[one, tcp]),
        (&[does("kind"), good], &[one, tcp]),
        (&[does("small"), does("small")], &[one, tcp]),
        (&[does("cut"), good], &[one, tcp]),
        // No use.
        (&[does("tc"), does("tc"), good], &[one, tcp, two]),
        (&[does("tc"), does("id"), good], &[one, tcp, two]),
        (&[does("silent"), good], &[one, two]),
        (&[does("silent"), does("silent"), good], &[one, two, one]),
        (&[code(2), good], &[one, two]),
        (&[code(5), good], &[one, two]),
        (&[code(9), does("silent"), good], &[one, two, two]),
        (&[Reply { does: "nora", ..Reply::default() }, good], &[one, two]),
        // EDNS is new.
        (&[Reply { code: 1, does: "noopt", ..Reply::default() }, good], &[one, plain]),
        (&[code(4), does("noopt")], &[one, plain]),
        (&[code(1), does("tc"), good], &[one, plain, "192.0.2.1 Tcp a.example A plain"]),
        (&[code(1), code(1), good], &[one, plain, two]),
    ] {
        let settings = servers(&["192.0.2.1", "192.0.2.2"]);
        let (told, outcome) = play(&settings, &question("a.example", Kind::A), replies);
        assert_eq!(told, expected);
        assert_eq!(addresses(&outcome.lookup), ["192.0.2.7"]);
    }
}

#[test]
fn why_nobody_answers_is_told() {
    let silent = Reply { does: "silent", ..Reply::default() };
    let bogus = Reply { code: 2, because: Some((6, "no signature\u{fc}\r\n")), ..Reply::default() };
    let known = Reply { code: 5, because: Some((18, "")), ..Reply::default() };
    let new = Reply { code: 2, because: Some((4_711, "x")), ..Reply::default() };
    for (settings, replies, expected) in [
        (servers(&[]), &[][..], "no name server is known"),
        (servers(&["192.0.2.1"]), &[silent, silent], "did not answer in time"),
        (
            servers(&["127.0.0.1"]),
            &[bogus],
            "127.0.0.1:53 says SERVFAIL: DNSSEC Bogus (6): no signature????",
        ),
        (
            servers(&["127.0.0.1", "127.0.0.2"]),
            &[known, new],
            "127.0.0.1:53 says REFUSED: Prohibited (18); \
             127.0.0.2:53 says SERVFAIL: extended error (4711): x",
        ),
        // The other server is not asked: its answer would be no proof.
        (
            servers(&["192.0.2.1", "127.0.0.1"]),
            &[known],
            "127.0.0.1:53 says REFUSED: Prohibited (18)",
        ),
    ] {
        let (_, outcome) = play(&settings, &question("a.example", Kind::A), replies);
        assert_eq!(outcome.lookup, Err(Failure::Trouble(expected.into())));
        assert_eq!((outcome.keep, outcome.by), (TROUBLE_SECONDS, None));
    }
}

#[test]
fn the_one_that_answered_last_is_asked_first() {
    let settings = servers(&["192.0.2.1", "192.0.2.2"]);
    for (first, expected) in [(0, "192.0.2.1"), (1, "192.0.2.2"), (7, "192.0.2.2")] {
        let mut resolution = Resolution::new(&question("a", Kind::A), &settings, first);
        let Step::Ask(exchange) = resolution.step(&mut Numbers(0)) else { panic!() };
        assert_eq!(exchange.to.ip().to_string(), expected);
        let with = Reply { answer: "a. 60 IN A 192.0.2.7", ..Reply::default() };
        resolution.answered(reply(&exchange.question, with));
        let Step::Done(outcome) = resolution.step(&mut Numbers(0)) else { panic!() };
        assert_eq!(outcome.by, Some(first % 2));
    }
}

#[test]
fn every_kind_is_read() {
    let name = |text: &str| Name::parse(text).unwrap();
    for (kind, record, expected) in [
        (Kind::Aaaa, "AAAA 2001:db8::1", Data::Aaaa("2001:db8::1".parse().unwrap())),
        (Kind::Ptr, "PTR B.c.", Data::Ptr(name("b.c"))),
        (Kind::Mx, "MX 10 .", Data::Mx { preference: 10, exchange: Name::root() }),
        (Kind::Txt, "TXT \"v=spf1 \" \"\" \"-all\\255\"", Data::Txt(b"v=spf1 -all\xff".to_vec())),
        (Kind::Ns, "NS ns.", Data::Ns(name("ns"))),
        (
            Kind::Soa,
            "SOA ns. root. 7 1 2 3 4",
            Data::Soa { primary: name("ns"), serial: 7, minimum: 4 },
        ),
        (
            Kind::Tlsa,
            "TLSA 3 1 1 00ff",
            Data::Tlsa { usage: 3, selector: 1, matching: 1, association: vec![0, 255] },
        ),
        (
            Kind::Srv,
            "SRV 1 2 25 mx.",
            Data::Srv { priority: 1, weight: 2, port: 25, target: name("mx") },
        ),
        (
            Kind::Caa,
            "CAA 128 Issue \"ca.example\"",
            Data::Caa { critical: true, tag: "issue".into(), value: b"ca.example".to_vec() },
        ),
        (
            Kind::Https,
            "HTTPS 1 . port=443",
            Data::Svcb { priority: 1, target: Name::root(), parameters: vec![(3, vec![1, 187])] },
        ),
        (
            Kind::Svcb,
            "SVCB 0 x.",
            Data::Svcb { priority: 0, target: name("x"), parameters: Vec::new() },
        ),
    ] {
        let answer = format!("a.example. 60 IN {record}");
        let reply = Reply { answer: &answer, ..Reply::default() };
        let (told, outcome) = play(&servers(&["::1"]), &question("a.example", kind), &[reply]);
        assert_eq!(told, [format!("::1 Udp a.example {}", kind.name())]);
        assert_eq!(outcome.lookup.unwrap().records, [expected]);
    }
}

/// A good answer to what was asked.
fn good_answer(exchange: &Exchange) -> Vec<u8> {
    reply(&exchange.question, Reply { answer: "a.example. 60 IN A 192.0.2.7", ..Reply::default() })
        .unwrap()
}

fn ask(seed: u8) -> (Resolution, Exchange) {
    let settings = servers(&["127.0.0.1"]);
    let mut resolution = Resolution::new(&question("a.example", Kind::A), &settings, 0);
    let Step::Ask(exchange) = resolution.step(&mut Numbers(seed)) else { panic!() };
    (resolution, exchange)
}

proptest! {
    #[test]
    fn any_bytes_end(
        replies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 60),
        change in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        // As they come, and as changes of a good answer.
        for changed in [false, true] {
            let (mut resolution, mut exchange) = ask(7);
            for (turn, bytes) in replies.iter().enumerate() {
                let bytes = if changed {
                    let mut bytes = good_answer(&exchange);
                    for (at, byte) in &change {
                        let at = at.index(bytes.len());
                        bytes[at] = byte.wrapping_add(u8::try_from(turn).unwrap());
                    }
                    bytes.truncate(cut.index(bytes.len() * 2));
                    bytes
                } else {
                    // Past the id and the question, so that more is looked at.
                    let asked = &exchange.question;
                    [&asked[..2], &[0x80], &bytes[..]].concat()
                };
                resolution.answered(Ok(bytes));
                match resolution.step(&mut Numbers(8)) {
                    Step::Ask(next) => exchange = next,
                    Step::Done(_) => break,
                }
            }
            let ended = matches!(resolution.step(&mut Numbers(8)), Step::Done(_));
            prop_assert!(ended, "no end after {} replies", replies.len());
        }
    }

    /// What repeats neither the id nor the capitals of the name is not taken by UDP.
    #[test]
    fn no_answer_to_another_question_is_taken(
        place in 0..27_usize, bit in 0..8_u8, seed in any::<u8>()
    ) {
        let (mut resolution, exchange) = ask(seed);
        let mut bytes = good_answer(&exchange);
        prop_assert_eq!(bytes[26], 1, "the question ends here");
        // Flags and counts are not what tells answers apart.
        if (2..12).contains(&place) {
            return Ok(());
        }
        bytes[place] ^= 1 << bit;
        let heard = resolution.answered(Ok(bytes));
        prop_assert_eq!(heard, Heard::Stray);
    }
}

#[test]
fn capitals_and_ids_are_drawn() {
    let (mut names, mut ids) =
        (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for seed in 0..=255 {
        let (_, exchange) = ask(seed);
        ids.insert(exchange.question[..2].to_vec());
        names.insert(exchange.question[12..24].to_vec());
    }
    assert!(ids.len() > 200 && names.len() > 50, "{} {}", ids.len(), names.len());
}

/// The largest answer there can be: as many records as fit, each of the longest name.
#[test]
fn a_large_answer_costs_little() {
    let (mut resolution, exchange) = ask(3);
    let mut builder =
        MessageBuilder::from_target(domain::base::message_builder::TreeCompressor::new(Vec::new()))
            .unwrap();
    let asked = Message::from_octets(&exchange.question[..]).unwrap();
    builder.header_mut().set_id(asked.header().id());
    builder.header_mut().set_qr(true);
    let mut builder = builder.question();
    builder.push(asked.sole_question().unwrap()).unwrap();
    let mut builder = builder.answer();
    let owner = WireName::<Vec<u8>>::from_chars("a.example.".chars()).unwrap();
    let mut count = 0;
    builder.set_push_limit(65_535);
    while builder.push((&owner, Ttl::from_secs(9), A::from_octets(1, 2, 3, 4))).is_ok() {
        count += 1;
    }
    assert!(count > 4_000, "{count}");
    resolution.answered(Ok(builder.finish().into_target()));
    let Step::Done(outcome) = resolution.step(&mut Numbers(0)) else { panic!() };
    assert_eq!(outcome.lookup.unwrap().records.len(), count);
}

/// A name of 252 bytes once, and then again and again in two bytes.
#[test]
fn an_answer_that_swells_is_not_taken() {
    for (count, taken) in [(300, true), (4_000, false)] {
        let settings = servers(&["127.0.0.1"]);
        let mut resolution = Resolution::new(&question("a", Kind::Mx), &settings, 0);
        let mut heard = Heard::Answer;
        for _ in 0..4 {
            let Step::Ask(exchange) = resolution.step(&mut Numbers(1)) else { break };
            let mut bytes = exchange.question[..19].to_vec();
            let [high, low] = u16::to_be_bytes(count);
            bytes[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, high, low, 0, 0, 0, 0]);
            let head = |length| [0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, length, 0, 10];
            bytes.extend(head(254));
            let long = bytes.len();
            for length in [63, 63, 63, 58] {
                bytes.push(length);
                bytes.extend(vec![0; length.into()]);
            }
            bytes.push(0);
            for _ in 1..count {
                bytes.extend(head(4));
                bytes.extend((0xc000 | u16::try_from(long).unwrap()).to_be_bytes());
            }
            assert!(bytes.len() < 65_536);
            heard = resolution.answered(Ok(bytes));
        }
        assert_eq!(heard == Heard::Answer, taken, "{heard}");
    }
}
