//! Ends of a message that another server may believe in ("SMTP smuggling").

use super::House;
use super::Setting::Receiving;

const REFUSED: &[(&str, &str, &str)] = &[
    ("LF.LF", "text\n.\n", "LF.LF"),
    ("LF.CRLF", "text\n.\r\n", "LF.CRLF"),
    ("CRLF.LF", "text\r\n.\n", "CRLF.LF"),
    ("CR.CR", "text\r.\r", "CR."),
    ("CRLF.CR", "text\r\n.\r", "CRLF.CR"),
    ("CR.CRLF", "text\r.\r\n", "CR."),
    ("CRLF.CRCRLF", "text\r\n.\r\r\n", "CRLF.CR"),
    ("LF.CR", "text\n.\r", "LF.CR"),
    ("a bare CR at the start", "\rtext\r\n.\r\n", "a bare CR"),
    ("a bare CR in the middle", "te\rxt\r\n.\r\n", "a bare CR"),
    ("a bare CR before the true end", "text\r\r\n.\r\n", "a bare CR"),
];

#[test]
fn each_is_refused_by_name_and_nothing_behind_it_is_read() {
    for (name, body, shown) in REFUSED {
        let mut house = in_body();
        house.hears(format!("{body}MAIL FROM:<mallory@client.example>\r\n").as_bytes());
        house.hears(b"\r\n.\r\nRSET\r\nMAIL FROM:<mallory@client.example>\r\n");
        let said = house.said();
        let [reply, told, closed] = said.as_slice() else { panic!("{name}: {said:?}") };
        let start = format!("S: 500 5.5.2 SMTP smuggling refused: {shown} at byte ");
        assert!(reply.starts_with(&start) && reply.ends_with(" (c7)"), "{name}: {reply}");
        assert!(told.starts_with("E: body refused "), "{name}: {told}");
        assert_eq!(closed, "X:", "{name}");
    }
}

#[test]
fn each_is_refused_in_any_split() {
    for (name, body, _) in REFUSED {
        let came = format!("{body}MAIL FROM:<mallory@client.example>\r\n");
        let heard = |cut: usize| {
            let mut house = in_body();
            let (first, second) = came.as_bytes().split_at(cut);
            house.hears(first);
            house.hears(second);
            house.said()
        };
        for cut in 1..came.len() {
            assert_eq!(heard(cut), heard(0), "{name} cut at {cut}");
        }
    }
}

fn in_body() -> House {
    let mut house = House::new(Receiving.config());
    house.hears(b"HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
    assert!(house.said().pop().unwrap().starts_with("S: 354 "));
    house
}
