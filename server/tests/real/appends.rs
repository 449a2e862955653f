//! Many and large messages in one APPEND (RFC 3502): they come together, and what never came to
//! its end leaves nothing behind.

use crate::on_each_runtime;
use crate::server::Place;
use crate::talk::{Imap, letter};

on_each_runtime!(many_and_large_messages_come_together_or_leave_nothing);

fn many_and_large_messages_come_together_or_leave_nothing(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut imap = Imap::login(place.imap(), "user");
    // Small ones, of which more than wait in memory together, and two that wait in files anyway.
    let mut letters: Vec<_> = (0..40).map(|n| letter(&format!("n{n}n"), 50_000)).collect();
    letters.push(letter("large", 300_000));
    letters.push(letter("larger", 900_000));
    let whole = command(&letters);
    let mut refused = whole.clone();
    refused.extend_from_slice(b" {0+}\r\n");
    imap.send(&[&refused[..], b"\r\n"].concat());
    assert!(imap.answer().starts_with("NO a message has no bytes: nothing is appended"));
    place.settles_at_body_files(0);
    imap.send(&whole);
    // The last one is not whole: the client goes.
    drop(imap);
    place.settles_at_body_files(0);
    // Nor does anything stay where the server goes, while much is in files.
    let mut imap = Imap::login(place.imap(), "user");
    imap.send(&whole);
    while std::fs::read_dir(place.dir().join("bodies")).unwrap().count() < 3 {
        std::thread::yield_now();
    }
    server.kill();
    let server = place.localserve();
    place.settles_at_body_files(0);
    let mut imap = Imap::login(place.imap(), "user");
    let status = imap.command("STATUS INBOX (MESSAGES UIDNEXT)");
    assert_eq!(status[0], b"* STATUS INBOX (MESSAGES 0 UIDNEXT 1)");
    imap.send(&[&whole[..], b"\r\n"].concat());
    let answer = imap.answer();
    assert!(answer.starts_with("OK [APPENDUID ") && answer.contains(" 1:42]"), "{answer}");
    assert!(imap.inbox() == letters);
    server.stop();
    place.verify();
}

/// All but the end of the line behind the last message.
fn command(letters: &[Vec<u8>]) -> Vec<u8> {
    let mut command = b"a APPEND INBOX".to_vec();
    for letter in letters {
        command.extend_from_slice(format!(" (\\Seen) {{{}+}}\r\n", letter.len()).as_bytes());
        command.extend_from_slice(letter);
    }
    command
}
