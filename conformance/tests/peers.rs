//! Other people's servers against our transcripts. They need root, and packages that not every
//! machine has: `./test --long` runs these.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use pillarbox_conformance::peers::Peers;

#[test]
#[ignore = "needs Postfix, Dovecot and root: ./test --long"]
fn they_start_greet_and_stop() {
    let dir = tempfile::tempdir().unwrap();
    let peers = Peers::start(dir.path()).unwrap();
    let addresses = peers.addresses();
    for (address, greeting) in
        [(addresses.smtp, "220 "), (addresses.submission, "220 "), (addresses.imap, "* OK ")]
    {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert!(line.starts_with(greeting), "{line}");
    }
    drop(peers);
    assert!(TcpStream::connect(addresses.smtp).is_err());
    assert!(TcpStream::connect(addresses.imap).is_err());
}
