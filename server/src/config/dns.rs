//! `[dns]`: whom names are asked of.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pillarbox_core::dns::{PORT, SERVERS_MAX};
use pillarbox_core::wire::network::Network;

use super::read_networks;
use super::reader::Reader;

/// Whom names are asked of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    /// The servers, in their order; empty: those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// Where servers are that prove what they say (DNSSEC) and can be reached without anybody in
    /// between; `None`: those on this machine.
    pub validating: Option<Vec<Network>>,
    /// How long a server has for its answer; `None`: as `/etc/resolv.conf` says, else five seconds.
    pub timeout: Option<Duration>,
    /// How often all servers are asked; `None`: as `/etc/resolv.conf` says, else twice.
    pub attempts: Option<usize>,
    /// Zone files that answer in the place of all servers, for trying and testing; empty: none.
    pub zones: Vec<PathBuf>,
}

pub(super) fn read(table: &mut Reader<'_, '_>, folder: &Path) -> Dns {
    let mut dns = Dns::default();
    for (text, place) in table.strings("servers") {
        let ip = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
        match ip.or_else(|_| text.parse::<SocketAddr>()) {
            Ok(_) if dns.servers.len() == SERVERS_MAX => {
                table.flaw_in(&place, format!("{SERVERS_MAX} servers are enough"));
            }
            Ok(address) => dns.servers.push(address),
            Err(_) => {
                let what = format!("`{text}` is no address such as 192.0.2.1 or [2001:db8::1]:53");
                table.flaw_in(&place, what);
            }
        }
    }
    if table.has("validating") {
        dns.validating = Some(read_networks(table, "validating"));
    } else {
        // So that it is known.
        table.strings("validating");
    }
    dns.timeout = table.integer("timeout_seconds", 1, 30).map(Duration::from_secs);
    dns.attempts = table.integer("attempts", 1, 5).and_then(|count| count.try_into().ok());
    for (file, _) in table.strings("zones") {
        dns.zones.push(folder.join(file));
    }
    if !dns.zones.is_empty() && !dns.servers.is_empty() {
        table.flaw_at("zones", "with `zones` no server is asked: leave `servers` out".to_owned());
    }
    dns
}
