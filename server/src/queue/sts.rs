//! What a domain wants of TLS on the way to it (MTA-STS, RFC 8461): what is kept, what is published, and
//! when it is fetched.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pillarbox_core::UnixSeconds;
use pillarbox_core::dns::{Kind, Name, Question};
use pillarbox_core::effect::{Completion, Effect};
use pillarbox_core::mta_sts::{
    Fetch as Fetching, Kept, POLICY_LABEL, Policy, Published, RECORD_LABEL, after_fetch, plan,
};
use pillarbox_core::tls::{Connector, Trust};
use pillarbox_store::{Found, QueueRead, QueueWrite, Read, StsPolicy, Write};

use super::courier::Trip;
use super::fetch::{Fetch, Fetched};
use super::tls_seen;
use crate::job::{self, Answer};

/// When fetches failed last, by domain: those of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<BTreeMap<String, UnixSeconds>>);

/// So many are remembered.
const FAILURES_MAX: usize = 10_000;
/// RFC 8461 §3.3.
const PORT: u16 = 443;

impl Failures {
    fn of(&self, domain: &str) -> Option<UnixSeconds> {
        self.lock().get(domain).copied()
    }

    fn note(&self, domain: &str, now: UnixSeconds) {
        let mut failures = self.lock();
        if failures.len() >= FAILURES_MAX {
            failures.clear();
        }
        failures.insert(domain.to_owned(), now);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, UnixSeconds>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trip {
    /// The policy that counts for a domain; fetched, where that is due.
    pub(super) async fn policy(&self, domain: &Name) -> Option<Policy> {
        let record = domain.below(RECORD_LABEL).ok()?;
        let lookup = self.ask(&Question { name: record, kind: Kind::Txt }).await;
        let published = Published::of(&lookup);
        let kept = self.kept(domain.as_str()).await;
        if kept.is_none() && published == Published::Nothing {
            return None;
        }
        let now = self.wall();
        let failed = self.post.sts_failures.of(domain.as_str());
        let planned = plan(&published, kept.as_ref(), failed, now);
        let (policy, fetch) = (planned.policy.cloned(), planned.fetch);
        let (Published::Record(record), true) = (&published, fetch != Fetching::No) else {
            return policy;
        };
        match self.fetch(domain).await {
            Ok(fetched) => {
                let kept = after_fetch(kept, record, Some(fetched), now)?;
                self.keep(domain.as_str(), &kept).await;
                Some(kept.policy)
            }
            Err(why) => {
                let facts = tls_seen::without_policy(domain, &why);
                let domain = domain.as_str();
                log::warn!(domain, why:% = why; "the MTA-STS policy cannot be fetched");
                self.post.sts_failures.note(domain, now);
                self.note_tls(domain, vec![facts]);
                policy
            }
        }
    }

    async fn kept(&self, domain: &str) -> Option<Kept> {
        let question = QueueRead::StsPolicy(domain.to_owned());
        match job::read(&self.desk, "sts policy", Read::Queue(question)).await {
            Ok(Found::StsPolicy(Some(StsPolicy { id, policy, fetched, .. }))) => {
                let policy = Policy::parse(policy.as_bytes()).ok()?;
                Some(Kept { id, policy, fetched })
            }
            _ => None,
        }
    }

    async fn keep(&self, domain: &str, kept: &Kept) {
        let policy = StsPolicy {
            domain: domain.to_owned(),
            id: kept.id.clone(),
            policy: kept.policy.to_text(),
            fetched: kept.fetched,
            expires: kept.expires(),
        };
        let job = QueueWrite::KeepPolicy(policy, self.wall());
        if let Err(error) = job::write(&self.desk, "sts policy", Write::Queue(Box::new(job))).await
        {
            log::error!(domain, why:% = error; "an MTA-STS policy cannot be kept");
        }
    }

    /// From one address of its host after the other.
    async fn fetch(&self, domain: &Name) -> Fetched {
        let host = domain.below(POLICY_LABEL).map_err(|fault| fault.to_string())?;
        let addresses = self.addresses(&host).await.0?;
        let mut why = "its host has no address".to_owned();
        for ip in addresses {
            let trust = Trust::Authorities(self.post.roots.clone());
            let connector =
                Connector::new(host.as_str(), trust).map_err(|error| error.to_string())?;
            let (name, address) = (host.as_str().to_owned(), SocketAddr::new(ip, PORT));
            let factory = Box::new(move || Fetch::machine(name, address, connector));
            match self.desk.ask("sts fetch", Effect::Start(factory)).await {
                Completion::Outcome(Some(Answer::Fetched(Ok(policy)))) => return Ok(policy),
                Completion::Outcome(Some(Answer::Fetched(Err(fault)))) => why = fault,
                _ => why = "it was not answered".to_owned(),
            }
        }
        Err(why)
    }
}
