//! How TLS went with a server, as reports to its domain tell it (RFC 8460 §4.4).

use std::net::IpAddr;

use pillarbox_core::dns::{Data, Name};
use pillarbox_core::mta_sts::{self, Mode};
use pillarbox_core::tls::Doubt;
use pillarbox_core::tlsrpt::{Policy, PolicyKind, ResultType};
use serde_json::json;

use super::call::{TlsOutcome, TlsTrouble};

/// Under which policies a server was held to something.
pub(super) fn policies(
    domain: &Name,
    records: (&Name, &[Data]),
    policy: Option<&mta_sts::Policy>,
) -> Vec<Policy> {
    let (base, records) = records;
    let mut all = Vec::new();
    if !records.is_empty() {
        all.push(Policy::tlsa(base.as_str(), records));
    }
    if let Some(policy) = policy.filter(|policy| policy.mode != Mode::None) {
        all.push(Policy::sts(domain.as_str(), policy));
    }
    if all.is_empty() {
        all.push(Policy::none(domain.as_str()));
    }
    all
}

/// The server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whom<'a> {
    pub(super) mx: &'a str,
    pub(super) ip: IpAddr,
}

/// What is kept of one conversation under one policy, as JSON; nothing where there was none.
pub(super) fn facts(policy: &Policy, outcome: TlsOutcome, whom: Whom<'_>) -> Option<String> {
    let failure = match outcome {
        TlsOutcome::NotReached => return None,
        TlsOutcome::Secured(Err(doubt)) if policy.kind == PolicyKind::Sts => Some(of_doubt(doubt)),
        TlsOutcome::Secured(_) => None,
        TlsOutcome::Trouble(TlsTrouble::Missing) => Some(ResultType::StartTlsNotSupported),
        TlsOutcome::Trouble(TlsTrouble::Doubt(doubt)) => Some(of_doubt(doubt)),
        TlsOutcome::Trouble(TlsTrouble::Failed) => Some(ResultType::ValidationFailure),
    };
    Some(written(policy, failure.map(|failure| (failure, Some(whom), None))))
}

/// What is kept of a policy that could not be had.
pub(super) fn without_policy(domain: &Name, why: &str) -> String {
    let failure = if why.starts_with("TLS failed") {
        ResultType::StsWebPkiInvalid
    } else if why.contains("policy") {
        ResultType::StsPolicyInvalid
    } else {
        ResultType::StsPolicyFetchError
    };
    let policy = Policy { kind: PolicyKind::Sts, ..Policy::none(domain.as_str()) };
    written(&policy, Some((failure, None, Some(why))))
}

type Failed<'a> = (ResultType, Option<Whom<'a>>, Option<&'a str>);

fn written(policy: &Policy, failure: Option<Failed<'_>>) -> String {
    let failure = failure.map(|(result, whom, why)| {
        json!({
            "result-type": result.name(),
            "receiving-mx-hostname": whom.map(|whom| whom.mx),
            "receiving-ip": whom.map(|whom| whom.ip.to_string()),
            "failure-reason-code": why,
        })
    });
    json!({
        "policy": {
            "policy-type": policy.kind.name(),
            "policy-string": policy.strings,
            "policy-domain": policy.domain,
            "mx-host": policy.mx,
        },
        "failure": failure,
    })
    .to_string()
}

fn of_doubt(doubt: Doubt) -> ResultType {
    match doubt {
        Doubt::Name => ResultType::CertificateHostMismatch,
        Doubt::Expired => ResultType::CertificateExpired,
        Doubt::Unknown => ResultType::CertificateNotTrusted,
        Doubt::Dane(fault) => fault.into(),
        Doubt::Other => ResultType::ValidationFailure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept() {
        let domain = Name::parse("a.example").unwrap();
        let text = b"version: STSv1\nmode: testing\nmx: mx.a.example\nmax_age: 60\n";
        let sts = mta_sts::Policy::parse(text).unwrap();
        let tlsa = [Data::Tlsa { usage: 3, selector: 1, matching: 1, association: vec![1] }];
        let kinds = |records: &[Data], policy: Option<&mta_sts::Policy>| {
            let all = policies(&domain, (&domain, records), policy);
            all.iter().map(|policy| policy.kind.name()).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&[], None), ["no-policy-found"]);
        assert_eq!(kinds(&tlsa, Some(&sts)), ["tlsa", "sts"]);
        let whom = Whom { mx: "mx.a.example", ip: [192, 0, 2, 1].into() };
        let doubted = TlsOutcome::Secured(Err(Doubt::Name));
        let missing = TlsOutcome::Trouble(TlsTrouble::Missing);
        let (of_sts, none) = (Policy::sts("a.example", &sts), Policy::none("a.example"));
        for (policy, outcome, expected) in [
            (&of_sts, TlsOutcome::Secured(Ok(())), Some("\"failure\":null")),
            (&of_sts, doubted, Some("certificate-host-mismatch")),
            (&none, doubted, Some("\"failure\":null")),
            (&none, missing, Some("starttls-not-supported")),
            (&none, TlsOutcome::NotReached, None),
        ] {
            let facts = facts(policy, outcome, whom);
            assert_eq!(facts.is_some(), expected.is_some());
            assert!(facts.is_none_or(|facts| facts.contains(expected.unwrap())));
        }
        assert!(without_policy(&domain, "TLS failed: x").contains("sts-webpki-invalid"));
    }
}
