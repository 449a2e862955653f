//! Python's IMAPClient, which `./test` installs into `target/peers/imapclient`.

use std::process::Command;

use crate::on_each_runtime;
use crate::server::{Place, peer, script, succeed};

on_each_runtime!(imapclient_works);

fn imapclient_works(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    succeed(
        Command::new(peer("imapclient/bin/python"))
            .arg(script("imapclient_session.py"))
            .args([place.imap(), place.imaps()].map(|port| port.to_string()))
            .arg(place.ca()),
    );
    server.stop();
    place.verify();
}
