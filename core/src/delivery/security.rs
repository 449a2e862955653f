//! How TLS is to be with one server: what DNS and the domain's policy demand, and what the sender
//! wishes.

use crate::dane::{Demand, Tlsa};
use crate::dns::Name;
use crate::mta_sts::{Mode, Policy};

/// What the sender wishes for one message (RFC 8689).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Nothing: what the domain demands is done.
    Usual,
    /// TLS with a server that is known for sure, or not at all (REQUIRETLS, RFC 8689 §4.2.1). The
    /// server has to offer REQUIRETLS, too.
    Required,
    /// To arrive whatever the domain demands (`TLS-Required: No`, RFC 8689 §4.2.2).
    Optional,
}

/// How a session with one server is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// With TLS where it is offered and works, with whomever, and else without (RFC 7435).
    Opportunistic,
    /// With TLS, with whomever (RFC 7672 §2.2).
    Encrypted,
    /// With TLS, and the server is who one of these says (RFC 7672 §3).
    Dane(Vec<Tlsa>),
    /// With TLS, and a public authority has certified the server's name (RFC 8461 §4.2).
    WebPki,
    /// Not at all now, but perhaps later; says why.
    Later(String),
    /// Not with this server; says why.
    Never(&'static str),
}

/// How a session with one server is to be, and what is looked at beside that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// How it is to be.
    pub security: Security,
    /// Whether it is only to be reported how TLS would have gone under the domain's MTA-STS policy
    /// (RFC 8461 §5): what is wrong does not stop mail.
    pub watch: bool,
}

impl Terms {
    /// What holds for a server of a domain. `demand` is what DNS demands, `policy` the MTA-STS policy
    /// that counts, `mx_secure` whether DNS proved that this is the domain's server.
    ///
    /// DANE goes before MTA-STS: a server that fails it cannot be saved by the other (RFC 8461 §2).
    #[must_use]
    pub fn of(
        host: &Name,
        demand: &Demand,
        policy: Option<&Policy>,
        mx_secure: bool,
        wish: Wish,
    ) -> Self {
        let policy = policy.filter(|policy| policy.mode != Mode::None);
        let enforced = policy.filter(|policy| policy.mode == Mode::Enforce);
        let named = policy.is_some_and(|policy| policy.names(host));
        let security = match (wish, demand) {
            (Wish::Optional, _) => Security::Opportunistic,
            (_, Demand::Unknown(why)) => Security::Later(why.clone()),
            (_, Demand::Authenticated(records)) => Security::Dane(records.clone()),
            // RFC 8689 §4.2.1: that this is the domain's server has to be known, too.
            (Wish::Required, _) if mx_secure || (enforced.is_some() && named) => Security::WebPki,
            (Wish::Required, _) => {
                Security::Never("nothing proves that this is the domain's mail server")
            }
            (Wish::Usual, _) if enforced.is_some() => {
                if named {
                    Security::WebPki
                } else {
                    // RFC 8461 §5.1: another server of the domain's may be named.
                    Security::Never("the domain's policy does not name this server")
                }
            }
            (Wish::Usual, Demand::Encrypted) => Security::Encrypted,
            (Wish::Usual, Demand::Opportunistic) => Security::Opportunistic,
        };
        let watch = policy.is_some_and(|policy| policy.mode == Mode::Testing);
        Self { security, watch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Data;

    fn words(terms: &Terms) -> String {
        let security = match &terms.security {
            Security::Opportunistic => "may".to_owned(),
            Security::Encrypted => "tls".to_owned(),
            Security::Dane(_) => "dane".to_owned(),
            Security::WebPki => "pki".to_owned(),
            Security::Later(_) => "later".to_owned(),
            Security::Never(_) => "never".to_owned(),
        };
        if terms.watch { format!("{security}, watched") } else { security }
    }

    #[test]
    fn what_holds_for_a_server() {
        let data = Data::Tlsa { usage: 3, selector: 1, matching: 1, association: vec![7; 32] };
        let dane = Demand::Authenticated(vec![Tlsa::usable(&data).unwrap()]);
        let (may, tls) = (Demand::Opportunistic, Demand::Encrypted);
        let unknown = Demand::Unknown("bogus".into());
        let policy = |mode: &str, mx: &str| {
            let text = format!("version: STSv1\nmode: {mode}\nmax_age: 60\nmx: {mx}\n");
            Policy::parse(text.as_bytes()).unwrap()
        };
        let enforce = policy("enforce", "*.a.example");
        let other = policy("enforce", "*.b.example");
        let testing = policy("testing", "*.b.example");
        let none = policy("none", "*.a.example");
        // For each wish: usual, required, optional.
        for (demand, policy, mx_secure, expected) in [
            (&may, None, false, ["may", "never", "may"]),
            (&may, None, true, ["may", "pki", "may"]),
            (&may, Some(&none), false, ["may", "never", "may"]),
            (&may, Some(&enforce), false, ["pki", "pki", "may"]),
            (&may, Some(&other), false, ["never", "never", "may"]),
            (&may, Some(&other), true, ["never", "pki", "may"]),
            (&may, Some(&testing), false, ["may, watched", "never, watched", "may, watched"]),
            (&tls, None, true, ["tls", "pki", "may"]),
            (&tls, Some(&enforce), true, ["pki", "pki", "may"]),
            (&tls, Some(&testing), true, ["tls, watched", "pki, watched", "may, watched"]),
            (&dane, None, true, ["dane", "dane", "may"]),
            (&dane, Some(&enforce), true, ["dane", "dane", "may"]),
            (&dane, Some(&other), true, ["dane", "dane", "may"]),
            (&unknown, None, true, ["later", "later", "may"]),
            (&unknown, Some(&enforce), true, ["later", "later", "may"]),
        ] {
            let host = Name::parse("mx.a.example").unwrap();
            let found = [Wish::Usual, Wish::Required, Wish::Optional]
                .map(|wish| words(&Terms::of(&host, demand, policy, mx_secure, wish)));
            assert_eq!(found, expected, "{demand:?} {policy:?} {mx_secure}");
        }
    }
}
