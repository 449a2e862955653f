//! Mailboxes that go, with the files of large messages in them.

use std::fs;

use crate::on_each_runtime;
use crate::server::Place;
use crate::talk::{Imap, letter};

on_each_runtime!(
    a_moved_file_goes_with_the_mailbox_it_was_moved_to,
    a_deleted_mailbox_takes_what_others_still_number,
);

/// Longer than what the database holds itself.
const LARGE: usize = 100 << 10;

fn files(place: &Place) -> usize {
    fs::read_dir(place.dir().join("bodies")).unwrap().count()
}

fn a_moved_file_goes_with_the_mailbox_it_was_moved_to(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut imap = Imap::login(place.imap(), "user");
    imap.command("CREATE away");
    assert!(imap.append("INBOX", &letter("large", LARGE)).starts_with("OK"));
    imap.command("SELECT INBOX");
    imap.command("MOVE 1 away");
    assert_eq!(files(&place), 1);
    // Where it was, nobody numbers it any more.
    imap.command("DELETE away");
    place.settles_at_body_files(0);
    server.stop();
    place.verify();
}

fn a_deleted_mailbox_takes_what_others_still_number(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let mut imap = Imap::login(place.imap(), "user");
    imap.command("CREATE away");
    for word in ["one", "two"] {
        assert!(imap.append("away", &letter(word, LARGE)).starts_with("OK"));
    }
    let mut other = Imap::login(place.imap(), "user");
    other.command("SELECT away");
    imap.command("SELECT away");
    imap.command("STORE 1 +FLAGS (\\Deleted)");
    imap.command("EXPUNGE");
    assert_eq!(files(&place), 2, "the other one has not been told");
    imap.command("DELETE away");
    place.settles_at_body_files(0);
    server.stop();
    place.verify();
}
