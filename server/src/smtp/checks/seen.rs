//! What was found of messages from domains with a DMARC policy, on its way to the store: reports to
//! these domains are made of it later (RFC 7489 §7.2). The scribe (`server/src/scribe.rs`) takes it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pillarbox_core::dmarc::{Author, Policy};
use pillarbox_core::{UnixSeconds, dkim};
use pillarbox_store::DmarcSeen;
use serde_json::{Value, json};

use super::verdict::{Facts, Verdict};

/// What waits; what is alike is counted together.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<BTreeMap<(i64, String, String), u64>>);

/// What is beyond is left out: reports are a service.
const WAITING_MAX: usize = 4_096;
const DAY: i64 = 86_400;

impl Seen {
    /// Counts a message in, where its domain has a policy; tells whether it did.
    pub(super) fn note(&self, facts: &Facts, verdict: &Verdict, at: UnixSeconds) -> bool {
        let Some((domain, facts)) = row(facts, verdict) else { return false };
        let key = (at.0 - at.0.rem_euclid(DAY), domain, facts);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX && !waiting.contains_key(&key) {
            return false;
        }
        *waiting.entry(key).or_default() += 1;
        true
    }

    /// Takes all that waits, for the store.
    pub(crate) fn take(&self) -> Vec<DmarcSeen> {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let seen = |((day, domain, facts), count)| DmarcSeen {
            day: UnixSeconds(day),
            domain,
            facts,
            count,
        };
        waiting.into_iter().map(seen).collect()
    }
}

/// Whose policy it was, and the row of a report as JSON, by the names of RFC 7489 appendix C.
fn row(facts: &Facts, verdict: &Verdict) -> Option<(String, String)> {
    let published = facts.dmarc.as_ref()?.published.as_ref().ok()?.as_ref()?;
    let Author::Domain(author) = &facts.author else { return None };
    let (record, outcome) = (&published.record, &facts.outcome);
    let disposition = match verdict {
        Verdict::Accept => "none",
        Verdict::Junk => "quarantine",
        Verdict::Refuse(_) => "reject",
    };
    let alignment = |aligned: bool| if aligned { "pass" } else { "fail" };
    let optional = |policy: Option<Policy>| policy.map(Policy::name);
    let spf = facts.early.as_ref().map(|early| {
        let (domain, scope) = (early.spf.domain.as_str(), early.spf.identity.name());
        json!({ "domain": domain, "scope": scope, "result": early.spf.verdict.name() })
    });
    let row = json!({
        "source_ip": facts.ip.to_string(),
        "disposition": disposition,
        "dkim": alignment(outcome.dkim_aligned),
        "spf": alignment(outcome.spf_aligned),
        "header_from": author.as_str(),
        "envelope_from": facts.sender_domain,
        "policy": {
            "domain": published.domain.as_str(),
            "p": record.policy.name(),
            "sp": optional(record.subdomains),
            "np": optional(record.nonexistent),
            "adkim": record.dkim.name(),
            "aspf": record.spf.name(),
            "testing": if record.testing { "y" } else { "n" },
            "fo": record.failure_options,
            "rua": record.aggregate_to,
        },
        "auth_dkim": facts.dkim.iter().filter_map(signature).collect::<Vec<Value>>(),
        "auth_spf": spf,
    });
    Some((published.domain.to_string(), row.to_string()))
}

fn signature(outcome: &dkim::Outcome) -> Option<Value> {
    let signature = outcome.signature.as_ref()?;
    Some(json!({
        "domain": signature.domain.as_str(),
        "selector": signature.selector.as_str(),
        "result": outcome.verdict.name(),
    }))
}
