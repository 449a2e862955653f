//! How TLS went in one session.

use core::net::IpAddr;

use crate::dane::DaneFault;
use crate::dns::Data;
use crate::mta_sts::{self, FetchFault};

/// How one session went, under one policy. Where a domain has DANE and MTA-STS, it is recorded
/// under each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Under which policy.
    pub policy: Policy,
    /// What went wrong; nothing where TLS went well.
    pub failure: Option<Failure>,
}

/// A policy that a session was held to (RFC 8460 §4.4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Policy {
    /// Of which kind.
    pub kind: PolicyKind,
    /// The policy as it was found: its lines, or its records.
    pub strings: Vec<String>,
    /// Whose it is: the domain of the mail, or for DANE the name whose records they are (RFC 8460
    /// §1.1).
    pub domain: String,
    /// The servers that an MTA-STS policy names.
    pub mx: Vec<String>,
}

/// Kinds of policies (RFC 8460 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
    /// Neither.
    NoPolicyFound,
}

/// What went wrong, where (RFC 8460 §4.3, §4.4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Failure {
    /// What.
    pub result: ResultType,
    /// Our address.
    pub sending_ip: Option<IpAddr>,
    /// The server, by its MX record.
    pub mx: Option<String>,
    /// The server, by its own word: the reply to EHLO.
    pub helo: Option<String>,
    /// The server's address.
    pub receiving_ip: Option<IpAddr>,
    /// More words, such as an error of the TLS library.
    pub reason: Option<String>,
}

/// Kinds of failures (RFC 8460 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResultType {
    /// STARTTLS is not offered, or refused.
    StartTlsNotSupported,
    /// The certificate is for another name.
    CertificateHostMismatch,
    /// It holds no more, or not yet.
    CertificateExpired,
    /// Nobody whom we believe has issued it.
    CertificateNotTrusted,
    /// Anything else about TLS.
    ValidationFailure,
    /// None of the TLSA records counts.
    TlsaInvalid,
    /// The records did not prove genuine.
    DnssecInvalid,
    /// DANE is required, and there are no records.
    DaneRequired,
    /// The MTA-STS policy could not be fetched.
    StsPolicyFetchError,
    /// It could not be read.
    StsPolicyInvalid,
    /// The certificate of its host is not to be believed.
    StsWebPkiInvalid,
}

impl PolicyKind {
    /// As the report has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::NoPolicyFound => "no-policy-found",
        }
    }
}

impl ResultType {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::StartTlsNotSupported,
        Self::CertificateHostMismatch,
        Self::CertificateExpired,
        Self::CertificateNotTrusted,
        Self::ValidationFailure,
        Self::TlsaInvalid,
        Self::DnssecInvalid,
        Self::DaneRequired,
        Self::StsPolicyFetchError,
        Self::StsPolicyInvalid,
        Self::StsWebPkiInvalid,
    ];

    /// As the report has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartTlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebPkiInvalid => "sts-webpki-invalid",
        }
    }
}

impl From<DaneFault> for ResultType {
    fn from(fault: DaneFault) -> Self {
        match fault {
            DaneFault::NoCertificate | DaneFault::Unreadable => Self::ValidationFailure,
            DaneFault::NoMatch | DaneFault::Chain => Self::CertificateNotTrusted,
            DaneFault::Name => Self::CertificateHostMismatch,
            DaneFault::Expired => Self::CertificateExpired,
        }
    }
}

impl From<&FetchFault> for ResultType {
    fn from(fault: &FetchFault) -> Self {
        match fault {
            FetchFault::Status(_) => Self::StsPolicyFetchError,
            FetchFault::MediaType | FetchFault::Policy(_) => Self::StsPolicyInvalid,
        }
    }
}

impl Policy {
    /// None was found for a domain.
    #[must_use]
    pub fn none(domain: &str) -> Self {
        Self {
            kind: PolicyKind::NoPolicyFound,
            strings: Vec::new(),
            domain: domain.to_owned(),
            mx: Vec::new(),
        }
    }

    /// An MTA-STS policy of a domain.
    #[must_use]
    pub fn sts(domain: &str, policy: &mta_sts::Policy) -> Self {
        Self {
            kind: PolicyKind::Sts,
            strings: policy.to_text().lines().map(str::to_owned).collect(),
            domain: domain.to_owned(),
            mx: policy.mx.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        }
    }

    /// The TLSA records that were found below a name, such as they are.
    #[must_use]
    pub fn tlsa(base: &str, records: &[Data]) -> Self {
        let mut strings: Vec<_> = records.iter().filter_map(zone_form).collect();
        // The order in which they come means nothing.
        strings.sort();
        Self { kind: PolicyKind::Tlsa, strings, domain: base.to_owned(), mx: Vec::new() }
    }
}

impl Failure {
    /// One of which no more is known.
    #[must_use]
    pub const fn new(result: ResultType) -> Self {
        Self { result, sending_ip: None, mx: None, helo: None, receiving_ip: None, reason: None }
    }
}

/// `3 1 1 0123…`, as zone files have it (RFC 6698 §2.2).
fn zone_form(data: &Data) -> Option<String> {
    let Data::Tlsa { usage, selector, matching, association } = data else { return None };
    let hex: String = association.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{usage} {selector} {matching} {hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_in_words() {
        let policy = mta_sts::Policy::parse(
            b"version: STSv1\nmode: testing\nmx: *.a.example\nmax_age: 60\n",
        );
        let sts = Policy::sts("a.example", &policy.unwrap());
        let lines = ["version: STSv1", "mode: testing", "mx: *.a.example", "max_age: 60"];
        assert_eq!(sts.strings, lines);
        assert_eq!(sts.mx, ["*.a.example"]);
        let record =
            |byte| Data::Tlsa { usage: 3, selector: 1, matching: 1, association: vec![byte, 0] };
        let tlsa = Policy::tlsa("mx.a.example", &[record(0xfe), record(1)]);
        assert_eq!(tlsa.strings, ["3 1 1 0100", "3 1 1 fe00"]);
        assert_eq!(tlsa, Policy::tlsa("mx.a.example", &[record(1), record(0xfe)]));
    }
}
