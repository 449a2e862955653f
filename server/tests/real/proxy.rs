//! A listener behind a proxy: the PROXY header says whose connection it is, TLS comes behind it,
//! and nobody but the proxy gets in.

use crate::on_each_runtime;
use crate::server::Place;
use crate::talk::{Imap, Talk, letter};

on_each_runtime!(the_client_is_the_one_that_the_proxy_names, only_the_proxy_may_connect);

fn the_client_is_the_one_that_the_proxy_names(runtime: &'static str) {
    let place = Place::new(runtime);
    place.localserve().stop();
    let server = place.serve("", &listener(&place, "127.0.0.0/8"));
    let headers: [&[u8]; 2] = [
        b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 25\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\xdc\x04\0\x19",
    ];
    for header in headers {
        let mut talk = Talk::to(port(&place)).unwrap();
        talk.send(header).unwrap();
        assert!(talk.reply().unwrap().starts_with("220"));
        assert!(talk.say("EHLO client.example").unwrap().starts_with("250"));
        let reply = talk.deliver(&["user@localhost"], &letter("proxied", 0)).unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }
    let inbox = Imap::login(place.imap(), "user").inbox();
    assert_eq!(inbox.len(), 2);
    for message in inbox {
        let message = String::from_utf8(message).unwrap();
        assert!(message.contains("from client.example ([192.0.2.7])"), "{message}");
    }
    // Without a header nothing is served.
    let mut talk = Talk::to(port(&place)).unwrap();
    talk.send(b"EHLO client.example\r\n").unwrap();
    assert!(talk.at_end());
    assert!(server.stderr.wait_for(|line| line.contains("no PROXY header")).is_some());
    server.stop();
}

fn only_the_proxy_may_connect(runtime: &'static str) {
    let place = Place::new(runtime);
    place.localserve().stop();
    let server = place.serve("", &listener(&place, "192.0.2.0/24"));
    let mut talk = Talk::to(port(&place)).unwrap();
    assert!(talk.at_end());
    assert!(server.stderr.wait_for(|line| line.contains("not one of the proxies")).is_some());
    server.stop();
}

fn port(place: &Place) -> u16 {
    place.smtp() + 1
}

fn listener(place: &Place, proxies: &str) -> String {
    format!(
        "[[listener]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:{}\"\nproxies = [{proxies:?}]",
        port(place)
    )
}
