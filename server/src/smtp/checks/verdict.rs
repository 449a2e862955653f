//! What comes of what was found: the one place where a message is refused or kept apart for whom it
//! says it is from.

use std::net::IpAddr;

use pillarbox_core::arc::{Chain, Status};
use pillarbox_core::dmarc::{self, Author, Evidence, Policy};
use pillarbox_core::dns::Name;
use pillarbox_core::smtp::reply::{Code, Enhanced, Reply};
use pillarbox_core::{dkim, spf};

use super::early::{Early, Sender};
use crate::config::{Checks, Forwarder, Obedience, SpfFail};

/// All that was found out about a message.
#[derive(Debug)]
pub(in crate::smtp) struct Facts {
    pub(in crate::smtp) ip: IpAddr,
    /// The sender's domain as it was given.
    pub(in crate::smtp) sender_domain: String,
    /// `None` where it was not found out in time.
    pub(in crate::smtp) early: Option<Early>,
    pub(in crate::smtp) author: Author,
    pub(in crate::smtp) dkim: Vec<dkim::Outcome>,
    /// Who has handed it on and vouches for what they found.
    pub(in crate::smtp) arc: Chain,
    /// `None` where it was not found out in time, or there is nothing to ask.
    pub(in crate::smtp) dmarc: Option<Box<dmarc::Found>>,
    pub(in crate::smtp) outcome: dmarc::Outcome,
}

/// What is done with the message, and why, in words.
#[derive(Debug)]
pub(in crate::smtp) struct Judgement {
    pub(in crate::smtp) verdict: Verdict,
    pub(in crate::smtp) reason: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::smtp) enum Verdict {
    Accept,
    Junk,
    Refuse(Reply),
}

impl Facts {
    /// Puts together what was found.
    pub(super) fn new(
        ip: IpAddr,
        sender_domain: String,
        early: Option<Early>,
        dmarc: Option<Box<dmarc::Found>>,
        (dkim, arc): (Vec<dkim::Outcome>, Chain),
        author: Author,
    ) -> Self {
        let undecided = |verdict| dmarc::Outcome {
            verdict,
            disposition: Policy::None,
            dkim_aligned: false,
            spf_aligned: false,
        };
        let evidence = evidence(early.as_ref(), &sender_domain, &dkim);
        let outcome = match (&dmarc, &author) {
            (Some(found), _) => found.evaluate(&evidence),
            (None, Author::Domain(_)) => undecided(dmarc::Verdict::TempError),
            (None, Author::Several | Author::Nobody) => undecided(dmarc::Verdict::PermError),
        };
        Self { ip, sender_domain, early, author, dkim, arc, dmarc, outcome }
    }

    /// Whether one of the signatures that are good, or SPF, or the last seal of a chain that is whole,
    /// is of this domain or one below it.
    fn is_proved(&self, domain: &Name) -> bool {
        let signed = self.dkim.iter().filter(|one| one.verdict == dkim::Verdict::Pass);
        let mut signers = signed.filter_map(|one| one.signature.as_ref()).map(|one| &one.domain);
        let sender = self
            .early
            .as_ref()
            .filter(|early| early.spf.verdict == spf::Verdict::Pass)
            .and_then(|early| Name::parse(&early.spf.domain).ok());
        let sealer = self.arc.hops.last().filter(|_| self.arc.status == Status::Pass);
        signers.any(|signer| signer.is_within(domain))
            || sealer.is_some_and(|sealer| sealer.domain.is_within(domain))
            || sender.is_some_and(|sender| sender.is_within(domain))
    }

    fn is_signed(&self) -> bool {
        self.dkim.iter().any(|one| one.verdict == dkim::Verdict::Pass)
    }
}

/// What SPF and DKIM have to say for DMARC.
fn evidence(early: Option<&Early>, sender_domain: &str, dkim: &[dkim::Outcome]) -> Evidence {
    let domains = |verdict| -> Vec<Name> {
        let signed = dkim.iter().filter(|one| one.verdict == verdict);
        signed.filter_map(|one| Some(one.signature.as_ref()?.domain.clone())).collect()
    };
    let (spf, spf_trouble) = match early {
        Some(Early { spf, .. }) => {
            let domain = Name::parse(&spf.domain).ok();
            match spf.verdict {
                spf::Verdict::Pass => (domain, None),
                spf::Verdict::TempError => (None, domain),
                _ => (None, None),
            }
        }
        None => (None, Name::parse(sender_domain).ok()),
    };
    let (good, unknown) = (domains(dkim::Verdict::Pass), domains(dkim::Verdict::TempError));
    Evidence { spf, spf_trouble, dkim: good, dkim_trouble: unknown }
}

/// What is done with a message of which this was found.
pub(super) fn judge(facts: &Facts, checks: &Checks) -> Judgement {
    let from = match &facts.author {
        Author::Domain(name) => name.as_str(),
        Author::Several | Author::Nobody => "",
    };
    if checks.sender_domain
        && let Some((reply, reason)) = unreachable(facts)
    {
        return Judgement { verdict: Verdict::Refuse(reply), reason };
    }
    if let Some(who) = forwarder(facts, checks) {
        return accept(format!("it was passed on by {who}, a forwarder that is known"));
    }
    let dmarc::Outcome { verdict, disposition, dkim_aligned, .. } = facts.outcome;
    match verdict {
        dmarc::Verdict::Pass => {
            let by = if dkim_aligned { "by its signature" } else { "by SPF" };
            accept(format!("{from} stands behind it, {by} (DMARC)"))
        }
        dmarc::Verdict::Fail => fails(from, disposition, checks.dmarc),
        dmarc::Verdict::TempError if may_be_refused(facts, checks) => put_off(from),
        dmarc::Verdict::PermError if facts.author == Author::Several => match checks.dmarc {
            Obedience::Watch => accept("its From names addresses of several domains".into()),
            _ => junk(
                "its From names addresses of several domains, so that none stands for it".into(),
            ),
        },
        _ => without_policy(facts, checks, from),
    }
}

/// No policy says what to do.
fn without_policy(facts: &Facts, checks: &Checks, from: &str) -> Judgement {
    let spf = facts.early.as_ref().map(|early| &early.spf);
    if let Some(spf) = spf.filter(|spf| spf.verdict == spf::Verdict::Fail && !facts.is_signed()) {
        let reason = format!("{} does not let {} send for it (SPF)", spf.domain, facts.ip);
        return match checks.spf_fail {
            SpfFail::Accept => accept(reason),
            SpfFail::Junk => junk(reason),
            // RFC 7372 §3.2.
            SpfFail::Refuse => refuse(Code::MAILBOX_UNAVAILABLE, Enhanced::new(7, 23), reason),
        };
    }
    if facts.is_signed() {
        return accept("it has a good signature, and no policy says more".into());
    }
    accept(match from {
        "" => "nothing speaks against it".to_owned(),
        from => format!("nothing speaks against it, and {from} publishes no policy"),
    })
}

/// The domain in From does not stand behind it.
fn fails(from: &str, wanted: Policy, obedience: Obedience) -> Judgement {
    let what = format!("neither SPF nor a signature shows that it is from {from}");
    match (wanted, obedience) {
        (Policy::None, _) => accept(format!("{what}, which asks for nothing (DMARC)")),
        (_, Obedience::Watch) => accept(format!("{what}; that is not acted on here (DMARC)")),
        (Policy::Reject, Obedience::Enforce) => {
            // RFC 7372 §3.3.
            let text = format!("{what}, which wants such mail refused (DMARC)");
            refuse(Code::MAILBOX_UNAVAILABLE, Enhanced::new(7, 26), text)
        }
        (Policy::Reject | Policy::Quarantine, _) => {
            junk(format!("{what}, which wants such mail kept apart or refused (DMARC)"))
        }
    }
}

/// Whether a policy is known, or may be there, that would have it refused or kept apart.
fn may_be_refused(facts: &Facts, checks: &Checks) -> bool {
    let known = facts.dmarc.as_ref().and_then(|found| found.published.as_ref().ok()?.as_ref());
    checks.dmarc == Obedience::Enforce && known.is_some_and(|known| known.policy == Policy::Reject)
}

fn put_off(from: &str) -> Judgement {
    let text = format!("it could not be found out whether this is from {from}, try again later");
    refuse(Code::LOCAL_ERROR, Enhanced::new(7, 26), text)
}

/// The sender could not be told if it does not arrive.
fn unreachable(facts: &Facts) -> Option<(Reply, String)> {
    let domain = &facts.sender_domain;
    // RFC 7505 §4.2; RFC 3463 §3.2.
    let (enhanced, reason) = match facts.early.as_ref()?.sender {
        Sender::Reachable => return None,
        Sender::TakesNone => {
            (Enhanced::new(7, 27), format!("{domain}, the sender's domain, takes no mail"))
        }
        Sender::NoDomain => {
            (Enhanced::new(1, 8), format!("there is no {domain}, the sender's domain"))
        }
        Sender::NoHost => {
            (Enhanced::new(1, 8), format!("{domain}, the sender's domain, has no host for mail"))
        }
    };
    Some((Reply::new(Code::MAILBOX_UNAVAILABLE, enhanced, reason.clone()), reason))
}

/// Who has passed it on, if that is somebody who is known to.
fn forwarder(facts: &Facts, checks: &Checks) -> Option<String> {
    checks.forwarders.iter().find_map(|forwarder| match forwarder {
        Forwarder::From(network) => network.contains(facts.ip).then(|| facts.ip.to_string()),
        Forwarder::Domain(name) => facts.is_proved(name).then(|| name.to_string()),
    })
}

const fn accept(reason: String) -> Judgement {
    Judgement { verdict: Verdict::Accept, reason }
}

const fn junk(reason: String) -> Judgement {
    Judgement { verdict: Verdict::Junk, reason }
}

fn refuse(code: Code, enhanced: Enhanced, reason: String) -> Judgement {
    Judgement { verdict: Verdict::Refuse(Reply::new(code, enhanced, reason.clone())), reason }
}
