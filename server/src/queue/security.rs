//! How TLS is to be with each server of a domain: by what DNS says of it (DANE), by the domain's policy
//! (MTA-STS), and by what the sender wants.

use pillarbox_core::dane::{Demand, Steps};
use pillarbox_core::delivery::{Security, Terms, Wish};
use pillarbox_core::dns::{Data, Failure, Lookup, Name, Question};
use pillarbox_core::dsn::Status;
use pillarbox_core::mta_sts::Policy;
use pillarbox_core::tls::{Connector, Roots, TlsError, Trust};
use pillarbox_store::Outgoing;

use super::call::Tls;
use super::parcel::mail;
use crate::config::{Relay, RelayTls};

/// What is known of a server before anybody connects to it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    host: Name,
    demand: Demand,
    /// The records that were found, such as they are.
    records: Vec<Data>,
    /// Where its records were found.
    base: Name,
    /// DNS proved that it is the domain's.
    mx_secure: bool,
}

/// What the sender wants for a message.
pub(super) fn wish(message: &Outgoing) -> Wish {
    if mail(message).is_some_and(|mail| mail.require_tls) {
        Wish::Required
    } else if message.tls_optional {
        Wish::Optional
    } else {
        Wish::Usual
    }
}

impl Known {
    /// Asks DNS for the records of a server, where they could be believed.
    pub(super) async fn of<F: Future<Output = Lookup>>(
        host: Name,
        mx_secure: bool,
        addresses: [&Lookup; 2],
        port: u16,
        ask: impl Fn(Question) -> F,
    ) -> Self {
        let of = |demand, base| {
            let (host, records) = (host.clone(), Vec::new());
            Self { host, demand, records, base, mx_secure }
        };
        let bases = match Steps::of(&host, mx_secure, &addresses) {
            Steps::Opportunistic => return of(Demand::Opportunistic, host.clone()),
            Steps::Unknown(why) => return of(Demand::Unknown(why), host.clone()),
            Steps::Ask(bases) => bases,
        };
        let mut last = of(Demand::Opportunistic, host.clone());
        for base in bases {
            let Some(question) = Steps::question(&base, port) else { continue };
            let lookup = ask(question).await;
            let nothing = matches!(lookup, Err(Failure::NoName { .. } | Failure::NoRecord { .. }));
            last = of(Demand::of(&lookup), base);
            if let Ok(answer) = lookup {
                last.records = if answer.secure { answer.records } else { Vec::new() };
            }
            if !nothing {
                break;
            }
        }
        last
    }

    /// The records that were found, and where.
    pub(super) fn records(&self) -> (&Name, &[Data]) {
        (&self.base, &self.records)
    }

    /// How TLS is to be with it; or why it is not to be used, for this message, now.
    pub(super) fn tls(
        &self,
        domain: &Name,
        policy: Option<&Policy>,
        wish: Wish,
        roots: &Roots,
    ) -> Result<Tls, (Status, String)> {
        let terms = Terms::of(&self.host, &self.demand, policy, self.mx_secure, wish);
        let connector = |name: &Name, trust| {
            Connector::new(name.as_str(), trust).map_err(|error| unusable(&error))
        };
        let host = &self.host;
        Ok(match terms.security {
            Security::Opportunistic => Tls::Offered(connector(host, Trust::Anyone(roots.clone()))?),
            Security::Encrypted => Tls::Required(connector(host, Trust::Anyone(roots.clone()))?),
            Security::WebPki => Tls::Required(connector(host, Trust::Authorities(roots.clone()))?),
            Security::Dane(records) => {
                // RFC 7672 §3.2.2: the names that an authority may have certified.
                let names = vec![self.base.clone(), host.clone(), domain.clone()];
                Tls::Required(connector(&self.base, Trust::Dane { records, names })?)
            }
            Security::Later(why) => return Err((Status::new(4, 7, 5), why)),
            Security::Never(why) => return Err((Status::new(4, 7, 5), why.to_owned())),
        })
    }
}

/// How TLS is to be with a relay, by the configuration.
pub(super) fn of_relay(relay: &Relay, roots: &Roots) -> Result<Tls, (Status, String)> {
    let host = relay.host.trim_start_matches('[').trim_end_matches(']');
    let connector = |trust| Connector::new(host, trust).map_err(|error| unusable(&error));
    Ok(match relay.tls {
        RelayTls::Off => Tls::Never,
        RelayTls::Opportunistic => Tls::Offered(connector(Trust::Anyone(roots.clone()))?),
        RelayTls::StartTls => Tls::Required(connector(Trust::Authorities(roots.clone()))?),
        RelayTls::Implicit => Tls::Implicit(connector(Trust::Authorities(roots.clone()))?),
    })
}

/// With whomever has this address, where it is offered.
pub(super) fn of_address(name: &str, roots: &Roots) -> Tls {
    match Connector::new(name, Trust::Anyone(roots.clone())) {
        Ok(connector) => Tls::Offered(connector),
        Err(_) => Tls::Never,
    }
}

fn unusable(error: &TlsError) -> (Status, String) {
    (Status::new(4, 7, 5), error.to_string())
}
