//! Letters that come by SMTP into the mailbox that the clients share.

use std::time::{Duration, Instant};

use crate::address::link::Link;
use crate::sim::prng::Prng;

use super::Plan;
use super::record::Record;

/// Delivers letters until then.
///
/// # Errors
/// The server does not take one.
pub(super) fn deliver(
    plan: &Plan,
    record: &Record,
    prng: &mut Prng,
    until: Instant,
) -> Result<(), String> {
    let address = plan.target.addresses.get("smtp").ok_or("no address for SMTP")?;
    let mut post = Post { link: Link::open(address, plan.target.patience)?, plan };
    post.replied("the greeting", 220)?;
    post.ask("EHLO client.example", 250)?;
    while Instant::now() < until && record.violations().is_empty() {
        let letter = record.new_delivery();
        post.send(&plan.mint().letter(letter))?;
        record.delivered(letter);
        record.count("letter by SMTP");
        // Clients would rather be doing other things than making room.
        std::thread::sleep(Duration::from_millis(prng.bits() % PAUSE_MILLIS));
    }
    post.ask("QUIT", 221)
}

struct Post<'a> {
    link: Link,
    plan: &'a Plan,
}

impl Post<'_> {
    fn send(&mut self, text: &[u8]) -> Result<(), String> {
        self.ask("MAIL FROM:<ann@client.example> BODY=8BITMIME", 250)?;
        self.ask(&format!("RCPT TO:<{}>", self.plan.target.names.user.login), 250)?;
        self.ask("DATA", 354)?;
        let mut stuffed = Vec::with_capacity(text.len() + 100);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            // RFC 5321 §4.5.2.
            if line.starts_with(b".") {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        stuffed.extend_from_slice(b".\r\n");
        self.link.send(&stuffed);
        self.replied("a letter", 250)
    }

    fn ask(&mut self, command: &str, code: u16) -> Result<(), String> {
        self.link.send(format!("{command}\r\n").as_bytes());
        self.replied(command, code)
    }

    /// The last line of a reply has its code (RFC 5321 §4.2.1).
    fn replied(&mut self, what: &str, code: u16) -> Result<(), String> {
        let until = Instant::now() + self.plan.target.patience;
        loop {
            let line = self.link.line(until).map_err(|why| format!("SMTP: {what}: {why}"))?;
            let line = String::from_utf8_lossy(&line).into_owned();
            if line.get(3..4) == Some("-") {
                continue;
            }
            let good = line.starts_with(&code.to_string());
            return if good { Ok(()) } else { Err(format!("SMTP: {what}: {}", line.trim_end())) };
        }
    }
}

/// The longest pause between two letters.
const PAUSE_MILLIS: u64 = 80;
