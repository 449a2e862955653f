//! What it all means for one message (RFC 9989 §5.3).

use super::discovery::Found;
use super::record::{Alignment, Policy, Record};
use crate::dns::Name;

/// What SPF and DKIM have proved of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// The domain that SPF has let pass.
    pub spf: Option<Name>,
    /// SPF could not be found out.
    pub spf_trouble: Option<Name>,
    /// The domains of signatures that are good.
    pub dkim: Vec<Name>,
    /// Those of signatures of which it could not be found out.
    pub dkim_trouble: Vec<Name>,
}

/// How it ended (RFC 9989 §8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// No policy is published.
    None,
    /// The domain in From stands behind the message.
    Pass,
    /// It does not.
    Fail,
    /// It could not be found out now.
    TempError,
    /// There is no one domain in From.
    PermError,
}

/// What it means for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// What the domain wants done: [`Policy::None`] but where the verdict is [`Verdict::Fail`].
    pub disposition: Policy,
    /// Whether a signature stands behind the domain.
    pub dkim_aligned: bool,
    /// Whether SPF does.
    pub spf_aligned: bool,
}

impl Verdict {
    /// As an Authentication-Results field has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl Found {
    /// What was found means this for a message that has this to show.
    #[must_use]
    pub fn evaluate(&self, evidence: &Evidence) -> Outcome {
        let outcome = |verdict| Outcome {
            verdict,
            disposition: Policy::None,
            dkim_aligned: false,
            spf_aligned: false,
        };
        let published = match &self.published {
            Ok(Some(published)) => published,
            Ok(None) => return outcome(Verdict::None),
            Err(_) => return outcome(Verdict::TempError),
        };
        let Record { dkim, spf, testing, .. } = published.record;
        let aligned = |names: &[Name], mode| {
            let mut all = names.iter().map(|name| self.is_aligned(name, mode));
            all.clone().find(|one| *one == Ok(true)).or_else(|| all.find(Result::is_err))
        };
        let by_dkim = aligned(&evidence.dkim, dkim);
        let by_spf = aligned(evidence.spf.as_slice(), spf);
        let (dkim_aligned, spf_aligned) = (by_dkim == Some(Ok(true)), by_spf == Some(Ok(true)));
        let verdict = if dkim_aligned || spf_aligned {
            Verdict::Pass
        } else if [by_dkim, by_spf].contains(&Some(Err(())))
            || aligned(&evidence.dkim_trouble, dkim).is_some()
            || aligned(evidence.spf_trouble.as_slice(), spf).is_some()
        {
            // What could not be found out might have been a pass.
            Verdict::TempError
        } else {
            Verdict::Fail
        };
        let wanted = if testing { published.policy.milder() } else { published.policy };
        let disposition = if verdict == Verdict::Fail { wanted } else { Policy::None };
        Outcome { verdict, disposition, dkim_aligned, spf_aligned }
    }

    /// Whether a domain stands for the one in From (RFC 9989 §4.4). An error where that could not
    /// be found out.
    fn is_aligned(&self, name: &Name, mode: Alignment) -> Result<bool, ()> {
        match mode {
            _ if *name == self.author => Ok(true),
            Alignment::Strict => Ok(false),
            Alignment::Relaxed => match self.related.get(name) {
                Some(Ok(related)) => Ok(*related),
                Some(Err(_)) => Err(()),
                None => Ok(false),
            },
        }
    }
}
