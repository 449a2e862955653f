//! What a domain publishes (RFC 9989 §4.7).

use std::fmt;

/// A DMARC policy record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `p=`: what is to be done with messages that fail.
    pub policy: Policy,
    /// `sp=`: the same for domains below this one; `policy` where `None`.
    pub subdomains: Option<Policy>,
    /// `np=`: the same for those that are not there; `subdomains` where `None`.
    pub nonexistent: Option<Policy>,
    /// `adkim=`
    pub dkim: Alignment,
    /// `aspf=`
    pub spf: Alignment,
    /// `t=y`, or the `pct=0` of RFC 7489: the domain only tries its policy, and wants the next
    /// milder one.
    pub testing: bool,
    /// `psd=`
    pub suffix: SuffixDomain,
    /// `rua=`: where reports about many messages are wanted, at most ten.
    pub aggregate_to: Vec<String>,
    /// `ruf=`: where reports about single messages are wanted.
    pub failures_to: Vec<String>,
    /// `fo=`: about which.
    pub failure_options: String,
}

/// What is to be done with a message that fails, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Nothing: the domain only watches.
    None,
    /// It is suspicious.
    Quarantine,
    /// It is not to be taken.
    Reject,
}

/// How alike domains must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Alignment {
    /// Of one organization.
    #[default]
    Relaxed,
    /// The same.
    Strict,
}

/// Whether others register names below this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SuffixDomain {
    /// `psd=y`: yes.
    Yes,
    /// `psd=n`: no, it is the domain of an organization.
    No,
    /// `psd=u`, or nothing: as the tree walk says.
    #[default]
    Unknown,
}

/// Why a text that begins as a policy record counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFault {
    /// It is not text.
    Characters,
    /// One of `p=`, `sp=` and `np=` cannot be understood, or there is no `p=`; and it wants no
    /// reports either.
    NoPolicy,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Characters => "the record is no text",
            Self::NoPolicy => "one of `p=`, `sp=` and `np=` is not none, quarantine or reject",
        })
    }
}

impl std::error::Error for RecordFault {}

/// How many addresses of one tag are kept.
const ADDRESSES_MAX: usize = 10;

impl Policy {
    /// As records and reports have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn from_name(text: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject]
            .into_iter()
            .find(|policy| text.eq_ignore_ascii_case(policy.name()))
    }

    /// RFC 9989 §4.7: what `t=y` makes of it.
    pub(super) const fn milder(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

impl Alignment {
    /// As records have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relaxed => "r",
            Self::Strict => "s",
        }
    }
}

/// Whether a text is such a record at all: others are passed over (RFC 9989 §4.10).
pub(super) fn is_record(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let (Some(b'v' | b'V'), Some(rest)) = (text.first(), text.get(1..)) else { return false };
    let Some(rest) = rest.trim_ascii_start().strip_prefix(b"=") else { return false };
    let Some(rest) = rest.trim_ascii_start().strip_prefix(b"DMARC1") else { return false };
    matches!(rest.trim_ascii_start().first(), None | Some(b';'))
}

impl Record {
    /// Reads a record. Tags that are not known are passed over, and what is wrong with the others
    /// counts as if they were not there (RFC 9989 §4.7); of two of the same name the first counts.
    ///
    /// # Errors
    /// Where it then says nothing.
    pub fn parse(text: &[u8]) -> Result<Self, RecordFault> {
        let text = std::str::from_utf8(text).map_err(|_| RecordFault::Characters)?;
        let tag = |name: &str| {
            text.split(';').skip(1).find_map(|tag| {
                let (found, value) = tag.split_once('=')?;
                found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        // A policy that cannot be understood, or none where there must be one.
        let broken =
            ["sp", "np"].into_iter().filter_map(tag).any(|text| Policy::from_name(text).is_none());
        let policy = |name: &str| tag(name).filter(|_| !broken).and_then(Policy::from_name);
        let alignment = |name: &str| match tag(name) {
            Some("s" | "S") => Alignment::Strict,
            _ => Alignment::Relaxed,
        };
        let aggregate_to = addresses(tag("rua"));
        let policy_of_all = match policy("p") {
            Some(policy) => policy,
            // RFC 7489 §6.6.3, RFC 9989 §4.10.1: who wants reports has meant to publish something.
            None if !aggregate_to.is_empty() => Policy::None,
            None => return Err(RecordFault::NoPolicy),
        };
        let kept = |c: char| c.is_ascii_alphanumeric() || c == ':';
        Ok(Self {
            policy: policy_of_all,
            subdomains: policy("sp"),
            nonexistent: policy("np"),
            dkim: alignment("adkim"),
            spf: alignment("aspf"),
            // RFC 9989 appendix A.6: of the old percentages only these two were ever of use.
            testing: matches!(tag("t"), Some("y" | "Y"))
                || tag("t").is_none() && tag("pct") == Some("0"),
            suffix: match tag("psd") {
                Some("y" | "Y") => SuffixDomain::Yes,
                Some("n" | "N") => SuffixDomain::No,
                _ => SuffixDomain::Unknown,
            },
            aggregate_to,
            failures_to: addresses(tag("ruf")),
            failure_options: tag("fo")
                .unwrap_or("0")
                .chars()
                .filter(|c| kept(*c))
                .take(9)
                .collect(),
        })
    }
}

/// The addresses of URIs of the one kind that there is, `mailto:`, without the largest size that
/// RFC 7489 §6.2 allowed behind them.
fn addresses(uris: Option<&str>) -> Vec<String> {
    let uris = uris.unwrap_or_default().split(',').map(str::trim);
    let address = |uri: &str| {
        let scheme = uri.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))?;
        let address = uri.get(scheme.len()..)?.split('!').next().unwrap_or_default();
        let plain = address.chars().all(|c| c.is_ascii_graphic() && !"<>\"\\".contains(c));
        let (local, domain) = address.rsplit_once('@')?;
        (plain && !local.is_empty() && !domain.is_empty()).then(|| address.to_owned())
    };
    uris.filter_map(address).take(ADDRESSES_MAX).collect()
}
