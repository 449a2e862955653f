//! `[queue]`: how mail leaves.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pillarbox_core::delivery::{Family, Schedule};
use pillarbox_core::international::domain_key;
use pillarbox_core::sasl::Secret;
use pillarbox_store::SendLimits;

use super::reader::Reader;

/// How mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// When it is tried again.
    pub schedule: Schedule,
    /// Connections in all.
    pub connections_max: usize,
    /// Connections to one destination.
    pub per_destination_max: usize,
    /// Connections to one address.
    pub per_address_max: usize,
    /// How much one account may send.
    pub limits: SendLimits,
    /// For how long it is remembered what has left.
    pub kept: Duration,
    /// Which kind of addresses of a server is tried first.
    pub first: Family,
    /// The addresses of this machine to connect from, of each kind at most one.
    pub from: Vec<IpAddr>,
    /// Certificates of authorities that are believed, beside those that come with the program.
    pub authorities: Option<PathBuf>,
    /// What is submitted for our own domains goes by this way too, in the place of straight into the
    /// mailbox.
    pub own: bool,
    /// What is submitted for other domains that no route names goes to whoever submitted it.
    pub only_routes: bool,
    /// The ways beside the usual one, by name.
    pub transports: BTreeMap<String, Transport>,
    /// Which mail goes by which way; the first that fits counts.
    pub routes: Vec<RouteRule>,
}

/// A way on which mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// To the servers that the recipient's domain names.
    Direct,
    /// To one server for all.
    Relay(Relay),
    /// Nowhere: senders are told this text.
    Fail(String),
    /// Nowhere, and senders are told that it was delivered if they want to know.
    Discard,
}

/// A server that takes all mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// It speaks LMTP.
    pub lmtp: bool,
    /// How TLS is to be.
    pub tls: RelayTls,
    /// Who we are there.
    pub login: Option<RelayLogin>,
}

/// How TLS is to be with a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayTls {
    /// None.
    Off,
    /// Where it is offered; with whomever.
    Opportunistic,
    /// By STARTTLS, and the certificate is for its name.
    StartTls,
    /// From the first byte, and the certificate is for its name.
    Implicit,
}

/// A login at a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// Which mail goes by which way. What is empty fits all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteRule {
    /// Domains of recipients; with a dot in front also those below.
    pub to: Vec<String>,
    /// Addresses and domains of senders.
    pub from: Vec<String>,
    /// From this attempt on; the first is 1.
    pub attempt: u32,
    /// The way.
    pub transport: String,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            connections_max: 200,
            per_destination_max: 4,
            per_address_max: 20,
            limits: SendLimits { recipients_a_day: Some(2_000), new_a_day: Some(500) },
            kept: Duration::from_secs(7 * 86_400),
            first: Family::Six,
            from: Vec::new(),
            authorities: None,
            own: false,
            only_routes: false,
            transports: BTreeMap::new(),
            routes: Vec::new(),
        }
    }
}

impl Queue {
    /// By which way mail goes; `None`: the usual one.
    #[must_use]
    pub fn route(&self, sender: &str, domain: &str, attempt: u32) -> Option<&str> {
        let fits = |rule: &&RouteRule| {
            let domain = domain_key(domain);
            let to = rule.to.is_empty() || rule.to.iter().any(|of| covers(of, &domain));
            let from = rule.from.is_empty()
                || rule.from.iter().any(|of| match sender.rsplit_once('@') {
                    Some((_, domain)) => {
                        of.eq_ignore_ascii_case(sender) || covers(of, &domain_key(domain))
                    }
                    None => of == "<>" && sender.is_empty(),
                });
            to && from && attempt >= rule.attempt
        };
        self.routes.iter().find(fits).map(|rule| &*rule.transport)
    }
}

/// `.example.org` is everything below it, and itself.
fn covers(of: &str, domain: &str) -> bool {
    match of.strip_prefix('.') {
        Some(above) => {
            domain == above || domain.strip_suffix(above).is_some_and(|front| front.ends_with('.'))
        }
        None => of == domain,
    }
}

/// `None` where nothing is to leave.
pub(super) fn read(table: &mut Reader<'_, '_>, folder: &Path) -> Option<Queue> {
    let mut queue = Queue::default();
    let enabled = table.boolean("enabled").unwrap_or(true);
    if let Some(seconds) = table.integer("lifetime_seconds", 60, 30 * 86_400) {
        queue.schedule.lifetime = Duration::from_secs(seconds);
    }
    if let Some(seconds) = table.integer("warn_after_seconds", 60, 30 * 86_400) {
        queue.schedule.warn_after = Duration::from_secs(seconds);
    }
    if let Some(count) = count(table, "connections_max", 10_000) {
        queue.connections_max = count;
    }
    if let Some(count) = count(table, "connections_per_destination_max", 1_000) {
        queue.per_destination_max = count;
    }
    if let Some(count) = count(table, "connections_per_address_max", 1_000) {
        queue.per_address_max = count;
    }
    for (key, limit) in [
        ("recipients_a_day_max", &mut queue.limits.recipients_a_day),
        ("new_recipients_a_day_max", &mut queue.limits.new_a_day),
    ] {
        if let Some(most) = table.integer(key, 0, 1_000_000) {
            *limit = (most > 0).then_some(most);
        }
    }
    // What is counted of a day has to be remembered.
    if let Some(seconds) = table.integer("kept_seconds", 86_400, 3_650 * 86_400) {
        queue.kept = Duration::from_secs(seconds);
    }
    if let Some(scale) = table.integer("retry_scale", 1, 1_000_000) {
        let scale = u32::try_from(scale).unwrap_or(1);
        queue.schedule = queue.schedule.shortened(scale);
    }
    queue.first = match table.string("first").as_deref() {
        None | Some("ipv6") => Family::Six,
        Some("ipv4") => Family::Four,
        Some(other) => {
            table.flaw_at("first", format!("`{other}` is neither \"ipv6\" nor \"ipv4\""));
            Family::Six
        }
    };
    read_from(table, &mut queue);
    queue.authorities = table.string("authorities").map(|file| folder.join(file));
    queue.own = table.boolean("own").unwrap_or(false);
    queue.only_routes = table.boolean("only_routes").unwrap_or(false);
    for (name, transport) in
        table.tables("transport", |table| read_transport(table, folder)).into_iter().flatten()
    {
        queue.transports.insert(name, transport);
    }
    let routes = table.tables("route", read_route);
    queue.routes = routes.into_iter().flatten().collect();
    for rule in &queue.routes {
        if rule.transport != DIRECT && !queue.transports.contains_key(&rule.transport) {
            let what = format!("there is no [[queue.transport]] named `{}`", rule.transport);
            table.flaw_at("route", what);
        }
    }
    enabled.then_some(queue)
}

/// The usual way.
pub const DIRECT: &str = "direct";

fn count(table: &mut Reader<'_, '_>, key: &'static str, most: u64) -> Option<usize> {
    table.integer(key, 1, most).and_then(|count| count.try_into().ok())
}

fn read_from(table: &mut Reader<'_, '_>, queue: &mut Queue) {
    for (text, place) in table.strings("connect_from") {
        match text.parse::<IpAddr>() {
            Ok(ip) if queue.from.iter().any(|other| other.is_ipv4() == ip.is_ipv4()) => {
                table.flaw_in(&place, "one address of each kind is enough".to_owned());
            }
            Ok(ip) => queue.from.push(ip),
            Err(_) => {
                let what = format!("`{text}` is no address such as 192.0.2.1 or 2001:db8::1");
                table.flaw_in(&place, what);
            }
        }
    }
}

fn read_transport(table: &mut Reader<'_, '_>, folder: &Path) -> Option<(String, Transport)> {
    let name = table.required_string("name")?;
    if name == DIRECT || name.is_empty() {
        table.flaw_at("name", "this is the name of the usual way: choose another".to_owned());
    }
    let kind = table.required_string("kind")?;
    let transport = match &*kind {
        "smtp" | "lmtp" => Transport::Relay(read_relay(table, folder, kind == "lmtp")?),
        "fail" => {
            let text = table.string("text");
            Transport::Fail(text.unwrap_or_else(|| "this mail is not to be sent".to_owned()))
        }
        "discard" => Transport::Discard,
        other => {
            let what = format!("`{other}` is none of smtp, lmtp, fail, discard");
            table.flaw_at("kind", what);
            return None;
        }
    };
    Some((name, transport))
}

fn read_relay(table: &mut Reader<'_, '_>, folder: &Path, lmtp: bool) -> Option<Relay> {
    let host = table.required_string("host")?;
    let tls = match table.string("tls").as_deref() {
        None if lmtp => RelayTls::Off,
        None | Some("starttls") => RelayTls::StartTls,
        Some("implicit") => RelayTls::Implicit,
        Some("opportunistic") => RelayTls::Opportunistic,
        Some("off") => RelayTls::Off,
        Some(other) => {
            let what = format!("`{other}` is none of starttls, implicit, opportunistic, off");
            table.flaw_at("tls", what);
            RelayTls::StartTls
        }
    };
    let usual = match tls {
        _ if lmtp => 24,
        RelayTls::Implicit => 465,
        RelayTls::StartTls => 587,
        RelayTls::Opportunistic | RelayTls::Off => 25,
    };
    let port = table.integer("port", 1, 65_535).and_then(|port| port.try_into().ok());
    let user = table.string("user");
    let file = table.string("password_file").map(|file| folder.join(file));
    let login = match (user, file) {
        (None, None) => None,
        (Some(user), Some(file)) => match std::fs::read_to_string(&file) {
            Ok(text) => {
                let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
                Some(RelayLogin { user, password })
            }
            Err(error) => {
                let what = format!("{} cannot be read: {error}", file.display());
                table.flaw_at("password_file", what);
                None
            }
        },
        (Some(_), None) => {
            table.flaw_at("user", "a login needs `password_file`, too".to_owned());
            None
        }
        (None, Some(_)) => {
            table.flaw_at("password_file", "a login needs `user`, too".to_owned());
            None
        }
    };
    if login.is_some() && matches!(tls, RelayTls::Off | RelayTls::Opportunistic) {
        let what = "a password is only said under TLS: \"starttls\" or \"implicit\"".to_owned();
        table.flaw_at("user", what);
    }
    Some(Relay { host, port: port.unwrap_or(usual), lmtp, tls, login })
}

fn read_route(table: &mut Reader<'_, '_>) -> Option<RouteRule> {
    let fold = |(text, _): (String, _)| match text.strip_prefix('.') {
        Some(rest) => format!(".{}", domain_key(rest)),
        None if text.contains('@') || text == "<>" => text,
        None => domain_key(&text).into_owned(),
    };
    let to = table.strings("to").into_iter().map(fold).collect();
    let from = table.strings("from").into_iter().map(fold).collect();
    let attempt = table.integer("attempt", 1, 1_000).unwrap_or(1);
    let transport = table.required_string("transport")?;
    Some(RouteRule { to, from, attempt: u32::try_from(attempt).unwrap_or(1), transport })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rule = |to: &str, from: &str, attempt, transport: &str| RouteRule {
            to: to.split_whitespace().map(str::to_owned).collect(),
            from: from.split_whitespace().map(str::to_owned).collect(),
            attempt,
            transport: transport.to_owned(),
        };
        let routes = vec![
            rule("a.example", "", 1, "a"),
            rule(".b.example", "boss@us.example", 1, "b"),
            rule("", ".us.example", 3, "c"),
            rule("", "<>", 1, "d"),
        ];
        let queue = Queue { routes, ..Queue::default() };
        for (sender, domain, attempt, expected) in [
            ("x@us.example", "a.example", 1, Some("a")),
            ("x@us.example", "A.Example", 1, Some("a")),
            ("x@us.example", "x.a.example", 1, None),
            ("boss@us.example", "x.b.example", 1, Some("b")),
            ("boss@us.example", "b.example", 1, Some("b")),
            ("boss@us.example", "xb.example", 1, None),
            ("x@us.example", "b.example", 2, None),
            ("x@us.example", "b.example", 3, Some("c")),
            ("x@sub.us.example", "b.example", 9, Some("c")),
            ("", "b.example", 1, Some("d")),
        ] {
            assert_eq!(queue.route(sender, domain, attempt), expected, "{sender} {domain}");
        }
    }
}
