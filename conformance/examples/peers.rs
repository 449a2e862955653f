//! Starts Postfix and Dovecot and says where, until its input ends:
//! `cargo run -p pillarbox-conformance --example peers`.

use pillarbox_conformance::peers::{ACCOUNTS, DOMAIN, PASSWORD, Peers};

fn main() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let peers = Peers::start(dir.path())?;
    println!("{:#?}", peers.addresses());
    println!("accounts {ACCOUNTS:?} at {DOMAIN}, password {PASSWORD}, CA {}", peers.ca().display());
    let _ended = std::io::stdin().read_line(&mut String::new());
    Ok(())
}
