//! `[checks]`: what mail from outside is asked.

use std::time::Duration;

use pillarbox_core::dns::Name;
use pillarbox_core::wire::network::Network;

use super::reader::Reader;

/// What mail from outside is asked, and what comes of the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// How long all questions may take, from the beginning of a message's text on.
    pub within: Duration,
    /// Senders are refused whose domain cannot get mail.
    pub sender_domain: bool,
    /// What is done with mail that the domain in From does not stand behind, where that domain
    /// wants it refused or kept apart.
    pub dmarc: Obedience,
    /// What is done with mail that may not come from where it comes by SPF, where nothing else
    /// stands behind it.
    pub spf_fail: SpfFail,
    /// Who passes on the mail of others: their own words about it are believed.
    pub forwarders: Vec<Forwarder>,
    /// Names of a single label are names, as in a house of one's own; SPF has them count for
    /// nothing (RFC 7208 §4.3).
    pub single_labels: bool,
}

/// How far a domain's policy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obedience {
    /// As the domain wants it.
    Enforce,
    /// What is to be refused goes into Junk.
    Junk,
    /// It is only told of.
    Watch,
}

/// What is done with mail that fails SPF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpfFail {
    /// It is told of.
    Accept,
    /// It goes into Junk.
    Junk,
    /// It is refused.
    Refuse,
}

/// Somebody who passes mail on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwarder {
    /// Whoever comes from there.
    From(Network),
    /// Whoever is proved to be this domain or one below it: by SPF, by a signature, or by the last seal
    /// of a chain that is whole (ARC).
    Domain(Name),
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            within: Duration::from_secs(20),
            sender_domain: true,
            dmarc: Obedience::Enforce,
            spf_fail: SpfFail::Junk,
            forwarders: Vec::new(),
            single_labels: false,
        }
    }
}

/// `None` where nothing is to be checked.
pub(super) fn read(table: &mut Reader<'_, '_>) -> Option<Checks> {
    let mut checks = Checks::default();
    let enabled = table.boolean("enabled").unwrap_or(true);
    if let Some(seconds) = table.integer("within_seconds", 1, 120) {
        checks.within = Duration::from_secs(seconds);
    }
    checks.sender_domain = table.boolean("sender_domain").unwrap_or(true);
    let choices =
        [("enforce", Obedience::Enforce), ("junk", Obedience::Junk), ("watch", Obedience::Watch)];
    checks.dmarc = choice(table, "dmarc", &choices).unwrap_or(checks.dmarc);
    let choices =
        [("accept", SpfFail::Accept), ("junk", SpfFail::Junk), ("refuse", SpfFail::Refuse)];
    checks.spf_fail = choice(table, "spf_fail", &choices).unwrap_or(checks.spf_fail);
    for (text, place) in table.strings("forwarders") {
        match (text.parse(), Name::parse(&text)) {
            (Ok(network), _) => checks.forwarders.push(Forwarder::From(network)),
            (_, Ok(name)) => checks.forwarders.push(Forwarder::Domain(name)),
            _ => {
                let what = format!("`{text}` is no network such as 192.0.2.0/24, and no domain");
                table.flaw_in(&place, what);
            }
        }
    }
    checks.single_labels = table.boolean("single_labels").unwrap_or(false);
    enabled.then_some(checks)
}

fn choice<T: Copy>(
    table: &mut Reader<'_, '_>,
    key: &'static str,
    choices: &[(&str, T)],
) -> Option<T> {
    let text = table.string(key)?;
    let found = choices.iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        table.flaw_at(key, format!("`{text}` is none of {}", names.join(", ")));
    }
    found.map(|(_, value)| *value)
}
