//! Delta Chat, by its core (`deltachat-rpc-server`) and the Python client that drives it: two people
//! are introduced to each other, and write. Nobody but them can read it, we neither.

use std::process::Command;

use crate::logins::{all, ways};
use crate::on_each_runtime;
use crate::server::{Place, peer, script, succeed};

on_each_runtime!(people_chat_on_the_port_of_each_protocol, people_chat_through_the_one_port);

fn people_chat(place: &Place, [imap, smtp]: [u16; 2], security: &str) {
    succeed(
        Command::new(peer("deltachat/bin/python"))
            .arg(script("deltachat_session.py"))
            .arg(place.beside("chats"))
            .args([&imap.to_string(), &smtp.to_string(), security])
            .arg(place.ca()),
    );
    assert_eq!(place.metric("tls_failures_total"), 0);
    for account in ["user", "friend"] {
        assert_eq!(ways(place, account), all(["imap LOGIN tls ok", "smtp PLAIN tls ok"]));
    }
}

fn people_chat_on_the_port_of_each_protocol(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    people_chat(&place, [place.imaps(), place.submissions()], "ssl");
    server.stop();
    place.verify();
}

/// It asks for `imap` and for `smtp` by ALPN on every port but 993 and 465.
fn people_chat_through_the_one_port(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    people_chat(&place, [place.https(); 2], "ssl");
    server.stop();
}

#[test]
fn people_chat_after_starttls() {
    let place = Place::new("smol");
    let server = place.localserve();
    people_chat(&place, [place.imap(), place.submission()], "starttls");
    server.stop();
}
