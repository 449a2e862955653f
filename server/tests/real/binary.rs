//! Binary parts that are too large to be held: filed in a literal8, and read back decoded, whole and
//! in pieces (RFC 3516).

use crate::on_each_runtime;
use crate::server::Place;
use crate::talk::Imap;

on_each_runtime!(large_binary_parts_come_and_go);

fn large_binary_parts_come_and_go(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut imap = Imap::login(place.imap(), "user");
    // Every byte there is, and more of them than are held at once; then as many without a NUL.
    let part: Vec<u8> = (0..=255).cycle().take(700_001).collect();
    let without: Vec<u8> = part.iter().map(|byte| byte | 1).collect();
    for part in [&part, &without] {
        let header = "Subject: binary\r\nContent-Transfer-Encoding: binary\r\n\r\n\0";
        let answer = imap.append_binary("INBOX", &[header.as_bytes(), part].concat());
        assert!(answer.starts_with("OK"), "{answer}");
    }
    // Refused at its end, where a file holds its beginning: nothing stays.
    let answer = imap.append_binary("INBOX", &[b"Subject: x\r\n\r\n", &part[..]].concat());
    assert!(answer.starts_with("NO [UNKNOWN-CTE]"), "{answer}");
    let bodies = place.dir().join("bodies");
    assert_eq!(std::fs::read_dir(bodies).unwrap().count(), 2);

    imap.command("EXAMINE INBOX");
    let stored = imap.command("FETCH 1 BODY.PEEK[]");
    assert!(
        stored[1].starts_with(b"Subject: binary\r\nContent-Transfer-Encoding: base64\r\n\r\nAA")
    );
    let size = imap.command("FETCH 1 BINARY.SIZE[1]");
    assert_eq!(size[0], b"* 1 FETCH (BINARY.SIZE[1] 700002)");
    let whole = imap.command("FETCH 1 BINARY.PEEK[1]");
    assert_eq!(whole[0], b"* 1 FETCH (BINARY[1] ~{700002}");
    assert!(whole[1][1..] == part);
    let whole = imap.command("FETCH 2 BINARY.PEEK[1]<1.800000>");
    assert_eq!(whole[0], b"* 2 FETCH (BINARY[1]<1> {700001}");
    assert!(whole[1] == without);
    for step in [100_000, 300_000] {
        let mut pieces = Vec::new();
        loop {
            let origin = pieces.len();
            let told = imap.command(&format!("FETCH 1 BINARY.PEEK[1]<{origin}.{step}>"));
            if told[1].is_empty() {
                break;
            }
            pieces.extend_from_slice(&told[1]);
            // Another part between two pieces does not disturb.
            if origin == 200_000 {
                imap.command("FETCH 2 BINARY.PEEK[1]<3.5>");
            }
        }
        assert!(pieces[1..] == part, "{step}");
    }
    let told = imap.command("FETCH 1 BINARY.PEEK[1]<300.4>");
    assert_eq!(told[1], [43, 44, 45, 46]);
    let told = imap.command("FETCH 1 BINARY.PEEK[]<9.6>");
    assert_eq!(told[..2], [b"* 1 FETCH (BINARY[]<9> {6}".to_vec(), b"binary".to_vec()]);
    server.stop();
}
