//! Whom to ask, and how patiently.

use core::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The port of name servers (RFC 1035 §4.2).
pub const PORT: u16 = 53;
/// More servers than this make no question more likely to be answered.
pub const SERVERS_MAX: usize = 8;
/// The longest that one server may be waited for.
const TIMEOUT_MAX: u64 = 30;
/// How often all servers are gone round at most.
const ROUNDS_MAX: usize = 5;

/// A server that asks others on our behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// Its address.
    pub address: SocketAddr,
    /// Whether its word that it has proved an answer is believed: it does prove them, and nobody can
    /// change what it says on its way to us (RFC 4035 §4.9.3).
    pub validating: bool,
}

/// Whom to ask, and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// In the order in which they are asked.
    pub servers: Vec<Server>,
    /// How long a server has for its answer.
    pub timeout: Duration,
    /// How often all servers are asked before it is given up.
    pub rounds: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout: Duration::from_secs(5), rounds: 2 }
    }
}

impl Settings {
    /// Reads `/etc/resolv.conf`: `nameserver`, and of `options` `timeout` and `attempts`. All else
    /// is for names that people abbreviate, which mail has none of. Servers on this machine count as
    /// validating; where there is none in the file, one on this machine is meant.
    #[must_use]
    pub fn from_resolv_conf(text: &str) -> Self {
        let mut settings = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let ip = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    if let Some(ip) = ip
                        && settings.servers.len() < SERVERS_MAX
                    {
                        settings.servers.push(Server::at(SocketAddr::new(ip, PORT)));
                    }
                }
                Some("options") => words.for_each(|word| settings.take_option(word)),
                _ => {}
            }
        }
        if settings.servers.is_empty() {
            settings.servers.push(Server::at(SocketAddr::from(([127, 0, 0, 1], PORT))));
        }
        settings
    }

    fn take_option(&mut self, word: &str) {
        match word.split_once(':') {
            Some(("timeout", number)) => {
                if let Ok(seconds) = number.parse::<u64>() {
                    self.timeout = Duration::from_secs(seconds.clamp(1, TIMEOUT_MAX));
                }
            }
            Some(("attempts", number)) => {
                if let Ok(count) = number.parse::<usize>() {
                    self.rounds = count.clamp(1, ROUNDS_MAX);
                }
            }
            _ => {}
        }
    }

    /// The servers that are asked. Where there are validating ones, those only: who keeps one of
    /// them from answering must not gain that another is believed without proof.
    #[must_use]
    pub fn asked(&self) -> Vec<Server> {
        let validating = self.is_validating();
        self.servers.iter().filter(|server| server.validating == validating).copied().collect()
    }

    /// Whether there is a validating server, so that answers can be secure.
    #[must_use]
    pub fn is_validating(&self) -> bool {
        self.servers.iter().any(|server| server.validating)
    }
}

impl Server {
    /// At this address; validating if that is on this machine, where nobody else can answer.
    #[must_use]
    pub const fn at(address: SocketAddr) -> Self {
        Self { address, validating: address.ip().is_loopback() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_is_read() {
        for (text, servers, timeout, rounds) in [
            ("", &["127.0.0.1:53 v"][..], 5, 2),
            (
                "# nameserver 192.0.2.9\nsearch a b\nnameserver 192.0.2.1 # x\n\
                 nameserver\t2001:db8::1\nnameserver ::1\nnameserver host\n",
                &["192.0.2.1:53", "[2001:db8::1]:53", "[::1]:53 v"],
                5,
                2,
            ),
            (
                "nameserver fe80::1%eth0\noptions rotate timeout:1 attempts:9 edns0\n",
                &["127.0.0.1:53 v"],
                1,
                5,
            ),
            ("options timeout:0 attempts:x timeout\n", &["127.0.0.1:53 v"], 1, 2),
        ] {
            let settings = Settings::from_resolv_conf(text);
            let found: Vec<String> = (settings.servers.iter())
                .map(|it| format!("{}{}", it.address, if it.validating { " v" } else { "" }))
                .collect();
            assert_eq!(found, servers, "{text:?}");
            assert_eq!(settings.timeout, Duration::from_secs(timeout));
            assert_eq!(settings.rounds, rounds);
        }
        let many = Settings::from_resolv_conf(&"nameserver 192.0.2.1\n".repeat(100));
        assert_eq!(many.servers.len(), SERVERS_MAX);
    }

    #[test]
    fn others_are_not_asked_beside_validating_ones() {
        let asked = |text: &str| Settings::from_resolv_conf(text).asked().len();
        assert_eq!(asked("nameserver 192.0.2.1\nnameserver 192.0.2.2\n"), 2);
        assert_eq!(asked("nameserver 192.0.2.1\nnameserver 127.0.0.1\n"), 1);
    }
}
